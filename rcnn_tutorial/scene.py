"""What a picture shows: an image, and over it boxes, points, lines and pixel maps in the image's coordinates.

A scene is a plain record with three drawers: `figures/drawing.py` (matplotlib), `explorers/canvas.py` (the browser) and
`figures/detections.py` (Pillow). So an explorer's still picture is its live one, and figures look alike.

What a layer stands for is its role (`roles.py`): that gives its color, its dash and its name in the legend.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import matplotlib
import numpy as np
import torch
from torch import Tensor

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.roles import DASHES, GROUND, PLAIN, Role

SHAPES = ("dot", "ring", "cross")
ALIGNS = ("left", "center", "right")
MANY = 200  # above this many items a layer is drawn thin, without the rim that sets a few off from the photo


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """How a layer looks. Raises ConfigError for a dash that there is not."""

    role = PLAIN  # a field of the layers that have one
    name: str | None = None  # its entry in the legend; None: the role's; "": none
    width: float = 3.0  # of the line, in screen pixels
    opacity: float = 1.0

    def __post_init__(self):
        _check("dash", self.role.dash, DASHES)

    @property
    def legend(self) -> str:
        """The layer's entry in the legend."""
        return self.role.name if self.name is None else self.name


@dataclass(frozen=True, eq=False)
class Boxes(Layer):
    """Boxes (N, 4) as x1, y1, x2, y2. `hover` is the text of box i, fetched only when the pointer rests on it."""

    boxes: Tensor
    role: Role = PLAIN
    fill: float = 0.0  # opacity of the inside
    labels: Sequence[str] = ()  # one text a box, beside one of its corners; or none at all
    hover: Sequence[str] | Callable[[int], str] = ()

    @property
    def data(self) -> np.ndarray:
        """(N, 4), float32."""
        return floats(self.boxes, 4)

    def hover_text(self, index: int) -> str:
        """The hover text of box `index`; empty where there is none."""
        if callable(self.hover):
            return str(self.hover(index)) if 0 <= index < len(self.boxes) else ""
        return self.hover[index] if 0 <= index < len(self.hover) else ""


@dataclass(frozen=True, eq=False)
class Points(Layer):
    """Points (N, 2) as x, y: grid points, sample positions, centers. Raises ConfigError for an unknown shape."""

    points: Tensor
    role: Role = PLAIN
    shape: str = "dot"  # dot | ring | cross
    radius: float = 3.0  # screen pixels
    labels: Sequence[str] = ()  # one text a point, drawn to its right; or none at all

    def __post_init__(self):
        super().__post_init__()
        _check("shape", self.shape, SHAPES)

    @property
    def data(self) -> np.ndarray:
        """(N, 2), float32."""
        return floats(self.points, 2)


@dataclass(frozen=True, eq=False)
class Words(Layer):
    """Words at points (N, 2), on no ground of their own: the numbers of a table, the names of its rows.

    They belong to the picture and grow and shrink with it. Raises ConfigError for an unknown align.
    """

    points: Tensor
    words: Sequence[str] = ()  # one a point
    role: Role = PLAIN
    letter: float = 12.0  # height of the type, in the picture's coordinates
    align: str = "center"  # left | center | right of the point that is; in height they are centered
    turned: bool = False  # a quarter to the left: they read upward, and what is left of them lies below

    def __post_init__(self):
        super().__post_init__()
        _check("align", self.align, ALIGNS)

    @property
    def data(self) -> np.ndarray:
        """(N, 2), float32."""
        return floats(self.points, 2)


@dataclass(frozen=True, eq=False)
class Lines(Layer):
    """N lines through K points each, (N, K, 2) as x, y: a curve, the four sides of a turned box, an arrow."""

    lines: Tensor
    role: Role = PLAIN
    closed: bool = False  # the last point joins the first
    arrow: bool = False  # a head at the last point

    @property
    def data(self) -> np.ndarray:
        """(N, K, 2), float32."""
        return floats(self.lines, None, 2)


