"""The explorers of lesson 09: what merges, what the boxes cover, what two generations see of one ROI."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.explorers.three_generations import (
    BOXES,
    DRAWN,
    REGIONS,
    GenerationsExplorer,
    SelectiveSearchExplorer,
    mean_colors,
    with_borders,
)
from rcnn_tutorial.stages.rcnn import warp
from rcnn_tutorial.stages.selective_search import group, regions_after, segments

RED, GREEN, BLUE = ([1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0])


def quarters() -> torch.Tensor:
    """Four squares of 40 pixels; the two upper ones are nearly of one red."""
    image = torch.zeros(3, 80, 80)
    colors = ((0, 0, RED), (0, 40, [0.8, 0.0, 0.0]), (40, 0, GREEN), (40, 40, BLUE))
    for row, column, color in colors:
        image[:, row : row + 40, column : column + 40] = torch.tensor(color)[:, None, None]
    return image


OBJECTS = torch.tensor([[0.0, 0, 80, 40], [40, 40, 80, 80], [10, 10, 14, 14]])


@pytest.fixture(scope="module")
def explorer():
    return SelectiveSearchExplorer(quarters(), OBJECTS, ["roof", "door", "bell"])


def test_the_boxes_cover_what_regions_were(explorer):
    explorer.press("All boxes")
    count = len(explorer.boxes)
    assert f"The first {count} of {count} boxes cover 2 of 3 objects (IoU 0.50 or more). " in explorer.summary
    best = box_iou(OBJECTS, explorer.boxes).amax(dim=1).tolist()
    assert f"roof {best[0]:.2f}, door {best[1]:.2f}, bell {best[2]:.2f}." in explorer.summary
    _, best, missed, covered = explorer.canvas.layers
    assert len(best.boxes) == 2
    assert list(covered.labels) == ["✓ roof", "✓ door"] and list(missed.labels) == ["✗ bell"]
    assert explorer.merges.disabled and not explorer.count.disabled


def test_the_first_box_is_the_photo(explorer):
    explorer.set(view=BOXES, count=1)
    assert explorer.boxes[0].tolist() == [0, 0, 80, 80] and "cover 1 of 3" in explorer.summary


def test_a_merge_shows_the_two_and_what_they_became(explorer):
    explorer.set(view=REGIONS, merges=1)
    count = len(explorer.hierarchy.merges) + 1
    assert explorer.summary.startswith(f"{count} segments, 1 merges: {count - 1} regions are left. The last merge had")
    _, pair, new = explorer.canvas.layers
    around = torch.cat([pair.boxes[:, :2].amin(dim=0), pair.boxes[:, 2:].amax(dim=0)])
    assert new.boxes[0].tolist() == around.tolist()
    assert explorer.count.disabled and not explorer.merges.disabled
    explorer.merges.value = 0
    assert explorer.summary == f"{count} segments, 0 merges: {count} regions are left."
    assert len(explorer.canvas.layers) == 1


def test_the_last_merge_leaves_the_photo(explorer):
    explorer.set(view=REGIONS, merges=explorer.merges.max)
    assert "1 regions are left" in explorer.summary and explorer.canvas.layers[2].boxes.tolist() == [[0, 0, 80, 80]]


def test_merged_regions_have_the_mean_color_of_their_pixels():
    image = quarters()
    labels = segments(image, 200)
    merges = group(image, labels).merges
    colors = mean_colors(image, labels, merges)
    for steps in range(len(merges) + 1):
        regions = regions_after(labels, merges, steps)
        for region in regions.unique().tolist():
            assert torch.allclose(colors[region], image[:, regions == region].mean(dim=1), atol=1e-5)


def test_a_line_is_drawn_where_two_regions_meet():
    picture = with_borders(torch.ones(4, 6, 3), torch.tensor([[0, 0, 0, 1, 1, 1]] * 4))
    assert picture[0].sum(dim=0).tolist() == [4, 4, 4, 0, 4, 4]


def test_the_legend_names_what_is_there():
    without = SelectiveSearchExplorer(quarters())
    assert names(without) == ["other boxes"]
    without.set(view=REGIONS)
    assert names(without) == []
    far = SelectiveSearchExplorer(quarters(), torch.tensor([[0.0, 0, 3, 3]]), ["speck"])
    assert names(far) == ["other boxes", "object, missed"]


def names(explorer):
    return [layer["name"] for layer in explorer.canvas.frame["layers"]]


def test_without_objects_and_with_one_color_there_is_still_a_sentence():
    explorer = SelectiveSearchExplorer(torch.full((3, 40, 60), 0.3))
    assert explorer.summary == "The first 1 of 1 boxes. No objects: nothing to cover."
    explorer.view.value = REGIONS
    assert explorer.summary == "1 segments, 0 merges: 1 regions are left."
    assert explorer.figure().axes


def test_of_very_many_boxes_some_are_drawn():
    image = torch.rand(3, 200, 200, generator=torch.Generator().manual_seed(0))
    explorer = SelectiveSearchExplorer(image, OBJECTS, scale=1)
    explorer.press("All boxes")
    assert len(explorer.boxes) > DRAWN and f"The first {DRAWN} are drawn." in explorer.summary
    assert len(explorer.canvas.layers[0].boxes) <= DRAWN


@pytest.fixture
def twice():
    generator = torch.Generator().manual_seed(1)
    image, features = torch.rand(3, 96, 128, generator=generator), torch.rand(8, 6, 8, generator=generator)
    return GenerationsExplorer(image, features, torch.tensor([32.0, 16, 64, 80]))


def test_two_generations_see_one_roi(twice):
    assert twice.summary == (
        "R-CNN stretches the ROI of 32 × 64 pixels 6.00 times across, 3.00 times down; 50,176 pixels pass the head for "
        "this one ROI. Fast R-CNN reads 7 × 7 values off the map, where the ROI covers 2.0 × 4.0 cells; no pixel "
        "passes the head again."
    )
    assert twice.canvas.layers[0].boxes[0].tolist() == pytest.approx([29.333, 10.667, 66.667, 85.333], abs=1e-3)
    warped = warp(twice.image, torch.tensor([[32.0, 16, 64, 80]]), 224, 16)[0]
    assert torch.allclose(twice.canvases[1].picture, warped, atol=1e-4)
    assert twice.canvases[2].layers[0].values.shape == (7, 7)


def test_without_context_the_cut_is_the_roi(twice):
    twice.press("No context")
    assert twice.canvas.layers[0].boxes[0].tolist() == [32, 16, 64, 80] and "7.00 times across" in twice.summary


def test_a_roi_of_less_than_a_pixel_is_still_drawn(twice):
    twice.canvas.move(roi=(40, 40, 40.4, 40.4))
    assert "0 × 0 pixels" in twice.summary and twice.figure().axes
