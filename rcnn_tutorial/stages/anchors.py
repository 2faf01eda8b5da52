"""Anchor generation: nine boxes at every cell of the feature map (post: "Anchor Generation Layer")."""

import torch
from torch import Tensor

from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.devices import constant


def anchor_sizes(config: AnchorConfig) -> Tensor:
    """Width and height in pixels of every anchor shape, ratio-major: (A, 2), float64.

    A ratio (height / width) keeps the base square's area, rounded to whole pixels; a scale multiplies what results,
    which is why the post's largest wide box is 736x384 and not rounded again.
    """
    sizes = []
    for ratio in config.ratios:
        width = round((config.base_size**2 / ratio) ** 0.5)
        height = round(width * ratio)
        sizes += [(width * scale, height * scale) for scale in config.scales]
    return torch.tensor(sizes, dtype=torch.float64)


def base_anchors(config: AnchorConfig) -> Tensor:
    """The anchors of the top left cell: (A, 4), float64. All share one center, the middle of the base square."""
    center = config.base_size / 2
    sizes = anchor_sizes(config)  # (A, 2)
    return torch.cat([center - sizes / 2, center + sizes / 2], dim=1)


def generate_anchors(height: int, width: int, stride: int, config: AnchorConfig, device=None) -> Tensor:
    """Every anchor of a feature map of height x width cells, `stride` pixels apart.

    Returns (height * width * A, 4) float32 in the order (y, x, a): the order of the RPN's outputs.
    """
    x = torch.arange(width, device=device) * stride
    y = torch.arange(height, device=device) * stride
    shift_y, shift_x = torch.meshgrid(y, x, indexing="ij")  # (height, width) each
    shifts = torch.stack([shift_x, shift_y, shift_x, shift_y], dim=-1)  # (height, width, 4)
    base = constant(tuple(map(tuple, base_anchors(config).tolist())), shifts.device)  # (A, 4)
    anchors = shifts[:, :, None, :] + base  # (height, width, A, 4)
    return anchors.reshape(-1, 4)


def inside_image(boxes: Tensor, sizes: Tensor, border: float = 0.0) -> Tensor:
    """Which boxes (N, 4) lie wholly inside each image, give or take `border` pixels. sizes: (B, 2). Returns (B, N)."""
    x1, y1, x2, y2 = boxes.unbind(-1)  # (N,) each
    height, width = sizes[:, 0, None], sizes[:, 1, None]  # (B, 1) each
    return (x1 >= -border) & (y1 >= -border) & (x2 <= width + border) & (y2 <= height + border)


def inside_features(grid: tuple[int, int], feature_sizes: Tensor, anchors_per_cell: int) -> Tensor:
    """Which anchors of a padded grid belong to cells that an image really has.

    grid: rows and columns of the padded feature map. feature_sizes: (B, 2) rows and columns of each image's own.
    Returns (B, rows * columns * A).
    """
    rows = torch.arange(grid[0], device=feature_sizes.device) < feature_sizes[:, 0, None]  # (B, rows)
    columns = torch.arange(grid[1], device=feature_sizes.device) < feature_sizes[:, 1, None]  # (B, columns)
    cells = rows[:, :, None] & columns[:, None, :]  # (B, rows, columns)
    return cells.flatten(1).repeat_interleave(anchors_per_cell, dim=1)
