"""Pictures of the classification layer: what is drawn is what was passed."""

import matplotlib.colors
import torch
from matplotlib.patches import Rectangle

from rcnn_tutorial import roles
from rcnn_tutorial.figures.classification import (
    invariance_figure,
    scores_figure,
)

CLASSES = ("cat", "dog", "bird")


def rectangles(axes, color):
    wanted = matplotlib.colors.to_rgba(color)
    return [p for p in axes.patches if isinstance(p, Rectangle) and p.get_edgecolor() == wanted]


def test_the_largest_probability_of_each_row_is_framed_and_small_ones_are_not_written():
    probabilities = torch.tensor([[0.7, 0.2, 0.06, 0.04], [0.05, 0.06, 0.83, 0.06]])
    axes = scores_figure(probabilities, CLASSES).axes[0]
    assert [p.get_xy() for p in rectangles(axes, roles.RED)] == [(-0.5, -0.5), (1.5, 0.5)]
    assert [text.get_text() for text in axes.texts] == ["0.7", "0.2", "0.8"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["background", *CLASSES]


def test_both_sides_of_the_invariance_figure_show_the_same_coefficients():
    figure = invariance_figure(torch.tensor([100.0, 100, 300, 200]), torch.tensor([140.0, 90, 320, 190]))
    left, right = (axes.get_xlabel() for axes in figure.axes)
    assert left == right and "t_x" in left
    figure.canvas.draw()
