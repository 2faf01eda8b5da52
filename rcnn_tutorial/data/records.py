"""What every data set of annotated photo files shares, whatever format the annotations have."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from reprlib import repr as brief  # a value of an untrusted file, short enough for an error message
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rcnn_tutorial.data.images import fit_boxes, read_image
from rcnn_tutorial.data.values import as_name, as_number
from rcnn_tutorial.errors import DataError, TutorialError
from rcnn_tutorial.targets import Outline, make_target

MAX_SIDE = 10**6  # pixels; no image is larger, so a declared size beyond it is a mistake
CORNER = (-1, 2)  # pixels; boxes that all lie between these are shares of the image
MOST_NAMES = 20  # classes that a message lists

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
            raise DataError(f"{name}: no images that can be used; list at least one, or mend those that are listed")
        _check_photos_once(records)
        _check_pixels(name, records)
        records = _without_repeats(name, records)
        self.name, self.classes = name, classes  # without background: label i is classes[i - 1]
        self.records = _cleaned(name, records)
        self.dropped = sum(len(record.labels) for record in records) - sum(len(r.labels) for r in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        record = self.records[index]
        image = read_image(record.path)
        if tuple(image.shape[1:]) != record.size:
            raise DataError(_other_size(record, tuple(image.shape[1:])))
        return image, _target(record)

    def outline(self, index: int) -> Outline:
        """Path, size and target of a photo, without reading it."""
        record = self.records[index]
        return Outline(str(record.path), record.size, _target(record))

    def get_height_and_width(self, index: int) -> tuple[int, int]:
        """Size in pixels of a photo, without reading it; named as in torchvision's training scripts."""
        return self.records[index].size


def _target(record: Record) -> dict:
    return make_target(record.boxes, record.labels, record.difficult, record.size, record.image_id)


@contextlib.contextmanager
def tolerating(on_bad_file: str) -> Iterator[None]:
    """Do what `on_bad_file` says about an image or annotation that cannot be read.

    "fail" raises its error, "skip" leaves the image out with a warning that names the file. A wrong entry takes its
    whole image along, since an object without its box would be learned as background.
    """
    try:
        yield
    except TutorialError as error:
        if on_bad_file != "skip" or isinstance(error, Undecidable):
            raise
        warnings.warn(f"left out: {error}", stacklevel=3)


class Undecidable(DataError):
    """A question to the user, such as about a class that is not among the known ones; never skipped as a bad file."""


def class_labels(classes: Iterable[str], source: Path) -> dict[str, int]:
    """{name as `as_name` gives it: label 1..C}; DataError, naming `source`, unless all are names, each there once."""
    labels: dict[str, int] = {}
    for label, given in enumerate(classes, start=1):
        name = as_name(given)
        if name is None:
            raise DataError(f"{source}: its classes hold {brief(given)}; use a name in letters that can be seen")
        if name in labels:
            raise DataError(f"{source}: its classes hold {brief(name)} twice; give at least one, each name once")
        labels[name] = label
    folded = Counter(map(str.casefold, labels))
    if twins := [name for name in labels if folded[name.casefold()] > 1]:
        log.warning("%s: the classes %s differ in case alone; they are learned as different ones", source, brief(twins))
    if not labels:
        raise DataError(f"{source}: its classes are (), since it has no objects; annotate some or name the classes")
    return labels


def check_label(name: str, labels: dict[str, int], source: Path) -> int:
    """The label of the class `name`; Undecidable, naming `source`, if there is no such class."""
    if name not in labels:
        known = ", ".join([*labels][:MOST_NAMES])
        known += f" and {len(labels) - MOST_NAMES} more" if len(labels) > MOST_NAMES else ""
        raise Undecidable(f"{source}: unknown class {brief(name)}; known are {known}; rename it or add it to these")
    return labels[name]


def declared_size(height, width) -> tuple[int, int] | None:
    """(height, width) as an annotation gives it, or None where that says nothing (some tools write 0)."""
    size = as_number(height), as_number(width)
    if any(side is None or not 1 <= side <= MAX_SIDE for side in size):
        return None
    return int(size[0]), int(size[1])


