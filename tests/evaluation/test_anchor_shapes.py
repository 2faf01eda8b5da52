"""k-means on IoU, its grid of scales and ratios, and a suggestion that is never worse than it says."""

import pytest
import torch

from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import anchor_shapes
from rcnn_tutorial.evaluation.anchor_reach import Found, Grid, best_overlap, reach
from rcnn_tutorial.stages.anchors import anchor_sizes

GRID = Grid(16, 8.0)
NOW = AnchorConfig()


def found(sizes, seed=0):
    """Objects of these widths and heights somewhere on a photo of 600 x 800."""
    sizes = torch.as_tensor(sizes, dtype=torch.float64)
    count = len(sizes)
    free = torch.tensor([800.0, 600.0], dtype=torch.float64) - sizes
    start = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * free
    one = torch.ones(count, dtype=torch.long)
    photo = torch.tensor([600, 800]).expand(count, 2)
    return Found(torch.cat([start, start + sizes], dim=1), photo, one.double(), one, 0 * one, ["photo.jpg"], 0)


def test_iou_of_shapes_laid_center_on_center():
    first, second = torch.tensor([[10.0, 10], [20, 5]]), torch.tensor([[10.0, 10], [10, 20]])
    assert anchor_shapes.shape_iou(first, second).flatten().tolist() == pytest.approx([1, 0.5, 50 / 150, 50 / 250])


def test_clusters_are_the_means_of_what_lies_together():
    sizes = torch.tensor([[10.0, 10], [12, 10], [100, 210], [100, 190], [300, 100]])
    expected = [[11, 10], [100, 200], [300, 100]]
    assert sorted(anchor_shapes.cluster_shapes(sizes, 3).tolist()) == sorted(expected)
    assert anchor_shapes.cluster_shapes(sizes.flip(0), 3).tolist() == anchor_shapes.cluster_shapes(sizes, 3).tolist()


@pytest.mark.parametrize("sizes", [[[30.0, 60]], [[30.0, 60]] * 5, [[30.0, 60], [30, 60], [90, 20]]])
def test_no_more_clusters_than_shapes_that_differ(sizes):
    shapes = anchor_shapes.cluster_shapes(torch.tensor(sizes, dtype=torch.float64), 9)
    assert sorted(shapes.tolist()) == sorted(map(list, {tuple(size) for size in sizes}))


def test_a_group_without_any_keeps_its_mean():
    means = anchor_shapes._means(torch.tensor([1.0, 3, 8]), torch.tensor([0, 0, 2]), torch.tensor([5.0, 6, 7]))
    assert means.tolist() == [2, 6, 8]


def test_the_grid_that_objects_were_made_from_is_found():
    sizes = anchor_sizes(AnchorConfig(scales=(2, 8, 24), ratios=(0.5, 2)))
    clusters = anchor_shapes.cluster_shapes(sizes, 6)
    grid = anchor_shapes.fit_grid(sizes, clusters, 3, 2, 16)
    assert grid.scales == pytest.approx((2, 8, 24), rel=0.06) and grid.ratios == pytest.approx((0.5, 2), rel=0.06)


def test_anchors_of_another_base_have_scales_of_their_own():
    sizes = torch.tensor([[64.0, 64]], dtype=torch.float64)
    assert anchor_shapes.fit_grid(sizes, sizes, 1, 1, 32) == AnchorConfig(32, (2.0,), (1.0,))


@pytest.mark.parametrize("size", [(3000.0, 1), (1, 3000)])
def test_no_ratio_is_steeper_than_whole_pixels_allow(size):
    sizes = torch.tensor([size], dtype=torch.float64)
    anchors = anchor_shapes.fit_grid(sizes, sizes, 1, 1, 16)
    assert anchors.ratios[0] in (64, 0.016) and anchor_sizes(anchors).min() > 0


def test_a_suggestion_for_small_tall_objects_reaches_more():
    objects = found([[20 + i % 7, 50 + i % 11] for i in range(60)])
    suggestion = anchor_shapes.suggest_anchors(objects, NOW, GRID, 9)
    assert suggestion.is_better and suggestion.before == reach(best_overlap(objects, NOW, GRID))
    assert suggestion.after == reach(best_overlap(objects, suggestion.anchors, GRID))
    assert suggestion.before.low == 0 and suggestion.after.low > 0.8
    assert len(suggestion.anchors.scales) * len(suggestion.anchors.ratios) <= 9
    assert anchor_shapes.suggest_anchors(objects, NOW, GRID, 9).anchors == suggestion.anchors  # nothing is random


def test_what_cannot_be_better_says_so():
    half = anchor_sizes(NOW)[[0, 3, 4, 6]] / 2
    center = torch.tensor([408.0, 296], dtype=torch.float64)  # of a cell from which these four are inside
    photo = found(2 * half)
    exact = photo._replace(boxes=torch.cat([center - half, center + half], dim=1))
    suggestion = anchor_shapes.suggest_anchors(exact, NOW, GRID, 9)
    assert suggestion.before == pytest.approx((4, 1, 1, 1)) and not suggestion.is_better
    fewer = anchor_shapes.suggest_anchors(exact, NOW, GRID, 1)
    assert not fewer.is_better and fewer.after.mean < fewer.before.mean


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [1, 4, 9])
def test_better_means_worse_in_nothing(seed, count):
    generator = torch.Generator().manual_seed(seed)
    objects = found(torch.rand(30, 2, generator=generator) * 250 + 5, seed)
    suggestion = anchor_shapes.suggest_anchors(objects, NOW, GRID, count)
    changes = [new - old for new, old in zip(suggestion.after[1:], suggestion.before[1:], strict=True)]
    assert suggestion.is_better == (min(changes) >= 0 and max(changes) > 0)
    assert suggestion.is_better or count < 9  # from the nine that are there the search goes nowhere but up


@pytest.mark.parametrize("count", [1, 9, 40])
def test_one_object_has_one_shape(count):
    suggestion = anchor_shapes.suggest_anchors(found([[37.0, 81]]), NOW, GRID, count)
    assert suggestion.clusters.tolist() == [pytest.approx([37, 81])]
    assert suggestion.is_better and suggestion.after.mean > suggestion.before.mean


def test_of_many_objects_a_part_is_searched_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(anchor_shapes, "SAMPLE", 20)
    objects = found([[20 + i % 7, 50 + i % 11] for i in range(90)])
    suggestion = anchor_shapes.suggest_anchors(objects, NOW, GRID, 3)
    assert suggestion.after == reach(best_overlap(objects, suggestion.anchors, GRID)) and suggestion.after.objects == 90


def test_at_least_one_anchor_is_suggested():
    with pytest.raises(ConfigError, match="count = 0"):
        anchor_shapes.suggest_anchors(found([[37.0, 81]]), NOW, GRID, 0)
