"""Crop pooling: every ROI's piece of the feature map, warped to one size (post: "Crop Pooling").

Spatial Transformer Networks (Jaderberg et al. 2015) supply the two steps: an affine grid and bilinear sampling.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_pool

from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.fast.crops import grid_sample, roi_align


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
        shape = [batch * count, 1, size, size]
        # One sample lies in the middle either way; affine_grid warns about it with True.
        grid = F.affine_grid(theta, shape, align_corners=align_corners and size > 1)  # (B * S, size, size, 2)
        # All grids of an image are stacked into one tall grid, so that its features are read in place, not repeated.
        tall = grid.reshape(batch, count * size, size, 2)
        crops = grid_sample(features.to(theta.dtype), tall, align_corners)  # F.grid_sample: (B, C, S * size, size)
    return crops.unflatten(2, (count, size)).transpose(1, 2).flatten(0, 1)


def crop_pool(
    features: Tensor, rois: Tensor, stride: int, config: CropPoolingConfig, feature_sizes: Tensor | None = None
) -> Tensor:
    """Cut every ROI out of the feature map by the configured method.

    features: (B, C, H, W). rois: (B, S, 4) scaled pixels. feature_sizes: (B, 2) rows and columns that each image really
    has, on the CPU; None if all have H and W. Returns (B * S, C, size, size), image by image, in float32.
    """
    if config.method == "crop":
        rows, columns = features.shape[-2:]
        theta = crop_theta(rois, stride, (rows, columns))  # (B, S, 2, 3)
        size = config.size * 2 if config.max_pool else config.size
        crops = sample_crops(features, theta, size, config.align_corners)  # (B * S, C, size, size)
        return F.max_pool2d(crops, 2) if config.max_pool else crops
    pool = {"align": roi_align, "pool": roi_pool}[config.method]  # torchvision's, both
    # They repeat the last row and column beyond the edge. In a padded map they would read the padding's zeros.
    sizes = [features.shape[-2:]] * len(features) if feature_sizes is None else feature_sizes.tolist()
    own = [one[None, :, :rows, :columns].float() for one, (rows, columns) in zip(features, sizes, strict=True)]
    # They refuse the boxes of a diverged RPN, which become empty here: its losses, not an error, tell of them.
    rois = rois.float().nan_to_num()  # (B, S, 4)
    with torch.autocast(features.device.type, enabled=False):
        return torch.cat([pool(one, [boxes], config.size, 1 / stride) for one, boxes in zip(own, rois, strict=True)])
