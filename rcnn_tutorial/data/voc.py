"""Folders laid out as PASCAL VOC 2007's: one XML file of boxes for every photo.

DIR/Annotations/000007.xml   DIR/JPEGImages/000007.jpg   DIR/ImageSets/Main/train.txt
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from reprlib import repr as brief
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import numpy as np
from torch import Tensor

from rcnn_tutorial.config import VOC_CLASSES
from rcnn_tutorial.data.files import (
    PHOTO_ENDINGS,
    Folder,
    files_below,
    is_left_behind,
    is_system_file,
    read_text,
    split_name,
    subfolder,
)
from rcnn_tutorial.data.images import image_size
from rcnn_tutorial.data.records import (
    PhotoDataset,
    Record,
    check_label,
    class_labels,
    declared_size,
    to_float32,
    tolerating,
)
from rcnn_tutorial.data.values import as_flag, as_name, as_number
from rcnn_tutorial.errors import DataError

log = logging.getLogger("rcnn_tutorial")

FOLDERS = ANNOTATIONS, LISTS, PHOTOS = ("Annotations", "ImageSets/Main", "JPEGImages")
CORNERS = ("xmin", "ymin", "xmax", "ymax")  # pixels counted from 1, all of them inside the object ...
FROM_INCLUSIVE = (-1, -1, 0, 0)  # ... which makes them our continuous corners


class VocFolder(PhotoDataset):
    """The photos that ImageSets/Main/{split}.txt lists, with their boxes; see `PhotoDataset` for the items.

    root: the folder itself (VOC2007), or one up to two levels above it if it is the only one there.
    classes: names without background, in the order of the labels; None collects the names that occur anywhere in
    Annotations, sorted, so that all splits agree. on_bad_file: "fail", or "skip" to leave out photos and XML files
    that are missing or broken, with a warning. Raises DataError for anything missing, damaged or unknown.

    The photo of Annotations/NAME.xml is the one in JPEGImages that is called NAME, whatever its ending; the file's
    <filename>, which tools leave behind from other machines, decides only between several and where there is none.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        split: str = "train",
        classes: Sequence[str] | None = VOC_CLASSES,
        on_bad_file: str = "fail",
    ):
        folder = find_voc_folder(Path(root))
        if classes is None:
            classes = _collect_classes(subfolder(folder, ANNOTATIONS), on_bad_file)
        labels = class_labels(classes, folder)
        listed = find_split(folder, split)
        reader = _Reader(folder, labels)
        records = {}
        for line in _read_lines(listed):
            with tolerating(on_bad_file):
                source = reader.find_annotation(line, listed)
                if source not in records:
                    records[source] = reader.read(source)
        super().__init__(f"{folder} ({split})", [*records.values()], tuple(classes))


def open_voc_photo(path: Path) -> tuple[Tensor, dict]:
    """A photo below .../JPEGImages as (image, target), with those boxes of its XML file that are of VOC's classes.

    A warning names the other classes of the file. Raises DataError for a photo without annotation.
    """
    folder, source = voc_annotation(path)
    reader = _Reader(folder, class_labels(VOC_CLASSES, folder))
    record = reader.read(source, photo=path, known_only=True)
    return PhotoDataset(str(path), [record], VOC_CLASSES)[0]


def voc_annotation(path: Path) -> tuple[Path, Path] | None:
    """The VOC folder that a photo lies in and the photo's XML file there; None where it has none."""
    path = path.absolute()
    for folder in path.parents:
        parts = subfolder(folder.parent, ANNOTATIONS), subfolder(folder.parent, PHOTOS)
        if parts[0] and parts[1] == folder:
            annotations = Folder(parts[0], (".xml",))
            found = annotations.named(path.relative_to(folder).with_suffix("").as_posix())
            return (folder.parent, found[0]) if len(found) == 1 else None
    return None


