"""Pictures of the fifth notebook: what their IoU makes of proposals, and the targets of the ROIs among them."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.figures.style import from_any_device, plots


def gray(image: Tensor) -> Tensor:
    """The photo (3, H, W) in gray, so that the colors on it are those of boxes and scores alone."""
    return image.mean(dim=0).expand(3, -1, -1)


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
