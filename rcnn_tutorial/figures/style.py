"""One look for every figure: type that can be read projected, and curves that a color-blind reader can tell apart."""

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Iterator

from matplotlib.figure import Figure

from rcnn_tutorial import roles
from rcnn_tutorial.devices import to_cpu

FIGURE_DPI = 100

_RC = {
    "figure.dpi": FIGURE_DPI,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": "cycler('color', ['" + "', '".join(roles.PALETTE) + "'])",
    "lines.linewidth": 2,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


def style() -> contextlib.AbstractContextManager:
    """The settings of every figure, for the length of a `with` block; nothing global changes."""
    import matplotlib

    from rcnn_tutorial.figures.fonts import families

    return matplotlib.rc_context(_RC | {"font.family": families()})


@contextlib.contextmanager
def plots(width: float, height: float, rows: int = 1, columns: int = 1, **options) -> Iterator[tuple]:
    """A figure of `width` by `height` inches and its axes, one or an array, to be drawn on in the course's style."""
    with style():
        figure = Figure(figsize=(width, height))
        yield figure, figure.subplots(rows, columns, **options)


def height_share(height: float, width: float) -> float:
    """Height of a panel as a share of its width: the photo's own, within what a page holds of a panorama."""
    return min(max(height / width, 0.25), 1.2)


def from_any_device(draw: Callable) -> Callable:
    """A drawing function that takes tensors from wherever they live: it is given them detached, on the CPU.

    A Figure that it returns is described by the first sentence of its docstring, which is therefore for readers of the
    course (shapes of tensors in it are left out), and by the titles of its panels.
    """
    first = re.split(r"(?<=[.!?])\s", inspect.getdoc(draw).replace("\n", " "))[0]
    words = re.sub(r" \([0-9A-Z]+,[0-9A-Z, ]*\)|`", "", first)  # a shape such as (A, 4)

    @functools.wraps(draw)
    def draw_from_any_device(*arguments, **options):
        drawn = draw(*map(to_cpu, arguments), **to_cpu(options))
        return describe(drawn, words + _titles(drawn)) if isinstance(drawn, Figure) else drawn

    return draw_from_any_device


def _titles(figure: Figure) -> str:
    titles = [axes.get_title().replace("\n", ", ").replace("$", "") for axes in figure.axes if axes.get_title()]
    return f" {'; '.join(titles)}." if titles else ""


def describe(figure: Figure, words: str) -> Figure:
    """The figure, which from now on says in words what it shows: a notebook keeps them beside the picture, as `alt`."""
    figure._repr_mimebundle_ = lambda **_: ({}, {"alt": words})  # no data, only metadata: IPython draws the picture
    return figure


def words_of(figure: Figure) -> str:
    """What a figure says that it shows; "" for one that was not described."""
    about = getattr(figure, "_repr_mimebundle_", lambda: ({}, {}))()[1]
    return about.get("alt", "")
