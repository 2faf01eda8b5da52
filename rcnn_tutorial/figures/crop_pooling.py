"""Pictures of crop pooling: how theta counts, and where each method reads the feature map.

The geometry comes first, as small functions that the explorer shares. Positions count cells: 0 is the center of the
first cell, which crop pooling takes to lie at pixel 0, the next cell at pixel `stride`.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import centers_and_sizes
from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.figures.drawing import draw_layer
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points
from rcnn_tutorial.stages.crop_pooling import crop_pool, crop_theta

METHODS = {"crop": "Crop pooling", "align": "RoIAlign", "pool": "RoIPool"}


# ---- geometry: a turned box, and where each of the three methods reads


def roi_corners(rois: Tensor, degrees: float | Tensor = 0.0) -> Tensor:
    """The corners of boxes turned about their centers; differentiable in both arguments.

    rois: (..., 4) pixels. degrees: clockwise on the screen (y points down), a number or (...). Returns (..., 4, 2):
    x, y of what was the top left corner, then clockwise.
    """
    center, size = centers_and_sizes(rois)  # (..., 2) each
    upright = rois.new_tensor([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]) * size[..., None, :]  # (..., 4, 2)
    angle = torch.deg2rad(torch.as_tensor(degrees, dtype=rois.dtype, device=rois.device))
    cosine, sine = angle.cos()[..., None], angle.sin()[..., None]  # (..., 1)
    x, y = upright.unbind(-1)  # (..., 4) each
    return center[..., None, :] + torch.stack([x * cosine - y * sine, x * sine + y * cosine], dim=-1)  # (..., 4, 2)


def corner_theta(corners: Tensor, stride: int, feature_size: tuple[int, int]) -> Tensor:
    """Theta of a box that may be turned, from its corners alone: what cv2.getAffineTransform gives, with gradients.

    corners: (..., 4, 2) pixels, clockwise from the one that becomes the crop's top left; of a parallelogram, so that
    the third is not needed. feature_size: rows and columns. Returns (..., 2, 3), as `crop_theta` for upright boxes.
    """
    last = corners.new_tensor(feature_size).flip(0) - 1  # (2,) x, y of the last cell's center
    top_left, top_right, _, bottom_left = (corners / stride).unbind(-2)  # (..., 2) each, cells
    right = (top_right - top_left) / 2  # (..., 2) where one unit of the crop's x leads
    down = (bottom_left - top_left) / 2  # (..., 2) where one unit of its y leads
    center = (top_right + bottom_left) / 2  # (..., 2) where its middle lies
    return torch.stack([2 * right, 2 * down, 2 * center - last], dim=-1) / last.clamp(min=1)[:, None]  # (..., 2, 3)


def sample_positions(theta: Tensor, size: int, feature_size: tuple[int, int], align_corners: bool = True) -> Tensor:
    """Where `grid_sample` reads for each value of the crop.

    theta: (S, 2, 3). feature_size: rows and columns. Returns (S, size, size, 2): x, y in cells.
    """
    shape = (len(theta), 1, size, size)
    # A single sample has no corners to align: it lies at the center, which affine_grid would warn about.
    grid = F.affine_grid(theta, shape, align_corners=align_corners and size > 1)  # (S, size, size, 2)
    cells = grid.new_tensor(feature_size).flip(0)  # (2,) columns, rows
    return (grid + 1) / 2 * (cells - 1) if align_corners else ((grid + 1) * cells - 1) / 2


def align_positions(roi: Tensor, size: int, stride: int) -> Tensor:
    """Where RoIAlign reads; it averages the points of one bin. Torchvision's rules: aligned=False, sampling_ratio=-1.

    roi: (4,) pixels. Returns (size, size, rows, columns, 2): bin row, bin column, the points inside; x, y in cells.
    """
    x1, y1, x2, y2 = (roi / stride).tolist()
    sides = max(x2 - x1, 1.0), max(y2 - y1, 1.0)  # cells; a smaller ROI is stretched to one cell
    axes = []
    for start, side in zip((x1, y1), sides, strict=True):
        count = math.ceil(side / size)  # points a bin
        axes.append(start + (torch.arange(size * count) + 0.5) * side / (size * count))
    y, x = torch.meshgrid(axes[1], axes[0], indexing="ij")  # (size * rows, size * columns) each
    points = torch.stack([x, y], dim=-1)
    return points.unflatten(0, (size, -1)).unflatten(2, (size, -1)).transpose(1, 2)  # (size, size, rows, columns, 2)


def align_bins(roi: Tensor, size: int, stride: int) -> Tensor:
    """RoIAlign's bins as boxes in pixels, row by row: (size * size, 4). roi: (4,) pixels."""
    side = (roi[2:] - roi[:2]).clamp(min=stride) / size  # (2,) of a bin
    steps = torch.arange(size, device=roi.device)
    y, x = torch.meshgrid(steps, steps, indexing="ij")  # (size, size) each
    corner = roi[:2] + torch.stack([x, y], dim=-1).reshape(-1, 2) * side  # (size * size, 2)
    return torch.cat([corner, corner + side], dim=1)


