"""Pictures of the fourth notebook: the RPN, its targets, its coefficients and its box loss."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou, centers_and_sizes, encode
from rcnn_tutorial.figures.drawing import add_colorbar, figure_of, plot_layers
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Heatmap, Lines, Points, Scene
from rcnn_tutorial.stages import anchor_target
from rcnn_tutorial.stages.anchor_target import AnchorAssignment, AnchorTargets
from rcnn_tutorial.stages.rpn import RegionProposalNetwork
from rcnn_tutorial.stages.rpn_loss import smooth_l1

TYPE_B = roles.FOREGROUND._replace(name="type B")
TYPE_A = Role(roles.WHITE, name="type A")
BEST = Role(roles.WHITE, "dashed", "a best anchor")


@from_any_device
def rpn_figure(rpn: RegionProposalNetwork, features: Tensor) -> Figure:
    """The RPN's layers and the shape of every tensor between them, read off while features pass through.

    features: (B, channels, H, W).
    """
    shapes = layer_shapes(rpn, features)
    blocks = {  # name -> place (x, y of the middle), title and note
        "features": (0, 1, "features", "from the head"),
        "rpn_net": (1, 1, "rpn_net", _kernel(rpn.rpn_net) + ", ReLU"),
        "scores": (2, 2, "scores", _kernel(rpn.scores)),
        "coefficients": (2, 0, "coefficients", _kernel(rpn.coefficients)),
        "flat scores": (3, 2, "a row an anchor", "two scores each"),
        "flat coefficients": (3, 0, "a row an anchor", r"$t_x, t_y, t_w, t_h$"),
        "foreground": (4, 2, "probability", "softmax"),
    }
    links = [("features", "rpn_net"), ("rpn_net", "scores"), ("rpn_net", "coefficients")]
    links += [("scores", "flat scores"), ("coefficients", "flat coefficients"), ("flat scores", "foreground")]
    with plots(12, 4.2) as (figure, axes):
        arrow = {"arrowstyle": "-|>", "color": "#333333", "linewidth": 1.5, "mutation_scale": 16}
        for (x, y, *_), (end_x, end_y, *_) in ((blocks[start], blocks[end]) for start, end in links):
            axes.annotate("", xy=(end_x - 0.42, end_y), xytext=(x + 0.42, y), arrowprops=arrow)
        for name, (x, y, title, note) in blocks.items():
            shape = " × ".join(f"{side:,}" for side in shapes[name])
            _block(axes, x, y, f"{title}\n{note}\n{shape}", hasattr(rpn, name))
        axes.set(xlim=(-0.5, 4.5), ylim=(-0.5, 2.5))
        axes.set_axis_off()
    return figure


@torch.no_grad()
def layer_shapes(rpn: RegionProposalNetwork, features: Tensor) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of one forward pass; those that a convolution returns bear its name."""
    features = features.to(rpn.rpn_net.weight.device)
    hidden, outputs = rpn.rpn_net(features), rpn(features)
    tensors = {"features": features, "rpn_net": hidden, "scores": rpn.scores(hidden)}
    tensors |= {"coefficients": rpn.coefficients(hidden), "flat scores": outputs.scores}
    tensors |= {"flat coefficients": outputs.coefficients, "foreground": outputs.foreground}
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _kernel(layer: torch.nn.Conv2d) -> str:
    return "×".join(map(str, layer.kernel_size)) + " conv"


def _block(axes: Axes, x: float, y: float, text: str, convolution: bool) -> None:
    """A tensor; green with a heavy rim where a convolution makes it."""
    face, width = ("#D9F0E8", 2.5) if convolution else ("#F2F2F2", 1)
    rim = {"facecolor": face, "edgecolor": roles.GREEN if convolution else "#666666", "linewidth": width}
    axes.add_patch(FancyBboxPatch((x - 0.42, y - 0.36), 0.84, 0.72, boxstyle="round,pad=0,rounding_size=0.06", **rim))
    axes.text(x, y, text, ha="center", va="center", fontsize=13, linespacing=1.5)


@from_any_device
def labels_figure(image: Tensor, objects: Tensor, anchors: Tensor, targets: AnchorTargets) -> Figure:
    """The anchor target layer on one image: foreground by type, and everything that was sampled for the loss.

    Anchors are marked at their centers, 50 boxes would hide the photo; one of the best of each object is drawn whole.
    image: (3, H, W) in [0, 1]. objects: (G, 4), anchors: (N, 4), both in its pixels. targets: of a batch of one.
    """
    found, labels = targets.assignment, targets.labels[0]  # labels: (N,)
    marks = centers_and_sizes(anchors)[0]  # (N, 2)
    type_a, type_b = marks[found.type_a[0]], marks[found.type_b[0]]  # (A, 2), (B, 2)
    foreground, background = (marks[labels == kind] for kind in (anchor_target.FOREGROUND, anchor_target.BACKGROUND))
    truth = Boxes(objects, roles.GROUND_TRUTH, width=4)
    best = Boxes(_best_anchors(objects, anchors[found.type_a[0]]), BEST)
    by_type = [truth, best, Points(type_b, TYPE_B, radius=3.5), Points(type_a, TYPE_A, shape="ring", radius=5.5)]
    crosses = Points(background, roles.BACKGROUND, shape="cross", radius=4)
    sampled = [truth, Points(foreground, roles.FOREGROUND, radius=3.5), crosses]
    panels = [
        (by_type, f"Foreground: {len(type_a)} type A, {len(type_b)} type B"),
        (sampled, f"Sampled: {len(foreground)} foreground, {len(background)} background"),
    ]
    scenes = [Scene(image, [layer for layer in layers if len(layer.data)], title) for layers, title in panels]
    return figure_of(scenes, 10.0)


