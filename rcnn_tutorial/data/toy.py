"""Generated scenes of drawn shapes: a detection dataset that needs no download and that a CPU learns in minutes.

Every scene is a textured background, clutter that is no object, and one to eight shapes, later ones drawn over
earlier ones. The class is the shape alone: color, size, rotation and place say nothing about it. All sizes are
shares of the image's shorter side, so scenes look alike at 128 x 128 and at 600 x 800.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torchvision import tv_tensors

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.targets import Outline, make_target

SPLITS = ("train", "val")
MIN_SIDE = 64  # pixels; below it the smallest objects are too small to tell apart

OBJECT_SIZE = (0.13, 0.5)  # sqrt(width * height) of an object, as a share of the image's shorter side
STRETCH = 1.2  # an object is up to this much wider or taller than its class's outline
OUTSIDE = 0.15  # an object may reach over the image's border by this share of its width and height
COVERED = 0.35  # a new object avoids places where it covers more of an earlier object's box than this ...
ATTEMPTS = 3  # ... as long as this many tries turn up a better one
DIFFICULT = 0.4  # objects of which less is visible are marked difficult: training and scoring leave them out
HIDDEN = 0.08  # objects of which less is visible are no objects: nobody could find them

SUPERSAMPLING = 4  # masks are drawn this much larger and averaged down, which smooths the edges
SOFTNESS = 0.01  # blur of shadows and edges, as a share of the image's shorter side
MEMBER = 85  # of 255: a pixel belongs to an object from a third of coverage on

Color = tuple[float, float, float]  # RGB in [0, 1]
VIVID = ((0, 1), (0.5, 0.9), (0.65, 1))  # ranges of hue, saturation and value


class ToyScenes(torch.utils.data.Dataset):
    """`length` scenes of `size` = (height, width) pixels with 1 to `max_objects` objects each.

    classes: a choice of TOY_CLASSES; None for all. turn: objects are turned by up to this many degrees; few classes and
    small angles make gentle scenes, which a detector learns in half a minute.

    Item i is (image, target): image float32 (3, H, W) in [0, 1]; target {"boxes": (N, 4) XYXY, "labels": (N,),
    "difficult": (N,), "image_id": str}, in drawing order. A box is the tight one of all of the shape that lies
    inside the image, parts under other objects included. A scene depends on (seed, split, index), size, max_objects,
    classes and turn alone, so any process draws the same one; splits never share scenes. Raises ConfigError on
    impossible arguments.
    """

    def __init__(
        self,
        split: str = "train",
        length: int = 2000,
        size: tuple[int, int] = (128, 128),
        seed: int = 0,
        max_objects: int = 8,
        classes: Sequence[str] | None = None,
        turn: float = 360.0,
    ):
        if split not in SPLITS:
            raise ConfigError(f"toy scenes: split = {split!r}: use {' or '.join(SPLITS)}")
        if not isinstance(size, tuple | list) or len(size) != 2:
            raise ConfigError(f"toy scenes: size = {size!r}: give (height, width) in pixels")
        _check_integer("length", length, 1)
        _check_integer("height", size[0], MIN_SIDE)
        _check_integer("width", size[1], MIN_SIDE)
        _check_integer("seed", seed, 0)
        _check_integer("max_objects", max_objects, 1)
        self.split, self.length, self.size, self.seed, self.max_objects = split, length, tuple(size), seed, max_objects
        if not (isinstance(turn, Real) and 0 <= turn <= 360):
            raise ConfigError(f"toy scenes: turn = {turn!r}: give degrees from 0 to 360")
        self.turn = turn
        self.classes = TOY_CLASSES if classes is None else tuple(classes)
        for name in self.classes:
            if name not in OUTLINES:
                raise ConfigError(f"toy scenes: class {name!r}: choose from {', '.join(TOY_CLASSES)}")

    def get_height_and_width(self, index: int) -> tuple[int, int]:
        """Size in pixels of a scene, the same for all."""
        return self.size

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, dict]:
        rng, backdrop, shapes, sprites, target = self._arranged(index)
        pixels = paint_backdrop(rng, self.size, backdrop)  # (3, H, W)
        for shape, sprite in zip(shapes, sprites, strict=True):
            paint_object(pixels, sprite, shape.color, backdrop)
        # Rounding to 8 bits, as in an image file, also hides last-digit differences between machines.
        image = torch.from_numpy(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8))
        return tv_tensors.Image(image / 255), target

    def outline(self, index: int) -> Outline:
        """Name, size and target of a scene, without painting it."""
        target = self._arranged(index)[-1]
        return Outline(target["image_id"], self.size, target)

    def _arranged(self, index: int) -> tuple[np.random.Generator, Backdrop, list[Shape], list[Sprite], dict]:
        """What is settled of a scene before anything is painted, and the source of all further chance."""
        index = range(self.length)[index]  # IndexError past the end, as for a list
        # spawn_key, unlike a list of entropy words, keeps every (seed, split, index) apart from all others.
        seeds = np.random.SeedSequence(self.seed, spawn_key=(SPLITS.index(self.split), index))
        rng = np.random.default_rng(seeds)
        backdrop = random_backdrop(rng)
        shapes = arrange(rng, self, backdrop.color)
        margin = math.ceil(2 * SOFTNESS * min(self.size))
        sprites = [rasterize(shape.contours, margin) for shape in shapes]
        return rng, backdrop, shapes, sprites, self._target(shapes, sprites, index)

    def _target(self, shapes: list[Shape], sprites: list[Sprite], index: int) -> dict:
        visible = visible_shares(sprites, self.size)  # (N,)
        kept = np.flatnonzero(visible >= HIDDEN)
        boxes, labels = [tight_box(sprites[i], self.size) for i in kept], [shapes[i].label for i in kept]
        name = f"toy-{self.split}-{self.seed}-{index:05d}"
        return make_target(boxes, labels, visible[kept] < DIFFICULT, self.size, name)


def _check_integer(name: str, value: int, low: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
        raise ConfigError(f"toy scenes: {name} = {value!r}: give a whole number of at least {low}")


# --- The classes. An outline is a list of closed contours, each (K, 2) x, y with y downwards; the first is filled,
# --- a second one is a hole in it. Their scale is free: `arrange` brings each object to its size.


def arc(start: float, stop: float, radius: float = 1.0, center: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Points on a circle every 5 degrees from angle `start` to `stop`, both included: (K, 2)."""
    angles = np.radians(np.linspace(start, stop, round(abs(stop - start) / 5) + 1))
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1) + center


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points (K, 2) rotated about (0, 0)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = points[:, 0], points[:, 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=1)


