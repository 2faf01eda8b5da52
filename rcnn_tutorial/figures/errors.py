"""Pictures of the eleventh notebook: what a detector gets wrong, and how sure its numbers are."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.evaluation.errors import KINDS, Report
from rcnn_tutorial.evaluation.reliability import Reliability
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.figures.training import CURVES
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Lines, Scene, Words

HATCHES = ("", "//", "..", "xx", "\\\\")
NOTHING, NOT_FOUND = "background", "not found"  # the background as truth, and as what the detector says
LETTER = 13.0  # height of the type of a matrix; all of its lengths are in units of its own
MOST_LETTERS = 14  # of a name beside it
LEAST_GAIN = 0.02  # where an axis ends at least, so that tiny gains look tiny
INTERVAL = (2.5, 97.5)  # percent of the samples of a bootstrap that lie below the ends of its interval


# ---- the confusion matrix


class Grid(NamedTuple):
    """Where the cells of a confusion matrix lie: column x and row y of its C + 1 each, the background first."""

    names: tuple[str, ...]  # of the classes

    WIDE, HIGH = 25, 18  # of a cell: three digits, a line

    @property
    def count(self) -> int:
        """Rows, and columns: C + 1."""
        return len(self.names) + 1

    @property
    def margin(self) -> float:
        """The room for the names, at the left and on top."""
        return 0.62 * LETTER * max(len(_short(name)) for name in (*self.names, NOTHING)) + 10

    @property
    def size(self) -> tuple[float, float]:
        """Height and width of the whole picture."""
        return self.margin + self.count * self.HIGH + 4, self.margin + self.count * self.WIDE + 4

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """A cell: x1, y1, x2, y2."""
        x, y = self.margin + column * self.WIDE, self.margin + row * self.HIGH
        return x, y, x + self.WIDE, y + self.HIGH

    def boxes(self) -> Tensor:
        """All cells, row by row: ((C + 1)², 4)."""
        return torch.tensor([self.box(row, column) for row in range(self.count) for column in range(self.count)])

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, column) of the cell at a point; None beside all of them."""
        row, column = int((y - self.margin) // self.HIGH), int((x - self.margin) // self.WIDE)
        return (row, column) if 0 <= row < self.count and 0 <= column < self.count else None


def matrix_layers(counts: Tensor, names: Sequence[str]) -> list[Layer]:
    """A confusion matrix (C + 1, C + 1), with its numbers where they are not 0.

    The color is a number's share of its row. names: of the classes 1..C; row and column 0 are the background.
    """
    grid = Grid(tuple(names))
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)  # (C + 1, C + 1)
    boxes = grid.boxes()
    extent = (*boxes[0, :2].tolist(), *boxes[-1, 2:].tolist())
    layers: list[Layer] = [
        Heatmap(shares, 0.0, 1.0, extent, name="share of the row"),
        Boxes(boxes[:1], Role("#808080"), fill=1.0, width=1, name=""),  # nothing there, nothing said: no number
        Lines(_rules(grid), roles.PLAIN, width=1, opacity=0.6),
    ]
    colors = [
        roles.ink_on(matplotlib.colors.to_hex(c)) for c in matplotlib.colormaps["viridis"](shares.flatten().numpy())
    ]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    texts = [_number(count) if count else "" for count in counts.flatten().tolist()]
    for ink, letter in sorted({(ink, _letter(text)) for ink, text in zip(colors, texts, strict=True) if text}):
        rows = [i for i, text in enumerate(texts) if text and (colors[i], _letter(text)) == (ink, letter)]
        layers.append(Words(middles[rows], [texts[i] for i in rows], Role(ink), letter=letter))
    return [*layers, *_names(grid)]


def _rules(grid: Grid) -> Tensor:
    """The lines between the background and the classes: (2, 2, 2)."""
    (x, y, _, _), end = grid.box(1, 1), grid.margin
    height, width = grid.size
    return torch.tensor([[(end, y), (width - 4, y)], [(x, end), (x, height - 4)]])


