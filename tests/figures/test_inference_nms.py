"""Pictures of inference: numbers that belong together, the precision of the eleven points."""

import torch

from rcnn_tutorial.evaluation import Curve
from rcnn_tutorial.figures.inference_nms import average_precision_figure, refined_figure

IMAGE = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_anchors_and_proposals_carry_the_same_numbers():
    anchors = torch.tensor([[5.0, 5, 30, 40], [10, 10, 70, 50]])
    figure = refined_figure(IMAGE, anchors, anchors + 3)
    assert sorted(texts(figure.axes[0])) == ["1", "1", "2", "2"]
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


def test_a_detection_that_is_ignored_shares_its_point_with_the_one_before():
    axes = average_precision_figure(curve([1, 0.5, 0.5, 2 / 3], [0.25, 0.25, 0.25, 0.5])).axes[0]
    assert {"1", "2, 3", "4"} <= set(texts(axes))


def test_a_class_without_detections_has_an_empty_curve():
    figure = average_precision_figure(curve([], []))
    assert "11 points: 0.0000\narea: 0.0000" in texts(figure.axes[0])
    figure.canvas.draw()


def test_the_average_precision_shown_is_that_of_the_evaluation():
    """A recall of exactly 0.3 does not reach 3 * 0.1 in the double precision of the count; in float32 it would."""
    precision, recall = torch.ones(3, dtype=torch.double), torch.arange(1, 4, dtype=torch.double) / 10
    figure = average_precision_figure(Curve(precision, recall, precision, 10))
    assert f"11 points: {3 / 11:.4f}\narea: 0.3000" in texts(figure.axes[0])
