"""Data sets with COCO's "instances" annotations: one JSON file for all photos."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from reprlib import repr as brief
from typing import NamedTuple

import numpy as np

from rcnn_tutorial.data.files import Folder, is_left_behind, read_text
from rcnn_tutorial.data.images import image_size
from rcnn_tutorial.data.records import (
    PhotoDataset,
    Record,
    Undecidable,
    check_label,
    class_labels,
    declared_size,
    to_float32,
    tolerating,
)
from rcnn_tutorial.data.values import as_box, as_flag, as_id, as_name, polygon_box
from rcnn_tutorial.errors import DataError

log = logging.getLogger("rcnn_tutorial")


class CocoFolder(PhotoDataset):
    """The photos of a COCO instances file, with their boxes; see `PhotoDataset` for the items.

    images_dir: the folder that the file's `file_name`s are relative to. Category ids may have gaps: the labels are
    1..C in the order of the ids, or of `classes` when names are given; without names, a category that no annotation
    uses is left out where it only groups others or repeats a name. Groups (`iscrowd`) are difficult objects.
    on_bad_file: "fail", or "skip" to leave out images that are missing or have a wrong entry, with a warning.
    Raises DataError for anything missing, damaged or unknown.
    """

    def __init__(
        self,
        images_dir: str | os.PathLike,
        annotations_json: str | os.PathLike,
        classes: Sequence[str] | None = None,
        on_bad_file: str = "fail",
    ):
        folder, source = Path(images_dir), Path(annotations_json)
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; give the one that holds the images of {source}")
        content = _load(source)
        categories = _read_categories(content["categories"], source)
        if classes is None:
            classes = [category.name for category in _without_groups(categories, content["annotations"], source)]
        reader = _Reader(Folder(folder), source, categories, class_labels(classes, source), on_bad_file)
        super().__init__(str(source), reader.read(content["images"], content["annotations"]), tuple(classes))


def _load(source: Path) -> dict:
    """The JSON file's content, once it is certain to have the lists that we use."""
    try:
        content = json.loads(read_text(source))
    except FileNotFoundError:
        raise DataError(f"{source}: no such file; give COCO's instances JSON") from None
    except (OSError, ValueError, LookupError, RecursionError) as error:
        raise DataError(f"{source}: not a readable JSON file ({error}); download or write it again") from error
    if isinstance(content, dict) and isinstance(content.get("categories"), dict):  # a label map: {id: name}
        content["categories"] = [{"id": number, "name": name} for number, name in content["categories"].items()]
    for key in ("categories", "images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{source}: has no list {key!r}; give COCO's instances JSON")
    return content


class _Category(NamedTuple):
    id: int | str
    name: str
    group: str | None  # COCO's "supercategory"


def _read_categories(entries: list, source: Path) -> list[_Category]:
    """The categories in the order of their ids."""
    categories = {}
    for i, entry in enumerate(entries):
        where = f"{source}: categories[{i}]"
        number, name = _id(entry, "id", where), as_name(entry.get("name"))
        if name is None:
            given = brief(entry.get("name"))
            raise DataError(f"{where} has the name {given}, but its classes need letters that can be seen; rename it")
        category = categories.setdefault(number, _Category(number, name, as_name(entry.get("supercategory"))))
        if category.name != name:
            raise DataError(f"{where} and another use an id twice, {brief(number)}; number each once")
    return sorted(categories.values(), key=lambda category: (isinstance(category.id, str), category.id))


def _without_groups(categories: list[_Category], annotations: list, source: Path) -> list[_Category]:
    """The categories without unused ones that group others (Roboflow's root) or have the name of another."""
    used = {as_id(item.get("category_id")) for item in annotations if isinstance(item, dict)}
    names = Counter(category.name for category in categories)
    groups = {(other.group, other.id) for other in categories}
    kept = []
    for category in categories:
        grouping = any(group == category.name and number != category.id for group, number in groups)
        if category.id not in used and (grouping or names[category.name] > 1):
            names[category.name] -= 1
            words = "%s: category %s, %s, is left out: no annotation uses it, and it groups or repeats another"
            log.warning(words, source, brief(category.id), brief(category.name))
        else:
            kept.append(category)
    return kept or categories


class _Image(NamedTuple):
    id: int | str
    name: str
    size: tuple[int, int] | None  # (height, width), where the file gives it


