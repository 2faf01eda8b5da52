"""AP by size of the objects, and pycocotools kept quiet."""

import math

import pytest
from detection_sets import image, random_set

from rcnn_tutorial.evaluation import (
    ap_by_size,
    coco_ap,
)


def test_ap_by_size_counts_every_object_at_its_own_size_alone():
    small, medium, large = [0.0, 0, 20, 20], [100.0, 100, 160, 160], [200.0, 200, 400, 400]
    target = image([small, medium, large], [1, 1, 2])
    stray = [500.0, 0, 520, 20]  # hits nothing, and is small: wrong there alone
    found = image([stray, small, medium], [1, 1, 1], scores=[0.9, 0.8, 0.7])
    expected = {"small": 0.5, "medium": 1.0, "large": 0.0}
    assert ap_by_size([found], [target], ["one", "two"]) == pytest.approx(expected)
    only_large = ap_by_size([image([], [], scores=[])], [image([large], [1])], ["one"])
    assert only_large["large"] == 0 and math.isnan(only_large["small"]) and math.isnan(only_large["medium"])


def test_pycocotools_prints_nothing(capsys):
    coco_ap(*random_set(0))
    assert capsys.readouterr() == ("", "")
