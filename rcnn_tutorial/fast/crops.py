"""Crops from many channels on a CPU: weighted sums of feature vectors, each of which lies in memory in one piece."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import ops

from rcnn_tutorial.devices import on_cpu

MANY_CHANNELS = 256  # below, torch's and torchvision's own operators are as fast or faster


def worthwhile(features: Tensor) -> bool:
    """Whether a table of feature vectors is the faster way: on a CPU, with many channels, and not in an ONNX file."""
    return on_cpu(features) and features.shape[1] >= MANY_CHANNELS and not torch.compiler.is_exporting()


def grid_sample(features: Tensor, grid: Tensor, align_corners: bool) -> Tensor:
    """Equals `torch.nn.functional.grid_sample`, bilinear with zeros outside.

    features: (B, C, H, W). grid: (B, h, w, 2) as x, y in [-1, 1]. Returns (B, C, h, w). A sample is a weighted sum of
    four rows of a table of feature vectors; where the vector of a cell lies in one piece, that is sooner done than
    visiting channel by channel.
    """
    if not worthwhile(features):
        return F.grid_sample(features, grid, align_corners=align_corners)
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


def roi_align(features: Tensor, rois: list[Tensor], output_size: int, spatial_scale: float = 1.0) -> Tensor:
    """Equals `torchvision.ops.roi_align`: RoIAlign without the half-pixel shift, samples as many as a bin has cells.

    features: (B, C, H, W). rois: B tensors (S, 4); `spatial_scale` turns their pixels into cells. Returns crops
    (sum of S, C, output_size, output_size), without gradient to the ROIs.
    """
    if not worthwhile(features):
        return ops.roi_align(features, rois, output_size, spatial_scale)
    images = zip(features, rois, strict=True)
    return torch.cat([weighted_cells(image, boxes * spatial_scale, output_size) for image, boxes in images])


def weighted_cells(features: Tensor, rois: Tensor, size: int) -> Tensor:
    """RoIAlign (Mask R-CNN, section 3) on one image: each bin's mean of bilinear samples, as a weighted sum of cells.

    features: (C, H, W). rois: (S, 4) in cells. Returns (S, C, size, size), without gradient to the ROIs.

    A bilinear weight is one along y times one along x, and a bin's samples form a grid. So the bin's mean has weights
    of this kind too, w_y w_x for every cell that it touches. torchvision's operator visits sample by sample.
    """
    rows, columns = features.shape[1:]
    along_y = bin_weights(rois[:, 1], rois[:, 3], size, rows).flatten(0, 1)  # (S * size, H)
    along_x = bin_weights(rois[:, 0], rois[:, 2], size, columns).flatten(0, 1)  # (S * size, W)
    bins = torch.arange(len(rois) * size, device=rois.device).view(-1, size)  # (S, size) rows of these two
    y_bin = bins[:, :, None].expand(-1, -1, size).flatten()  # (S * size * size,) of each bin of the crops
    x_bin = bins[:, None, :].expand(-1, size, -1).flatten()
    # A bin touches a run of rows and a run of columns: list all its cells, bin after bin.
    (top, high), (left, wide) = nonzero_run(along_y), nonzero_run(along_x)  # (S * size,) each
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


def nonzero_run(weights: Tensor) -> tuple[Tensor, Tensor]:
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
    share = (number + 0.5) / samples[:, None]  # (S, G) shares of a bin; those above 1 belong to ROIs with more samples
    start = torch.arange(size, device=low.device)[:, None]  # (size, 1)
    position = low[:, None, None] + (start + share[:, None]) * (extent / size)[:, None, None]  # (S, size, G)
    counted = (share[:, None] < 1) & (position >= -1) & (position <= cells)  # (S, size, G)
    position = position.clamp(0, cells - 1)
    distance = (position[..., None] - torch.arange(cells, device=low.device)).abs()  # (S, size, G, cells)
    return ((1 - distance).clamp(min=0) * counted[..., None]).sum(dim=2) / samples[:, None, None]