def _names(grid: Grid) -> list[Layer]:
    """Those of the rows at their left, those of the columns over them, upward."""
    texts = [_short(name) for name in grid.names]
    rows = [(grid.margin - 5, grid.margin + (i + 0.5) * grid.HIGH) for i in range(grid.count)]
    columns = [(grid.margin + (i + 0.5) * grid.WIDE, grid.margin - 5) for i in range(grid.count)]
    return [
        Words(torch.tensor(rows), [NOTHING, *texts], letter=LETTER, align="right"),
        Words(torch.tensor(columns), [NOT_FOUND, *texts], letter=LETTER, align="left", turned=True),
    ]


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


def _letter(number: str) -> float:
    """What is longer than three digits is smaller: the cell has its width."""
    return LETTER * min(1.0, 3 / len(number))


def _number(count: int) -> str:
    """At most three digits, or thousands."""
    return str(count) if count < 1000 else f"{count / 1000:.0f}k" if count >= 9950 else f"{count / 1000:.1f}k"


@from_any_device
def confusion_figure(counts: Tensor, classes: Sequence[str], title: str = "") -> Figure:
    """The confusion matrix: a row for what is there, a column for what the detector says, one of each for nothing.

    counts: (C + 1, C + 1), as `evaluation.confusion.confusion_matrix` gives them.
    """
    size = Grid(tuple(classes)).size
    title = title or "Rows: what is there. Columns: what is said"
    return figure_of([Scene(None, matrix_layers(counts, classes), title, size=size)], min(9.0, max(4.2, size[1] / 62)))


# ---- what mending would gain


@from_any_device
def gains_figure(reports: Mapping[str, Report]) -> Figure:
    """How much AP each kind of error costs: the gain (dAP) if it alone were mended, a bar a kind.

    reports: name -> report of `evaluation.errors.error_report`; two of them stand side by side, such as before and
    after something was changed. At most five.
    """
    values = {f"{name}: AP {_value(report.ap)}": report.gains for name, report in reports.items()}
    with plots(9.5, 4.2) as (figure, axes):
        _grouped_bars(axes, values, KINDS, "%.3f")
        axes.set(ylabel="AP gained if mended (dAP)", xlabel="kind of error")
        figure.legend(loc="outside upper center", ncols=min(len(values), 3), handlelength=1.6)
    return figure


@from_any_device
def sizes_figure(ap: Mapping[str, float], recall: Mapping[str, float]) -> Figure:
    """Average precision of small, medium and large objects, beside it the share of them that proposals cover.

    ap, recall: size -> value; nan where there is no such object.
    """
    with plots(8.5, 4.0) as (figure, axes):
        _grouped_bars(axes, {"AP of the detections": ap, "recall of the proposals": recall}, list(ap), "%.2f")
        axes.set(ylim=(0, 1.1), xlabel="size of the objects")
        figure.legend(loc="outside upper center", ncols=2, handlelength=1.6)
    return figure


def _grouped_bars(axes: Axes, sets: Mapping[str, Mapping[str, float]], groups: Sequence[str], number: str) -> None:
    """A bar of each set in each group, with its value on it; where that is nan, the word "none"."""
    width, lowest = 0.8 / len(sets), 0.0
    for i, (name, values) in enumerate(sets.items()):
        places = np.arange(len(groups)) + (i - (len(sets) - 1) / 2) * width
        known = np.array([float(values[group]) for group in groups])
        look = {"color": CURVES[i], "hatch": HATCHES[i], "edgecolor": "black"}
        bars = axes.bar(places, np.nan_to_num(known), 0.92 * width, label=name, **look)
        texts = ["none" if np.isnan(value) else number % value for value in known]
        axes.bar_label(bars, texts, fontsize=12, padding=2)
        lowest = min(lowest, np.nan_to_num(known).min(initial=0.0))
    axes.set_xticks(range(len(groups)), groups)
    axes.margins(y=0.12)
    axes.set_ylim(lowest, max(axes.get_ylim()[1], LEAST_GAIN))


