"""Scenes with matplotlib: every photo of a figure, and the still picture of every explorer."""

import itertools
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Stroke
from matplotlib.text import Text

from rcnn_tutorial.figures.style import height_share, plots, style
from rcnn_tutorial.roles import DASHES, GROUND, Role, ink_on
from rcnn_tutorial.scene import MANY, Boxes, Heatmap, Layer, Lines, Picture, Points, Scene, Words, label_place, to_uint8

_MARKERS = {"dot": "o", "ring": "o", "cross": "x"}
_DIM = 0.65  # how much ground lies over a picture that the controls no longer describe
_POINTS = 0.7  # a screen pixel of a layer's width, in points
_LETTER, _MARK = 0.0083, 0.062  # inches a point of type: a letter of the legend, and what stands before its words


def figure_of(
    scenes: Sequence[Scene],
    width: float = 9.0,
    columns: int | None = None,
    shares: Sequence[float] | None = None,
    legend: str = "each",
    words: str = "",
) -> Figure:
    """A panel for each scene, `width` inches in all, `words` under them.

    columns: panels in a row; None: all. shares: of the width, one a column. legend: "each" panel its own, one that is
    "shared", or "" for none.
    """
    columns = columns or len(scenes)
    rows = -(-len(scenes) // columns)
    shares = np.divide(shares or [1] * columns, sum(shares or [1] * columns))
    panels = width * np.resize(shares, len(scenes))  # (len(scenes),) inches
    legends = [_Legend(scene.layers, panel) for scene, panel in zip(scenes, panels, strict=True)]
    if legend != "each":
        legends = [_Legend([layer for scene in scenes for layer in scene.layers], width)] * (legend == "shared")
    text = textwrap.wrap(words, int(width * 11))
    below = 0.3 * max((one.rows for one in legends), default=0) + 0.25 * len(text) + 0.2  # inches
    height = rows * _row_height(scenes, panels) + below
    with plots(width, height, rows, columns, squeeze=False, width_ratios=shares) as (figure, grid):
        for axes, scene in itertools.zip_longest(grid.flat, scenes):
            if scene is None:
                axes.set_axis_off()
            else:
                draw_scene(axes, scene)
        for where, entries in zip([figure] if legend == "shared" else grid.flat, legends, strict=False):
            entries.draw(where)
        figure.supxlabel("\n".join(text), fontsize=12)
    return figure


def bare_figure_of(scene: Scene, width: float) -> Figure:
    """The scene alone from edge to edge, `width` inches: without its title, its caption and its legend."""
    height, across = scene.shape
    with style():
        figure = Figure(figsize=(width, width * height / across), layout="none")
        draw_scene(figure.add_axes((0, 0, 1, 1)), scene)
    return figure


def _row_height(scenes: Sequence[Scene], panels: Sequence[float]) -> float:
    """Inches of the highest panel with its title and its caption. panels: widths in inches."""
    highest = max(panel * height_share(*scene.shape) for scene, panel in zip(scenes, panels, strict=True))
    captions = max(scene.caption.count("\n") + bool(scene.caption) for scene in scenes)  # lines
    return highest + 0.35 * any(scene.title for scene in scenes) + 0.25 * captions


def draw_scene(axes: Axes, scene: Scene) -> None:
    """One scene without its legend; the axes then count its coordinates."""
    height, width = scene.shape
    axes.set_facecolor(scene.ground)
    if scene.image is not None:
        _draw_pixels(axes, to_uint8(scene.image), (0, 0, width, height), interpolation="antialiased")
    for layer in scene.layers:
        draw_layer(axes, layer, scene.shape)
    _write_labels(axes, scene.layers)
    if scene.dimmed:
        axes.add_patch(Rectangle((0, 0), width, height, color=GROUND, alpha=_DIM, linewidth=0, zorder=5))
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], aspect="equal", anchor="N")
    axes.set(title=scene.title, xlabel=scene.caption)
    axes.spines[:].set(visible=True, color="#999999")


def draw_layer(axes: Axes, layer: Layer, size: Sequence[float] = ()) -> None:
    """Any layer without its labels, in the coordinates of the axes. size: height and width of the whole picture."""
    match layer:
        case Boxes():
            _draw_boxes(axes, layer)
        case Points():
            _draw_points(axes, layer)
        case Lines():
            _draw_lines(axes, layer)
        case Words():
            for point, word in zip(layer.data.tolist(), layer.words, strict=True):
                axes.add_artist(_Word(point, word, layer))
        case Heatmap():
            low, high = layer.limits()
            colors = {"cmap": layer.colormap, "vmin": low, "vmax": high, "alpha": layer.opacity}
            _draw_pixels(axes, layer.data, layer.extent or (0, 0, *size[::-1]), **colors)
        case Picture():
            _draw_pixels(axes, layer.rgba(), layer.extent or (0, 0, *size[::-1]), alpha=layer.opacity)


