"""Grouping worked out by hand, what a hierarchy always is, and photos with nothing to segment."""

import numpy as np
import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.stages.selective_search import (
    COLORS,
    derivatives,
    describe,
    group,
    histograms,
    regions_after,
    segments,
    selective_search,
)

# Three segments side by side, 4 rows high: A 2 columns wide, B 1, C 3. Of 24 pixels they have 8, 4 and 12.
STRIPES = torch.tensor([0, 0, 1, 2, 2, 2]).repeat(4, 1)  # (4, 6)


def painted(labels: torch.Tensor, *grays: float) -> torch.Tensor:
    """Every segment in its gray: (3, H, W)."""
    return torch.tensor(grays)[labels].repeat(3, 1, 1)


def two_shapes() -> torch.Tensor:
    """A photo (3, 48, 64), half dark and half light, with a green square on the light half."""
    image = torch.zeros(3, 48, 64)
    image[:, :, 32:] = 0.9
    image[0, 12:28, 40:56] = image[2, 12:28, 40:56] = 0.1
    return image


def test_neighbors_of_one_color_merge_first():
    hierarchy = group(painted(STRIPES, 0.1, 0.9, 0.9), STRIPES, "rgb", ("color",))
    assert hierarchy.merges.tolist() == [[1, 2], [0, 3]]  # B and C, then A and both
    assert hierarchy.terms[:, 0].tolist() == [1.0, 0.0] == hierarchy.similarities.tolist()
    assert hierarchy.boxes.tolist() == [[0, 0, 2, 4], [2, 0, 3, 4], [3, 0, 6, 4], [2, 0, 6, 4], [0, 0, 6, 4]]


def test_small_neighbors_merge_first():
    """By hand: A and B have 12 of 24 pixels, so 1 - 12 / 24 = 0.5; B and C have 16, so 0.33; A and C do not touch."""
    hierarchy = group(painted(STRIPES, 0.1, 0.9, 0.9), STRIPES, "rgb", ("size",))
    assert hierarchy.merges.tolist() == [[0, 1], [2, 3]]
    assert hierarchy.similarities.tolist() == pytest.approx([0.5, 0.0])


def test_what_fills_a_hole_merges_first():
    """C lies in A's hole, and both fill A's box: 1. A and B leave 2 of the 12 pixels of their box out: 1 - 2 / 16."""
    labels = torch.tensor([[0, 0, 0, 1], [0, 2, 0, 1], [0, 0, 0, 3], [3, 3, 3, 3]])  # (4, 4)
    hierarchy = group(painted(labels, 0.1, 0.5, 0.9, 0.3), labels, "rgb", ("fill",))
    assert hierarchy.merges[:2].tolist() == [[0, 2], [1, 4]] and hierarchy.boxes[4].tolist() == [0, 0, 3, 3]
    assert hierarchy.similarities.tolist() == pytest.approx([1.0, 1.0 - 1 / 16, 1.0])


def test_all_four_by_hand():
    """B and C: the same color, 1; 16 of 24 pixels, 1 - 2/3; no gap, 1. A and B: no color, 1 - 1/2, no gap."""
    hierarchy = group(painted(STRIPES, 0.1, 0.9, 0.9), STRIPES, "rgb")
    assert hierarchy.merges[0].tolist() == [1, 2]
    assert hierarchy.terms[0, [0, 2, 3]].tolist() == pytest.approx([1, 1 / 3, 1])
    assert hierarchy.similarities.tolist() == pytest.approx(hierarchy.terms.sum(dim=1).tolist())


def test_a_tie_goes_to_the_lowest_numbers():
    labels = torch.arange(4).repeat(3, 1)  # four equal columns
    hierarchy = group(torch.full((3, 3, 4), 0.5), labels, "rgb", ("size",))
    assert hierarchy.merges.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_merged_histogram_is_that_of_all_its_pixels():
    pixels = np.random.default_rng(0).random((4, 6, 3))
    regions = describe(pixels, STRIPES.numpy())
    regions.merge(0, 2, 3)
    together = describe(pixels, np.where(STRIPES == 1, 1, 0))
    for mine, expected in zip(regions, together, strict=True):
        np.testing.assert_allclose(mine[3], expected[0])


def test_a_histogram_counts_shares_channel_by_channel():
    values = np.array([[[0.0, 0.49]], [[1.0, 0.5]]])  # (2, 1, 2): 1.0 falls into the last bin
    assert histograms(values, np.array([[0, 0]]), bins=2).tolist() == [[0.5, 0, 0, 0.5]]


def test_texture_knows_the_direction_in_which_it_gets_lighter():
    ramp = np.linspace(0, 1, 30)[:, None, None] * np.ones((30, 30, 3))  # lighter downwards
    rises = derivatives(ramp)[:, 15, 15].reshape(8, 3)[:, 0]  # by angle: right, right and down, down ...
    step = 1 / 29
    np.testing.assert_allclose(rises, step * np.array([0, 0.5**0.5, 1, 0.5**0.5, 0, 0, 0, 0]), atol=1e-9)


