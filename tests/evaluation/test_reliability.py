"""Scores beside what came of them."""

import math

import pytest
import torch
from detection_sets import image

from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation import reliability

THERE = [0, 0, 10, 10]


def many(scores, right):
    """One image per detection, with an object under it or not."""
    found = [image([THERE], [1], scores=[score]) for score in scores]
    return found, [image([THERE], [1]) if is_right else image([], []) for is_right in right]


def test_bins_by_hand():
    result = reliability(*many([0.1, 0.25, 0.2, 0.9, 1.0], [False, True, False, True, False]), bins=5)
    torch.testing.assert_close(
        result.confidence, torch.tensor([0.1, 0.225, 0.5, 0.7, 0.95]).double(), atol=1e-6, rtol=0
    )
    assert result.right.tolist() == [0, 0.5, 0, 0, 0.5]
    assert result.counts.tolist() == [1, 2, 0, 0, 2]
    assert result.error == pytest.approx((0.1 + 2 * (0.5 - 0.225) + 2 * (0.95 - 0.5)) / 5)


def test_a_detector_that_says_what_it_knows_has_no_error():
    result = reliability(*many([0.75] * 4, [True, True, False, True]))
    assert result.error == pytest.approx(0) and result.counts[7] == 4


def test_duplicates_are_wrong_and_difficult_objects_neutral():
    target = image([THERE, [50, 50, 60, 60]], [1, 1], difficult=[False, True])
    found = image([THERE, THERE, [50, 50, 60, 60]], [1, 1, 1], scores=[0.9, 0.9, 0.9])
    result = reliability([found], [target], bins=1)
    assert result.counts.tolist() == [2] and result.right.tolist() == [0.5]
    assert reliability([found], [target], bins=1, iou_threshold=0.99).right.tolist() == [0.5]


def test_without_detections_there_is_no_error_to_tell():
    result = reliability([image([], [], scores=[])], [image([THERE], [1])], bins=2)
    assert math.isnan(result.error)
    assert (result.confidence.tolist(), result.right.tolist(), result.counts.tolist()) == ([0.25, 0.75], [0, 0], [0, 0])


def test_what_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="bins = 0: use at least one"):
        reliability(*many([0.5], [True]), bins=0)
    for score in (1.5, -0.1, math.nan):
        with pytest.raises(DataError, match="outside of 0 to 1"):
            reliability(*many([score], [True]))
