"""Pictures of the fifth notebook: anchors that become proposals, proposals that become ROIs, and the ROIs' targets."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.figures.drawing import add_colorbar, figure_of
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Scene

COEFFICIENTS = ("$t_x$", "$t_y$", "$t_w$", "$t_h$")


def red_green(anchors: Tensor, proposals: Tensor) -> list[Boxes]:
    """Anchors (N, 4) in orange and the proposals (N, 4) that they became in green."""
    before = Boxes(anchors, roles.ANCHOR, width=2, name=f"anchor ({len(anchors)})")
    return [before, Boxes(proposals, roles.PROPOSAL, name=f"proposal ({len(proposals)})")]


def foreground_background(rois: Tensor, labels: Tensor) -> list[Boxes]:
    """ROIs (N, 4) by their labels (N,): background (0) in orange, foreground in green."""
    background, foreground = rois[labels == 0], rois[labels > 0]
    below = Boxes(background, roles.BACKGROUND, width=2, name=f"background ROI ({len(background)})")
    return [below, Boxes(foreground, roles.FOREGROUND, name=f"foreground ROI ({len(foreground)})")]


def ground_truth(objects: Tensor) -> list[Boxes]:
    """The annotated objects (G, 4) in yellow; nothing where there are none."""
    return [Boxes(objects, roles.GROUND_TRUTH, name=f"object ({len(objects)})")] if len(objects) else []


@from_any_device
def boxes_figure(image: Tensor, size: tuple[int, int], panels: Mapping[str, Sequence[Layer]]) -> Figure:
    """Groups of boxes on the photo.

    image: (3, H, W) in [0, 1] at any scale. size: height and width of the boxes' coordinates.
    panels: title -> layers, side by side.
    """
    return figure_of([Scene(gray(image), layers, title, size=size) for title, layers in panels.items()], 10.0)


@from_any_device
def cell_scores_figure(image: Tensor, heat: Tensor, stride: int, size: tuple[int, int], objects: Tensor) -> Figure:
    """Each cell's best foreground probability over the photo. heat: (rows, columns). objects: (G, 4)."""
    extent = (0, 0, heat.shape[1] * stride, heat.shape[0] * stride)
    layers = [Heatmap(heat, 0.0, 1.0, extent, opacity=0.7), *ground_truth(objects)]
    title = "Best foreground probability of each cell's anchors"
    figure = figure_of([Scene(gray(image), layers, title, size=size)], 6.6)
    add_colorbar(figure.axes[0], "probability")
    return figure


def gray(image: Tensor) -> Tensor:
    """The photo (3, H, W) in gray, so that the colors on it are those of boxes and scores alone."""
    return image.mean(dim=0).expand(3, -1, -1)


@from_any_device
def funnel_figure(counts: Mapping[str, int]) -> Figure:
    """How many boxes are left after each step, on a logarithmic axis. counts: {step: count}."""
    names, values = list(counts), list(counts.values())
    with plots(9, 0.5 * len(names) + 1.1) as (figure, axes):
        axes.barh(names, [max(value, 0.8) for value in values], color=roles.BLUE, height=0.62)
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
        (0, low, "neither:\ntoo easy", roles.PALETTE[9], "...."),
        (low, high, "background", roles.RED, "////"),
        (high, start, "neither:\ntoo close", roles.PALETTE[9], "...."),
        (start, 1, "foreground", roles.GREEN, ""),
    ]
    paper = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2}
    with plots(9, 3.8) as (figure, axes):
        heights, _, _ = axes.hist(max_overlaps.tolist(), bins=40, range=(0, 1), color=roles.BLUE, edgecolor="white")
        top = 1.35 * max(float(heights.max()), 1.0)
        for left, right, name, color, hatch in zones:
            if right > left:
                count = int(((max_overlaps >= left) & ((max_overlaps < right) | (right == 1))).sum())
                axes.axvspan(left, right, facecolor=color, edgecolor=color, hatch=hatch, alpha=0.22, lw=0, zorder=0)
                text = f"{name}\n{count:,}"
                axes.text((left + right) / 2, 0.97 * top, text, ha="center", va="top", weight="bold", bbox=paper)
        axes.set(xlim=(-0.02, 1), ylim=(0, top), xlabel="IoU with the closest object", ylabel="proposals")
    return figure


@from_any_device
def expansion_figure(targets: Tensor, mask: Tensor, labels: Tensor, classes: Sequence[str]) -> Figure:
    """A few rows of the 4 (C + 1) expansion, above the targets and below the mask.

    targets, mask: (S, 4 (C + 1)). labels: (S,). classes: C + 1 names, background first.
    """
    rows = [f"ROI {row}: {classes[label]}" for row, label in enumerate(labels.tolist())]
    limit = max(float(targets.abs().max()), 1e-6)
    with plots(12, 0.66 * len(rows) + 3.4, 2, 1, sharex=True) as (figure, (above, below)):
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
    shuffled = torch.randperm(len(coefficients), generator=torch.Generator().manual_seed(0))
    jitter = torch.linspace(-0.3, 0.3, max(len(coefficients), 1))[shuffled]  # (N,)
    with plots(10, 4, 1, 2, sharey=True) as (figure, grid):
        for axes, (title, values) in zip(grid, panels.items(), strict=True):
            spread = values.std(dim=0).tolist() if len(values) > 1 else [0.0] * 4
            for k in range(4):
                axes.plot(jitter + k, values[:, k], "o", markersize=3, alpha=0.35, color=roles.BLUE)
                for height in (spread[k], -spread[k]):
                    axes.plot([k - 0.35, k + 0.35], [height] * 2, color=roles.RED)
            axes.set_xticks(range(4), [f"{name}\nstd {s:.2f}" for name, s in zip(COEFFICIENTS, spread, strict=True)])
            axes.set_title(title)
            axes.axhline(0, color="#888888", linewidth=1, zorder=0)
        figure.supxlabel("orange bars: one standard deviation to either side", fontsize=12)
    return figure
