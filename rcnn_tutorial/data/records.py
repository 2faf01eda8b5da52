"""What every data set of annotated photo files shares, whatever format the annotations have."""

from __future__ import annotations

import logging
import os
import reprlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rcnn_tutorial.data.images import fit_boxes, make_target, read_image
from rcnn_tutorial.errors import DataError

MAX_SIDE = 10**6  # pixels; no image is larger, so a declared size beyond it is a mistake

log = logging.getLogger("rcnn_tutorial")


class Record(NamedTuple):
    """One photo and its N objects. Arrays, not tensors: thousands of tensors would not fit through to a worker."""

    path: Path  # of the photo
    source: Path  # of its annotation
    image_id: str
    size: tuple[int, int]  # (height, width) in pixels that the boxes refer to
    boxes: np.ndarray  # (N, 4) float32 x1, y1, x2, y2 in pixels
    labels: np.ndarray  # (N,) int64, 1..C
    difficult: np.ndarray  # (N,) bool


class PhotoDataset(torch.utils.data.Dataset):
    """Photos with boxes: item i is (image, target).

    image: tv_tensors.Image float32 (3, H, W) in [0, 1]; target: {"boxes": tv_tensors.BoundingBoxes (N, 4) XYXY
    pixels, "labels": (N,) int64, "difficult": (N,) bool, "image_id": str}. Boxes are cut at the image's border
    and useless ones dropped when the data set is opened; the log says once how many.
    """

    def __init__(self, name: str, records: list[Record], classes: tuple[str, ...]):
        if not records:
            raise DataError(f"{name}: no images; name a split or file that lists at least one")
        self.classes = classes  # without background: label i is classes[i - 1]
        self.records = _cleaned(name, records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        record = self.records[index]
        image = read_image(record.path)
        if tuple(image.shape[1:]) != record.size:
            raise DataError(
                f"{record.source}: boxes are for {_size_words(record.size)} pixels, but {record.path} shows "
                f"{_size_words(image.shape[1:])}; correct the size or annotate the image as it is displayed"
            )
        return image, make_target(record.boxes, record.labels, record.difficult, record.size, record.image_id)

    def get_height_and_width(self, index: int) -> tuple[int, int]:
        """Size in pixels of a photo, without reading it; named as in torchvision's training scripts."""
        return self.records[index].size


def file_inside(folder: Path, name: str, source: Path) -> Path:
    """The existing file `name` below `folder`, where `name` comes from the untrusted file `source`."""
    kinds = PurePosixPath(name), PureWindowsPath(name)
    if any(kind.anchor or ".." in kind.parts for kind in kinds):
        raise DataError(f"{source}: {brief(name)} leads out of {folder}; use a path relative to that folder")
    if not os.path.isfile(folder / name):
        raise DataError(f"{source}: no file {brief(name)} in {folder}; add the file or remove the entry")
    return folder / name


def check_classes(classes: Iterable[str], source: Path) -> tuple[str, ...]:
    """`classes` as a tuple; DataError, naming `source`, unless it holds printable names, each once."""
    classes = tuple(classes)
    if not classes or len(set(classes)) != len(classes) or not all(name and name.isprintable() for name in classes):
        raise DataError(f"{source}: its classes are {brief(classes)}; give at least one, each name once")
    return classes


def check_label(name: str, labels: dict[str, int], source: Path) -> int:
    """The label of the class `name`; DataError, naming `source`, if there is no such class."""
    if name not in labels:
        raise DataError(f"{source}: unknown class {brief(name)}; known are {', '.join(labels)}")
    return labels[name]


def declared_size(height, width) -> tuple[int, int] | None:
    """(height, width) as an annotation gives it, or None where that says nothing (some tools write 0)."""
    try:
        size = int(height), int(width)
    except (TypeError, ValueError, OverflowError):
        return None
    return size if all(0 < side <= MAX_SIDE for side in size) else None


def to_float32(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) of any size in float32; values too large for it become infinite, for `clean_boxes` to drop."""
    with np.errstate(over="ignore", invalid="ignore"):
        return boxes.astype(np.float32)


def brief(value) -> str:
    """`value`, from an untrusted file, in a form that fits into a line of an error message."""
    return reprlib.repr(value)


def _cleaned(name: str, records: list[Record]) -> list[Record]:
    """The records with boxes that fit into their images; logs how many boxes were changed for that."""
    counts = [len(record.labels) for record in records]
    boxes = torch.from_numpy(np.concatenate([record.boxes for record in records]))  # (N, 4), of all photos
    sizes = torch.tensor([record.size for record in records]).repeat_interleave(torch.tensor(counts), dim=0)  # (N, 2)
    boxes, keep, clipped = (tensor.numpy() for tensor in fit_boxes(boxes, sizes))
    if clipped.any() or not keep.all():
        words = "%s: of %d boxes, %d clipped to the image, %d empty ones dropped"
        log.warning(words, name, len(keep), clipped.sum(), (~keep).sum())
    ends = np.cumsum(counts)[:-1]
    parts = zip(records, np.split(boxes, ends), np.split(keep, ends), strict=True)
    return [
        record._replace(boxes=inside[kept], labels=record.labels[kept], difficult=record.difficult[kept])
        for record, inside, kept in parts
    ]


def _size_words(size) -> str:
    return f"{size[1]} x {size[0]}"
