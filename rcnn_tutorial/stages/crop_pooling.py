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
from rcnn_tutorial.devices import on_cpu


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
        sample = sample_table if on_cpu(features) else F.grid_sample
        crops = sample(features.to(theta.dtype), tall, align_corners=align_corners)  # (B, C, S * size, size)
    crops = crops.unflatten(2, (count, size)).transpose(1, 2)  # (B, S, C, size, size)
    return crops.flatten(0, 1)


def sample_table(features: Tensor, grid: Tensor, align_corners: bool) -> Tensor:
    """`grid_sample`, bilinear with zeros outside, as a weighted sum of four rows of a table of feature vectors.

    features: (B, C, H, W). grid: (B, h, w, 2) as x, y in [-1, 1]. Returns (B, C, h, w). On a CPU, where the vector of a
    cell lies in one piece, this takes a fraction of the time of visiting channel by channel.
    """
    rows, columns = features.shape[-2:]
    cells = torch.tensor([columns, rows], device=grid.device)  # (2,) along x and y
    if align_corners:  # -1 and 1 are the centers of the outermost cells, ...
        position = (grid + 1) * ((cells - 1) / 2)  # (B, h, w, 2)
    else:  # ... or their outer edges
        position = ((grid + 1) * cells - 1) / 2
    cell, weight = neighbors(position, cells)  # (B, h, w, 2, 2): two along x, two along y
    first = torch.arange(len(features), device=grid.device) * (rows * columns)  # (B,) each image's first row
    index = cell[..., 1, :, None] * columns + cell[..., 0, None, :] + first.view(-1, 1, 1, 1, 1)  # (B, h, w, 2, 2)
    weight = weight[..., 1, :, None] * weight[..., 0, None, :]  # (B, h, w, 2, 2)
    bags = index.view(-1, 4), feature_table(features)
    sampled = F.embedding_bag(*bags, per_sample_weights=weight.view(-1, 4), mode="sum")  # (B * h * w, C)
    return sampled.view(*grid.shape[:3], -1).permute(0, 3, 1, 2)


def neighbors(position: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """The two cells around each position (..., 2) along x and y, and their bilinear weights, 0 beyond the map.

    cells: (2,) how many there are along x and y. Returns (..., 2, 2) each. On a whole cell, where the slope of the
    interpolated map jumps, the gradient is the slope to the right and below, as in `grid_sample`.
    """
    low = position.detach().floor()  # (..., 2)
    pair = torch.stack([low, low + 1], dim=-1)  # (..., 2, 2)
    inside = pair.clamp(min=0).minimum(cells[:, None] - 1)
    # Not 1 - |position - pair|: on a whole cell torch gives the modulus the slope 0, and so the sum neither side's.
    fraction = position - low  # (..., 2) in [0, 1)
    weight = torch.where(pair == inside, torch.stack([1 - fraction, fraction], dim=-1), 0.0)  # (..., 2, 2)
    return inside.nan_to_num().long(), weight


def feature_table(features: Tensor) -> Tensor:
    """(B, C, H, W) as a table with one row a cell, (B * H * W, C): no copy where features lie channels last."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def align(features: Tensor, rois: Tensor, size: int) -> Tensor:
    """RoIAlign (Mask R-CNN, section 3) on one image: each bin's mean of bilinear samples, as a weighted sum of cells.

    features: (C, H, W). rois: (S, 4) in cells. Returns (S, C, size, size), without gradient to the ROIs.

    A bilinear weight is one along y times one along x, and a bin's samples form a grid. So the bin's mean has weights
    of this kind too, w_y w_x for every cell that it touches. torchvision's operator, which visits sample by sample,
    gives the same; it is fast on a GPU only.
    """
    rows, columns = features.shape[1:]
    along_y = bin_weights(rois[:, 1], rois[:, 3], size, rows).flatten(0, 1)  # (S * size, H)
    along_x = bin_weights(rois[:, 0], rois[:, 2], size, columns).flatten(0, 1)  # (S * size, W)
    bins = torch.arange(len(rois) * size, device=rois.device).view(-1, size)  # (S, size) rows of these two
    y_bin = bins[:, :, None].expand(-1, -1, size).flatten()  # (S * size * size,) of each bin of the crops
    x_bin = bins[:, None, :].expand(-1, size, -1).flatten()
    # A bin touches a run of rows and a run of columns: list all its cells, bin after bin.
    (top, high), (left, wide) = touched(along_y), touched(along_x)  # (S * size,) each
    counts = high[y_bin] * wide[x_bin]  # (S * size * size,)
    start = counts.cumsum(0) - counts
    owner = torch.repeat_interleave(counts)  # (T,) the bin that each cell on the list is for
    place = torch.arange(len(owner), device=rois.device) - start[owner]
    y_bin, x_bin = y_bin[owner], x_bin[owner]  # (T,)
    row, column = top[y_bin] + place // wide[x_bin], left[x_bin] + place % wide[x_bin]  # (T,)
    weights = along_y[y_bin, row] * along_x[x_bin, column]  # (T,)
    bags = row * columns + column, feature_table(features[None]), start
    crops = F.embedding_bag(*bags, per_sample_weights=weights, mode="sum")  # (S * size * size, C)
    return crops.view(len(rois), size, size, -1).permute(0, 3, 1, 2)


def touched(weights: Tensor) -> tuple[Tensor, Tensor]:
    """The first cell with a weight, and how many follow up to the last one. weights: (N, cells). Returns (N,) each."""
    some = weights > 0  # (N, cells)
    first = some.int().argmax(dim=1)  # (N,)
    last = weights.shape[1] - some.flip(1).int().argmax(dim=1)  # (N,) one beyond
    return first, (last - first) * some.any(dim=1)


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
    has, on the CPU; None if all have H and W. Returns (B * S, C, size, size), image by image, in float32.
    """
    if config.method != "crop":
        sizes = [features.shape[-2:]] * len(features) if feature_sizes is None else feature_sizes.tolist()
        # Both repeat the last row and column beyond the edge. In a padded map they would read the padding's zeros.
        own = [one[:, :rows, :columns].float() for one, (rows, columns) in zip(features, sizes, strict=True)]
        cells = rois.to(torch.float32).nan_to_num() / stride  # a diverged RPN's boxes: refused here, seen in the losses
        operator = roi_align if config.method == "align" else roi_pool
        pool = align if config.method == "align" and on_cpu(features) else partial(_by_torchvision, operator)
        with torch.autocast(features.device.type, enabled=False):
            return torch.cat([pool(*image, config.size) for image in zip(own, cells, strict=True)])
    theta = crop_theta(rois, stride, features.shape[-2:])  # (B, S, 2, 3)
    size = config.size * 2 if config.max_pool else config.size
    crops = sample_crops(features, theta, size, config.align_corners)  # (B * S, C, size, size)
    return F.max_pool2d(crops, 2) if config.max_pool else crops