def pool_bins(roi: Tensor, size: int, stride: int, feature_size: tuple[int, int]) -> Tensor:
    """The whole cells of which RoIPool keeps the largest. roi: (4,) pixels. feature_size: rows and columns.

    Returns (size * size, 4): first column, first row, and the column and row behind the last; row by row.
    """
    x1, y1, x2, y2 = [math.floor(side + 0.5) for side in (roi / stride).tolist()]  # rounded to whole cells
    rows, columns = feature_size
    x, y = _pool_edges(x1, x2, size, columns), _pool_edges(y1, y2, size, rows)
    return torch.tensor([(left, top, right, bottom) for top, bottom in y for left, right in x], dtype=torch.float32)


def _pool_edges(first: int, last: int, size: int, cells: int) -> list[tuple[int, int]]:
    """The bins along one axis. Bins overlap where the cells cannot be shared out evenly."""
    count = max(last - first + 1, 1)  # the last cell counts too
    edges = [(k * count // size, -((k + 1) * count // -size)) for k in range(size)]
    return [tuple(min(max(first + edge, 0), cells) for edge in pair) for pair in edges]


def cell_boxes(bins: Tensor, stride: int) -> Tensor:
    """Bins of whole cells (N, 4) as boxes in pixels, each cell a square around the pixel `stride * index`."""
    return (bins - 0.5) * stride


# ---- figures


@from_any_device
def rulers_figure(side: tuple[float, float], stride: int, cells: int, size: int) -> Figure:
    """One axis of the ROI counted four ways: pixels, cells, the map's [-1, 1], the crop's [-1, 1].

    side: first and last pixel of the ROI along the axis. cells: how many the feature map has along it.
    """
    whole = (cells - 1) * stride
    shares = torch.linspace(*side, size) / whole  # (size,) of the map's extent: 0..1
    with plots(9, 3.8) as (figure, axes):
        names = ["scaled pixel", "cell of the map", "map, −1 to 1", "crop, −1 to 1"]
        for row, (low, high, digits) in enumerate([(0, whole, 0), (0, cells - 1, 1), (-1, 1, 2)]):
            _draw_ruler(axes, -row, low, high, (float(shares[0]), float(shares[-1])), digits)
        axes.plot([0, 1], [-3, -3], color=roles.GREEN, linewidth=4)
        for share, start in zip(shares.tolist(), torch.linspace(0, 1, size).tolist(), strict=True):
            axes.plot([share, start], [-2, -3], color=roles.GREEN, linewidth=1, linestyle="dotted")
            axes.plot([share, start], [-2, -3], "o", color=roles.GREEN, markersize=6)
        for x, text in ((0, "−1"), (1, "1")):
            axes.text(x, -3.15, text, ha="center", va="top", color=roles.GREEN, weight="bold")
        axes.set(yticks=[0, -1, -2, -3], yticklabels=names, xticks=[], xlim=(-0.06, 1.06), ylim=(-3.6, 0.45))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_title(f"{size} samples from pixel {side[0]:g} to pixel {side[1]:g}")
    return figure


def _draw_ruler(axes: Axes, y: float, low: float, high: float, shares: tuple[float, float], digits: int) -> None:
    """The whole extent in gray, the ROI's part of it in green, numbers at all four ends."""
    axes.plot([0, 1], [y, y], color="#888888", linewidth=2)
    axes.plot(shares, [y, y], color=roles.GREEN, linewidth=5, solid_capstyle="butt")
    for share in (0.0, 1.0):
        axes.plot(share, y, "|", color="#888888", markersize=12)
        axes.text(share, y + 0.13, f"{low + share * (high - low):g}", ha="center", color="#555555")
    for share in shares:
        text = f"{low + share * (high - low):.{digits}f}".replace("-", "−")
        axes.text(share, y + 0.13, text, ha="center", color=roles.GREEN, weight="bold")


@from_any_device
def methods_figure(channel: Tensor, roi: Tensor, stride: int, size: int) -> Figure:
    """RoIPool, RoIAlign and crop pooling on the same ROI: above, where each reads; below, what comes out.

    channel: (rows, columns), one channel of the features. roi: (4,) pixels.
    """
    x1, y1, x2, y2 = (roi / stride).tolist()
    around = channel[max(int(y1) - 1, 0) : int(y2) + 3, max(int(x1) - 1, 0) : int(x2) + 3]  # sets the colors
    colors = {"vmin": float(around.min()), "vmax": float(around.max()), "cmap": "viridis"}
    with plots(11, 6.2, 2, 3, height_ratios=[1.15, 1]) as (figure, grid):
        for (above, below), method in zip(grid.T, ("pool", "align", "crop"), strict=True):
            layers = _reading(method, roi, stride, size, channel.shape)
            _show_cells(above, channel, METHODS[method], layers, around)
            above.set(xlim=(x1 - 1.6, x2 + 1.6), ylim=(y2 + 1.6, y1 - 1.6))
            crop = crop_pool(channel[None, None], roi[None, None], stride, CropPoolingConfig(method=method, size=size))
            below.imshow(crop[0, 0].numpy(), **colors)
            below.set(xticks=[], yticks=[], xlabel=_READS[method])
        grid[0, 0].set_ylabel("where it reads (cells)")
        grid[1, 0].set_ylabel(f"the {size}×{size} result")
    return figure


_READS = {
    "pool": "the largest of the whole cells\nin each dashed bin",
    "align": "the mean of the points\nin each bin",
    "crop": "the value at each point;\ncorner points on the ROI's corners",
}


def _reading(method: str, roi: Tensor, stride: int, size: int, feature_size: tuple[int, int]) -> list[Layer]:
    """The ROI in blue and, in white, the bins or points at which the method reads; in cells."""
    outline = Lines(roi_corners(roi / stride)[None], Role(roles.PALETTE[1]), closed=True, width=5)
    dashes = roles.OTHER._replace(dash="dashed")
    if method == "pool":
        return [Boxes(pool_bins(roi, size, stride, feature_size) - 0.5, dashes, width=3), outline]
    if method == "align":
        points = align_positions(roi, size, stride).reshape(-1, 2)
        return [Boxes(align_bins(roi, size, stride) / stride, dashes, width=3), outline, Points(points, radius=2.5)]
    theta = crop_theta(roi[None], stride, feature_size)
    return [outline, Points(sample_positions(theta, size, feature_size).reshape(-1, 2), radius=4)]


def _show_cells(axes: Axes, cells: Tensor, title: str, layers: Sequence[Layer], colors_of: Tensor) -> None:
    """A map (rows, columns) with cell i around the coordinate i, in the colors of a second map."""
    rows, columns = cells.shape
    axes.imshow(cells.numpy(), cmap="viridis", vmin=float(colors_of.min()), vmax=float(colors_of.max()))
    for layer in layers:
        draw_layer(axes, layer)
    axes.set(xticks=[], yticks=[], title=title, anchor="N", xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