def heart() -> np.ndarray:
    """The well-known curve of four cosines: (60, 2)."""
    t = np.radians(np.arange(0, 360, 6))
    return np.stack([16 * np.sin(t) ** 3, -13 * np.cos(t) + 5 * np.cos(2 * t) + 2 * np.cos(3 * t) + np.cos(4 * t)], 1)


ARM = np.array([(-0.32, -0.32), (-0.32, -1), (0.32, -1)])  # a quarter of a cross
SPIKE = np.array([(0, -1), (0.247, -0.34)])  # a fifth of a star
HORN, INNER_HORN = 52.4, 82.1  # degrees, where a unit circle meets the one of radius 0.8 around (0.5, 0)

OUTLINES = {
    "circle": [arc(0, 355)],
    "square": [np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])],
    "triangle": [np.array([(0, -1), (0.9, 0.7), (-0.9, 0.7)])],
    "star": [np.concatenate([turn(SPIKE, 72 * i) for i in range(5)])],
    "cross": [np.concatenate([turn(ARM, 90 * i) for i in range(4)])],
    "ring": [arc(0, 355), arc(0, 355, radius=0.52)],
    "crescent": [np.concatenate([arc(HORN, 360 - HORN), arc(360 - INNER_HORN, INNER_HORN, 0.8, (0.5, 0.0))])],
    "heart": [heart()],
    "arrow": [np.array([(-1.1, -0.3), (0, -0.3), (0, -0.85), (1.1, 0), (0, 0.85), (0, 0.3), (-1.1, 0.3)])],
    "bolt": [np.array([(0.3, -1.2), (-0.7, 0.2), (-0.1, 0.2), (-0.4, 1.2), (0.7, -0.3), (0.1, -0.3), (0.7, -1.2)])],
}
TOY_CLASSES = tuple(OUTLINES)  # the label of TOY_CLASSES[i] is i + 1; 0 is background


# --- Arranging: which objects, where, in which color.


