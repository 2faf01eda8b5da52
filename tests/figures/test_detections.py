"""Pictures of detections: the picture's own size, nothing changed away from the boxes, every text in view."""

import pytest
import torch

from rcnn_tutorial.figures.detections import detections_figure, draw_detections
from rcnn_tutorial.roles import class_color

CLASSES = ("cat", "dog", "bird")


def one_detection(box, label=1, score=0.875):
    return {"boxes": torch.tensor([box]), "labels": torch.tensor([label]), "scores": torch.tensor([score])}


def pixels(picture):
    return torch.tensor(list(picture.tobytes())).view(picture.height, picture.width, 3)


def test_picture_keeps_size_and_the_pixels_away_from_boxes():
    image = torch.rand(3, 90, 130, generator=torch.Generator().manual_seed(0))
    drawn = pixels(draw_detections(image, one_detection([60.0, 50, 100, 80]), CLASSES))
    original = (image * 255).round().to(torch.int64).permute(1, 2, 0)
    assert drawn.shape == (90, 130, 3)
    assert torch.equal(drawn[:30], original[:30])  # above the text
    assert torch.equal(drawn[:, :50], original[:, :50])
    assert torch.equal(drawn[60:75, 70:90], original[60:75, 70:90])  # inside the box
    assert not torch.equal(drawn[40:85, 55:105], original[40:85, 55:105])


def test_box_is_drawn_along_its_edges_in_the_color_of_its_class():
    drawn = pixels(draw_detections(torch.zeros(3, 100, 100), one_detection([20.0, 30, 80, 90], label=2), CLASSES))
    color = torch.tensor([int(class_color(2)[i : i + 2], 16) for i in (1, 3, 5)])
    for y, x in ((89, 50), (60, 20), (60, 79)):  # bottom, left, right; the last pixel inside is x2 - 1
        assert torch.equal(drawn[y, x], color)
    assert torch.equal(drawn[60, 50], torch.zeros(3, dtype=torch.int64))


def test_no_detection_leaves_the_picture_as_it_is():
    image = torch.full((3, 40, 60), 0.5)
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)}
    assert (pixels(draw_detections(image, nothing, CLASSES)) == 128).all()


@pytest.mark.parametrize("size", [(16, 16), (20, 400), (400, 20)])
def test_tiny_and_narrow_pictures_are_drawn(size):
    picture = draw_detections(torch.zeros(3, *size), one_detection([0.0, 0, 5, 0.5]), CLASSES)
    assert picture.size == (size[1], size[0])


def test_ground_truth_has_no_scores_and_figure_counts_the_images_pixels():
    truth = {"boxes": torch.tensor([[10.0, 10, 40, 30]]), "labels": torch.tensor([3])}
    figure = detections_figure(torch.zeros(3, 64, 128), truth, CLASSES, title="Truth")
    (axes,) = figure.axes
    assert axes.get_title() == "Truth"
    assert axes.get_xlim() == (0, 128) and axes.get_ylim() == (64, 0)
