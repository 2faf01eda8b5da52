"""Folders laid out as PASCAL VOC 2007's: one XML file of boxes for every photo.

DIR/Annotations/000007.xml   DIR/JPEGImages/000007.jpg   DIR/ImageSets/Main/train.txt
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import numpy as np
from torch import Tensor

from rcnn_tutorial.config import VOC_CLASSES
from rcnn_tutorial.data.images import image_size
from rcnn_tutorial.data.records import (
    PhotoDataset,
    Record,
    brief,
    check_classes,
    check_label,
    declared_size,
    file_inside,
    to_float32,
)
from rcnn_tutorial.errors import DataError

FOLDERS = ("Annotations", "ImageSets/Main", "JPEGImages")
CORNERS = ("xmin", "ymin", "xmax", "ymax")  # pixels counted from 1, all of them inside the object ...
FROM_INCLUSIVE = (-1, -1, 0, 0)  # ... which makes them our continuous corners


class VocFolder(PhotoDataset):
    """The photos that ImageSets/Main/{split}.txt lists, with their boxes; see `PhotoDataset` for the items.

    root: the folder itself (VOC2007), or one up to two levels above it if it is the only one there.
    classes: names without background, in the order of the labels; None collects the names that occur anywhere in
    Annotations, sorted, so that all splits agree. Raises DataError for anything missing, damaged or unknown.
    """

    def __init__(self, root: str | os.PathLike, split: str = "train", classes: Sequence[str] | None = VOC_CLASSES):
        folder = find_voc_folder(Path(root))
        if classes is None:
            classes = _collect_classes(folder / "Annotations")
        classes = check_classes(classes, folder)
        labels = {name: label for label, name in enumerate(classes, start=1)}
        listed = find_split(folder, split)
        records = [_read_record(folder, name, labels, listed) for name in _read_names(listed)]
        super().__init__(f"{folder} ({split})", records, classes)


def open_voc_photo(path: Path) -> tuple[Tensor, dict]:
    """The item of one photo, .../JPEGImages/NAME.jpg, with the boxes of .../Annotations/NAME.xml, as in VocFolder."""
    labels = {name: label for label, name in enumerate(VOC_CLASSES, start=1)}
    record = _read_record(path.parents[1], path.stem, labels, path)
    return PhotoDataset(str(path), [record], VOC_CLASSES)[0]


def has_annotation(path: Path) -> bool:
    """Whether a photo lies in a VOC folder and has its XML file there."""
    return path.parent.name == "JPEGImages" and (path.parents[1] / "Annotations" / f"{path.stem}.xml").is_file()


def find_voc_folder(root: Path) -> Path:
    """The one folder laid out as VOC2007 at `root` or up to two levels below it. Raises DataError otherwise."""
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the VOC2007 folder or one above it")
    for level in ([root], root.glob("*"), root.glob("*/*")):
        found = sorted(path for path in level if all((path / name).is_dir() for name in FOLDERS))
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"{root}: holds {len(found)} VOC folders; name one of them, such as {found[0]}")
    raise DataError(f"{root}: not a VOC folder; it needs the folders {', '.join(FOLDERS)}")


def find_split(folder: Path, split: str) -> Path:
    """The file of a VOC folder that lists the images of `split`. Raises DataError if there is none."""
    lists = {path.stem: path for path in sorted((folder / "ImageSets" / "Main").glob("*.txt"))}
    if split not in lists:
        raise DataError(f"{folder}: no split {split!r} in ImageSets/Main; there is {', '.join(lists) or 'none'}")
    return lists[split]


def _read_names(path: Path) -> list[str]:
    """Names of the images in a split: the first word of every line."""
    try:
        names = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); list one image name a line, in UTF-8") from error
    if not names:
        raise DataError(f"{path}: the split is empty; list at least one image name")
    return names


def _read_record(folder: Path, name: str, labels: dict[str, int], split: Path) -> Record:
    source = file_inside(folder / "Annotations", f"{name}.xml", split)
    root = _parse(source)
    objects = root.findall("object")
    photo = _photo(folder / "JPEGImages", name, root, source)
    size = declared_size(root.findtext("size/height"), root.findtext("size/width")) or image_size(photo)
    return Record(
        path=photo,
        source=source,
        image_id=name,
        size=size,
        boxes=_boxes(objects, source),
        labels=np.array([check_label(_name(item), labels, source) for item in objects], dtype=np.int64),
        difficult=np.array([item.findtext("difficult", "0").strip() == "1" for item in objects], dtype=bool),
    )


def _photo(folder: Path, name: str, root: Element, source: Path) -> Path:
    """VOC's own photos are {name}.jpg; other tools write the name, often with another ending, into the XML."""
    photo = folder / f"{name}.jpg"
    return photo if photo.is_file() else file_inside(folder, root.findtext("filename") or photo.name, source)


def _parse(source: Path) -> Element:
    try:
        root = defusedxml.ElementTree.parse(source).getroot()
    except (SyntaxError, ValueError, LookupError, OSError) as error:  # defusedxml's refusals are ValueErrors
        raise DataError(f"{source}: not a readable XML file ({str(error)[:80]!r}); write it again") from error
    if root.tag != "annotation":
        raise DataError(f"{source}: its root is {brief(root.tag)}; a VOC file starts with <annotation>")
    return root


def _name(item: Element) -> str:
    return item.findtext("name", "").strip()


def _boxes(objects: list[Element], source: Path) -> np.ndarray:
    """The objects' boxes (N, 4) with continuous corners."""
    try:
        boxes = [[float(item.find("bndbox").findtext(name)) for name in CORNERS] for item in objects]
    except (AttributeError, TypeError, ValueError):  # no bndbox, no corner, no number
        raise DataError(f"{source}: a bndbox lacks one of {', '.join(CORNERS)} as a number; add it") from None
    return to_float32(np.array(boxes).reshape(-1, 4) + FROM_INCLUSIVE)


def _collect_classes(annotations: Path) -> list[str]:
    """Every class name in a folder of XML files, sorted."""
    return sorted(
        {_name(item) for path in sorted(annotations.glob("*.xml")) for item in _parse(path).findall("object")}
    )