class _Reader:
    """Reads the images of one COCO file."""

    def __init__(self, folder: Folder, source: Path, categories: list, labels: dict[str, int], on_bad_file: str):
        self.folder, self.source, self.labels, self.on_bad_file = folder, source, labels, on_bad_file
        self.names = {category.id: category.name for category in categories}

    def read(self, images: list, annotations: list) -> list[Record]:
        """The records of all images, in the order in which the file lists them."""
        objects = self._read_objects(annotations)
        named = defaultdict(list)  # one image may be listed more than once
        for image in self._read_images(images, objects.keys()):
            named[image.name].append(image)
        if repeated := sum(len(twins) > 1 for twins in named.values()):
            words = "%s: %d images are listed repeatedly; each is used once, with all its boxes"
            log.warning(words, self.source, repeated)
        records = []
        for first, *others in named.values():
            items = [item for image in (first, *others) for item in objects[image.id]]
            with tolerating(self.on_bad_file):
                records.append(self._read_record(first, items))
        _warn_of_corners(self.source, records)
        return records

    def _read_objects(self, annotations: list) -> dict[int | str, list[tuple[str, dict]]]:
        """{image id: [(place in the file, annotation)]}."""
        objects = defaultdict(list)
        for i, item in enumerate(annotations):
            where = f"{self.source}: annotations[{i}]"
            with tolerating(self.on_bad_file):
                objects[_id(item, "image_id", where)].append((where, item))
        return objects

    def _read_images(self, entries: list, wanted: Iterable[int | str]) -> list[_Image]:
        """The images of the file; every id in `wanted` must be that of one."""
        images = {}
        for i, entry in enumerate(entries):
            with tolerating(self.on_bad_file):
                image = _read_image(entry, f"{self.source}: images[{i}]")
                if images.setdefault(image.id, image).name != image.name:
                    words = f"images[{i}] and another use an id twice, {brief(image.id)}; number each once"
                    raise Undecidable(f"{self.source}: {words}")
        for number in sorted(set(wanted) - images.keys(), key=str):
            with tolerating(self.on_bad_file):
                raise DataError(f"{self.source}: unknown image_id {brief(number)}; list it in 'images'")
        return [image for image in images.values() if not is_left_behind(image.name)]

    def _read_record(self, image: _Image, items: list[tuple[str, dict]]) -> Record:
        path = self.folder.find(image.name, self.source)
        return Record(
            path=path,
            source=self.source,
            image_id=str(image.id),
            size=image.size or image_size(path),
            boxes=_corners([_box(item, where) for where, item in items]),
            labels=np.array([self._label(item, where) for where, item in items], dtype=np.int64),
            difficult=np.array([_crowd(item, where) for where, item in items], dtype=bool),
        )

    def _label(self, item: dict, where: str) -> int:
        number = _id(item, "category_id", where)
        if number not in self.names:
            raise DataError(f"{where} has the unknown category_id {brief(number)}; list it in 'categories'")
        return check_label(self.names[number], self.labels, self.source)


def _read_image(entry, where: str) -> _Image:
    number, name = _id(entry, "id", where), entry.get("file_name")
    if not isinstance(name, str):
        raise DataError(f"{where} has no 'file_name' that is a text but {brief(name)}; write the photo's path")
    return _Image(number, name, declared_size(entry.get("height"), entry.get("width")))


def _id(entry, field: str, where: str) -> int | str:
    number = as_id(entry.get(field)) if isinstance(entry, dict) else None
    if number is None:
        given = brief(entry.get(field) if isinstance(entry, dict) else entry)
        raise DataError(f"{where} has no {field!r} that is a whole number or a text but {given}; add it")
    return number


def _box(item: dict, where: str) -> list[float]:
    """x, y, width, height."""
    given = item.get("bbox")
    box = polygon_box(item.get("segmentation")) if given in (None, []) else as_box(given)
    if box is None:
        raise DataError(f"{where} has the bbox {brief(given)}; give [x, y, width, height] as numbers")
    return box


def _crowd(item: dict, where: str) -> bool:
    flag = as_flag(item.get("iscrowd"))
    if flag is None:
        raise DataError(f"{where} has iscrowd = {brief(item['iscrowd'])}; write 0 or 1")
    return flag


def _corners(boxes: list[list[float]]) -> np.ndarray:
    """COCO's x, y, width, height as x1, y1, x2, y2 (N, 4); both have continuous coordinates."""
    boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    with np.errstate(over="ignore", invalid="ignore"):
        boxes[:, 2:] += boxes[:, :2]
    return to_float32(boxes)


def _warn_of_corners(source: Path, records: list[Record]) -> None:
    """Tell where boxes look like x1, y1, x2, y2: most leave their image as COCO's form, and none as corners."""
    counts = [len(record.labels) for record in records]
    if not sum(counts):
        return
    boxes = np.concatenate([record.boxes for record in records])  # (N, 4)
    limits = np.repeat([record.size[::-1] for record in records], counts, axis=0) + 1  # (N, 2) width, height
    with np.errstate(over="ignore", invalid="ignore"):
        written = boxes[:, 2:] - boxes[:, :2]  # (N, 2): what stands in the place of width and height
        leaving = (boxes[:, 2:] > limits).any(axis=1)
        fitting = ((written > boxes[:, :2]) & (written <= limits)).all(axis=1)
    if leaving.mean() > 0.5 and fitting.all():
        words = "%s: %d of %d boxes leave their image; write x, y, width, height: they look like x1, y1, x2, y2"
        log.warning(words, source, leaving.sum(), len(boxes))
