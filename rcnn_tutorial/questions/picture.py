"""A picture with marked boxes or points, A, B, C ..., each of them an answer that can be clicked on."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from string import ascii_uppercase
from typing import NamedTuple

import torch

from rcnn_tutorial.figures.drawing import bare_figure_of
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Points, Scene

WIDTH, DPI = 3.6, 160  # inches and their pixels: a letter is 10 points high, so it can be read on a telephone too
REACH = 0.045  # how far from a point a click still means it, as a share of the picture's width
# Of the letters. Green and vermilion are left to right and wrong, yellow to objects.
COLORS = ("#FFFFFF", "#56B4E9", "#E69F00", "#C9B1FF", "#CC79A7")


class Spot(NamedTuple):
    """A box or a point to click on."""

    words: str  # what it is, for those who do not see it
    at: Sequence[float]  # x1, y1, x2, y2 of a box, or x, y of a point, in the scene's coordinates
    says: str = ""  # the misconception that leads to it; the right one has none


@dataclass(frozen=True)
class Picture:
    """A scene and the spots on it. `shows` says what the scene shows, `draw` makes it when it is first needed."""

    shows: str
    draw: Callable[[], Scene]
    spots: Sequence[Spot]

    @cached_property
    def scene(self) -> Scene:
        """The scene with the spots on top, a letter at each."""
        scene = self.draw()
        return replace(scene, layers=[*scene.layers, *map(_layer, self.spots, ascii_uppercase, COLORS)])

    @cached_property
    def source(self) -> str:
        """The picture as a data URL, which needs no network."""
        file = io.BytesIO()
        bare_figure_of(self.scene, WIDTH).savefig(file, dpi=DPI, format="webp", pil_kwargs={"quality": 85})
        return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"

    def form(self) -> dict:
        """What the page needs to know: the picture, height and width of its coordinates, what is where."""
        height, width = self.scene.shape
        spots = [{"box": _within(spot.at, width, height), "point": len(spot.at) == 2} for spot in self.spots]
        return {"source": self.source, "alt": self.shows, "size": [height, width], "spots": spots}

    def html(self) -> str:
        """The picture to look at."""
        look = 'width="520" style="max-width: 100%; height: auto"'
        return f'<p><img src="{self.source}" alt="{escape(self.shows)}" {look}></p>'


def _within(at: Sequence[float], width: float, height: float) -> list[float]:
    """What can be clicked of a spot, x1, y1, x2, y2: the part of a box inside the picture, the square about a point."""
    if len(at) == 2:
        x, y, reach = *at, REACH * width
        return [x - reach, y - reach, x + reach, y + reach]
    return [min(max(float(x), 0.0), side) for x, side in zip(at, (width, height) * 2, strict=True)]


def _layer(spot: Spot, letter: str, color: str) -> Boxes | Points:
    at = torch.tensor([list(spot.at)], dtype=torch.float32)  # (1, 4) or (1, 2)
    if len(spot.at) == 4:
        return Boxes(boxes=at, role=Role(color), labels=[letter])
    return Points(points=at, role=Role(color), labels=[letter], radius=6.0)