def find_voc_folder(root: Path) -> Path:
    """The one folder laid out as VOC2007 at `root` or up to two levels below it. Raises DataError otherwise."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the VOC2007 folder or one above it")
    for level in ([root], root.glob("*"), root.glob("*/*")):
        found = [path for path in level if path.is_dir() and all(subfolder(path, name) for name in FOLDERS)]
        found = sorted(path for path in found if not any(map(is_system_file, path.relative_to(root).parts)))
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"{root}: holds {len(found)} VOC folders; name one of them, such as {found[0]}")
    missing = ", ".join(name for name in FOLDERS if not subfolder(root, name))
    raise DataError(f"{root}: not a VOC folder; it needs the folders {', '.join(FOLDERS)} and lacks {missing}")


def find_split(folder: Path, split: str) -> Path:
    """The file of a VOC folder that lists the images of `split`. Raises DataError if there is none."""
    main = subfolder(folder, LISTS)
    lists = {path.relative_to(main).with_suffix("").as_posix(): path for path in files_below(main, (".txt",))}
    if split not in lists:
        raise DataError(f"{folder}: no split {split!r} in ImageSets/Main; there is {', '.join(lists) or 'none'}")
    return lists[split]


def _read_lines(path: Path) -> list[str]:
    """The lines of a split that name an image."""
    try:
        lines = [line.strip() for line in re.split(r"\r\n|\r|\n", read_text(path))]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); list one image name a line, in UTF-8") from error
    lines = [line for line in lines if line and not is_left_behind(line)]
    if not lines:
        raise DataError(f"{path}: the split is empty; list at least one image name")
    return lines


class _Reader:
    """Reads the annotations of one VOC folder."""

    def __init__(self, folder: Path, labels: dict[str, int]):
        self.labels = labels
        self.annotations = Folder(subfolder(folder, ANNOTATIONS), (".xml",))
        self.photos = Folder(subfolder(folder, PHOTOS))

    def find_annotation(self, line: str, listed: Path) -> Path:
        """The XML file that a line of a split names.

        A line is a name, which may hold spaces and end like a photo's, or a name and -1, 0 or 1, as in VOC's lists for
        one class.
        """
        for name in (line, re.sub(r"\s+(-1|0|1)$", "", line)):
            stem = _without_ending(name)
            if found := self.annotations.named(stem):
                break
        return found[0] if len(found) == 1 else self.annotations.find(f"{stem}.xml", listed)

    def read(self, source: Path, photo: Path | None = None, known_only: bool = False) -> Record:
        """The record of one XML file. known_only: leave out, with a warning, objects of unknown classes."""
        root = _parse(source)
        objects = list(enumerate(root.findall("object"), start=1))
        names = [_name(number, item, source) for number, item in objects]
        if known_only:
            objects, names = _known(objects, names, self.labels, source)
        stem = source.relative_to(self.annotations.path).with_suffix("").as_posix()
        photo = photo or self._photo(stem, root.findtext("filename", "").strip(), source)
        size = declared_size(root.findtext("size/height"), root.findtext("size/width")) or image_size(photo)
        return Record(
            path=photo,
            source=source,
            image_id=stem,
            size=size,
            boxes=_boxes(objects, source),
            labels=np.array([check_label(name, self.labels, source) for name in names], dtype=np.int64),
            difficult=np.array([_difficult(number, item, source) for number, item in objects], dtype=bool),
        )

    def _photo(self, stem: str, filename: str, source: Path) -> Path:
        """The photo beside Annotations/{stem}.xml; see `VocFolder` for the rule."""
        found = self.photos.named(stem)
        if len(found) < 2:
            return found[0] if found else self.photos.find(filename or f"{stem}.jpg", source)
        last = (split_name(filename)[0] or [""])[-1]
        named = [path for path in found if path.name == last] or [path for path in found if path.suffix == ".jpg"]
        return named[0] if named else self.photos.find(stem, source)


def _without_ending(name: str) -> str:
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in (".xml", *PHOTO_ENDINGS) else name


def _known(objects: list, names: list[str], labels: dict[str, int], source: Path) -> tuple[list, list[str]]:
    """The objects of known classes; a warning names the other classes."""
    if other := sorted(set(names) - labels.keys()):
        log.warning("%s: without its objects of %s, no classes of VOC", source, brief(", ".join(other)))
    kept = [name in labels for name in names]
    return list(compress(objects, kept)), list(compress(names, kept))


def _parse(source: Path) -> Element:
    try:
        root = defusedxml.ElementTree.fromstring(read_text(source))
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: not in the encoding it declares, or UTF-8 ({error}); save it in UTF-8") from None
    except (SyntaxError, ValueError, LookupError, OSError) as error:  # defusedxml's refusals are ValueErrors
        raise DataError(f"{source}: not a readable XML file ({str(error)[:80]!r}); write it again") from error
    if root.tag != "annotation":
        raise DataError(f"{source}: its root is {brief(root.tag)}; a VOC file starts with <annotation>")
    return root


def _name(number: int, item: Element, source: Path) -> str:
    given = item.findtext("name", "")
    name = as_name(given)
    if name is None:
        raise DataError(f"{source}: object {number} has the name {brief(given)}; give its class in <name>")
    return name


def _difficult(number: int, item: Element, source: Path) -> bool:
    given = item.findtext("difficult")
    flag = as_flag(given)
    if flag is None:
        raise DataError(f"{source}: object {number} has <difficult> {brief(given)}; write 0 or 1")
    return flag


def _boxes(objects: list[tuple[int, Element]], source: Path) -> np.ndarray:
    """The objects' boxes (N, 4) with continuous corners."""
    found = [(number, item.find("bndbox")) for number, item in objects]
    boxes = [[_corner(number, box, name, source) for name in CORNERS] for number, box in found]
    return to_float32(np.array(boxes).reshape(-1, 4) + FROM_INCLUSIVE)


def _corner(number: int, box: Element | None, name: str, source: Path) -> float:
    given = None if box is None else box.findtext(name)
    value = as_number(given)
    if value is None:
        words = f"lacks {name}" if given is None else f"has the {name} {brief(given)}"
        raise DataError(f"{source}: the bndbox of object {number} {words}; give it as a number of pixels")
    return value


def _collect_classes(annotations: Path, on_bad_file: str) -> list[str]:
    """Every class name in a folder of XML files, sorted."""
    names = set()
    for source in files_below(annotations, (".xml",)):
        with tolerating(on_bad_file):
            names.update(_name(*item, source) for item in enumerate(_parse(source).findall("object"), start=1))
    return sorted(names)
