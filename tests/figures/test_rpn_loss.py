"""Figures of the fourth notebook: the numbers on them are the model's and the stage's own."""

import torch

from rcnn_tutorial.config import Config
from rcnn_tutorial.figures.rpn_loss import (
    best_of_cells,
    coefficients_figure,
    layer_shapes,
    rpn_figure,
)
from rcnn_tutorial.stages.rpn import RegionProposalNetwork


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title)]


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


def test_coefficients_of_both_readings():
    figure = coefficients_figure(torch.tensor([100.0, 100, 300, 200]), torch.tensor([120.0, 110, 280, 250]))
    corner, center = (axes.get_title() for axes in figure.axes)
    assert "$t_x$ = 0.1000, $t_y$ = 0.1000" in corner
    assert "$t_x$ = 0.0000, $t_y$ = 0.3000" in center


def test_best_of_cells():
    foreground = torch.zeros(2 * 3 * 4)
    foreground[4 * 3 + 1] = 0.75  # row 1, column 0, second of four shapes
    assert best_of_cells(foreground, (2, 3)).tolist() == [[0, 0, 0], [0.75, 0, 0]]
