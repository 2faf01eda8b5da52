"""The bootstrap against samples that are drawn and counted one by one."""

import math

import pytest
import torch
from detection_sets import image, random_set

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import bootstrap, voc_ap

THERE = [0, 0, 10, 10]


@pytest.mark.parametrize("metric", ["voc07", "voc"])
def test_a_sample_is_the_mean_ap_of_the_photos_drawn(metric):
    detections, targets, classes = random_set(0)
    for number, target in enumerate(targets):
        target["difficult"] = torch.arange(len(target["labels"])) % 4 == number % 4
    generator = torch.Generator().manual_seed(3)
    draws = torch.randint(len(targets), (5, len(targets)), generator=generator).tolist()
    expected = [
        voc_ap([detections[i] for i in drawn], [targets[i] for i in drawn], classes, metric).mean for drawn in draws
    ]
    assert bootstrap(detections, targets, classes, metric, 5, seed=3).tolist() == pytest.approx(expected)
    assert len(set(expected)) == 5


def test_the_spread_is_about_the_mean_ap_and_shrinks_with_more_photos():
    detections, targets, classes = random_set(1, images=12)
    few, many = (bootstrap(detections * times, targets * times, classes) for times in (1, 16))
    assert few.shape == (200,) and torch.equal(few, bootstrap(detections, targets, classes))
    mean = voc_ap(detections, targets, classes, "voc").mean
    assert abs(few.mean() - mean) < few.std() and few.std() / many.std() == pytest.approx(4, rel=0.4)


def test_a_class_that_is_drawn_seldom_has_no_part_in_the_other_samples():
    detections = [image([THERE], [1], scores=[0.9]), image([], [], scores=[])]
    targets = [image([THERE], [1]), image([THERE], [2])]
    assert set(bootstrap(detections, targets, ("cat", "dog")).tolist()) == {0.0, 0.5, 1.0}
    nothing = bootstrap([image([], [], scores=[])], [image([], [])], ("cat", "dog"), samples=2)
    assert all(math.isnan(value) for value in nothing.tolist())


def test_what_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="metric 'coco': the bootstrap counts by voc07 or voc"):
        bootstrap(*random_set(0), metric="coco")
    with pytest.raises(ConfigError, match="samples = 0: draw at least one"):
        bootstrap(*random_set(0), samples=0)
