"""Pictures of the fifth notebook: anchors that become proposals, proposals that become ROIs, and the ROIs' targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Stroke
from torch import Tensor

from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.figures.style import AFTER, BEFORE, CHOSEN, PALETTE, from_any_device, height_share, ink_on, style

OBJECT = PALETTE[3]  # yellow: ground truth
COEFFICIENTS = ("$t_x$", "$t_y$", "$t_w$", "$t_h$")


class BoxGroup(NamedTuple):
    """Boxes that are drawn alike."""

    name: str  # in the legend
    boxes: Tensor  # (N, 4)
    color: str
    dash: str = "solid"  # a matplotlib line style
    width: float = 2.0


def red_green(anchors: Tensor, proposals: Tensor) -> list[BoxGroup]:
    """Anchors (N, 4) in red and the proposals (N, 4) that they became in green."""
    return [BoxGroup("anchor", anchors, BEFORE, "dashed", 1.6), BoxGroup("proposal", proposals, AFTER)]


def foreground_background(rois: Tensor, labels: Tensor) -> list[BoxGroup]:
    """ROIs (N, 4) by their labels (N,): background (0) in red, foreground in green."""
    background = BoxGroup("background ROI", rois[labels == 0], BEFORE, "dashed", 1.2)
    return [background, BoxGroup("foreground ROI", rois[labels > 0], AFTER)]


def ground_truth(objects: Tensor) -> list[BoxGroup]:
    """The annotated objects (G, 4) in yellow; nothing where there are none."""
    return [BoxGroup("object", objects, OBJECT, "dashdot", 2.4)] if len(objects) else []


@from_any_device
def boxes_figure(
    image: Tensor, size: tuple[int, int], panels: Mapping[str, Sequence[BoxGroup]], width: float = 10.0
) -> Figure:
    """Groups of boxes on the photo.

    image: (3, H, W) in [0, 1] at any scale. size: height and width of the boxes' coordinates.
    panels: title -> groups, side by side. width: of all panels, in inches.
    """
    height, columns = size
    with style():
        figure = Figure(figsize=(width, width / len(panels) * height_share(height, columns) + 1.1))
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, groups) in zip(row, panels.items(), strict=True):
            _photo(axes, image, size, title)
            for group in groups:
                _draw_group(axes, group)
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, columnspacing=1.0)
    return figure


@from_any_device
def scores_figure(image: Tensor, heat: Tensor, stride: int, size: tuple[int, int], objects: Tensor) -> Figure:
    """Each cell's best foreground probability over the photo. heat: (rows, columns). objects: (G, 4)."""
    height, width = size
    with style():
        figure = Figure(figsize=(6.6, 5.4 * height_share(height, width) + 0.8))
        axes = figure.add_subplot()
        _photo(axes, image, size, "Best foreground probability of each cell's anchors")
        extent = (0, heat.shape[1] * stride, heat.shape[0] * stride, 0)
        shown = axes.imshow(heat.numpy(), cmap="viridis", vmin=0, vmax=1, alpha=0.7, extent=extent)
        for group in ground_truth(objects):
            _draw_group(axes, group)
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0))
        axes.set(xlim=(0, width), ylim=(height, 0))
        figure.colorbar(shown, ax=axes, label="probability", shrink=0.8)
    return figure


@from_any_device
def funnel_figure(counts: Mapping[str, int]) -> Figure:
    """How many boxes are left after each step, on a logarithmic axis. counts: {step: count}."""
    names, values = list(counts), list(counts.values())
    with style():
        figure = Figure(figsize=(9, 0.5 * len(names) + 1.1))
        axes = figure.add_subplot()
        axes.barh(names, [max(value, 0.8) for value in values], color=CHOSEN, height=0.62)
        for row, value in enumerate(values):
            axes.text(max(value, 0.8) * 1.12, row, f"{value:,}", va="center", weight="bold")
        axes.set(xscale="log", xlim=(0.8, 4 * max(values)), xlabel="boxes (logarithmic)")
        axes.invert_yaxis()
    return figure


@from_any_device
def overlaps_figure(max_overlaps: Tensor, config: ProposalTargetConfig) -> Figure:
    """How many proposals have which best IoU, and what that makes them. max_overlaps: (R,)."""
    low, high, start = config.background_low, config.background_high, config.foreground_threshold
    zones = [  # from, to, name, color, hatch
        (0, low, "neither:\ntoo easy", PALETTE[9], "...."),
        (low, high, "background", BEFORE, "////"),
        (high, start, "neither:\ntoo close", PALETTE[9], "...."),
        (start, 1, "foreground", AFTER, ""),
    ]
    with style():
        figure = Figure(figsize=(9, 3.8))
        axes = figure.add_subplot()
        heights, _, _ = axes.hist(max_overlaps.tolist(), bins=40, range=(0, 1), color=CHOSEN, edgecolor="white")
        top = 1.35 * max(float(heights.max()), 1.0)
        for left, right, name, color, hatch in zones:
            if right > left:
                count = int(((max_overlaps >= left) & ((max_overlaps < right) | (right == 1))).sum())
                axes.axvspan(left, right, facecolor=color, edgecolor=color, hatch=hatch, alpha=0.22, lw=0, zorder=0)
                text = f"{name}\n{count:,}"
                axes.text((left + right) / 2, 0.97 * top, text, ha="center", va="top", weight="bold", bbox=_PAPER)
        axes.set(xlim=(-0.02, 1), ylim=(0, top), xlabel="IoU with the closest object", ylabel="proposals")
    return figure