def plot_layers(axes: Axes, layers: Sequence[Layer]) -> None:
    """Layers without a photo: on axes that count pixels, y downward, with a legend at their right."""
    for layer in layers:
        draw_layer(axes, layer)
    axes.set(xlabel="x (pixels)", ylabel="y (pixels)", aspect="equal")
    axes.margins(0.1)
    axes.invert_yaxis()
    marks = [legend_mark(layer) for layer in layers if layer.legend]
    axes.legend(handles=marks, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_pixels(axes: Axes, pixels: np.ndarray, box: Sequence[float], **look) -> None:
    """Pixels (h, w) or (h, w, channels) that fill a box: the only place that tells matplotlib where a pixel lies."""
    x1, y1, x2, y2 = box
    axes.imshow(pixels, extent=(x1, x2, y2, y1), **look)


def _draw_boxes(axes: Axes, layer: Boxes) -> None:
    patches = [Rectangle((x1, y1), x2 - x1, y2 - y1) for x1, y1, x2, y2 in layer.data.tolist()]
    color = layer.role.color
    if layer.fill:
        axes.add_collection(PatchCollection(patches, facecolor=color, alpha=layer.fill, edgecolor="none", zorder=2))
    lines = PatchCollection(patches, facecolor="none", edgecolor=color, alpha=layer.opacity)
    axes.add_collection(_pen(lines, layer, len(patches)))


def _draw_points(axes: Axes, layer: Points) -> None:
    color, points = layer.role.color, layer.data
    look = {"s": (1.5 * layer.radius) ** 2, "marker": _MARKERS[layer.shape], "alpha": layer.opacity, "zorder": 2}
    if layer.shape == "dot":
        rim = ink_on(color) if len(points) <= MANY else color
        axes.scatter(*points.T, color=color, edgecolors=rim, linewidths=0.7, **look)
        return
    marks = axes.scatter(*points.T, facecolors="none" if layer.shape == "ring" else color, **look)
    marks.set(edgecolors=color)
    _pen(marks, layer, len(points))


def _draw_lines(axes: Axes, layer: Lines) -> None:
    lines, color = layer.data, layer.role.color
    paths = np.concatenate([lines, lines[:, :1]], axis=1) if layer.closed else lines
    axes.add_collection(_pen(LineCollection(paths, colors=color, alpha=layer.opacity), layer, len(lines)))
    if layer.arrow:
        arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 0, "mutation_scale": 6 * layer.width}
        for line in lines.tolist():
            arrow_at = {"xy": line[-1], "xytext": line[-2], "arrowprops": arrow | {"shrinkA": 0, "shrinkB": 0}}
            axes.annotate("", annotation_clip=False, **arrow_at)


def _pen(collection, layer: Layer, count: int):
    """Dash, width and, where the lines are few, the dark or light rim that sets them off from the photo."""
    width, color = layer.width * _POINTS, layer.role.color
    if isinstance(layer, Boxes | Lines):
        collection.set_linestyle(_linestyle(layer.role))
    collection.set_zorder(2)  # all alike: what comes later lies on top
    collection.set_linewidth(width if count <= MANY else min(width, 1.2))
    if count <= MANY:
        rim = Stroke(linewidth=width + 1.6, foreground=ink_on(color), alpha=0.6)
        collection.set_path_effects([rim, Stroke(linewidth=width, foreground=color, alpha=layer.opacity)])
    return collection


def _linestyle(role: Role):
    dash = tuple(0.35 * length for length in DASHES[role.dash])
    return (0, dash) if dash else "solid"


def _write_labels(axes: Axes, layers: Sequence[Layer]) -> None:
    """The texts of boxes and points; those of the topmost layer choose their places first."""
    written: list[Label] = []
    for layer in reversed(layers):
        if isinstance(layer, Boxes | Points):
            boxes = layer.data if isinstance(layer, Boxes) else np.tile(layer.data, 2)  # (N, 4)
            gap = layer.radius if isinstance(layer, Points) else 0.0
            for box, text in zip(boxes.tolist(), layer.labels, strict=False):
                if text:
                    written.append(Label(box, text, layer.role.color, gap, written.copy()))
                    axes.add_artist(written[-1])


