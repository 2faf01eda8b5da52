"""Data sets and the way from them to batches.

A data set is anything with `len(ds)`, `ds.classes` (without background) and `ds[i] -> (image, target)`: image
float32 (3, H, W) in [0, 1], RGB; target {"boxes": (N, 4) XYXY pixels, "labels": (N,) 1..C, "difficult": (N,),
"image_id": str}. N may be 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from rcnn_tutorial import spec as specs
from rcnn_tutorial.data.batching import AugmentedDataset, CachedDataset, training_loader
from rcnn_tutorial.data.coco import CocoFolder
from rcnn_tutorial.data.images import read_image
from rcnn_tutorial.data.samples import SAMPLES, load_sample, open_photo, open_photos
from rcnn_tutorial.data.toy import TOY_CLASSES, ToyScenes
from rcnn_tutorial.data.voc import VocFolder
from rcnn_tutorial.errors import ConfigError

__all__ = [
    "SAMPLES",
    "TOY_CLASSES",
    "AugmentedDataset",
    "CachedDataset",
    "CocoFolder",
    "ToyScenes",
    "VocFolder",
    "load_sample",
    "open_dataset",
    "open_photo",
    "open_photos",
    "read_image",
    "training_loader",
]

TOY_LENGTHS = {"train": 20_000, "val": 500}


def open_dataset(
    spec: str,
    split: str | None = None,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    toy_length: int | None = None,
    toy_size: tuple[int, int] = (128, 128),
    on_bad_file: str = "fail",
):
    """The data set that `spec` names: toy, voc:DIR or coco:IMAGES:ANNOTATIONS.json.

    split: train or val of toy, any list of a VOC folder; None is train. A COCO file is one split by itself, so that
    there only None will do. classes: names in the order of the labels; None takes the data's own. seed, toy_length
    and toy_size = (height, width) are for toy alone. on_bad_file: "fail", or "skip" to leave out images and annotations
    that are missing or broken, with a warning that names each. Raises ConfigError for another spec, DataError for data
    that cannot be used.
    """
    if on_bad_file not in ("fail", "skip"):
        raise ConfigError(f"on_bad_file = {on_bad_file!r}: use fail or skip")
    kind, paths = specs.parse(spec)
    if kind == "coco":
        if split is not None:
            raise ConfigError(f"split {split!r}: {spec} is one split by itself; leave it away, or name another file")
        return CocoFolder(*paths, classes, on_bad_file)
    split = "train" if split is None else split
    if kind == "voc":
        return VocFolder(*paths, split, classes, on_bad_file)
    return _open_toy(split, seed, classes, toy_length, toy_size)


def _open_toy(split: str, seed: int, classes, length: int | None, size: tuple[int, int]) -> ToyScenes:
    if classes is not None and tuple(classes) != TOY_CLASSES:
        raise ConfigError(f"data 'toy': its classes are {', '.join(TOY_CLASSES)}; they cannot be {', '.join(classes)}")
    return ToyScenes(split, TOY_LENGTHS.get(split, 500) if length is None else length, size, seed)