@from_any_device
def expansion_figure(targets: Tensor, mask: Tensor, labels: Tensor, classes: Sequence[str]) -> Figure:
    """A few rows of the 4 (C + 1) expansion, above the targets and below the mask.

    targets, mask: (S, 4 (C + 1)). labels: (S,). classes: C + 1 names, background first.
    """
    rows = [f"ROI {row}: {classes[label]}" for row, label in enumerate(labels.tolist())]
    limit = max(float(targets.abs().max()), 1e-6)
    with style():
        figure = Figure(figsize=(12, 0.66 * len(rows) + 3.4))
        above, below = figure.subplots(2, 1, sharex=True)
        shown = above.imshow(targets.numpy(), cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
        figure.colorbar(shown, ax=above, pad=0.01, label="target")
        above.set_title("targets (bbox_targets): the four of the right class, 0 elsewhere")
        shown = below.imshow(mask.numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto")
        figure.colorbar(shown, ax=below, pad=0.01, ticks=[0, 1], label="mask")
        below.set_title("mask (bbox_inside_weights): 1 where the target counts")
        edges = [4 * k - 0.5 for k in range(len(classes) + 1)]
        for axes in (above, below):
            axes.set_yticks(range(len(rows)), rows)
            axes.vlines(edges, -0.5, len(rows) - 0.5, color="#888888", linewidth=0.8)
            axes.hlines([k - 0.5 for k in range(len(rows) + 1)], -0.5, edges[-1], color="#888888", linewidth=0.8)
        below.set_xticks([edge + 2 for edge in edges[:-1]], classes, rotation=60, ha="right", rotation_mode="anchor")
        below.set_xlabel(f"{len(classes)} classes × 4 coefficients = {4 * len(classes)} columns")
    return figure


@from_any_device
def spread_figure(coefficients: Tensor, config: ProposalTargetConfig) -> Figure:
    """Regression targets (N, 4) before and after division by the stds, one column of dots a coefficient."""
    stds, means = coefficients.new_tensor(config.target_stds), coefficients.new_tensor(config.target_means)
    panels = {"as encoded": coefficients, "normalized": (coefficients - means) / stds}
    jitter = torch.linspace(-0.3, 0.3, max(len(coefficients), 1))[torch.randperm(len(coefficients), generator=_fixed())]
    with style():
        figure = Figure(figsize=(10, 4))
        for axes, (title, values) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
            spread = values.std(dim=0).tolist() if len(values) > 1 else [0.0] * 4
            for k in range(4):
                axes.plot(jitter + k, values[:, k], "o", markersize=3, alpha=0.35, color=CHOSEN)
                axes.plot([k - 0.35, k + 0.35], [spread[k]] * 2, [k - 0.35, k + 0.35], [-spread[k]] * 2, color=BEFORE)
            axes.set_xticks(range(4), [f"{name}\nstd {s:.2f}" for name, s in zip(COEFFICIENTS, spread, strict=True)])
            axes.set_title(title)
            axes.axhline(0, color="#888888", linewidth=1, zorder=0)
        figure.supxlabel("red bars: one standard deviation to either side", fontsize=12)
    return figure


_PAPER = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2}


def _fixed() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _photo(axes: Axes, image: Tensor, size: tuple[int, int], title: str) -> None:
    """The photo in gray, so that the colors on it are those of boxes and scores alone."""
    height, width = size
    gray = image.mean(dim=0).clamp(0, 1).numpy()  # (H, W)
    axes.imshow(gray, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], title=title)


def _draw_group(axes: Axes, group: BoxGroup) -> None:
    corners = group.boxes.tolist()
    patches = [Rectangle((x1, y1), x2 - x1, y2 - y1) for x1, y1, x2, y2 in corners]
    lines = PatchCollection(patches, facecolor="none", edgecolor=group.color, lw=group.width, linestyle=group.dash)
    rim = Stroke(linewidth=group.width + 1.4, foreground=ink_on(group.color), alpha=0.5)
    lines.set_path_effects([rim, Stroke(linewidth=group.width, foreground=group.color)])
    axes.add_collection(lines)
    label = f"{group.name} ({len(corners)})"
    axes.plot([], [], color=group.color, linestyle=group.dash, linewidth=group.width + 0.5, label=label)