class Shape(NamedTuple):
    """One object of a scene: class label, contours in the image's pixels (see OUTLINES), and color."""

    label: int
    contours: list[np.ndarray]
    color: Color


def arrange(rng: np.random.Generator, scenes: ToyScenes, background: Color) -> list[Shape]:
    """1 to `max_objects` random shapes in drawing order, placed to leave most of each earlier one in sight."""
    classes, size = scenes.classes, scenes.size
    shapes, boxes, colors = [], np.empty((0, 4)), [background]
    for _ in range(rng.integers(1, scenes.max_objects, endpoint=True)):
        label = int(rng.integers(1, len(classes), endpoint=True))
        contours = random_pose(rng, OUTLINES[classes[label - 1]], min(size), scenes.turn)
        extent = contours[0].max(axis=0)  # width, height
        corner = find_place(rng, extent, boxes, size)
        color = contrasting_color(rng, colors[:1] + colors[1:][-3:])  # the background's and the last few
        shapes.append(Shape(label, [contour + corner for contour in contours], color))
        boxes = np.vstack([boxes, np.concatenate([corner, corner + extent])])
        colors.append(color)
    return shapes


def random_pose(rng: np.random.Generator, contours: list[np.ndarray], side: int, most: float = 360) -> list[np.ndarray]:
    """Stretch, turn and scale an outline at random; its upper left corner comes to (0, 0).

    side: the image's shorter one in pixels. most: the largest angle in degrees.
    """
    exponent, degrees, zoom = uniform(rng, (-1, 1), (0, most), (0, 1))
    stretch = STRETCH**exponent
    contours = [turn(contour * (stretch, 1 / stretch), degrees) for contour in contours]
    corner = contours[0].min(axis=0)
    width, height = contours[0].max(axis=0) - corner
    low, high = OBJECT_SIZE
    pixels = side * low * (high / low) ** zoom  # log-uniform: as many small objects as large ones
    return [(contour - corner) * (pixels / math.sqrt(width * height)) for contour in contours]