class _Word(Text):
    """A word of a `Words` layer: as high as it says in the coordinates of the axes, however large those are drawn."""

    def __init__(self, point: Sequence[float], word: str, layer: Words):
        place = {"ha": layer.align, "va": "center", "rotation": 90 * layer.turned, "rotation_mode": "anchor"}
        super().__init__(*point, word, color=layer.role.color, clip_on=True, zorder=2, **place)
        self.letter = layer.letter

    def draw(self, renderer) -> None:
        """Take its size, then as every text."""
        across = abs(self.axes.get_xlim()[1] - self.axes.get_xlim()[0])
        self.set_fontsize(self.letter * self.axes.bbox.width / across / renderer.points_to_pixels(1))
        super().draw(renderer)


class Label(Text):
    """A text beside its box; it looks for its place when it is drawn, since only then its size on the paper is known.

    gap: to the left and right of the box, in points. earlier: the labels that have chosen before it.
    """

    PAD = 1.5  # points around the text

    def __init__(self, box: Sequence[float], text: str, color: str, gap: float, earlier: list):
        ground = {"facecolor": color, "edgecolor": "none", "pad": self.PAD}
        super().__init__(text=text, color=ink_on(color), weight="bold", va="bottom", clip_on=True)
        self.set_bbox(ground)
        self.box, self.gap, self.earlier, self.place = box, gap, earlier, None

    def draw(self, renderer) -> None:
        """Take a place, then as every text."""
        frame, pad = self.axes.bbox, renderer.points_to_pixels(self.PAD)
        self.set_fontsize(min(max(1.5 * frame.width / self.axes.figure.dpi, 10), 13))  # a large panel has large texts
        gap = renderer.points_to_pixels(self.gap)
        (x1, y1), (x2, y2) = self.axes.transData.transform(np.reshape(self.box, (2, 2)))  # y upward
        box = x1 - frame.x0 + gap, frame.y1 - y1, x2 - frame.x0 - gap, frame.y1 - y2
        extent = self.get_window_extent(renderer)
        size = extent.width + 2 * pad, extent.height + 2 * pad
        self.place = label_place(box, size, (frame.width, frame.height), [other.place for other in self.earlier])
        corner = frame.x0 + self.place[0] + pad, frame.y1 - self.place[3] + pad
        self.set_position(self.axes.transData.inverted().transform(corner))
        super().draw(renderer)


class _Legend:
    """Names of layers on the ground of the course, where white lines can be seen, in as many columns as fit."""

    def __init__(self, layers: Sequence[Layer], width: float):
        """width: inches."""
        self.layers = list({layer.legend: layer for layer in layers if layer.legend}.values())
        self.points = 12 if width > 7 else 10
        widths = sorted((self.points * (_LETTER * len(layer.legend) + _MARK) for layer in self.layers), reverse=True)
        self.columns = max(1, int((np.cumsum(widths) <= width).sum()))
        self.rows = -(-len(self.layers) // self.columns)

    def draw(self, where: Axes | Figure) -> None:
        """Under the axes, or under all of the figure."""
        if self.layers:
            marks = [legend_mark(layer) for layer in self.layers]
            below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0)}
            place = {"loc": "outside lower center"} if isinstance(where, Figure) else below
            look = {"fontsize": self.points, "labelcolor": "white", "columnspacing": 1.2, "handlelength": 2.4}
            legend = where.legend(handles=marks, ncols=self.columns, frameon=True, **look, **place)
            legend.get_frame().set(facecolor=GROUND, edgecolor="none", alpha=1)


def add_colorbar(axes: Axes, label: str = "") -> None:
    """The colors of the topmost pixel map of a scene, as high as its picture."""
    axes.figure.colorbar(axes.images[-1], cax=axes.inset_axes((1.02, 0, 0.04, 1)), label=label)


def legend_mark(layer: Layer) -> Line2D:
    """A short line (a dot for points) that explains a layer's color and dash."""
    look = {"color": layer.role.color, "label": layer.legend}
    if isinstance(layer, Points):
        face = "none" if layer.shape == "ring" else layer.role.color
        return Line2D([], [], marker=_MARKERS[layer.shape], markerfacecolor=face, linestyle="none", **look)
    if isinstance(layer, Heatmap):
        high = layer.rgba().reshape(-1, 4)[int(np.argmax(layer.data))]
        return Line2D([], [], **look | {"color": high / 255, "linewidth": 8})
    return Line2D([], [], linestyle=_linestyle(layer.role), linewidth=2, **look)
