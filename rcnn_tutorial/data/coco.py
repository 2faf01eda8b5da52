"""Data sets with COCO's "instances" annotations: one JSON file for all photos."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np

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

# What an entry of each list must hold, as (field, types).
FIELDS = {
    "categories": (("id", int), ("name", str)),
    "images": (("id", int), ("file_name", str)),
    "annotations": (("image_id", int), ("category_id", int), ("bbox", list)),
}
NO_BOX = [0, 0, 0, 0]


class CocoFolder(PhotoDataset):
    """The photos of a COCO instances file, with their boxes; see `PhotoDataset` for the items.

    images_dir: the folder that the file's `file_name`s are relative to. Category ids may have gaps: the labels are
    1..C in the order of the ids, or of `classes` when names are given. Groups (`iscrowd`) are difficult objects.
    Raises DataError for anything missing, damaged or unknown.
    """

    def __init__(
        self,
        images_dir: str | os.PathLike,
        annotations_json: str | os.PathLike,
        classes: Sequence[str] | None = None,
    ):
        folder, source = Path(images_dir), Path(annotations_json)
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; give the one that holds the images of {source}")
        content = _load(source)
        if classes is None:
            classes = [category["name"] for category in sorted(content["categories"], key=itemgetter("id"))]
        classes = check_classes(classes, source)
        super().__init__(str(source), _read_records(content, classes, folder, source), classes)


def _load(source: Path) -> dict:
    """The JSON file's content, once it is certain to have the lists and fields that we use."""
    try:
        content = json.loads(source.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{source}: no such file; give COCO's instances JSON") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{source}: not a readable JSON file ({error}); download or write it again") from error
    for key, fields in FIELDS.items():
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{source}: has no list {key!r}; give COCO's instances JSON")
        for i, entry in enumerate(entries):
            _check_entry(entry, fields, f"{source}: {key}[{i}]")
    for key in ("categories", "images"):
        if len({entry["id"] for entry in content[key]}) != len(content[key]):
            raise DataError(f"{source}: {key} use an id twice; number each once")
    return content


def _check_entry(entry, fields, where: str) -> None:
    for name, kind in fields:
        if not isinstance(entry, dict) or not isinstance(entry.get(name), kind):
            raise DataError(f"{where} has no {name!r} that is of type {kind.__name__}; add it")
    box = entry.get("bbox", NO_BOX)
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        raise DataError(f"{where} has the bbox {brief(box)}; give [x, y, width, height] as numbers")


def _is_number(value) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)


def _read_records(content: dict, classes: tuple[str, ...], folder: Path, source: Path) -> list[Record]:
    names = {category["id"]: category["name"] for category in content["categories"]}
    labels = {name: label for label, name in enumerate(classes, start=1)}
    objects = defaultdict(list)  # image id -> [(label, annotation)]
    for item in content["annotations"]:
        if item["category_id"] not in names:
            raise DataError(f"{source}: unknown category_id {brief(item['category_id'])}; list it in 'categories'")
        label = check_label(names[item["category_id"]], labels, source)
        objects[item["image_id"]].append((label, item))
    records = [_read_record(image, objects.pop(image["id"], []), folder, source) for image in content["images"]]
    if objects:
        raise DataError(f"{source}: unknown image_id {brief(next(iter(objects)))}; list it in 'images'")
    return records


def _read_record(image: dict, objects: list[tuple[int, dict]], folder: Path, source: Path) -> Record:
    path = file_inside(folder, image["file_name"], source)
    return Record(
        path=path,
        source=source,
        image_id=str(image["id"]),
        size=declared_size(image.get("height"), image.get("width")) or image_size(path),
        boxes=_corners([item["bbox"] for _, item in objects]),
        labels=np.array([label for label, _ in objects], dtype=np.int64),
        difficult=np.array([bool(item.get("iscrowd", 0)) for _, item in objects], dtype=bool),
    )


def _corners(boxes: list[list[float]]) -> np.ndarray:
    """COCO's x, y, width, height as x1, y1, x2, y2 (N, 4); both have continuous coordinates."""
    boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    with np.errstate(over="ignore", invalid="ignore"):
        boxes[:, 2:] += boxes[:, :2]
    return to_float32(boxes)
