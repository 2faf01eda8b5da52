"""Notebook 02's figures: what they draw, read back from the axes."""

import pytest
import torch

from rcnn_tutorial.figures import anchors as figures


def test_around_the_image_is_room_for_the_shapes_that_leave():
    padded = figures.with_room(torch.ones(3, 2, 2), 3)
    assert padded.shape == (3, 8, 8) and padded.sum() == pytest.approx(12 + 3 * 60 * 0x40 / 255)


def test_the_intersection_is_drawn_only_where_there_is_one():
    first, second = torch.tensor([0.0, 0, 10, 10]), torch.tensor([5.0, 5, 15, 15])
    assert len(figures.iou_figure(first, second, 25 / 175).axes[0].collections) == 4  # its inside too
    assert len(figures.iou_figure(first, second + 20, 0.0).axes[0].collections) == 2


def test_a_curve_for_every_set_of_anchors():
    sides = torch.tensor([16.0, 64, 256])
    figure = figures.reach_figure(sides, {"three scales": sides / 300, "four scales": sides / 260})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["three scales", "four scales"]
