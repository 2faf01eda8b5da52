"""Crop pooling: every ROI's piece of the feature map, warped to one size (post: "Crop Pooling").

Spatial Transformer Networks (Jaderberg et al. 2015) supply the two steps: an affine grid and bilinear sampling.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align, roi_pool

from rcnn_tutorial.config import CropPoolingConfig

ROIS_AT_ONCE = 16  # in `align`: their strips of the feature map are its largest tensors


def crop_theta(rois: Tensor, stride: int, feature_size: tuple[int, int]) -> Tensor:
    """The affine matrix that maps the output square [-1, 1]^2 onto each ROI.

    rois: (..., 4) scaled pixels. feature_size: rows and columns of the feature map. Returns theta (..., 2, 3) in
    grid_sample's coordinates, where -1 and 1 are the centers of the outermost cells (align_corners=True).
    """
    rows, columns = feature_size
    x1, y1, x2, y2 = (rois / stride).unbind(-1)  # (...) each, in cells
    # A map one cell wide has no extent to divide by; every coordinate on it is that cell.
    width, height = max(columns - 1, 1), max(rows - 1, 1)
    zero = torch.zeros_like(x1)
    row_x = torch.stack([(x2 - x1) / width, zero, (x1 + x2 - columns + 1) / width], dim=-1)  # (..., 3)
    row_y = torch.stack([zero, (y2 - y1) / height, (y1 + y2 - rows + 1) / height], dim=-1)  # (..., 3)
    return torch.stack([row_x, row_y], dim=-2)


def sample_crops(features: Tensor, theta: Tensor, size: int, align_corners: bool = True) -> Tensor:
    """Sample each image's feature map on the grids of its own ROIs.

    features: (B, C, H, W). theta: (B, S, 2, 3). Returns (B * S, C, size, size).
    """
    batch, count = theta.shape[:2]
    # Coordinates stay in float32 whatever the networks run in: bfloat16 would misplace samples by whole cells.
    theta = theta.to(torch.promote_types(theta.dtype, torch.float32)).flatten(0, 1)  # (B * S, 2, 3)
    with torch.autocast(features.device.type, enabled=False):
        shape = (batch * count, 1, size, size)
        # One sample lies in the middle either way; affine_grid warns about it with True.
        grid = F.affine_grid(theta, shape, align_corners=align_corners and size > 1)  # (B * S, size, size, 2)
        # All grids of an image are stacked into one tall grid, so that its features are read in place, not repeated.
        tall = grid.reshape(batch, count * size, size, 2)
        crops = F.grid_sample(features.to(theta.dtype), tall, align_corners=align_corners)  # (B, C, S * size, size)
    crops = crops.reshape(batch, -1, count, size, size).transpose(1, 2)  # (B, S, C, size, size)
    return crops.flatten(0, 1)


def align(features: Tensor, rois: Tensor, size: int) -> Tensor:
    """RoIAlign (Mask R-CNN, section 3) on one image, as matrix products: each bin's mean of bilinear samples.

    features: (C, H, W). rois: (S, 4) in cells. Returns (S, C, size, size), without gradient to the ROIs.

    A bilinear weight is one along y times one along x, and a bin's samples form a grid. So the bin's mean has weights
    of this kind too, and the crop is W_y F W_x^T. torchvision's operator, which visits sample by sample, gives the
    same; it is fast on a GPU only.
    """
    rows, columns = features.shape[1:]
    along_y = bin_weights(rois[:, 1], rois[:, 3], size, rows)  # (S, size, H)
    along_x = bin_weights(rois[:, 0], rois[:, 2], size, columns)  # (S, size, W)
    table = features.permute(1, 2, 0).reshape(rows, -1)  # (H, W * C)
    crops = []
    for y, x in zip(along_y.split(ROIS_AT_ONCE), along_x.split(ROIS_AT_ONCE), strict=True):
        strips = (y.flatten(0, 1) @ table).view(len(y), size, columns, -1)  # (S', size, W, C)
        crops.append(x[:, None] @ strips)  # (S', size, size, C)
    return torch.cat(crops).permute(0, 3, 1, 2)


@torch.no_grad()
def bin_weights(low: Tensor, high: Tensor, size: int, cells: int) -> Tensor:
    """How much each cell of one axis counts in each of `size` bins from `low` to `high`: (S, size, cells).

    low, high: (S,) in cells. As torchvision has it: a bin holds one sample a cell, rounded up; an extent below one cell
    counts as one; samples up to a cell outside the map read its border, those beyond read 0.
    """
    extent = (high - low).clamp(min=1)  # (S,)
    samples = (extent / size).ceil()  # (S,) in each bin
    number = torch.arange(int(samples.amax()) if len(samples) else 0, device=low.device)  # (G,)
    within = (number + 0.5) / samples[:, None]  # (S, G) shares of a bin; those above 1 belong to ROIs with more samples
    start = torch.arange(size, device=low.device)[:, None]  # (size, 1)
    position = low[:, None, None] + (start + within[:, None]) * (extent / size)[:, None, None]  # (S, size, G)
    counted = (within[:, None] < 1) & (position >= -1) & (position <= cells)  # (S, size, G)
    position = position.clamp(0, cells - 1)
    distance = (position[..., None] - torch.arange(cells, device=low.device)).abs()  # (S, size, G, cells)
    return ((1 - distance).clamp(min=0) * counted[..., None]).sum(dim=2) / samples[:, None, None]


def _by_torchvision(operator: Callable, features: Tensor, rois: Tensor, size: int) -> Tensor:
    """One of torchvision's operators, called like `align`."""
    return operator(features[None], [rois], size)


def crop_pool(
    features: Tensor, rois: Tensor, stride: int, config: CropPoolingConfig, feature_sizes: Tensor | None = None
) -> Tensor:
    """Cut every ROI out of the feature map by the configured method.

    features: (B, C, H, W). rois: (B, S, 4) scaled pixels. feature_sizes: (B, 2) rows and columns that each image really
    has; None if all have H and W. Returns (B * S, C, size, size), image by image.
    """
    if config.method != "crop":
        sizes = [features.shape[-2:]] * len(features) if feature_sizes is None else feature_sizes.tolist()
        # Both repeat the last row and column beyond the edge. In a padded map they would read the padding's zeros.
        own = [one[:, :rows, :columns].float() for one, (rows, columns) in zip(features, sizes, strict=True)]
        cells = rois.to(torch.float32).nan_to_num() / stride  # a diverged RPN's boxes: refused here, seen in the losses
        operator = roi_align if config.method == "align" else roi_pool
        pool = align if config.method == "align" and not features.is_cuda else partial(_by_torchvision, operator)
        with torch.autocast(features.device.type, enabled=False):
            return torch.cat([pool(*image, config.size) for image in zip(own, cells, strict=True)])
    theta = crop_theta(rois, stride, features.shape[-2:])  # (B, S, 2, 3)
    size = config.size * 2 if config.max_pool else config.size
    crops = sample_crops(features, theta, size, config.align_corners)  # (B * S, C, size, size)
    return F.max_pool2d(crops, 2) if config.max_pool else crops
