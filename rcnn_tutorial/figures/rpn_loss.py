"""Pictures of the fourth notebook: the RPN, its targets, its coefficients and its box loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.patheffects import Normal, Stroke
from torch import Tensor

from rcnn_tutorial.boxes import centers_and_sizes, encode
from rcnn_tutorial.figures.style import (
    AFTER,
    BEFORE,
    CHOSEN,
    OTHER,
    PALETTE,
    from_any_device,
    height_share,
    ink_on,
    style,
)
from rcnn_tutorial.stages.anchor_target import BACKGROUND, DONT_CARE, FOREGROUND, AnchorAssignment, AnchorTargets
from rcnn_tutorial.stages.rpn import RegionProposalNetwork
from rcnn_tutorial.stages.rpn_loss import smooth_l1

OBJECT = PALETTE[3]  # yellow: ground truth
_LINES = ("-", "--", "-.", ":")


@from_any_device
def network_figure(rpn: RegionProposalNetwork, features: Tensor) -> Figure:
    """The RPN's layers and the shape of every tensor between them, read off while features pass through.

    features: (B, channels, H, W).
    """
    shapes = layer_shapes(rpn, features)
    boxes = {  # name -> place (x, y of the middle) and text
        "features": (0, 1, "features", "from the head", shapes["features"]),
        "rpn_net": (1, 1, "rpn_net", _kernel(rpn.rpn_net) + ", ReLU", shapes["rpn_net"]),
        "scores": (2, 2, "scores", _kernel(rpn.scores), shapes["scores"]),
        "coefficients": (2, 0, "coefficients", _kernel(rpn.coefficients), shapes["coefficients"]),
        "flat scores": (3, 2, "a row an anchor", "two scores each", shapes["flat scores"]),
        "flat coefficients": (3, 0, "a row an anchor", r"$t_x, t_y, t_w, t_h$", shapes["flat coefficients"]),
        "foreground": (4, 2, "probability", "softmax", shapes["foreground"]),
    }
    links = ("features rpn_net", "rpn_net scores", "rpn_net coefficients")
    pairs = [tuple(link.split()) for link in links]
    pairs += [("scores", "flat scores"), ("coefficients", "flat coefficients"), ("flat scores", "foreground")]
    with style():
        figure = Figure(figsize=(12, 4.2))
        axes = figure.add_subplot()
        for start, end in pairs:
            _link(axes, boxes[start][:2], boxes[end][:2])
        for name, (x, y, title, note, shape) in boxes.items():
            _block(axes, x, y, f"{title}\n{note}\n{_product(shape)}", name in shapes["layers"])
        axes.set(xlim=(-0.5, 4.5), ylim=(-0.5, 2.5))
        axes.set_axis_off()
    return figure


def layer_shapes(rpn: RegionProposalNetwork, features: Tensor) -> dict:
    """Shape of every tensor of one forward pass; under "layers" the names of those that a convolution returned."""
    shapes: dict = {"features": tuple(features.shape), "layers": ("rpn_net", "scores", "coefficients")}
    hooks = [
        getattr(rpn, name).register_forward_hook(
            lambda _module, _inputs, output, name=name: shapes.update({name: tuple(output.shape)})
        )
        for name in shapes["layers"]
    ]
    with torch.no_grad():
        outputs = rpn(features.to(rpn.rpn_net.weight.device))
    for hook in hooks:
        hook.remove()
    flat = {"flat scores": outputs.scores, "flat coefficients": outputs.coefficients, "foreground": outputs.foreground}
    return shapes | {name: tuple(tensor.shape) for name, tensor in flat.items()}


def _kernel(layer: torch.nn.Conv2d) -> str:
    return "×".join(map(str, layer.kernel_size)) + " conv"


def _product(shape: Sequence[int]) -> str:
    return " × ".join(f"{side:,}" for side in shape)


def _block(axes: Axes, x: float, y: float, text: str, convolution: bool) -> None:
    """A tensor; green with a heavy rim where a convolution makes it."""
    face, width = ("#D9F0E8", 2.5) if convolution else ("#F2F2F2", 1)
    rim = {"facecolor": face, "edgecolor": AFTER if convolution else "#666666", "linewidth": width}
    axes.add_patch(FancyBboxPatch((x - 0.42, y - 0.36), 0.84, 0.72, boxstyle="round,pad=0,rounding_size=0.06", **rim))
    axes.text(x, y, text, ha="center", va="center", fontsize=13, linespacing=1.5)


def _link(axes: Axes, start: Sequence[float], end: Sequence[float]) -> None:
    arrow = {"arrowstyle": "-|>", "color": "#333333", "linewidth": 1.5, "mutation_scale": 16}
    axes.annotate("", xy=(end[0] - 0.42, end[1]), xytext=(start[0] + 0.42, start[1]), arrowprops=arrow)


@from_any_device
def labels_figure(image: Tensor, objects: Tensor, anchors: Tensor, targets: AnchorTargets) -> Figure:
    """The anchor target layer on one image: foreground by type, and everything that was sampled for the loss.

    image: (3, H, W) in [0, 1]. objects: (G, 4), anchors: (N, 4), both in its pixels. targets: of a batch of one.
    """
    height, width = image.shape[-2:]
    found, labels = targets.assignment, targets.labels[0]  # labels: (N,)
    type_a, type_b = found.type_a[0], found.type_b[0]  # (N,) each
    foreground = anchors[labels == FOREGROUND]
    # Background is drawn as a cross at the anchor's center: 200 boxes would hide the photo.
    background = centers_and_sizes(anchors[labels == BACKGROUND])[0]  # (S, 2)
    with style():
        figure = Figure(figsize=(10, 5 * height_share(height, width) + 1.1))
        left, right = figure.subplots(1, 2)
        for axes in (left, right):
            _show(axes, image)
            _draw_boxes(axes, objects, OBJECT, "-", 3, "object")
        _draw_boxes(left, anchors[type_b], AFTER, "-", 3, "type B")
        _draw_boxes(left, anchors[type_a], OTHER, "--", 2, "type A")
        left.set_title(f"Foreground: {int(type_a.sum())} type A, {int(type_b.sum())} type B")
        _draw_boxes(right, foreground, AFTER, "-", 2, "foreground")
        right.scatter(*background.T, marker="x", s=24, linewidths=1.8, color=BEFORE, label="background")
        right.set_title(f"Sampled: {len(foreground)} foreground, {len(background)} background")
        for axes in (left, right):
            _dark_legend(axes)
    return figure


@from_any_device
def undecided_figure(image: Tensor, objects: Tensor, anchors: Tensor, found: AnchorAssignment, most: int = 6) -> Figure:
    """Don't care anchors that do overlap an object, from the lowest IoU to the highest, a panel each.

    image: (3, H, W) in [0, 1]. objects: (G, 4), anchors: (N, 4), both in its pixels. found: of a batch of one.
    most: panels.
    """
    overlaps = found.max_overlaps[0]  # (N,)
    undecided = torch.nonzero((found.labels[0] == DONT_CARE) & (overlaps > 0)).flatten()  # (U,)
    ranked = undecided[overlaps[undecided].argsort()]  # (U,)
    places = torch.linspace(0, max(len(ranked) - 1, 0), min(most, len(ranked))).round().long()
    height, width = image.shape[-2:]
    with style():
        figure = Figure(figsize=(10, 2 * (10 / 3 * height_share(height, width) + 0.4)))
        panels = figure.subplots(2, -(-most // 2)).flatten()
        for axes in panels:
            axes.set_axis_off()
        for axes, row in zip(panels, ranked[places].tolist(), strict=False):
            _show(axes, image)
            _draw_boxes(axes, objects, OBJECT, "-", 2, "object")
            _draw_boxes(axes, anchors[row][None], OTHER, ":", 3, "don't care")
            axes.set_title(f"IoU {float(overlaps[row]):.2f}")
        figure.suptitle("White, dotted: don't care" if len(ranked) else "No anchor lies between the thresholds")
    return figure


@from_any_device
def probability_figure(image: Tensor, foreground: Tensor, grid: tuple[int, int]) -> Figure:
    """The largest probability of foreground among the anchors of every cell, beside the image.

    image: (3, H, W) in [0, 1]. foreground: (N,), N = rows * columns * A. grid: (rows, columns).
    """
    height, width = image.shape[-2:]
    best = foreground.detach().view(*grid, -1).amax(dim=-1)  # (rows, columns)
    with style():
        figure = Figure(figsize=(10, 4.4 * height_share(height, width) + 0.6))
        left, right = figure.subplots(1, 2)
        _show(left, image)
        left.set_title("The image")
        heat = right.imshow(best.numpy(), extent=(0, width, height, 0), vmin=0, vmax=1, cmap="viridis")
        right.set(title="Best foreground probability of each cell", xticks=[], yticks=[])
        figure.colorbar(heat, ax=right, shrink=0.85)
    return figure


@from_any_device
def coefficients_figure(reference: Tensor, target: Tensor) -> Figure:
    """One box turned into another, measured from corner to corner and from center to center.

    reference, target: (4,) in pixels.
    """
    (from_center, size), (to_center, _) = centers_and_sizes(reference), centers_and_sizes(target)
    corner = (target[:2] - reference[:2]) / size
    center = encode(target, reference)[:2]
    with style():
        figure = Figure(figsize=(12, 4.6))
        panels = (
            ("Corner to corner (the post)", reference[:2], target[:2], corner),
            ("Center to center (paper and code)", from_center, to_center, center),
        )
        for axes, (title, start, end, shift) in zip(figure.subplots(1, 2), panels, strict=True):
            _draw_boxes(axes, reference[None], BEFORE, "--", 3, "reference P")
            _draw_boxes(axes, target[None], AFTER, "-", 3, "target G")
            axes.plot(*start, "o", color=BEFORE, markersize=9)
            axes.plot(*end, "s", color=AFTER, markersize=9)
            axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "mutation_scale": 22, "lw": 2})
            t_x, t_y = (shift + 0.0).tolist()
            axes.set_title(f"{title}\n$t_x$ = {t_x:.4f}, $t_y$ = {t_y:.4f}")
            axes.set(xlabel="x (pixels)", ylabel="y (pixels)", aspect="equal")
            axes.margins(0.1)
            axes.invert_yaxis()
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@from_any_device
def smooth_l1_figure(sigmas: Sequence[float] = (0.5, 1, 3), reach: float = 2.0) -> Figure:
    """The loss of one coefficient and its slope, for several sigma. The quadratic part ends at 1 / sigma^2."""
    x = torch.linspace(-reach, reach, 801, requires_grad=True)  # (K,)
    with style():
        figure = Figure(figsize=(12, 4.2))
        left, right = figure.subplots(1, 2)
        for sigma, line, color in zip(sigmas, _LINES, (CHOSEN, AFTER, BEFORE, PALETTE[6]), strict=False):
            loss = smooth_l1(x, sigma)  # (K,)
            (slope,) = torch.autograd.grad(loss.sum(), x)
            name = rf"$\sigma$ = {sigma:g}, bend at {1 / sigma**2:.2f}"
            left.plot(x.detach(), loss.detach(), line, color=color, label=name)
            right.plot(x.detach(), slope, line, color=color, label=name)
        left.plot(x.detach(), x.detach().abs(), ":", color="#555555", label="|x|")
        left.set(title="Smooth L1", xlabel="predicted minus target coefficient", ylabel="loss")
        right.set(title="Its slope: what the network is pushed by", xlabel="predicted minus target coefficient")
        left.legend()
    return figure


@from_any_device
def overlap_by_size_figure(sides: Sequence[float], best: Sequence[float], thresholds: tuple[float, float]) -> Figure:
    """The best IoU that any anchor reaches, over the side of a square object.

    sides: pixels. best: IoU, one a side. thresholds: negative and positive IoU.
    """
    negative, positive = thresholds
    with style():
        figure = Figure(figsize=(9, 4.4))
        axes = figure.add_subplot()
        axes.axhline(positive, color=AFTER, linestyle="--", label=f"positive threshold {positive:g}")
        axes.axhline(negative, color=BEFORE, linestyle=":", label=f"negative threshold {negative:g}")
        axes.fill_between(
            sides, 0, 1, where=[value < positive for value in best], step="mid", color="#BBBBBB", alpha=0.45,
            linewidth=0, hatch="//", edgecolor="#888888", label="foreground by type A only",
        )  # fmt: skip
        axes.plot(sides, best, "o-", color=CHOSEN, markersize=4, label="best IoU of all anchors")
        axes.set(xlabel="side of the object (pixels)", ylabel="IoU", ylim=(0, 1), xlim=(min(sides), max(sides)))
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _show(axes: Axes, image: Tensor) -> None:
    """The photo under whatever is drawn in its pixels."""
    height, width = image.shape[-2:]
    pixels = image.detach().clamp(0, 1).permute(1, 2, 0).numpy()  # (H, W, 3)
    axes.imshow(pixels, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])


def _draw_boxes(axes: Axes, boxes: Tensor, color: str, line: str, width: float, name: str) -> None:
    """Boxes (N, 4) with a rim that sets them off from any photo; an entry in the legend even without boxes."""
    patches = [Rectangle((x1, y1), x2 - x1, y2 - y1) for x1, y1, x2, y2 in torch.as_tensor(boxes).tolist()]
    lines = PatchCollection(patches, facecolor="none", edgecolor=color, linestyle=line, linewidth=width)
    lines.set_path_effects([Stroke(linewidth=width + 1.5, foreground=ink_on(color), alpha=0.5), Normal()])
    axes.add_collection(lines)
    axes.plot([], [], line, color=color, linewidth=width, label=name)


def _dark_legend(axes: Axes) -> None:
    """A legend under the picture, dark, so that white and yellow lines show."""
    legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3, labelcolor="white")
    legend.set_frame_on(True)
    legend.get_frame().set(facecolor="#404040", edgecolor="none")