def find_place(rng: np.random.Generator, extent: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Upper left corner for a shape of `extent` (2,) that covers little of any earlier box of `boxes` (N, 4).

    When all ATTEMPTS are in vain the first one stands: crowded scenes do hide objects.
    """
    low, high = -OUTSIDE * extent, size[::-1] - (1 - OUTSIDE) * extent
    corners = low + (high - low) * rng.random((ATTEMPTS, 1, 2))
    sides = np.minimum(corners + extent, boxes[:, 2:]) - np.maximum(corners, boxes[:, :2])  # (ATTEMPTS, N, 2)
    overlaps = sides.clip(0).prod(axis=2)  # (ATTEMPTS, N) pixels
    fits = (overlaps <= COVERED * (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)).all(axis=1)  # (ATTEMPTS,)
    return corners[fits.argmax(), 0]


def contrasting_color(rng: np.random.Generator, others: list[Color]) -> Color:
    """The one of a few random vivid colors that is farthest from all of `others`."""
    candidates = [colorsys.hsv_to_rgb(*uniform(rng, *VIVID)) for _ in range(4)]
    return max(candidates, key=lambda color: min(math.dist(color, other) for other in others))


def uniform(rng: np.random.Generator, *ranges: tuple[float, float]) -> list[float]:
    """One random number from each range, in a tenth of the time that `rng.uniform` takes for arrays of ranges."""
    return [low + (high - low) * u for (low, high), u in zip(ranges, rng.random(len(ranges)).tolist(), strict=True)]


# --- Masks: from contours to pixels.


class Sprite(NamedTuple):
    """A mask in a rectangle of its own, which may reach over the image's border."""

    alpha: np.ndarray  # (h, w) uint8: how much of each pixel is covered, 255 for all of it
    left: int  # column of the image that the rectangle's first column lies on; negative beyond the border
    top: int  # row, likewise


def rasterize(contours: list[np.ndarray], margin: int) -> Sprite:
    """Fill closed contours, each (K, 2) in pixels, without jagged edges; `margin` empty pixels stay around them."""
    left, top = (math.floor(v) - margin for v in contours[0].min(axis=0))
    right, bottom = (math.ceil(v) + margin for v in contours[0].max(axis=0))
    mask = Image.new("L", ((right - left) * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
    draw = ImageDraw.Draw(mask)
    for contour, fill in zip(contours, (255, 0), strict=False):
        # Pillow counts from pixel centers: its coordinate 0 is half a (small) pixel right of the edge.
        points = (contour - (left, top)) * SUPERSAMPLING - 0.5
        draw.polygon(points.ravel().tolist(), fill=fill)
    return Sprite(np.asarray(mask.reduce(SUPERSAMPLING)), left, top)


def overlap_slices(sprite: Sprite, size: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """(rows, columns) of the image that the sprite's rectangle covers, and the same pixels inside the sprite."""
    height, width = sprite.alpha.shape
    top, bottom = max(0, sprite.top), min(size[0], sprite.top + height)
    left, right = max(0, sprite.left), min(size[1], sprite.left + width)
    inside = (slice(top - sprite.top, bottom - sprite.top), slice(left - sprite.left, right - sprite.left))
    return (slice(top, bottom), slice(left, right)), inside


def visible_shares(sprites: list[Sprite], size: tuple[int, int]) -> np.ndarray:
    """Which share of each shape is neither outside the image nor under a later shape: (N,) in [0, 1]."""
    owner = np.zeros(size, dtype=np.int64)  # 0 for background, i + 1 where sprite i lies on top
    for i, sprite in enumerate(sprites):
        there, inside = overlap_slices(sprite, size)
        owner[there][sprite.alpha[inside] >= MEMBER] = i + 1
    seen = np.bincount(owner.ravel(), minlength=len(sprites) + 1)[1:]
    return seen / [np.count_nonzero(sprite.alpha >= MEMBER) for sprite in sprites]


def tight_box(sprite: Sprite, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the shape's part inside the image: x2 and y2 are the last column and row plus one."""
    (image_rows, image_columns), inside = overlap_slices(sprite, size)
    member = sprite.alpha[inside] >= MEMBER
    x, y = np.flatnonzero(member.any(axis=0)), np.flatnonzero(member.any(axis=1))
    left, top = image_columns.start, image_rows.start
    return left + int(x[0]), top + int(y[0]), left + int(x[-1]) + 1, top + int(y[-1]) + 1


# --- Painting, in place, on pixels (3, H, W) float32 in [0, 1].


class Backdrop(NamedTuple):
    """What all of a scene shares: two background colors, the tone of the objects' edges, and where light comes from."""

    color: Color
    second_color: Color
    edge_tone: float  # 0 (black) on pale backgrounds, 1 (white) on dark ones
    light: tuple[float, float]  # unit x, y


def random_backdrop(rng: np.random.Generator) -> Backdrop:
    """Two pale or two dark colors of little saturation, so that the vivid objects stand out; light from above."""
    dark = rng.random() < 0.5
    hue, value, degrees = uniform(rng, (0, 1), (0.2, 0.35) if dark else (0.8, 0.95), (-140, -40))
    colors = []
    for _ in range(2):
        shift, saturation, change = uniform(rng, (-0.1, 0.1), (0.05, 0.35), (-0.12, 0.05))
        colors.append(colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value + change))
    light = (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    return Backdrop(*colors, 1.0 if dark else 0.0, light)


def paint_backdrop(rng: np.random.Generator, size: tuple[int, int], backdrop: Backdrop) -> np.ndarray:
    """Clouds between the two colors, with stripes, grain and clutter on them: (3, H, W) float32."""
    clouds = cloud(rng, size, 3) + 0.5 * cloud(rng, size, 9)  # (H, W), about [-1, 1]
    grain = np.float32(rng.uniform(0.04, 0.1)) * (rng.random(size, dtype=np.float32) - np.float32(0.5))
    light = 0.05 * clouds + stripes(rng, size) + grain  # (H, W)
    first, second = as_pixels(backdrop.color), as_pixels(backdrop.second_color)
    pixels = first + (second - first) * (0.5 + clouds) + light  # (3, H, W)
    paint_clutter(rng, pixels)
    return pixels


def cloud(rng: np.random.Generator, size: tuple[int, int], cells: int) -> np.ndarray:
    """Smooth noise with `cells` bumps along the shorter side: (H, W) float32 in about [-0.7, 0.7]."""
    height, width = (1 + round(cells * s / min(size)) for s in size)
    coarse = Image.fromarray(1.4 * rng.random((height, width), dtype=np.float32) - np.float32(0.7))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC))


def stripes(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Parallel soft stripes of random direction, width and strength: (H, W) float32 in [0, 0.08]."""
    angle, periods, strength = uniform(rng, (0, math.pi), (5, 25), (0, 0.08))
    x, y = (np.arange(s, dtype=np.float32) * np.float32(periods / min(size)) for s in size[::-1])
    phase = x * np.float32(math.cos(angle)) + (y * np.float32(math.sin(angle)))[:, None]
    return np.float32(strength) * np.abs(phase - 2 * np.rint(phase / 2))  # a triangle wave


def paint_clutter(rng: np.random.Generator, pixels: np.ndarray) -> None:
    """Thin waves across part of the image, and pebbles smaller than any object."""
    height, width = (2 * s for s in pixels.shape[1:])  # drawn twice as large: averaged down, edges are smooth
    overlay = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(overlay)
    for _ in range(rng.integers(4, 14)):
        *color, opacity = uniform(rng, *VIVID, (0.4, 0.9))
        fill = tuple(round(255 * v) for v in (*colorsys.hsv_to_rgb(*color), opacity))
        degrees, thickness, x, y = uniform(rng, (0, 360), (0.006, 0.016), (0, width), (0, height))
        wavy = rng.random() < 0.5
        contour = wave(rng) if wavy else pebble(rng, 2 * thickness)
        points = (turn(contour, degrees) * min(width, height) + (x, y)).ravel().tolist()
        if wavy:
            draw.line(points, fill, round(thickness * min(width, height)))
        else:
            draw.polygon(points, fill)
    rgba = np.asarray(overlay.reduce(2)).transpose(2, 0, 1).astype(np.float32, order="C") / 255  # (4, H, W)
    pixels += rgba[3] * (rgba[:3] - pixels)


def wave(rng: np.random.Generator) -> np.ndarray:
    """Part of a sine curve around (0, 0), as shares of the image's shorter side: (32, 2)."""
    length, bend, waves = uniform(rng, (0.1, 0.5), (0.02, 0.1), (1, 6))
    along = np.linspace(-1, 1, 32)
    return np.stack([length * along, bend * np.sin(waves * along)], axis=1)


def pebble(rng: np.random.Generator, radius: float) -> np.ndarray:
    """A little dented heptagon around (0, 0), as shares of the image's shorter side: (7, 2)."""
    angles = np.arange(7) * (2 * math.pi / 7)
    return (radius * rng.uniform(0.8, 1.2, 7) * np.stack([np.cos(angles), np.sin(angles)])).T


def as_pixels(color: Color) -> np.ndarray:
    """A color as an image of one pixel: (3, 1, 1)."""
    return np.array(color, dtype=np.float32)[:, None, None]  # (3, 1, 1)


def blend(pixels: np.ndarray, sprite: Sprite, color: np.ndarray | float, opacity: float = 1.0) -> None:
    """Lay `color`, (3, h, w) or one number, over the pixels that the sprite covers."""
    there, inside = overlap_slices(sprite, pixels.shape[1:])
    alpha = sprite.alpha[inside] * np.float32(opacity / 255)
    color = color[:, *inside] if isinstance(color, np.ndarray) else color
    pixels[:, *there] += alpha * (color - pixels[:, *there])


def paint_object(pixels: np.ndarray, sprite: Sprite, color: Color, backdrop: Backdrop) -> None:
    """A shape brighter towards the light, with a line along its edge and a soft shadow on whatever lies beneath."""
    blur = SOFTNESS * min(pixels.shape[1:])
    mask = Image.fromarray(sprite.alpha).filter(ImageFilter.GaussianBlur(blur))
    soft = np.asarray(mask)  # (h, w), 255 deep inside, about 128 on the edge
    to_x, to_y = backdrop.light
    shadow = Sprite(soft, sprite.left - round(2 * blur * to_x), sprite.top - round(2 * blur * to_y))
    blend(pixels, shadow, 0.0, opacity=0.5)
    height, width = soft.shape
    x = np.linspace(-to_x, to_x, width, dtype=np.float32)
    y = np.linspace(-to_y, to_y, height, dtype=np.float32)[:, None]
    lit = as_pixels(color) * (1 + 0.2 * (x + y))  # (3, h, w)
    edge = 0.6 * ((205 - soft.astype(np.float32)) / 25).clip(0, 1)  # (h, w)
    blend(pixels, sprite, lit + edge * (backdrop.edge_tone - lit))
