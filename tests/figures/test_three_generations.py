"""Pictures of the three generations: bars that add up, curves, what is cut, the diagrams of what came after."""

import pytest
import torch

from rcnn_tutorial.figures.three_generations import (
    SUCCESSORS,
    cut_boxes,
    recall_figure,
    seconds_figure,
    successors_figure,
    warped_figure,
)
from rcnn_tutorial.stages.rcnn import warp

SECONDS = {
    "R-CNN": {"proposals": 1.0, "network": 0.0, "per region": 2.0},
    "Faster R-CNN": {"proposals": 0.02, "network": 0.1, "per region": 0.2},
}


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_pieces_of_a_bar_add_up_and_its_sum_is_written():
    figure = seconds_figure(SECONDS)
    (axes,) = figure.axes
    ends = {round(patch.get_y() + patch.get_height() / 2): patch.get_x() + patch.get_width() for patch in axes.patches}
    assert ends == pytest.approx({0: 3.0, 1: 0.32})
    assert {"3.00 s", "0.32 s", "1.00", "2.00"} == set(texts(axes))  # a short piece has no number
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["proposals", "network", "per region"]
    figure.canvas.draw()


def test_a_curve_of_recall_for_every_way_to_propose():
    figure = recall_figure([10, 100], {"search": [0.2, 0.9], "RPN": [0.8, 1.0]})
    assert [list(line.get_ydata()) for line in figure.axes[0].lines[:2]] == [[0.2, 0.9], [0.8, 1.0]]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["10", "100"]
    figure.canvas.draw()


def test_what_is_cut_fills_the_crop_but_for_the_context():
    rois = torch.tensor([[96.0, 96, 192, 144]])
    assert cut_boxes(rois, 224, 16).tolist() == [[88, 92, 200, 148]]
    assert torch.equal(cut_boxes(rois, 224, 0), rois)
    assert cut_boxes(rois[:0], 224, 16).shape == (0, 4)


def test_warping_what_is_cut_is_warping_with_context():
    image = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[-5.0, 10, 40, 70], [30, 20, 50, 30]])
    assert torch.allclose(warp(image, cut_boxes(rois, 64, 8), 64, 0), warp(image, rois, 64, 8), atol=1e-4)


@pytest.mark.parametrize("count", [1, 4])
def test_rois_and_their_crops_carry_the_same_numbers(count):
    image = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[5.0, 5, 30, 40]]).repeat(count, 1)
    figure = warped_figure(image, rois, warp(image, rois, 56, 4), warp(image, rois, 56, 0), context=4)
    photo, warped = figure.axes
    numbers = [str(k + 1) for k in range(count)]
    assert sorted(texts(photo)) == numbers and sorted(texts(warped)) == sorted(numbers * 2)
    figure.canvas.draw()


def test_every_successor_has_its_diagram(drawn_pixels):
    figure = successors_figure()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "Faster R-CNN" and titles[-1] == "DETR" and len(titles) == len(SUCCESSORS)
    assert all(count > 1000 for count in drawn_pixels(figure))
