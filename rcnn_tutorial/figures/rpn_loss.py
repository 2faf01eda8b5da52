"""Pictures of the fourth notebook: the RPN and its coefficients."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import centers_and_sizes, encode
from rcnn_tutorial.figures.drawing import plot_layers
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Lines, Points
from rcnn_tutorial.stages.rpn import RegionProposalNetwork

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
    with plots(12, 3.6) as (figure, axes):
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


def best_of_cells(foreground: Tensor, grid: tuple[int, int]) -> Tensor:
    """The largest value among the anchors of each cell, (rows, columns) = grid, of foreground (N,), N = cells * A."""
    return foreground.detach().view(*grid, -1).amax(dim=-1)


@from_any_device
def coefficients_figure(reference: Tensor, target: Tensor) -> Figure:
    """One box turned into another, measured from corner to corner and from center to center.

    reference, target: (4,) in pixels.
    """
    (from_center, size), (to_center, _) = centers_and_sizes(reference), centers_and_sizes(target)
    corner = (target[:2] - reference[:2]) / size
    center = encode(target, reference)[:2]
    panels = (
        ("Corner to corner", reference[:2], target[:2], corner),
        ("Center to center", from_center, to_center, center),
    )
    with plots(12, 3.8, 1, 2) as (figure, grid):
        for axes, (title, start, end, shift) in zip(grid, panels, strict=True):
            layers = [
                Boxes(reference[None], roles.BEFORE, width=4, name="anchor P"),
                Boxes(target[None], roles.AFTER, width=4, name="object G"),
                Points(start[None], roles.BEFORE, radius=6, name=""),
                Points(end[None], roles.AFTER, radius=6, name=""),
                Lines(torch.stack([start, end])[None], Role("#000000"), arrow=True),
            ]
            plot_layers(axes, layers)
            t_x, t_y = (shift + 0.0).tolist()
            axes.set_title(f"{title}\n$t_x$ = {t_x:.4f}, $t_y$ = {t_y:.4f}")
    return figure
