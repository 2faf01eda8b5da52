"""The case that an answer gets wrong as two small pictures, the student's beside the right one.

How to give a check a picture
-----------------------------
    def _draw_moved(arguments, value, good, wrong):  # called twice: with the student's value, and with the right one
        first = value[wrong][0].tolist()
        return Sketch([Boxes(good, RIGHT), Boxes(value[wrong], role_of(value, good))], f"a box at {first}.")

    moved = Check("moved", right, cases, misconceptions(...), picture=beside(_draw_moved))

`value` comes as the right one does: numbers as float, arrays as tensors of float64 with the right shape. `wrong` (N,)
says in which rows the student's value differs from the right one, in both calls. What cannot be brought into that form
(another shape, nan, words) has no picture, nor has a value for which the drawing returns None. A sketch may lie
anywhere and be of any size: both get one frame.
"""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rcnn_tutorial.roles import AFTER, BEFORE, GROUND, PALETTE, PLAIN, Role
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Lines, Points, Scene

RIGHT = AFTER._replace(name="right")
YOURS = Role(PALETTE[6], "dotted", "yours")  # what differs from the right one
INPUT = BEFORE._replace(name="input")
TEXT = Role(GROUND)  # white on the ground of the picture
LARGEST = 1e7  # numbers beyond have no picture
MOST_NUMBERS = 60  # in a table; in one with more the colors speak alone
LETTERS = 46  # of a label, side by side, fill the width of a picture
WIDTH = 3.8  # inches of one picture
PAIR = '<div style="display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0">{}</div>'
HALF = (
    '<figure style="flex: 1 1 270px; max-width: 380px; margin: 0"><b>{title}</b><img alt="{title}: {caption}" '
    'src="data:image/png;base64,{png}" style="display: block; width: 100%; margin: 2px 0">'
    '<figcaption style="font-size: 14px">{caption}</figcaption></figure>'
)

Picture = Callable[[tuple, Any, Any], Sequence[Scene]]  # (arguments, result, good) -> scenes: yours, right; or none


class Sketch(NamedTuple):
    """What is drawn of one value, wherever it lies, and in words what it shows."""

    layers: Sequence[Layer]
    words: str


def beside(draw: Callable[[tuple, Any, Any, Tensor], Sketch | None], any_length: bool = False) -> Picture:
    """A check's picture: what `draw(arguments, value, good, wrong)` makes of the student's value and of the right one.

    any_length: whether the value may have more or fewer rows than the right one.
    """

    def picture(arguments: tuple, result: Any, good: Any) -> Sequence[Scene]:
        own, right = in_form_of(good, result, any_length), in_form_of(good, good)
        if own is None:
            return ()
        wrong = differs(own, right)
        mine, other = (draw(arguments, value, right, wrong) for value in (own, right))
        return () if mine is None or other is None else _framed(mine, other)

    return picture


def failing_case(picture: Picture, cases: Sequence[tuple], results: Sequence, good: Sequence) -> Sequence[Scene]:
    """The scenes of the first case that has some; () if none has. All three: of the wrong cases, in one order."""
    for arguments, result, expected in sorted(zip(cases, results, good, strict=True), key=lambda case: _size(case[0])):
        try:
            scenes = picture(arguments, result, expected)
        except Exception:  # a picture is an extra: whatever a student's object does, the words must come
            continue
        if scenes:
            return scenes
    return ()


def html(scenes: Sequence[Scene]) -> str:
    """Pictures of the scenes side by side, one under the other where the page is narrow; words above each."""
    from rcnn_tutorial.figures.drawing import figure_of  # a right answer does without matplotlib

    shown = []
    for scene in scenes:
        file = io.BytesIO()
        figure = figure_of([replace(scene, title="", caption="")], WIDTH)
        figure.savefig(file, format="png", dpi=160, facecolor=GROUND, bbox_inches="tight", pad_inches=0.05)
        words = {"title": escape(scene.title), "caption": escape(scene.caption)}
        shown.append(HALF.format(png=base64.b64encode(file.getvalue()).decode("ascii"), **words))
    return PAIR.format("".join(shown)) if shown else ""