def _best_anchors(objects: Tensor, type_a: Tensor) -> Tensor:
    """The first of the type A anchors (A, 4) that overlap each object most: (G', 4), of the objects that have any."""
    if not len(type_a):
        return type_a
    overlaps, best = box_iou(objects, type_a).max(dim=1)  # (G,) each
    return type_a[best[overlaps > 0]]


@from_any_device
def undecided_figure(image: Tensor, objects: Tensor, anchors: Tensor, found: AnchorAssignment) -> Figure:
    """Don't care anchors that do overlap an object, from the lowest IoU to the highest, a panel each.

    Six panels at most. image: (3, H, W) in [0, 1]. objects: (G, 4), anchors: (N, 4), both in its pixels. found: of a
    batch of one.
    """
    overlaps = found.max_overlaps[0]  # (N,)
    undecided = torch.nonzero((found.labels[0] == anchor_target.DONT_CARE) & (overlaps > 0)).flatten()  # (U,)
    ranked = undecided[overlaps[undecided].argsort()]  # (U,)
    places = torch.linspace(0, max(len(ranked) - 1, 0), min(6, len(ranked))).round().long()
    truth = Boxes(objects, roles.GROUND_TRUTH, name="")
    scenes = [
        Scene(image, [truth, Boxes(anchors[[row]], roles.OTHER, width=4, name="")], f"IoU {float(overlaps[row]):.2f}")
        for row in ranked[places].tolist()
    ]
    figure = figure_of(scenes or [Scene(image, [truth])], 10.0, columns=3)
    figure.suptitle("White, dotted: don't care" if scenes else "No anchor lies between the thresholds")
    return figure


def best_of_cells(foreground: Tensor, grid: tuple[int, int]) -> Tensor:
    """The largest value among the anchors of each cell, (rows, columns) = grid, of foreground (N,), N = cells * A."""
    return foreground.detach().view(*grid, -1).amax(dim=-1)


@from_any_device
def probability_figure(image: Tensor, foreground: Tensor, grid: tuple[int, int]) -> Figure:
    """The largest probability of foreground among the anchors of every cell, beside the image.

    image: (3, H, W) in [0, 1]. foreground: (N,), N = rows * columns * A. grid: (rows, columns).
    """
    title = "Best foreground probability of each cell"
    heat = Scene(None, [Heatmap(best_of_cells(foreground, grid), 0.0, 1.0)], title, size=image.shape[-2:])
    figure = figure_of([Scene(image, title="The image"), heat], 10.0)
    add_colorbar(figure.axes[1])
    return figure


@from_any_device
def coefficients_figure(reference: Tensor, target: Tensor) -> Figure:
    """One box turned into another, measured from corner to corner and from center to center.

    reference, target: (4,) in pixels.
    """
    (from_center, size), (to_center, _) = centers_and_sizes(reference), centers_and_sizes(target)
    corner = (target[:2] - reference[:2]) / size
    center = encode(target, reference)[:2]
    panels = (
        ("Corner to corner (the post)", reference[:2], target[:2], corner),
        ("Center to center (paper and code)", from_center, to_center, center),
    )
    with plots(12, 4.6, 1, 2) as (figure, grid):
        for axes, (title, start, end, shift) in zip(grid, panels, strict=True):
            layers = [
                Boxes(reference[None], roles.BEFORE, width=4, name="reference P"),
                Boxes(target[None], roles.AFTER, width=4, name="target G"),
                Points(start[None], roles.BEFORE, radius=6, name=""),
                Points(end[None], roles.AFTER, radius=6, name=""),
                Lines(torch.stack([start, end])[None], Role("#000000"), arrow=True),
            ]
            plot_layers(axes, layers)
            t_x, t_y = (shift + 0.0).tolist()
            axes.set_title(f"{title}\n$t_x$ = {t_x:.4f}, $t_y$ = {t_y:.4f}")
    return figure


@from_any_device
def smooth_l1_figure(sigmas: Sequence[float] = (0.5, 1, 3)) -> Figure:
    """The loss of one coefficient and its slope, for several sigma. The quadratic part ends at 1 / sigma^2."""
    x = torch.linspace(-2, 2, 801, requires_grad=True)  # (K,)
    with plots(12, 4.2, 1, 2) as (figure, (left, right)):
        colors = roles.BLUE, roles.GREEN, roles.RED, roles.PALETTE[6]
        for sigma, line, color in zip(sigmas, ("-", "--", "-.", ":"), colors, strict=False):
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
    with plots(9, 4.4) as (figure, axes):
        axes.axhline(positive, color=roles.GREEN, linestyle="--", label=f"positive threshold {positive:g}")
        axes.axhline(negative, color=roles.RED, linestyle=":", label=f"negative threshold {negative:g}")
        axes.fill_between(
            sides, 0, 1, where=[value < positive for value in best], step="mid", color="#BBBBBB", alpha=0.45,
            linewidth=0, hatch="//", edgecolor="#888888", label="foreground by type A only",
        )  # fmt: skip
        axes.plot(sides, best, "o-", color=roles.BLUE, markersize=4, label="best IoU of all anchors")
        axes.set(xlabel="side of the object (pixels)", ylabel="IoU", ylim=(0, 1), xlim=(min(sides), max(sides)))
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
