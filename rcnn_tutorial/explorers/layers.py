"""What an explorer's picture is made of: boxes, points, lines and pixel maps, in the pixels of the image.

A layer is a plain record. `Canvas.draw` sends its numbers to the browser as one binary buffer, and `still.draw_layer`
paints the same record with matplotlib, so that the live picture and the still one cannot disagree.

Color is never the only code: two layers of one picture that differ in color differ in `dash` (or `shape`) too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from torch import Tensor

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.figures.style import AFTER, BEFORE, CHOSEN, OTHER, PALETTE, ink_on

__all__ = [
    "AFTER",
    "BEFORE",
    "CHOSEN",
    "GROUND_TRUTH",
    "OTHER",
    "Boxes",
    "Handle",
    "Heatmap",
    "Lines",
    "Picture",
    "Points",
]

GROUND_TRUTH = PALETTE[3]  # yellow: the annotated objects

DASHES = {"solid": (), "dashed": (8, 5), "dotted": (2, 4), "dashdot": (10, 4, 2, 4)}  # lengths in screen pixels
SHAPES = ("dot", "ring", "cross")
MANY = 200  # above this many items a layer is drawn thin, without the rim that sets a few off from the photo


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """How a layer looks. `name` is its entry in the legend; without one it has none."""

    color: str = OTHER  # "#RRGGBB"
    dash: str = "solid"  # solid | dashed | dotted | dashdot
    width: float = 3.0  # of the line, in screen pixels
    opacity: float = 1.0
    name: str = ""

    def __post_init__(self):
        if self.dash not in DASHES:
            raise ConfigError(f"dash = {self.dash!r}: use one of {', '.join(DASHES)}")

    def message(self) -> dict:
        """The style as the canvas wants it."""
        return {
            "color": self.color,
            "ink": ink_on(self.color),
            "dash": DASHES[self.dash],
            "width": self.width,
            "opacity": self.opacity,
            "name": self.name,
        }


@dataclass(frozen=True, eq=False)
class Boxes(Layer):
    """Boxes (N, 4) as x1, y1, x2, y2."""

    boxes: Tensor
    fill: float = 0.0  # opacity of the inside
    labels: Sequence[str] = ()  # one text a box, drawn at its top left corner; or none at all
    hover: Sequence[str] | Callable[[int], str] = ()  # text of box i, fetched only when the pointer rests on it

    def message(self) -> dict:
        boxes = floats(self.boxes, 4)
        return super().message() | {
            "kind": "boxes",
            "data": memoryview(boxes),
            "fill": self.fill,
            "rim": len(boxes) <= MANY,
            "labels": "\n".join(self.labels),
            "hover": bool(self.hover),
        }

    def hover_text(self, index: int) -> str:
        """The hover text of box `index`; empty where there is none."""
        if callable(self.hover):
            return str(self.hover(index)) if 0 <= index < len(self.boxes) else ""
        return self.hover[index] if 0 <= index < len(self.hover) else ""


@dataclass(frozen=True, eq=False)
class Points(Layer):
    """Points (N, 2) as x, y: grid points, sample positions, centers."""

    points: Tensor
    shape: str = "dot"  # dot | ring | cross
    radius: float = 3.0  # screen pixels
    labels: Sequence[str] = ()  # one text a point, drawn to its right; or none at all

    def __post_init__(self):
        super().__post_init__()
        if self.shape not in SHAPES:
            raise ConfigError(f"shape = {self.shape!r}: use one of {', '.join(SHAPES)}")

    def message(self) -> dict:
        points = floats(self.points, 2)
        return super().message() | {
            "kind": "points",
            "data": memoryview(points),
            "shape": self.shape,
            "radius": self.radius,
            "rim": len(points) <= MANY,
            "labels": "\n".join(self.labels),
        }


@dataclass(frozen=True, eq=False)
class Lines(Layer):
    """N lines through K points each, (N, K, 2) as x, y: a curve, the four sides of a turned box, an arrow."""

    lines: Tensor
    closed: bool = False  # the last point joins the first
    arrow: bool = False  # a head at the last point

    def message(self) -> dict:
        lines = floats(self.lines, None, 2)
        return super().message() | {
            "kind": "lines",
            "data": memoryview(lines),
            "points": lines.shape[1],
            "closed": self.closed,
            "arrow": self.arrow,
            "rim": len(lines) <= MANY,
        }


@dataclass(frozen=True, eq=False)
class Heatmap(Layer):
    """Numbers (h, w) as colors from dark blue (`low`) to yellow (`high`), stretched over `extent`."""

    values: Tensor
    low: float | None = None  # None: the smallest value
    high: float | None = None  # None: the largest value
    extent: Sequence[float] | None = None  # x1, y1, x2, y2; None: the whole picture
    colormap: str = "viridis"

    def rgba(self) -> np.ndarray:
        """The colors: (h, w, 4), uint8."""
        values = floats(self.values, self.values.shape[-1])
        low, high = self.limits()
        share = (values - low) / max(high - low, 1e-12)
        return matplotlib.colormaps[self.colormap](np.nan_to_num(share), bytes=True)

    def limits(self) -> tuple[float, float]:
        """The values that get the first and the last color."""
        low = float(self.values.min()) if self.low is None else self.low
        high = float(self.values.max()) if self.high is None else self.high
        return low, high

    def message(self) -> dict:
        colormap = matplotlib.colormaps[self.colormap]
        stops = [matplotlib.colors.to_hex(colormap(stop)) for stop in (0.0, 0.5, 1.0)]
        return super().message() | pixels_message(self.rgba(), self.extent) | {"stops": stops}


@dataclass(frozen=True, eq=False)
class Picture(Layer):
    """A small image (3, h, w) in [0, 1], every pixel a sharp square, stretched over `extent`: a crop, for example."""

    image: Tensor
    extent: Sequence[float] | None = None  # x1, y1, x2, y2; None: the whole picture

    def rgba(self) -> np.ndarray:
        """The colors: (h, w, 4), uint8."""
        rgb = to_uint8(self.image)
        return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=-1)

    def message(self) -> dict:
        return super().message() | pixels_message(self.rgba(), self.extent)


@dataclass(frozen=True, eq=False)
class Handle(Layer):
    """A box that the reader moves and resizes by mouse or keyboard. Its place lives in `Canvas.handles`."""

    box: Sequence[float] = (0, 0, 1, 1)  # where it starts: x1, y1, x2, y2
    fill: float = 0.0  # opacity of the inside
    resizable: bool = True


def pixels_message(rgba: np.ndarray, extent: Sequence[float] | None) -> dict:
    """Raw colors (h, w, 4) and where they go."""
    height, width = rgba.shape[:2]
    return {
        "kind": "pixels",
        "data": memoryview(np.ascontiguousarray(rgba)).cast("B"),
        "shape": (height, width),
        "extent": None if extent is None else [float(x) for x in extent],
    }


def floats(values, *shape: int | None) -> np.ndarray:
    """`values` as a contiguous float32 array of shape (any, *shape); None stands for any length.

    Raises ConfigError where the shape does not fit. A tensor without elements fits always.
    """
    array = torch.as_tensor(values, dtype=torch.float32).detach().cpu().numpy()
    if array.size == 0:
        return np.zeros((0, *(size or 1 for size in shape)), np.float32)
    fits = array.ndim == len(shape) + 1 and all(
        w is None or w == n for w, n in zip(shape, array.shape[1:], strict=True)
    )
    if not fits:
        raise ConfigError(f"a layer of shape {array.shape}: expected (N, {', '.join(str(s or 'K') for s in shape)})")
    return np.ascontiguousarray(array)


def to_uint8(image) -> np.ndarray:
    """An image (3, H, W) in [0, 1], or (H, W, 3) uint8 already, as (H, W, 3) uint8."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        return image
    return (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