def _size(arguments: tuple) -> int:
    """How large a case is: the lengths of its tensors and lists, and its integers, which are sides and counts."""
    sizes = [item.numel() if isinstance(item, Tensor) else item for item in arguments]
    return sum(size if isinstance(size, int) else np.size(size) for size in sizes)


def in_form_of(good: Any, value: Any, any_length: bool = False) -> Any:
    """`value` as `good` would be given to a drawing; None where it has another form."""
    if isinstance(good, (list, tuple)) and good and isinstance(good[0], str):
        return list(value) if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value) else None
    if isinstance(good, tuple) and not isinstance(good[0], (int, float)):
        if not isinstance(value, (list, tuple)) or len(value) != len(good):
            return None
        parts = [in_form_of(like, one, any_length) for one, like in zip(value, good, strict=True)]
        return None if any(part is None for part in parts) else tuple(parts)
    found, wanted = torch.as_tensor(value).detach().cpu(), torch.as_tensor(good).detach().cpu()
    if found.is_complex() or (found.dtype == torch.bool) != (wanted.dtype == torch.bool):
        return None
    alike = found.shape[1:] == wanted.shape[1:] if any_length else found.shape == wanted.shape
    if found.ndim != wanted.ndim or not alike or not (found.double().abs() < LARGEST).all():
        return None
    return float(found) if found.ndim == 0 else found.double()


def _framed(mine: Sketch, right: Sketch) -> tuple[Scene, Scene]:
    """Both sketches on one frame: all of the right one, and of the student's what lies within twice its size around."""
    places = _reach(right.layers)  # x1, y1, x2, y2
    around = places + np.outer([-2, 2], places[2:] - places[:2]).flatten()
    own = _reach(mine.layers)
    beyond = (own[:2] < around[:2]).any() or (own[2:] > around[2:]).any()
    own = np.clip(own, np.tile(around[:2], 2), np.tile(around[2:], 2))
    low, high = np.minimum(places[:2], own[:2]), np.maximum(places[2:], own[2:])
    margin = 0.06 * max(high - low)
    low, high = low - margin, high + margin
    for point, text in _texts([*mine.layers, *right.layers]):
        if low[0] <= point[0] <= high[0] and len(text) < LETTERS:
            high[0] = max(high[0], low[0] + (point[0] - low[0]) / (1 - len(text) / LETTERS))
    size = (float(high[1] - low[1]), float(high[0] - low[0]))
    if beyond:
        way = _way(low, high, _reach(mine.layers))
        mine = Sketch([*mine.layers, *way], mine.words + " Not all of it fits into the picture.")
    sketches = (("yours", mine), ("right", right))
    names = {layer.legend: layer for layer in [*mine.layers, *right.layers] if layer.legend}
    return tuple(
        Scene(
            None,
            [*_all_named(names, sketch.layers), *(_moved(layer, low) for layer in sketch.layers)],
            title,
            sketch.words,
            size,
        )
        for title, sketch in sketches
    )


def _way(low: np.ndarray, high: np.ndarray, own: np.ndarray) -> list[Layer]:
    """An arrow from the middle of the frame to where most of the student's layers lie beyond it."""
    middle, half = (low + high) / 2, (high - low) / 2
    way = (own[:2] + own[2:]) / 2 - middle
    share = min(half / np.maximum(np.abs(way), 1e-9))  # of the way, to the border of the frame
    return (
        [Lines(np.stack([middle, middle + way * share * 0.95])[None], YOURS, name="", arrow=True)] if share < 1 else []
    )


def _all_named(names: dict[str, Layer], layers: Sequence[Layer]) -> list[Layer]:
    """Empty layers for the legend's names, so that both pictures have one legend and so lie alike."""
    own = {layer.legend: layer for layer in layers}
    return [_with(own.get(name, layer), layer.data[:0]) for name, layer in names.items()]


