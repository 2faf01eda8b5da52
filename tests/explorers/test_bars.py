"""Bars as layers of a canvas."""

import torch

from rcnn_tutorial import roles
from rcnn_tutorial.explorers.bars import LEFT, LONGEST, SHORTEST, SIZE, Bar, bars, level, mark
from rcnn_tutorial.scene import Boxes, Lines, Points

ROWS = [Bar("one", 1.0, roles.OTHER), Bar("", 0.0, roles.OTHER), Bar("half", 0.5, roles.CHOSEN, hollow=True)]


def test_a_bar_is_as_long_as_its_share_and_has_its_text_at_its_end():
    _, whole, _, half, end = bars(ROWS, 40.0)
    assert isinstance(whole, Boxes) and (whole.boxes[:, 2] - whole.boxes[:, 0]).tolist() == [LONGEST]
    assert (half.boxes[:, 2] - half.boxes[:, 0]).tolist() == [LONGEST / 2]
    assert whole.fill > 0 and half.fill == 0 and half.role.dash == "dotted"
    assert isinstance(end, Points) and list(end.labels) == ["half"]
    assert float(end.points[0, 0]) == LEFT + LONGEST / 2
    assert half.boxes[0, 1] - whole.boxes[0, 1] == 80  # the row without a text is a gap


def test_what_would_be_a_line_is_a_text_alone_and_none_leaves_the_frame():
    short = Bar("short", 0.9 * SHORTEST / LONGEST, roles.OTHER)
    _, boxes, texts = bars([short, Bar("beyond", 7.0, roles.OTHER)], 40.0)
    assert len(boxes.boxes) == 1 and float(boxes.boxes[0, 2]) == LEFT + LONGEST
    assert list(texts.labels) == ["short", "beyond"]
    assert [type(layer) for layer in bars([], 40.0)] == [Lines]


def test_lines_across_the_bars():
    line, text = mark(0.5, "half")
    assert torch.as_tensor(line.lines)[0, :, 0].tolist() == [LEFT + LONGEST / 2] * 2 and list(text.labels) == ["half"]
    line, text = level(80.0, "IoU 0.50")
    assert torch.as_tensor(line.lines)[0].tolist() == [[LEFT, 80.0], [SIZE[1], 80.0]]
    assert len(level(80.0)) == 1
