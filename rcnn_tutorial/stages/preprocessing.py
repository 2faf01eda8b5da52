"""Image pre-processing: subtract a fixed mean, scale to a standard size (post: "Image Pre-Processing")."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.devices import constant, upload
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.targets import objects_of, plain


class Preprocessed(NamedTuple):
    """Images as the head takes them. Sizes may differ, so this is a list, not a batch."""

    images: list[Tensor]  # B tensors (3, height, width): normalized and scaled
    sizes: Tensor  # (B, 2) height and width after scaling, pixels
    original_sizes: Tensor  # (B, 2) height and width before
    scales: Tensor  # (B,) scaled pixels per original pixel


class GroundTruth(NamedTuple):
    """The objects of a batch, padded to one length so that every image is treated in the same operation."""

    boxes: Tensor  # (B, G, 4) scaled pixels; zeros where padded
    labels: Tensor  # (B, G) class 1..C; 0 where padded

    @property
    def valid(self) -> Tensor:
        """True for objects, False for padding: (B, G)."""
        return self.labels > 0


def scale_for(height: int, width: int, target_size: int = 600, max_size: int = 1000) -> float:
    """The factor that brings the short side to `target_size`, unless the long side would then exceed `max_size`."""
    scale = target_size / min(height, width)
    if round(scale * max(height, width)) > max_size:
        scale = max_size / max(height, width)
    return scale


def resize(image: Tensor, scale: float) -> Tensor:
    """Scale an image (3, H, W) bilinearly by exactly `scale` in both directions, to round(scale * size) pixels."""
    height, width = (max(1, round(side * scale)) for side in image.shape[-2:])
    if (height, width) == tuple(image.shape[-2:]):
        return image
    # interpolate() floors the output size where the reference rounds. Repeated rows and columns at the far edges, worth
    # a scaled pixel, yield the one that rounding up asks for; asking for it with `size=` would stretch all the others.
    extra = max(1, math.ceil(1 / scale))
    padded = F.pad(image[None], (0, extra, 0, extra), mode="replicate")  # (1, 3, H + extra, W + extra)
    scaled = F.interpolate(padded, scale_factor=scale, mode="bilinear", recompute_scale_factor=False)
    return scaled[0, :, :height, :width]


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """A normalized image (3, h, w) with zeros (the mean's color) below and to the right, to multiples of pixels."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % multiple, 0, -height % multiple))


def preprocess(images: Sequence[Tensor] | Tensor, config: PreprocessingConfig) -> Preprocessed:
    """Normalize with the fixed mean and scale by the 600 / 1000 rule.

    images: B tensors (3, H, W), float, RGB in [0, 1], of any sizes. Raises DataError on another shape or type.
    """
    images = [checked_image(image) for image in images]
    sizes = [image.shape[-2:] for image in images]
    scales = [scale_for(height, width, config.target_size, config.max_size) for height, width in sizes]
    scaled = [resize(normalize(image, config), scale) for image, scale in zip(images, scales, strict=True)]
    device = scaled[0].device
    return Preprocessed(
        scaled,
        upload([image.shape[-2:] for image in scaled], device),
        upload(sizes, device),
        upload(scales, device, torch.float32),
    )


def normalize(image: Tensor, config: PreprocessingConfig) -> Tensor:
    """(image - mean) / std, channel by channel. image: (3, H, W)."""
    mean, std = (constant(tuple(values), image.device, image.dtype) for values in (config.mean, config.std))  # (3,)
    return (image - mean[:, None, None]) / std[:, None, None]


def checked_image(image: Tensor) -> Tensor:
    """The image without a subclass. Raises DataError unless it is one that `check_image` accepts."""
    try:
        image = plain(image)
    except (TypeError, ValueError, RuntimeError):
        kind = type(image).__name__
        raise DataError(f"image of type {kind}: expected a float tensor (3, height, width) in [0, 1]") from None
    check_image(image)
    return image


def check_image(image: Tensor) -> None:
    """Raise DataError unless `image` is a float tensor (3, H, W) of at least one pixel."""
    if image.ndim != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise DataError(f"image of shape {tuple(image.shape)}: expected (3, height, width), RGB, at least one pixel")
    if not image.is_floating_point():
        raise DataError(f"image of type {image.dtype}: expected floats in [0, 1]; divide bytes by 255")


def pad_ground_truth(targets: Sequence[dict], scales: Tensor, classes: int) -> GroundTruth:
    """Collect the objects of a batch into padded tensors, in scaled pixels, on the device of `scales`.

    targets: B dicts as `rcnn_tutorial.targets` describes them, boxes in original pixels. scales: (B,).
    Raises DataError for targets that cannot be learned from; keep them on the CPU to have this checked without waiting
    for a GPU.
    """
    objects = [objects_of(target, classes) for target in targets]
    length = max(1, *(len(one.boxes) for one in objects))
    boxes = torch.zeros(len(targets), length, 4)  # (B, G, 4)
    labels = torch.zeros(len(targets), length, dtype=torch.long)  # (B, G)
    for row, one in enumerate(objects):
        boxes[row, : len(one.boxes)] = one.boxes
        labels[row, : len(one.labels)] = one.labels
    return GroundTruth(upload(boxes, scales.device) * scales[:, None, None], upload(labels, scales.device))
