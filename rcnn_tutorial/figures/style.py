"""One look for every picture: colors that a color-blind reader can tell apart, and type that can be read projected."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable

from matplotlib.figure import Figure

from rcnn_tutorial.devices import to_cpu

# Okabe and Ito, "Color Universal Design" (2008), without black; then indigo and wine of Paul Tol's "muted", and gray.
PALETTE = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#332288", "#882255", "#BBBBBB",
)  # fmt: skip
FIGURE_DPI = 100

BEFORE = "#D55E00"  # a box as it comes into a stage (red)
AFTER = "#009E73"  # the same box as it leaves the stage (green)
CHOSEN = "#0072B2"  # the chosen class (blue)
OTHER = "#FFFFFF"  # all other classes (white)

_RC = {
    "figure.dpi": FIGURE_DPI,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": "cycler('color', ['" + "', '".join(PALETTE) + "'])",
    "lines.linewidth": 2,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


def style() -> contextlib.AbstractContextManager:
    """The settings of every figure, for the length of a `with` block; nothing global changes."""
    import matplotlib

    from rcnn_tutorial.figures.fonts import families

    return matplotlib.rc_context(_RC | {"font.family": families()})


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


def class_color(label: int) -> str:
    """The color `#RRGGBB` of a class (1..C). Colors repeat after ten classes, so pictures write the name too."""
    return PALETTE[(label - 1) % len(PALETTE)]


def ink_on(color: str) -> str:
    """Black or white, whichever stands out more on the color `#RRGGBB` (contrast ratio of WCAG 2)."""
    luminance = _luminance(color)
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#FFFFFF"


def _luminance(color: str) -> float:
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
