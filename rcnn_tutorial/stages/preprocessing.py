"""Image pre-processing: subtract a fixed mean, scale to a standard size (post: "Image Pre-Processing")."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.errors import DataError


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


def preprocess(images: Sequence[Tensor], config: PreprocessingConfig) -> Preprocessed:
    """Normalize with the fixed mean and scale by the 600 / 1000 rule.

    images: B tensors (3, H, W), float, RGB in [0, 1], of any sizes. Raises DataError on another shape or type.
    """
    images = [plain(image) for image in images]
    for image in images:
        check_image(image)
    mean = images[0].new_tensor(config.mean)[:, None, None]  # (3, 1, 1)
    std = images[0].new_tensor(config.std)[:, None, None]  # (3, 1, 1)
    scales = [scale_for(*image.shape[-2:], config.target_size, config.max_size) for image in images]
    scaled = [resize((image - mean) / std, scale) for image, scale in zip(images, scales, strict=True)]
    device = scaled[0].device
    return Preprocessed(
        scaled,
        torch.tensor([image.shape[-2:] for image in scaled], device=device),
        torch.tensor([image.shape[-2:] for image in images], device=device),
        torch.tensor(scales, device=device),
    )


def plain(tensor: Tensor) -> Tensor:
    """The same numbers without a subclass: torchvision's "this is an image" would be asked at every operation."""
    return torch.as_tensor(tensor).as_subclass(Tensor)


def check_image(image: Tensor) -> None:
    """Raise DataError unless `image` is a float tensor (3, H, W) of at least one pixel."""
    if image.ndim != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise DataError(f"image of shape {tuple(image.shape)}: expected (3, height, width), RGB, at least one pixel")
    if not image.is_floating_point():
        raise DataError(f"image of type {image.dtype}: expected floats in [0, 1]; divide bytes by 255")


def pad_ground_truth(targets: Sequence[dict], scales: Tensor, classes: int) -> GroundTruth:
    """Collect the objects of a batch into padded tensors, in scaled pixels, on the device of `scales`.

    targets: B dicts with "boxes" (N, 4) in original pixels and "labels" (N,) in 1..classes. scales: (B,).
    Raises DataError for targets that cannot be learned from; keep them on the CPU to have this checked without waiting
    for a GPU.
    """
    length = max(1, *(len(target["boxes"]) for target in targets))
    boxes = torch.zeros(len(targets), length, 4)  # (B, G, 4)
    labels = torch.zeros(len(targets), length, dtype=torch.long)  # (B, G)
    for row, target in enumerate(targets):
        check_target(target, classes)
        boxes[row, : len(target["boxes"])] = plain(target["boxes"])
        labels[row, : len(target["labels"])] = target["labels"]
    boxes, labels = boxes.to(scales.device, non_blocking=True), labels.to(scales.device, non_blocking=True)
    return GroundTruth(boxes * scales[:, None, None], labels)


def check_target(target: dict, classes: int) -> None:
    """Raise DataError, naming the image, unless boxes and labels fit each other and the detector."""
    boxes, labels = plain(target["boxes"]), target["labels"]
    name = f"target of image {target.get('image_id', '(no image_id)')}"
    if boxes.ndim != 2 or boxes.shape[1] != 4 or labels.shape != boxes.shape[:1]:
        shapes = f"boxes {tuple(boxes.shape)} and labels {tuple(labels.shape)}"
        raise DataError(f"{name}: {shapes}; expected (N, 4) and (N,)")
    if len(labels) and not (1 <= int(labels.min()) and int(labels.max()) <= classes):
        raise DataError(f"{name}: labels {labels.tolist()}; expected 1 to {classes} (0 is background)")
    if not bool((torch.isfinite(boxes).all(dim=1) & (boxes[:, :2] < boxes[:, 2:]).all(dim=1)).all()):
        raise DataError(f"{name}: empty, inverted or infinite box among {boxes.tolist()}; drop such boxes first")
