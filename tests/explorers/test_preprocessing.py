"""The preprocessing explorer: the rule's own numbers, objects cut and scaled along, impossible limits in words."""

import pytest
import torch

from rcnn_tutorial import roles
from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.explorers.preprocessing import PreprocessingExplorer, cut_to_aspect


def photo(height=75, width=100):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


def drawn(explorer, name):
    return next(layer for layer in explorer.canvas.layers if layer.legend.startswith(name))


@pytest.mark.parametrize("target, most", [(200, 400), (200, 1600), (1000, 1600), (1000, 1000)])
@pytest.mark.parametrize("aspect", [0.3, 1.0, 3.0])
def test_corners_of_the_ranges_keep_the_rule(target, most, aspect):
    explorer = PreprocessingExplorer(photo())
    explorer.set(target_size=target, max_size=most, aspect=aspect)
    width, height = drawn(explorer, "size after").boxes[0][2:]
    assert min(width, height) == target or max(width, height) == most
    assert min(width, height) <= target and max(width, height) <= most
    assert explorer.summary.endswith("No objects.")


def test_numbers_of_the_notebook():
    explorer = PreprocessingExplorer(photo(375, 500))
    assert explorer.summary == (
        "375 × 500 times 1.6000 is 600 × 800 pixels, 38 × 50 cells: the short side reaches the target. No objects."
    )
    explorer = PreprocessingExplorer(photo(500, 1500))
    assert "500 × 1500 times 0.6667 is 333 × 1000 pixels, 21 × 63 cells: the long side" in explorer.summary


def test_a_maximum_below_the_target_is_said_in_words():
    explorer = PreprocessingExplorer(photo())
    explorer.set(target_size=1000, max_size=400)
    assert explorer.summary == "Not possible: Maximum size (pixels) = 400: use Target size (pixels) or more."


def test_objects_are_scaled_with_the_photo():
    explorer = PreprocessingExplorer(photo(375, 500), torch.tensor([[50.0, 100, 150, 300]]))
    (objects,) = [layer for layer in explorer.canvas.layers if layer.role.color == roles.YELLOW]
    torch.testing.assert_close(objects.boxes, torch.tensor([[80.0, 160, 240, 480]]))
    assert explorer.summary.endswith("The thinnest object: 100 pixels before, 160 after.")


def test_cutting_moves_cuts_and_drops_boxes():
    boxes = torch.tensor([[0.0, 0, 20, 20], [30, 10, 70, 60], [90, 0, 100, 75]])
    image, kept = cut_to_aspect(photo(), boxes, 0.8)  # 60 of 100 columns, from column 20
    assert image.shape == (3, 75, 60)
    assert kept.tolist() == [[10, 10, 50, 60]]


def test_limits_of_another_detector_are_where_it_starts():
    explorer = PreprocessingExplorer(photo(), config=PreprocessingConfig(target_size=800, max_size=1333))
    assert (explorer.target_size.value, explorer.max_size.value) == (800, 1333)


def test_it_starts_with_the_whole_photo_although_the_slider_has_steps():
    explorer = PreprocessingExplorer(photo(500, 741))
    assert explorer.aspect.value == 1.5
    assert explorer.summary.startswith("500 × 741 times 1.2000 is 600 × 889 pixels")
    explorer.aspect.value = 1.0
    assert explorer.summary.startswith("500 × 500")


def test_every_question_of_the_lesson_has_a_button():
    explorer = PreprocessingExplorer(torch.rand(3, 375, 500))
    seen = {}
    for name in explorer.presets:
        explorer.press(name)
        seen[name] = explorer.summary
    assert "is 200 × 267 pixels" in seen["Target 200"]
    assert all("the long side reaches the maximum first" in seen[name] for name in ("Panorama", "Column"))
    assert seen["Maximum below target"].startswith("Not possible: Maximum size (pixels) = 500")
