"""Figures of the fourth notebook: the numbers on them are the model's and the stage's own."""

import pytest
import torch

from rcnn_tutorial.config import Config
from rcnn_tutorial.figures.rpn_loss import (
    coefficients_figure,
    labels_figure,
    layer_shapes,
    overlap_by_size_figure,
    probability_figure,
    rpn_figure,
    smooth_l1_figure,
    undecided_figure,
)
from rcnn_tutorial.stages.anchor_target import anchor_target_layer
from rcnn_tutorial.stages.anchors import generate_anchors
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.rpn import RegionProposalNetwork


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title)]


def drawn(axes):
    """Number of boxes in every collection of a panel that has any."""
    return [len(one.get_paths()) for one in axes.collections if one.get_paths() and one.get_offsets().shape[0] <= 1]


def test_network_shapes_are_computed_from_the_network():
    rpn = RegionProposalNetwork(8, 3, Config().rpn)
    features = torch.zeros(2, 8, 4, 5)
    shapes = layer_shapes(rpn, features)
    assert shapes["scores"] == (2, 6, 4, 5) and shapes["flat coefficients"] == (2, 60, 4)
    shown = " ".join(texts(rpn_figure(rpn, features)))
    assert "2 × 512 × 4 × 5" in shown and "2 × 12 × 4 × 5" in shown and "2 × 60 × 2" in shown and "3×3 conv" in shown


def test_network_at_full_size_has_the_shapes_of_the_post():
    rpn, features = RegionProposalNetwork(1024, 9, Config().rpn), torch.zeros(1, 1024, 38, 50)
    shown = " ".join(texts(rpn_figure(rpn, features)))
    assert "1 × 18 × 38 × 50" in shown and "1 × 36 × 38 × 50" in shown and "1 × 17,100" in shown


def marked(axes):
    """Number of points in every collection of a panel that has any."""
    return [len(one.get_offsets()) for one in axes.collections if one.get_offsets().shape[0] > 1]


@pytest.mark.parametrize("objects", [[], [[272.0, 172, 528, 428]]], ids=["none", "one"])
def test_labels_figure_counts_what_it_draws(objects):
    boxes = torch.tensor(objects).view(-1, 4)
    truth = GroundTruth(torch.cat([boxes, torch.zeros(1, 4)])[None], torch.tensor([[1] * len(boxes) + [0]]))
    anchors = generate_anchors(38, 50, 16, Config().anchors)
    targets = anchor_target_layer(
        anchors, truth, torch.tensor([[600, 800]]), Config().anchor_targets, torch.Generator().manual_seed(0)
    )
    figure = labels_figure(torch.zeros(3, 600, 800), boxes, anchors, targets)
    left, right = figure.axes
    expected = ("2 type A, 18 type B", "18 foreground, 238") if objects else ("0 type A, 0 type B", "0 foreground, 256")
    assert expected[0] in left.get_title() and expected[1] in right.get_title()
    assert drawn(left) == ([1, 1] if objects else [])  # the object, and one of its best anchors
    assert marked(left) == ([18, 2] if objects else []) and marked(right) == ([18, 238] if objects else [256])
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names == (["object", "foreground", "background"] if objects else ["background"])

    titles = [axes.get_title() for axes in undecided_figure(torch.zeros(3, 600, 800), boxes, anchors, targets[-1]).axes]
    shown = [float(title.removeprefix("IoU ")) for title in titles if title]
    assert len(shown) == (6 if objects else 0) and shown == sorted(shown)
    assert all(0.3 <= overlap <= 0.7 for overlap in shown)
    figure.canvas.draw()


def test_the_legend_names_no_type_that_is_not_there():
    boxes = torch.tensor([[368.0, 268, 432, 332], [0, 0, 6, 6]])  # 64 pixels: type A alone; the corner: no anchor
    truth = GroundTruth(boxes[None], torch.ones(1, 2, dtype=torch.long))
    anchors = generate_anchors(38, 50, 16, Config().anchors)
    targets = anchor_target_layer(anchors, truth, torch.tensor([[600, 800]]), Config().anchor_targets)
    left, _ = labels_figure(torch.zeros(3, 600, 800), boxes, anchors, targets).axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["object", "a best anchor", "type A"]
    assert drawn(left) == [2, 1] and marked(left) == [14]


def test_probability_figure_takes_the_best_of_each_cell():
    foreground = torch.zeros(2 * 3 * 4)
    foreground[4 * 3 + 1] = 0.75  # row 1, column 0, second of four shapes
    figure = probability_figure(torch.zeros(3, 20, 30), foreground, (2, 3))
    heat = figure.axes[1].images[0].get_array()
    assert heat.tolist() == [[0, 0, 0], [0.75, 0, 0]]


def test_coefficients_of_both_readings():
    figure = coefficients_figure(torch.tensor([100.0, 100, 300, 200]), torch.tensor([120.0, 110, 280, 250]))
    corner, center = (axes.get_title() for axes in figure.axes)
    assert "$t_x$ = 0.1000, $t_y$ = 0.1000" in corner
    assert "$t_x$ = 0.0000, $t_y$ = 0.3000" in center


def test_smooth_l1_curves_and_slopes():
    left, right = smooth_l1_figure((1, 3)).axes
    assert left.lines[1].get_ydata()[-1] == pytest.approx(2 - 0.5 / 9, abs=1e-5)
    assert right.lines[0].get_ydata()[-1] == pytest.approx(1)
    assert [line.get_linestyle() for line in left.lines] == ["-", "--", ":"]  # not by color alone


def test_overlap_by_size_draws_thresholds_and_curve():
    axes = overlap_by_size_figure([32, 64, 128], [0.1, 0.2, 0.8], (0.3, 0.7)).axes[0]
    heights = [line.get_ydata()[0] for line in axes.lines[:2]]
    assert heights == [0.7, 0.3]
    assert axes.lines[2].get_ydata().tolist() == [0.1, 0.2, 0.8]