def test_a_hierarchy_merges_every_region_once_and_encloses_its_parts():
    image = torch.rand(3, 60, 80)
    found = segments(image, scale=20, min_size=10)
    hierarchy = group(image, found)
    count = int(found.max()) + 1
    assert count > 10 and found.unique().tolist() == list(range(count))
    assert hierarchy.merges.flatten().sort().values.tolist() == list(range(2 * count - 2))  # all but the last
    parts = hierarchy.boxes[hierarchy.merges]  # (M, 2, 4)
    expected = torch.cat([parts[..., :2].amin(dim=1), parts[..., 2:].amax(dim=1)], dim=1)
    assert torch.equal(hierarchy.boxes[count:], expected)
    assert hierarchy.boxes[-1].tolist() == [0, 0, 80, 60]
    assert ((hierarchy.terms >= 0) & (hierarchy.terms <= 1 + 1e-9)).all()


def test_the_photo_step_by_step():
    image = two_shapes()
    found = segments(image)
    hierarchy = group(image, found)
    assert torch.equal(regions_after(found, hierarchy.merges, 0), found)
    for steps in range(len(hierarchy.merges) + 1):
        for region in regions_after(found, hierarchy.merges, steps).unique().tolist():
            y, x = (regions_after(found, hierarchy.merges, steps) == region).nonzero(as_tuple=True)
            assert hierarchy.boxes[region].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    assert regions_after(found, hierarchy.merges, 10**6).unique().numel() == 1


def test_the_square_is_among_the_first_boxes():
    boxes = selective_search(two_shapes(), count=6)
    assert boxes[0].tolist() == [0, 0, 64, 48]
    assert (boxes - torch.tensor([40.0, 12, 56, 28])).abs().amax(dim=1).min() <= 3  # the blur widens it


def test_the_same_boxes_every_time_each_of_them_once():
    image = torch.rand(3, 50, 70)
    boxes = selective_search(image)
    assert torch.equal(boxes, selective_search(image.clone()))
    assert len(boxes.unique(dim=0)) == len(boxes)
    assert torch.equal(selective_search(image, count=5), boxes[:5])
    assert len(selective_search(image, count=10**6)) == len(boxes)
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_several_hierarchies_take_turns_and_near_boxes_are_left_out():
    image = two_shapes()
    image[1, 30:44, 4:20] = 0.6
    options = {"scales": (50,), "overlap": 1.0}
    one, other = (selective_search(image, groupings=(traits,), **options) for traits in (("size",), ("color",)))
    both = selective_search(image, groupings=(("size",), ("color",)), **options)
    assert {*map(tuple, both.tolist())} == {*map(tuple, one.tolist()), *map(tuple, other.tolist())}
    assert torch.equal(both[0], one[0]) and torch.equal(both[1], one[1])
    thinned = selective_search(image, overlap=0.5)
    assert 1 < len(thinned) < len(selective_search(image, overlap=1.0))
    assert box_iou(thinned, thinned).fill_diagonal_(0).max() <= 0.5


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 3), (30, 40)])
def test_a_photo_of_one_color_has_one_region_and_one_box(size):
    height, width = size
    image = torch.full((3, height, width), 0.4)
    assert segments(image).unique().tolist() == [0]
    hierarchy = group(image, segments(image))
    assert hierarchy.merges.shape == (0, 2) and hierarchy.similarities.shape == (0,) and hierarchy.terms.shape == (0, 4)
    assert selective_search(image).tolist() == [[0, 0, width, height]]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 3)])
def test_a_tiny_photo_of_many_colors(size):
    assert selective_search(torch.rand(3, *size))[0].tolist() == [0, 0, size[1], size[0]]


def test_a_gray_photo_and_other_floats():
    gray = two_shapes().mean(dim=0, keepdim=True).repeat(3, 1, 1)
    for image in (gray, gray.double(), gray.half()):
        assert len(selective_search(image)) > 1


@pytest.mark.parametrize("color", COLORS)
def test_every_color_space_finds_the_halves(color):
    assert len(segments(two_shapes(), color=color).unique()) >= 3


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: selective_search(torch.rand(3, 9, 9), count=0), ConfigError, "count = 0"),
        (lambda: selective_search(torch.rand(3, 9, 9), overlap=0), ConfigError, "overlap = 0"),
        (lambda: selective_search(torch.rand(3, 9, 9), scales=()), ConfigError, "at least one"),
        (lambda: selective_search(torch.rand(1, 9, 9)), DataError, "shape"),
        (lambda: selective_search(torch.ones(3, 9, 9, dtype=torch.uint8)), DataError, "divide bytes"),
        (lambda: selective_search(torch.full((3, 9, 9), float("nan"))), DataError, "nan"),
        (lambda: segments(torch.rand(3, 9, 9), scale=0), ConfigError, "scale = 0"),
        (lambda: segments(torch.rand(3, 9, 9), color="cmyk"), ConfigError, "'cmyk'"),
        (lambda: group(torch.rand(3, 4, 6), STRIPES, traits=()), ConfigError, "traits"),
        (lambda: group(torch.rand(3, 4, 6), STRIPES, traits=("smell",)), ConfigError, "smell"),
        (lambda: group(torch.rand(3, 4, 5), STRIPES), DataError, "segments of shape"),
        (lambda: group(torch.rand(3, 4, 6), STRIPES * 2), DataError, "without gaps"),
        (lambda: group(torch.rand(3, 4, 6), STRIPES - 1), DataError, "from -1"),
        (lambda: selective_search(torch.rand(3, 9, 9), groupings=((),)), ConfigError, "traits"),
    ],
)
def test_what_cannot_be_grouped_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
