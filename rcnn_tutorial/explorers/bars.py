"""Horizontal bars as layers of a canvas, for what numbers say better than boxes on a photo."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from rcnn_tutorial import roles
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points

SIZE = (700, 460)  # height and width of a canvas for bars, in its own coordinates
LEFT, TOP, LONGEST = 6.0, 8.0, 280.0  # where the bars begin; the length of a bar of 1
SHORTEST = 8.0  # what would be a shorter bar is its text alone


class Bar(NamedTuple):
    """A bar of length `share` (0 to 1) with a text at its end; hollow bars have an outline only."""

    text: str
    share: float
    role: Role
    hollow: bool = False


def bars(rows: Sequence[Bar], height: float) -> list[Layer]:
    """One bar under the other, each `height` high with its gap; at their left end a line."""
    layers: list[Layer] = [Lines([[(LEFT, 0.0), (LEFT, SIZE[0])]], roles.PLAIN, width=1.5)]
    there = [(i, bar) for i, bar in enumerate(rows) if bar.text]  # a row without a text is a gap
    for kind in dict.fromkeys((bar.role, bar.hollow) for _, bar in there):
        mine = [(i, bar) for i, bar in there if (bar.role, bar.hollow) == kind]
        boxes = torch.tensor([_box(i, bar.share, height) for i, bar in mine])  # (N, 4)
        ends = torch.stack([boxes[:, 2], (boxes[:, 1] + boxes[:, 3]) / 2], dim=1)  # (N, 2)
        long = boxes[:, 2] - boxes[:, 0] >= SHORTEST
        (role, hollow), texts = kind, [bar.text for _, bar in mine]
        layers.append(
            Boxes(
                boxes[long],
                role._replace(dash="dotted" if hollow else "solid"),
                width=1.5,
                fill=0.0 if hollow else 0.6,
                name="",
            )
        )
        layers.append(Points(ends, role, radius=1, labels=texts, name=""))
    return layers


def mark(share: float, text: str) -> list[Layer]:
    """A dashed line across all bars at a length, with a text at its foot."""
    x = LEFT + LONGEST * share
    return _line([(x, 0.0), (x, SIZE[0])], (x, SIZE[0] - 14.0), text)


def level(y: float, text: str = "") -> list[Layer]:
    """A dashed line between two bars, with a text at its right end if there is one."""
    return _line([(LEFT, y), (SIZE[1], y)], (LEFT + LONGEST + 64.0, y), text)


def _line(ends: list, place: tuple[float, float], text: str) -> list[Layer]:
    line = Lines([ends], roles.PLAIN._replace(dash="dashed"), width=2)
    return [line, *[Points([place], roles.PLAIN, radius=1, labels=[text], name="")] * bool(text)]


def _box(row: int, share: float, height: float) -> tuple[float, float, float, float]:
    gap = min(8.0, height / 4)
    top = TOP + row * height
    return LEFT, top, LEFT + LONGEST * min(share, 1.0), top + height - gap
