"""A few real photos with hand-made boxes, at hand without a download: free ones that installed packages bring along.

Each photo's package, author and licence stand beside its boxes in assets/samples/boxes.json. "lake" is the one that
no package among our own brings: scikit-learn's china.jpg lies in the assets.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.config import VOC_CLASSES
from rcnn_tutorial.data.files import photos_in
from rcnn_tutorial.data.images import fit_boxes, read_image
from rcnn_tutorial.data.voc import open_voc_photo, voc_annotation
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.targets import make_target

SAMPLES = ("scene", "cat", "astronaut", "motorcycle", "hopper", "photographer", "lake", "coffee", "rocket")
MOST_PIXELS = 2_000_000  # of an own photo in the notebooks
DISTRIBUTIONS = {"skimage": "scikit-image", "matplotlib": "matplotlib"}
MOST_PHOTOS = 12  # of an own folder in a menu


def load_sample(name: str) -> tuple[Tensor, dict]:
    """One of SAMPLES as (image, target), like the items of a data set; label i is VOC_CLASSES[i - 1].

    "scene" is a collage of 600 x 800 pixels, the post's size, so that its scale is 1: large objects and small ones.
    "rocket" shows no object of these classes, "coffee" hardly any, "lake" boats of a few pixels, marked difficult.
    Raises ConfigError for another name, DataError if a file is missing.
    """
    if name not in SAMPLES:
        raise ConfigError(f"sample {name!r}: there is {', '.join(SAMPLES)}")
    content = json.loads(asset_path("samples/boxes.json").read_text(encoding="utf-8"))
    photos = content["photos"]
    return _compose(content["scene"], photos) if name == "scene" else _load_photo(name, photos)


def _load_photo(name: str, photos: dict) -> tuple[Tensor, dict]:
    image = read_image(_photo_path(photos[name]["package"], photos[name]["file"]))
    objects = photos[name]["objects"]
    return image, make_target(
        [item["box"] for item in objects],
        [VOC_CLASSES.index(item["class"]) + 1 for item in objects],
        [item["difficult"] for item in objects],
        image.shape[-2:],
        name,
    )


def _photo_path(package: str | None, file: str) -> Path:
    """Where a photo lies: in an installed package, found without importing it (half a second), or in the assets."""
    if package is None:
        return asset_path(file)
    found = importlib.util.find_spec(package)
    if found is None:
        raise DataError(f"sample photos: {package} is not installed; run `pip install {DISTRIBUTIONS[package]}`")
    return Path(found.submodule_search_locations[0]) / file


def _compose(scene: dict, photos: dict) -> tuple[Tensor, dict]:
    """Every tile of the scene at its place, with the objects that are on it."""
    canvas = torch.empty(3, *scene["size"])  # the tiles leave no gap
    parts = []
    for tile in scene["tiles"]:
        image, target = _cut_tile(tile, *_load_photo(tile["photo"], photos))
        left, top, right, bottom = tile["place"]
        canvas[:, top:bottom, left:right] = image
        boxes, keep, _ = fit_boxes(target["boxes"], torch.tensor(image.shape[-2:]))
        boxes = boxes[keep] + torch.tensor([left, top, left, top])
        parts.append((boxes, target["labels"][keep], target["difficult"][keep]))
    boxes, labels, difficult = (torch.cat(values) for values in zip(*parts, strict=True))
    canvas = canvas.clamp(0, 1)  # scaling rounds a little beyond
    return tv_tensors.Image(canvas), make_target(boxes, labels, difficult, scene["size"], "scene")


def _cut_tile(tile: dict, image: Tensor, target: dict) -> tuple[Tensor, dict]:
    """The tile's part of a photo, scaled to its place, mirrored where it says so."""
    (x1, y1, x2, y2), (left, top, right, bottom) = tile["crop"], tile["place"]

    def cut(inpt):
        inpt = F.resized_crop(inpt, y1, x1, y2 - y1, x2 - x1, size=[bottom - top, right - left], antialias=True)
        return F.horizontal_flip(inpt) if tile["flip"] else inpt

    return cut(image), {**target, "boxes": cut(target["boxes"])}


def open_photo(name_or_path: str | Path) -> tuple[Tensor, dict]:
    """A sample by its name, or a photo of your own by its path, as (image, target); see `load_sample`.

    A folder stands for the first of its photos. A photo of a VOC folder (.../JPEGImages/NAME.jpg) comes with its
    objects of VOC's classes; other photos come without objects. At most MOST_PIXELS large: a detector scales a photo
    down anyway, and a notebook that had to draw 40 megapixels would stand still. Raises DataError for a file that is
    no photo and for a folder without any.
    """
    if str(name_or_path) in SAMPLES:
        return load_sample(str(name_or_path))
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        path = photos_in(path)[0]
    image, target = open_voc_photo(path) if voc_annotation(path) else _without_objects(path)
    scale = (MOST_PIXELS / image[0].numel()) ** 0.5
    if scale < 1:
        size = [max(1, int(side * scale)) for side in image.shape[-2:]]
        image = F.resize(image, size, antialias=True).clamp(0, 1)
        target = {**target, "boxes": F.resize(target["boxes"], size)}
    return image, target


def open_photos(name_or_path: str | Path) -> dict[str, Tensor]:
    """{name: image} for a menu: the photo that is asked for, or the first MOST_PHOTOS of a folder; then all samples."""
    path = Path(name_or_path).expanduser()
    if str(name_or_path) in SAMPLES:
        own = {str(name_or_path): name_or_path}
    elif path.is_dir():
        own = {photo.relative_to(path).as_posix(): photo for photo in photos_in(path)[:MOST_PHOTOS]}
    else:
        own = {path.name: path}
    return {name: open_photo(photo)[0] for name, photo in (own | {name: name for name in SAMPLES}).items()}


def _without_objects(path: Path) -> tuple[Tensor, dict]:
    image = read_image(path)
    return image, make_target([], [], [], image.shape[-2:], str(path))