def _reach(layers: Sequence[Layer]) -> np.ndarray:
    """x1, y1, x2, y2 around all layers."""
    points = [layer.extent if isinstance(layer, Heatmap) else layer.data for layer in layers]
    points = np.concatenate([np.reshape(part, (-1, 2)) for part in points])
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(float)


def _texts(layers: Sequence[Layer]) -> list[tuple]:
    points = [layer for layer in layers if isinstance(layer, Points)]
    return [pair for layer in points for pair in zip(layer.data, layer.labels, strict=False)]


def _moved(layer: Layer, by: np.ndarray) -> Layer:
    if isinstance(layer, Heatmap):
        return replace(layer, extent=tuple((np.reshape(layer.extent, (2, 2)) - by).flatten()))
    return _with(layer, layer.data - (np.tile(by, 2) if isinstance(layer, Boxes) else by))


def _with(layer: Layer, places: np.ndarray) -> Layer:
    """The layer with other boxes, points or lines."""
    field = {Boxes: "boxes", Points: "points", Lines: "lines"}[type(layer)]
    return replace(layer, **{field: places})


# ---- what several sketches are made of


def differs(value: Any, good: Any) -> Tensor:
    """Which rows of a value are not the right ones: (N,) bool, as many as the longer one has. A number is one row."""
    if isinstance(good, tuple):
        return torch.stack([differs(one, like) for one, like in zip(value, good, strict=True)]).any(dim=0)
    if isinstance(good, list):
        return torch.tensor([one != like for one, like in itertools.zip_longest(value, good)])
    value, good = (torch.atleast_1d(torch.as_tensor(one, dtype=torch.float64)) for one in (value, good))
    shorter, longer = sorted((len(value), len(good)))
    alike = torch.isclose(value[:shorter], good[:shorter], rtol=1e-4, atol=1e-4)[:, None].flatten(1).all(dim=1)
    return torch.cat([~alike, torch.ones(longer - shorter, dtype=torch.bool)])


def role_of(value: Any, good: Any) -> Role:
    """In which role a value is drawn: RIGHT for the right one itself."""
    return RIGHT if value is good else YOURS


def versus(value: Tensor, good: Tensor, wrong: Tensor) -> list[Layer]:
    """The right boxes (N, 4), and over them the student's that differ; with several, these have their numbers."""
    numbers = [str(i) if len(good) > 1 else "" for i in wrong.nonzero()[:, 0].tolist()]
    if value is good:
        return [Boxes(good[~wrong], RIGHT, name=""), Boxes(good[wrong], RIGHT, labels=numbers)]
    return [Boxes(good, RIGHT), Boxes(value[wrong], YOURS, labels=numbers, width=4.0)]


def corners(boxes: Tensor, wrong: Tensor) -> str:
    """The first of the boxes (N, 4) that are wrong, in words."""
    row = int(wrong.int().argmax())
    return f"box {row} is ({', '.join(f'{number:.2f}' for number in boxes[row].tolist())})."


def frame(height: float, width: float, name: str) -> Boxes:
    """The border of an image."""
    return Boxes([[0.0, 0.0, width, height]], PLAIN._replace(name=name), width=1.5)


def write(x: float, y: float, text: str, role: Role = TEXT) -> Points:
    """A text whose lower left corner is at x, y."""
    return Points([[x, y]], role, labels=[text], radius=0.0, name="")