def check_objects(dataset) -> None:
    """Raise DataError for a training set that is a `PhotoDataset`, or wraps one, and of which no object is left."""
    while not isinstance(dataset, PhotoDataset):
        if (dataset := getattr(dataset, "dataset", None)) is None:
            return
    if not all(record.difficult.all() for record in dataset.records):
        return
    difficult = sum(len(record.labels) for record in dataset.records)
    count = difficult + dataset.dropped
    why = f"of {count} objects {dataset.dropped} have an empty box, {difficult} are marked as difficult or as a crowd"
    why = why if count else f"none of the {len(dataset)} images has one"
    raise DataError(f"{dataset.name}: nothing to learn from, no object is left ({why}); correct the annotations")


def to_float32(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) of any size in float32; values too large for it become infinite, for `fit_boxes` to drop."""
    with np.errstate(over="ignore", invalid="ignore"):
        return boxes.astype(np.float32)


def _check_photos_once(records: list[Record]) -> None:
    """Two annotations of one photo would each teach the objects of the other as background."""
    first = {}
    for record in records:
        if (other := first.setdefault(record.path, record)) is not record:
            sources = f"{other.source} ({other.image_id}) and {record.source} ({record.image_id})"
            raise DataError(f"{record.path}: annotated twice, in {sources}; put all its boxes into one")


def _check_pixels(name: str, records: list[Record]) -> None:
    """Refuse boxes that are shares of the image, 0 to 1, and not pixels.

    They are when all boxes of images larger than a few pixels lie in the first CORNER pixels: the lower limit is
    below 0 because VOC's count begins at 1, the upper one above 1 for boxes given by their centers. Where only some
    do, and between whole pixels, a warning tells: one photo's conversion may have been forgotten.
    """
    large = [record for record in records if len(record.labels) and min(record.size) > CORNER[1]]
    tiny = [((record.boxes >= CORNER[0]) & (record.boxes <= CORNER[1])).all(axis=1) for record in large]
    if large and all(each.all() for each in tiny):
        words = f"all boxes lie in the first {CORNER[1]} pixels, like shares of the image, such as in {large[0].source}"
        raise DataError(f"{name}: {words}; boxes are counted in pixels: multiply by the image's width and height")
    odd = [(record.boxes[each] % 1 != 0).any(axis=1).sum() for each, record in zip(tiny, large, strict=True)]
    if any(odd):
        example = next(record.path for record, count in zip(large, odd, strict=True) if count)
        words = "%s: %d boxes lie in the first %d pixels, such as on %s; boxes are counted in pixels, not in shares"
        log.warning(words, name, sum(odd), CORNER[1], example)


def _without_repeats(name: str, records: list[Record]) -> list[Record]:
    """The records without the boxes that an annotation repeats, as files do that were joined from others."""
    firsts = [_first_of_each(record) for record in records]
    repeats = sum(len(record.labels) - len(first) for record, first in zip(records, firsts, strict=True))
    if not repeats:
        return records
    log.warning("%s: %d boxes that stand there twice are used once", name, repeats)
    return [_selected(record, first) for record, first in zip(records, firsts, strict=True)]


def _first_of_each(record: Record) -> list[int]:
    """The places where a box with its label and flag stands for the first time."""
    first = {}
    for i, row in enumerate(zip(record.boxes.tolist(), record.labels.tolist(), record.difficult.tolist(), strict=True)):
        first.setdefault((*row[0], *row[1:]), i)
    return [*first.values()]


def _selected(record: Record, chosen) -> Record:
    """The record with the chosen ones of its objects, given by their numbers (M,) or flags (N,)."""
    values = {name: getattr(record, name)[chosen] for name in ("boxes", "labels", "difficult")}
    return record._replace(**values)


def _other_size(record: Record, shown: tuple[int, int]) -> str:
    """The message about boxes that refer to another size than that of their photo."""
    words = f"{record.source}: boxes are for {_size_words(record.size)} pixels, but {record.path} shows"
    if record.size == shown[::-1]:
        remedy = "swap width and height, or annotate the image upright, as it is displayed"
    else:
        remedy = "correct the size or annotate the image as it is displayed"
    return f"{words} {_size_words(shown)}; {remedy}"


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
    return [_selected(record._replace(boxes=inside), kept) for record, inside, kept in parts]


def _size_words(size) -> str:
    return f"{size[1]} x {size[0]}"
