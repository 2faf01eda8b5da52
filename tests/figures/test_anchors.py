"""Notebook 02's figures: what they draw, read back from the axes."""

import pytest
import torch

from rcnn_tutorial.figures import anchors as figures
from rcnn_tutorial.figures.style import words_of


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


def test_objects_by_the_overlap_of_their_best_anchor_and_the_anchors_among_them():
    sizes, best = torch.tensor([[10.0, 20], [40, 40], [64, 30], [9, 9]]), torch.tensor([0.7, 0.5, 0.69, 0.1])
    anchors = {"anchor": torch.tensor([[16.0, 16], [32, 32]]), "suggested anchor": torch.tensor([[12.0, 18]])}
    figure = figures.shapes_figure(sizes, best, anchors)
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines if line.get_marker() != "None"}
    assert drawn == {
        "object, IoU from 0.7 on: 1": [[10, 20]],
        "object, 0.5 to 0.7: 2": [[40, 40], [64, 30]],
        "object, below 0.5: 1": [[9, 9]],
        "anchor: 2": [[16, 16], [32, 32]],
        "suggested anchor: 1": [[12, 18]],
    }
    assert len({line.get_marker() for line in axes.lines}) == 6  # shape tells them apart where color does not
    assert axes.get_xscale() == axes.get_yscale() == "log" and axes.get_xlim() == axes.get_ylim()
    assert words_of(figure).endswith("4 objects, 75% reached at IoU 0.5, 25% at IoU 0.7.")


def test_one_object_as_large_as_the_only_anchor_still_has_a_picture():
    size = torch.tensor([[64.0, 64]])
    (axes,) = figures.shapes_figure(size, torch.tensor([1.0]), {"anchor": size}).axes
    assert axes.get_xlim()[0] < 64 < axes.get_xlim()[1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["object, IoU from 0.7 on: 1", "anchor: 1"]
