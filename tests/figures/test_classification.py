"""Pictures of the classification layer: what is drawn is what was passed, also without objects or certain classes."""

import matplotlib.colors
import torch
from matplotlib.patches import Rectangle

from rcnn_tutorial import roles
from rcnn_tutorial.figures.classification import (
    class_boxes_figure,
    fc7_figure,
    invariance_figure,
    scores_figure,
)

CLASSES = ("cat", "dog", "bird")
IMAGE = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))


def rectangles(axes, color):
    wanted = matplotlib.colors.to_rgba(color)
    return [p for p in axes.patches if isinstance(p, Rectangle) and p.get_edgecolor() == wanted]


def boxes_in(axes, color):
    """Corners of the boxes of one color."""
    wanted = matplotlib.colors.to_rgba(color)
    drawn = [one for one in axes.collections if len(one.get_edgecolor()) and tuple(one.get_edgecolor()[0]) == wanted]
    return [path.get_extents().extents.tolist() for one in drawn for path in one.get_paths()]


def test_the_chosen_class_is_blue_the_roi_red_all_others_but_background_white():
    boxes = torch.tensor([[0.0, 0, 1, 1], [5, 5, 20, 30], [10, 12, 50, 40], [30, 30, 70, 55]])
    roi = torch.tensor([8.0, 10, 48, 42])
    figure = class_boxes_figure(IMAGE, roi, boxes, 2, CLASSES, torch.zeros(0, 4))
    axes = figure.axes[0]
    assert boxes_in(axes, roles.BLUE) == [boxes[2].tolist()]
    assert boxes_in(axes, roles.RED) == [roi.tolist()]
    assert boxes_in(axes, roles.WHITE) == [boxes[1].tolist(), boxes[3].tolist()]
    assert "dog" in [text.get_text() for text in axes.get_legend().get_texts()]
    figure.canvas.draw()


def test_fc7_bars_are_the_means_of_the_maps():
    generator = torch.Generator().manual_seed(1)
    crop, maps = torch.rand(9, 7, 7, generator=generator), torch.rand(12, 4, 4, generator=generator)
    figure = fc7_figure(crop, maps, channels=3)
    assert len(figure.axes) == 7
    heights = torch.tensor([bar.get_height() for bar in figure.axes[-1].containers[0]])
    torch.testing.assert_close(heights.float(), maps.mean(dim=(1, 2)))
    figure.canvas.draw()


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
