"""Pictures of inference: numbers that belong together, what each order keeps, the precision of the eleven points."""

import pytest
import torch

from rcnn_tutorial.evaluation import Curve
from rcnn_tutorial.figures.inference_nms import (
    average_precision_figure,
    orders_figure,
    projected_figure,
    refined_figure,
    suppressed_figure,
)

IMAGE = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))
PAIR = torch.tensor([[100.0, 100, 200, 200], [110, 115, 210, 215]])


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("scale, size", [(2.0, (120, 160)), (0.5, (60, 80))])
def test_a_box_is_drawn_in_scaled_pixels_and_divided_and_both_fit_the_ground(scale, size):
    box = torch.tensor([[8.0, 6, 40, 28]]) * scale
    axes = projected_figure(IMAGE, box, scale).axes[0]
    drawn = [path.get_extents().extents.tolist() for one in axes.collections for path in one.get_paths()]
    assert box[0].tolist() in drawn and [8, 6, 40, 28] in drawn
    assert (axes.get_ylim()[0], axes.get_xlim()[1]) == size
    axes.figure.canvas.draw()


def test_anchors_and_proposals_carry_the_same_numbers():
    anchors = torch.tensor([[5.0, 5, 30, 40], [10, 10, 70, 50]])
    figure = refined_figure(IMAGE, anchors, anchors + 3)
    assert sorted(texts(figure.axes[0])) == ["1", "1", "2", "2"]
    figure.canvas.draw()


@pytest.mark.parametrize("after", [PAIR[:1], PAIR[:0]])
def test_boxes_before_and_after_suppression_stand_side_by_side(after):
    figure = suppressed_figure(IMAGE, PAIR, after)
    assert [len(axes.collections[0].get_paths()) for axes in figure.axes] == [2, len(after)]
    figure.canvas.draw()


def test_score_order_keeps_the_first_and_y_order_the_second():
    figure = orders_figure(PAIR, torch.tensor([0.9, 0.8]), 0.5)
    assert [texts(axes) for axes in figure.axes] == [["0.90", "0.80"], ["0.90"], ["0.80"]]
    figure.canvas.draw()


def curve(precision, recall):
    values = torch.tensor(precision).double(), torch.tensor(recall).double()
    return Curve(*values, torch.linspace(1, 0, len(precision)), 4)


def test_the_eleven_points_lie_on_the_best_precision_beyond_and_the_result_is_written():
    figure = average_precision_figure(curve([1, 0.5, 2 / 3, 0.75, 0.6], [0.25, 0.25, 0.5, 0.75, 0.75]))
    axes = figure.axes[0]
    points = next(line for line in axes.lines if line.get_label() == "the eleven points")
    assert list(points.get_ydata()) == [1, 1, 1, 0.75, 0.75, 0.75, 0.75, 0.75, 0, 0, 0]
    assert "11 points: 0.6136\narea: 0.6250" in texts(axes)
    figure.canvas.draw()


def test_a_class_without_detections_has_an_empty_curve():
    figure = average_precision_figure(curve([], []))
    assert "11 points: 0.0000\narea: 0.0000" in texts(figure.axes[0])
    figure.canvas.draw()


def test_the_average_precision_shown_is_that_of_the_evaluation():
    """A recall of exactly 0.3 does not reach 3 * 0.1 in the double precision of the count; in float32 it would."""
    precision, recall = torch.ones(3, dtype=torch.double), torch.arange(1, 4, dtype=torch.double) / 10
    figure = average_precision_figure(Curve(precision, recall, precision, 10))
    assert f"11 points: {3 / 11:.4f}\narea: 0.3000" in texts(figure.axes[0])
