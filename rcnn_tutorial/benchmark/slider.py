"""What the kernel does for one step of a slider, besides the stage's own computation."""

from __future__ import annotations

import torch

from rcnn_tutorial.benchmark.measure import Row, median_times
from rcnn_tutorial.benchmark.photo import PHOTO_SIZE
from rcnn_tutorial.benchmark.toy import random_boxes
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, integer
from rcnn_tutorial.roles import BEFORE
from rcnn_tutorial.scene import Boxes


class Plain(Explorer):
    """Moves boxes over a picture with one slider, and computes nothing."""

    def __init__(self, boxes: torch.Tensor):
        self.boxes = boxes  # (N, 4)
        super().__init__({"shift": integer("Shift", 0, 0, 100)}, Canvas(torch.rand(3, *PHOTO_SIZE)))

    def draw(self) -> str:
        """The boxes where the slider puts them."""
        self.canvas.draw([Boxes(self.boxes + self.shift.value, BEFORE, name="boxes")])
        return f"{len(self.boxes)} boxes, moved by {self.shift.value}."


def slider_explorer() -> Plain:
    """2000 boxes over a picture of 600x800 pixels."""
    return Plain(random_boxes(1, 2000, *PHOTO_SIZE)[0])


def explorer(repeats: int = 15) -> list[Row]:
    """One slider step over 2000 boxes."""
    shown = slider_explorer()

    def slide() -> None:
        shown.shift.value = (shown.shift.value + 1) % 100

    return [Row("one slider step over 2000 boxes, in the kernel", **median_times({"ours": slide}, repeats))]
