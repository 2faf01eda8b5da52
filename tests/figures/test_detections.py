"""Pictures of detections: the picture's own size, nothing changed away from the boxes, every text in view."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rcnn_tutorial.figures.detections import _place, detections_figure, draw_detections
from rcnn_tutorial.figures.style import PALETTE, class_color, ink_on

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


@given(st.lists(st.tuples(*[st.floats(0, 300)] * 4), min_size=1, max_size=6))
def test_texts_stay_inside_the_picture_and_the_first_ones_apart(corners):
    taken = []
    for a, b, c, d in corners:
        box = [min(a, c), min(b, d), max(a, c), max(b, d)]
        x, y = _place(box, 80, 15, (300, 300), taken)
        assert 0 <= x <= 220 and 0 <= y <= 285
        taken.append((x, y, x + 80, y + 15))


def test_two_texts_of_one_box_do_not_cover_each_other():
    box = [50.0, 50, 200, 200]
    first = _place(box, 80, 15, (300, 300), [])
    second = _place(box, 80, 15, (300, 300), [(*first, first[0] + 80, first[1] + 15)])
    assert first == (50, 35) and second == (50, 50)


def test_ground_truth_has_no_scores_and_figure_counts_the_images_pixels():
    truth = {"boxes": torch.tensor([[10.0, 10, 40, 30]]), "labels": torch.tensor([3])}
    figure = detections_figure(torch.zeros(3, 64, 128), truth, CLASSES, title="Truth")
    (axes,) = figure.axes
    assert axes.get_title() == "Truth"
    assert axes.get_xlim() == (0, 128) and axes.get_ylim() == (64, 0)


@pytest.mark.parametrize("color", PALETTE)
def test_text_on_every_class_color_is_legible(color):
    def luminance(hex_color):
        linear = [int(hex_color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in linear]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(color), luminance(ink_on(color))))
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG AA
