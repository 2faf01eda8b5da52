"""The same layers with matplotlib: an explorer's present picture for readers without a kernel."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Stroke

from rcnn_tutorial.explorers.layers import (
    DASHES,
    MANY,
    Boxes,
    Handle,
    Heatmap,
    Layer,
    Lines,
    Picture,
    Points,
    floats,
    to_uint8,
)
from rcnn_tutorial.figures.style import describe, ink_on, style

LEGEND_COLUMNS = 4
_MARKERS = {"dot": "o", "ring": "o", "cross": "x"}
_GROUND = "#404040"  # where there is no image; all colors of the course stand out on it
_DIM = 0.65  # how much of it lies over a picture that the controls no longer describe


def canvas_figure(canvases: Sequence, summary: str, width: float = 9.0) -> Figure:
    """The pictures of one explorer side by side, `width` inches in all, the summary under them."""
    shares = [canvas.width / sum(other.width for other in canvases) for canvas in canvases]  # as on the page
    heights = [width * share * canvas.size[0] / canvas.size[1] for share, canvas in zip(shares, canvases, strict=True)]
    lines = textwrap.wrap(summary, int(width * 11))
    legends = max(-(-len(named_layers(canvas)) // LEGEND_COLUMNS) for canvas in canvases)
    titles = any(canvas.title for canvas in canvases)
    words = 0.2 + 0.35 * titles + 0.3 * legends + 0.25 * len(lines)  # inches
    with style():
        figure = Figure(figsize=(width, min(max(heights), 1.2 * width) + words))
        grid = figure.subplots(1, len(canvases), squeeze=False, width_ratios=shares)
        for axes, canvas in zip(grid[0], canvases, strict=True):
            draw_canvas(axes, canvas)
        figure.supxlabel("\n".join(lines), fontsize=12)
    return describe(figure, summary)


def named_layers(canvas) -> list:
    """What the legend lists."""
    return [layer for layer in (*canvas.layers, *canvas.handle_styles.values()) if layer.name]


def draw_canvas(axes: Axes, canvas) -> None:
    """One canvas: its image, its layers, its handles and their legend."""
    height, width = canvas.size
    axes.set_facecolor(_GROUND)
    if canvas.picture is not None:
        axes.imshow(to_uint8(canvas.picture), extent=(0, width, height, 0), interpolation="antialiased")
    for layer in canvas.layers:
        draw_layer(axes, layer, canvas.size)
    for key, handle in canvas.handle_styles.items():
        draw_layer(axes, handle_boxes(handle, canvas.handles[key], handle.name or key), canvas.size)
    if not canvas.possible:
        axes.add_patch(Rectangle((0, 0), width, height, color=_GROUND, alpha=_DIM, linewidth=0, zorder=5))
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="equal", title=canvas.title)
    if named := named_layers(canvas):
        marks = [legend_mark(layer) for layer in named]
        legend = axes.legend(
            handles=marks,
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            ncols=min(LEGEND_COLUMNS, len(marks)),
            fontsize=10,
        )
        legend.set_frame_on(True)
        legend.get_frame().set(facecolor=_GROUND, edgecolor="none")
        for text in legend.get_texts():
            text.set_color("white")


def handle_boxes(handle: Handle, box: Sequence[float], name: str) -> Boxes:
    """A handle as a box that stays where it is."""
    style_of = {key: getattr(handle, key) for key in ("color", "dash", "width", "opacity", "fill")}
    return Boxes([box], labels=[name], **style_of)


def draw_layer(axes: Axes, layer: Layer, size: tuple[int, int]) -> None:
    """Any layer on axes whose data coordinates are the image's pixels."""
    match layer:
        case Boxes():
            draw_boxes(axes, layer)
        case Points():
            draw_points(axes, layer)
        case Lines():
            draw_lines(axes, layer)
        case Heatmap() | Picture():
            x1, y1, x2, y2 = layer.extent or (0, 0, size[1], size[0])
            axes.imshow(layer.rgba(), extent=(x1, x2, y2, y1), alpha=layer.opacity, interpolation="nearest")


def draw_boxes(axes: Axes, layer: Boxes) -> None:
    boxes = floats(layer.boxes, 4)
    patches = [Rectangle((x1, y1), x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes.tolist()]
    if layer.fill:
        axes.add_collection(PatchCollection(patches, facecolor=layer.color, alpha=layer.fill, edgecolor="none"))
    lines = PatchCollection(patches, facecolor="none", edgecolor=layer.color, alpha=layer.opacity)
    axes.add_collection(_pen(lines, layer, len(boxes)))
    for box, label in zip(boxes.tolist(), layer.labels, strict=False):
        _text(axes, box[:2], label, layer.color)


def draw_points(axes: Axes, layer: Points) -> None:
    points = floats(layer.points, 2)
    face = "none" if layer.shape == "ring" else layer.color
    edge = {"facecolors": face, "edgecolors": layer.color} if layer.shape != "cross" else {"color": layer.color}
    size = (1.5 * layer.radius) ** 2
    axes.scatter(*points.T, s=size, marker=_MARKERS[layer.shape], alpha=layer.opacity, linewidths=1.2, zorder=2, **edge)
    for point, label in zip(points.tolist(), layer.labels, strict=False):
        _text(axes, point, label, layer.color)


def draw_lines(axes: Axes, layer: Lines) -> None:
    lines = floats(layer.lines, None, 2)
    paths = np.concatenate([lines, lines[:, :1]], axis=1) if layer.closed else lines
    axes.add_collection(_pen(LineCollection(paths, colors=layer.color, alpha=layer.opacity), layer, len(lines)))
    if layer.arrow:
        arrow = {"arrowstyle": "-|>", "color": layer.color, "linewidth": 0, "mutation_scale": 6 * layer.width}
        for line in lines.tolist():
            axes.annotate("", xy=line[-1], xytext=line[-2], arrowprops=arrow, annotation_clip=False)


def legend_mark(layer: Layer) -> Line2D:
    """A short line (a dot for points) that explains a layer's color and dash."""
    if isinstance(layer, Points):
        return Line2D([], [], color=layer.color, marker=_MARKERS[layer.shape], linestyle="none", label=layer.name)
    if isinstance(layer, Heatmap):
        high = layer.rgba().reshape(-1, 4)[int(np.argmax(floats(layer.values, layer.values.shape[-1])))]
        return Line2D([], [], color=high / 255, linewidth=8, label=layer.name)
    return Line2D([], [], color=layer.color, linestyle=_linestyle(layer), linewidth=2, label=layer.name)


def _pen(collection, layer: Layer, count: int):
    """Dash, width and, where the lines are few, the dark or light rim that sets them off from the photo."""
    width = layer.width * 0.7
    collection.set(linestyle=_linestyle(layer), linewidth=width if count <= MANY else 0.6)
    if count <= MANY:
        rim = Stroke(linewidth=width + 1.6, foreground=ink_on(layer.color), alpha=0.6)
        collection.set_path_effects([rim, Stroke(linewidth=width, foreground=layer.color, alpha=layer.opacity)])
    return collection


def _linestyle(layer: Layer):
    dash = tuple(0.35 * length for length in DASHES[layer.dash])
    return (0, dash) if dash else "solid"


def _text(axes: Axes, at: Sequence[float], text: str, color: str) -> None:
    ground = {"facecolor": color, "edgecolor": "none", "pad": 1.5}
    axes.text(*at, text, color=ink_on(color), fontsize=9, weight="bold", va="bottom", bbox=ground, clip_on=True)


__all__ = ["canvas_figure", "draw_canvas", "draw_layer"]