def table(
    values: Tensor,
    good: Tensor,
    at: tuple[float, float] = (0.0, 0.0),
    cell: tuple[float, float] = (10.0, 6.0),
    limits: tuple[float, float] = (0.0, 1.0),
    digits: int = 2,
) -> list[Layer]:
    """Numbers (h, w) as colored cells from the corner `at` on, those that differ marked. cell: width and height."""
    (x, y), (across, down), (rows, columns) = at, cell, values.shape
    layers: list[Layer] = [Heatmap(values, *limits, extent=(x, y, x + columns * across, y + rows * down))]
    places = [(r, c) for r in range(rows) for c in range(columns)]
    boxes = torch.tensor(
        [(x + c * across, y + r * down, x + c * across + across, y + r * down + down) for r, c in places]
    )
    wrong = differs(values.flatten(), good.flatten())
    if len(places) > MOST_NUMBERS:
        return [*layers, Boxes(boxes[wrong], YOURS)]
    corner = torch.stack([boxes[:, 0] + 0.1 * across, boxes[:, 3] - 0.15 * down], dim=1)
    for here, role in ((~wrong, TEXT), (wrong, YOURS)):
        texts = [f"{number:.{digits}f}" for number in values.flatten()[here].tolist()]
        layers.append(Points(corner[here], role, labels=texts, radius=0.0, name=""))
    return layers


class Bar(NamedTuple):
    """A bar from 0 to `length`, with a text at its end."""

    text: str
    length: float
    role: Role


def bars(rows: Sequence[Bar], full: float, mark: float | None = None, name: str = "") -> list[Layer]:
    """One bar under the other; one of length `full` is 60 wide, and longer ones end with an arrow at 66.

    mark: where a dashed line crosses all of them; name: what it says in the legend.
    """
    scale, high = 60.0 / max(full, 1e-9), 7.0
    layers: list[Layer] = [Lines([[(0.0, -1.0), (0.0, high * len(rows))]], PLAIN, width=1.5)]
    if mark is not None:
        line = [(mark * scale, -1.0), (mark * scale, high * len(rows))]
        layers.append(Lines([line], PLAIN._replace(dash="dashed", name=name)))
    ends = [min(max(bar.length * scale, -30.0), 66.0) for bar in rows]
    for role in dict.fromkeys(bar.role for bar in rows):
        boxes = [(min(0.0, x), i * high, max(0.0, x), i * high + 5) for i, x in enumerate(ends) if rows[i].role == role]
        layers.append(Boxes(boxes, role, fill=0.5, width=2.0))
    corner = [(max(0.0, end) + 1.5, i * high + 4.5) for i, end in enumerate(ends)]
    texts = [bar.text + " →" * (abs(bar.length * scale - end) > 1e-3) for bar, end in zip(rows, ends, strict=True)]
    return [*layers, Points(corner, TEXT, labels=texts, radius=0.0, name="")]


class Chart(NamedTuple):
    """A plane for curves, 100 wide and 60 high, y upward: the ranges of its axes."""

    x: tuple[float, float]
    y: tuple[float, float]

    def points(self, x: Any, y: Any) -> Tensor:
        """Numbers (K,) and (K,) as points (K, 2) of the sketch."""
        x, y = torch.as_tensor(x, dtype=torch.float64), torch.as_tensor(y, dtype=torch.float64)
        across, up = (x - self.x[0]) / (self.x[1] - self.x[0]), (y - self.y[0]) / (self.y[1] - self.y[0])
        return torch.stack([across * 100, 60 - up * 60], dim=-1)

    def axes(self, x_name: str, y_name: str) -> list[Layer]:
        """Both axes with their ends' numbers and their names."""
        lines = [[(0.0, 0.0), (0.0, 60.0)], [(0.0, 60.0), (100.0, 60.0)]]
        texts = {(-12.0, 60.0): f"{self.y[0]:g}", (-12.0, 6.0): f"{self.y[1]:g}", (0.0, -3.0): y_name}
        texts |= {(0.0, 68.0): f"{self.x[0]:g}", (90.0, 68.0): f"{self.x[1]:g}", (40.0, 68.0): x_name}
        names = Points(list(texts), TEXT, labels=list(texts.values()), radius=0.0, name="")
        return [Lines(lines, PLAIN, width=1.5, opacity=0.8), names]