def _value(ap: float) -> str:
    return "none" if np.isnan(ap) else f"{ap:.3f}"


# ---- how sure


@from_any_device
def reliability_figure(results: Mapping[str, Reliability]) -> Figure:
    """How often detections of a score are right: on the diagonal a score of 0.87 is right 87 times in 100.

    results: name -> as `evaluation.reliability.reliability` gives it; a column of panels each, with the numbers of
    detections under it.
    """
    with plots(4.7 * len(results) + 0.4, 5.6, 2, len(results), height_ratios=(3, 1), squeeze=False) as (figure, grid):
        for (upper, lower), (name, result) in zip(grid.T, results.items(), strict=True):
            _draw_reliability(upper, result)
            error = "no detection" if np.isnan(result.error) else f"mean distance {result.error:.3f}"
            upper.set(xlim=(0, 1), ylim=(0, 1.04), ylabel="share that is right", title=f"{name}, {error}")
            bins = len(result.counts)
            places = (np.arange(bins) + 0.5) / bins
            bars = lower.bar(places, result.counts.numpy(), 0.92 / bins, color="#BBBBBB", edgecolor="black")
            lower.bar_label(bars, [_number(int(n)) if n else "" for n in result.counts], fontsize=11, padding=1)
            lower.set(xlim=(0, 1), xlabel="score", ylabel="detections", yticks=[])
            lower.margins(y=0.35)
        figure.legend(
            *grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=min(3, 1 + 2 * len(results))
        )
    return figure


def _draw_reliability(axes: Axes, result: Reliability) -> None:
    """Bars of the shares, the diagonal, and what lies between the two."""
    bins, filled = len(result.counts), (result.counts > 0).numpy()
    places = (np.arange(bins) + 0.5) / bins
    right, confidence = result.right.numpy()[filled], result.confidence.numpy()[filled]
    bars = {"color": roles.PALETTE[1], "edgecolor": "black", "label": "right, of the detections of these scores"}
    axes.bar(places[filled], right, 0.92 / bins, **bars)
    axes.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1.5, label="score = share right")
    axes.vlines(
        confidence,
        np.minimum(right, confidence),
        np.maximum(right, confidence),
        color=roles.RED,
        linewidth=3,
        label="distance",
    )


@from_any_device
def spread_figure(spreads: Mapping[str, Tensor]) -> Figure:
    """How far the mean AP moves when other photos are drawn: a histogram for each detector, and its 95 % interval.

    spreads: name -> mAP of each sample (samples,), as `evaluation.spread.bootstrap` gives them. At most five.
    """
    known = {name: values[~values.isnan()].numpy() for name, values in spreads.items()}
    everything = np.concatenate([*known.values(), np.zeros(0)])
    low, high = (everything.min(), everything.max()) if len(everything) else (0.0, 1.0)
    edges = np.linspace(low, max(high, low + 1e-3), 31)
    with plots(8.5, 3.8) as (figure, axes):
        for i, (name, values) in enumerate(known.items()):
            if not len(values):
                axes.plot([], [], color=CURVES[i], label=f"{name}: no objects")
                continue
            ends = np.percentile(values, INTERVAL)
            look = {"color": CURVES[i], "hatch": HATCHES[i], "edgecolor": "black", "alpha": 0.6, "linewidth": 0.6}
            label = f"{name}: mean {values.mean():.3f}, 95 % from {ends[0]:.3f} to {ends[1]:.3f}"
            axes.hist(values, edges, label=label, **look)
            axes.plot(ends, [-(i + 1)] * 2, color=CURVES[i], marker="|", markersize=14, linewidth=4)
        axes.axhline(0, color="black", linewidth=1)
        axes.set(xlabel="mAP of the drawn photos", ylabel="samples")
        figure.legend(loc="outside upper center", ncols=1)
    return figure
