"""Random changes to training images, with their boxes kept in step, from torchvision.transforms.v2."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from rcnn_tutorial.boxes import box_area
from rcnn_tutorial.config import PreprocessingConfig, TrainingConfig

LEAST_VISIBLE = 0.3  # objects of which a zoom leaves less are no longer labeled
FILL = list(PreprocessingConfig().mean)  # around a shrunk image; preprocessing turns it into zeros


def training_transforms(training: TrainingConfig) -> v2.Transform | None:
    """The random changes that `training` asks for, to be called as `transforms(image, target)`; None for none.

    flip mirrors every second image; scale_jitter zooms by a factor drawn from its range and leaves the canvas as it
    is; color_jitter varies brightness, contrast and saturation by up to its share. Draws from torch's global
    generator.
    """
    steps = []
    if training.flip:
        steps.append(v2.RandomHorizontalFlip(0.5))
    if tuple(training.scale_jitter) != (1, 1):
        steps += [RandomZoom(training.scale_jitter), v2.SanitizeBoundingBoxes(labels_getter=_values_per_object)]
    if training.color_jitter:
        strength = training.color_jitter
        steps.append(v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength))
    return v2.Compose(steps) if steps else None


class RandomZoom(v2.Transform):
    """Zoom into a random part of the image (factor above 1) or shrink it onto a larger canvas (below 1).

    The image keeps its height and width. Boxes are cut at the border; those of which less than LEAST_VISIBLE is left
    become empty, for SanitizeBoundingBoxes to remove together with their labels.
    """

    def __init__(self, factors: tuple[float, float]):
        super().__init__()
        self.factors = tuple(factors)

    def make_params(self, flat_inputs: list) -> dict:
        """A zoom factor and the place (share of the free space above and to the left), called by v2.Transform."""
        return {"factor": torch.empty(()).uniform_(*self.factors).item(), "place": torch.rand(2).tolist()}

    def transform(self, inpt: Tensor, params: dict) -> Tensor:
        """Zoom an image or its boxes, called by v2.Transform with the same params for both."""
        zoom = zoom_in if params["factor"] >= 1 else zoom_out
        return zoom(inpt, params["factor"], params["place"])


def zoom_in(inpt: Tensor, factor: float, place: list[float]) -> Tensor:
    """The part of an image (3, H, W) or BoundingBoxes of size (H, W) / factor at `place`, scaled up to (H, W)."""
    size = F.get_size(inpt)
    window = [max(1, round(side / factor)) for side in size]
    top, left = _corner(size, window, place)
    zoomed = F.resized_crop(inpt, top, left, *window, size=size, antialias=False)
    if not isinstance(inpt, tv_tensors.BoundingBoxes):
        return zoomed
    stretch = size[0] / window[0] * size[1] / window[1]  # of areas
    visible = box_area(zoomed) / (box_area(inpt) * stretch)  # (N,)
    return tv_tensors.wrap(torch.where(visible[:, None] < LEAST_VISIBLE, 0, zoomed), like=zoomed)


def zoom_out(inpt: Tensor, factor: float, place: list[float]) -> Tensor:
    """An image (3, H, W) or BoundingBoxes shrunk to factor * (H, W), at `place` on a canvas of size (H, W)."""
    size = F.get_size(inpt)
    window = [max(1, round(side * factor)) for side in size]
    top, left = _corner(size, window, place)
    borders = [left, top, size[1] - window[1] - left, size[0] - window[0] - top]
    return F.pad(F.resize(inpt, window), borders, fill=FILL)


def _corner(size: list[int], window: list[int], place: list[float]) -> list[int]:
    """Top and left of a window inside an image."""
    return [round((whole - part) * share) for whole, part, share in zip(size, window, place, strict=True)]


def _values_per_object(sample: tuple) -> tuple[Tensor, Tensor]:
    return sample[1]["labels"], sample[1]["difficult"]