@dataclass(frozen=True, eq=False)
class Heatmap(Layer):
    """Numbers (h, w) as colors from dark blue (`low`) to yellow (`high`), stretched over `extent`."""

    values: Tensor
    low: float | None = None  # None: the smallest value
    high: float | None = None  # None: the largest value
    extent: Sequence[float] | None = None  # x1, y1, x2, y2; None: the whole picture
    colormap: ClassVar[str] = "viridis"

    @property
    def data(self) -> np.ndarray:
        """(h, w), float32."""
        return floats(self.values, self.values.shape[-1])

    def rgba(self) -> np.ndarray:
        """The colors: (h, w, 4), uint8."""
        low, high = self.limits()
        share = (self.data - low) / max(high - low, 1e-12)
        return matplotlib.colormaps[self.colormap](np.nan_to_num(share), bytes=True)

    def limits(self) -> tuple[float, float]:
        """The values that get the first and the last color."""
        low = float(self.values.min()) if self.low is None else self.low
        high = float(self.values.max()) if self.high is None else self.high
        return low, high


@dataclass(frozen=True, eq=False)
class Picture(Layer):
    """A small image (3, h, w) in [0, 1], every pixel a sharp square, stretched over `extent`: a crop, for example."""

    image: Tensor
    extent: Sequence[float] | None = None  # x1, y1, x2, y2; None: the whole picture

    def rgba(self) -> np.ndarray:
        """The colors: (h, w, 4), uint8."""
        rgb = to_uint8(self.image)
        return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=-1)


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture: an image, layers over it (the first at the bottom), a heading, and words under it."""

    image: Tensor | np.ndarray | None = None  # (3, H, W) in [0, 1], or (H, W, 3) uint8; None: bare ground
    layers: Sequence[Layer] = ()
    title: str = ""
    caption: str = ""
    size: tuple[float, float] | None = None  # height and width of the coordinates; None: the image's own
    dimmed: bool = False  # the controls no longer describe the picture
    ground: str = GROUND  # the color where there is no image

    @property
    def shape(self) -> tuple[float, float]:
        """Height and width of the coordinates: pixel (row r, column c) reaches from (c, r) to (c + 1, r + 1)."""
        return tuple(self.size or to_uint8(self.image).shape[:2])


def heat_colors() -> np.ndarray:
    """The colors of a heat map, from the lowest value's to the highest's: (256, 3), uint8."""
    return (matplotlib.colormaps[Heatmap.colormap](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def label_place(box: Sequence[float], size: Sequence[float], frame: Sequence[float], taken: list) -> tuple:
    """Where the text of a box goes, x1, y1, x2, y2: over, inside or under it, where no text is yet, within the frame.

    box: x1, y1, x2, y2. size: width and height of the text. frame: width and height of the picture. taken: the places
    of the texts so far.
    """
    (x1, y1, x2, y2), (width, height) = box, size
    left, right = (max(0, min(x, frame[0] - width)) for x in (x1, x2 - width))
    rows = [y for y in (y1 - height, y1, y2 - height, y2) if 0 <= y <= frame[1] - height] or [0]
    places = [(x, y, x + width, y + height) for x in (left, right) for y in rows]
    return next((place for place in places if not any(_overlap(place, other) for other in taken)), places[0])


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def floats(values, *shape: int | None) -> np.ndarray:
    """`values` as a contiguous float32 array of shape (any, *shape); None stands for any length.

    Raises ConfigError where the shape does not fit. A tensor without elements fits always.
    """
    array = torch.as_tensor(values, dtype=torch.float32).detach().cpu().numpy()
    if array.size == 0:
        return np.zeros((0, *(size or 1 for size in shape)), np.float32)
    sides = array.shape[1:]
    if len(sides) != len(shape) or any(wanted not in (None, n) for wanted, n in zip(shape, sides, strict=True)):
        raise ConfigError(f"a layer of shape {array.shape}: expected (N, {', '.join(str(s or 'K') for s in shape)})")
    return np.ascontiguousarray(array)


def not_empty(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that show something, so that the legend names what is there."""
    return [layer for layer in layers if len(layer.data)]


def to_uint8(image: Tensor | np.ndarray) -> np.ndarray:
    """An image (3, H, W) in [0, 1], or (H, W, 3) uint8 already, as (H, W, 3) uint8."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        return image
    return (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _check(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigError(f"{what} = {value!r}: use one of {', '.join(known)}")
