"""Precision, recall and average precision against the reference's own figures, against pycocotools and by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from detection_sets import image, random_set

from rcnn_tutorial.evaluation import (
    area_ap,
    coco_ap,
    eleven_point_ap,
    precision_recall,
    proposal_recall,
    voc_ap,
)

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "13_voc_eval.npz")
NAMES = ("cat", "dog", "car")
TO_CONTINUOUS = torch.tensor([-1, -1, 0, 0])  # from VOC's boxes, which are inclusive and counted from 1


def golden_set(use_difficult: bool):
    """The reference's synthetic set as (detections, targets) of 8 images."""
    truth = torch.tensor(GOLDEN["gt_img_cls_x1y1x2y2_difficult"])
    found = torch.tensor(GOLDEN["det_img_cls_score_x1y1x2y2"])
    targets, detections = [], []
    for number in range(8):
        rows = truth[truth[:, 0] == number]
        difficult = rows[:, 6].bool() & (not use_difficult)
        targets.append({"boxes": rows[:, 2:6] + TO_CONTINUOUS, "labels": rows[:, 1].long() + 1, "difficult": difficult})
        rows = found[found[:, 0] == number]
        detections.append(
            {"boxes": rows[:, 3:7] + TO_CONTINUOUS, "labels": rows[:, 1].long() + 1, "scores": rows[:, 2]}
        )
    return detections, targets


@pytest.mark.parametrize("case", ["perfect", "none", "mixed", "late"])
def test_ap_of_a_curve_equals_the_reference(case):
    precision, recall = (torch.tensor(GOLDEN[f"{case}__{name}"]) for name in ("prec", "rec"))
    assert eleven_point_ap(precision, recall) == pytest.approx(float(GOLDEN[f"{case}__ap_07"]), abs=1e-12)
    assert area_ap(precision, recall) == pytest.approx(float(GOLDEN[f"{case}__ap_area"]), abs=1e-12)


@pytest.mark.parametrize("use_difficult", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_curves_and_ap_of_a_set_equal_the_reference(use_difficult, name):
    detections, targets = golden_set(use_difficult)
    key = f"{name}_diff{int(use_difficult)}"
    curve = precision_recall(detections, targets, NAMES)[name]
    np.testing.assert_allclose(curve.precision, GOLDEN[f"{key}_prec"], atol=1e-12)
    np.testing.assert_allclose(curve.recall, GOLDEN[f"{key}_rec"], atol=1e-12)
    for metric, flag in (("voc07", 1), ("voc", 0)):
        expected = float(GOLDEN[f"{key}_07{flag}_ap"])
        if not curve.objects:
            expected = math.nan  # the reference's 11-point AP says 0 here, which would pull the mean down
        assert voc_ap(detections, targets, NAMES, metric).per_class[name] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", range(4))
def test_matching_and_coco_ap_agree_with_pycocotools(seed):
    """COCO's AP is the mean precision at 101 recalls, averaged over ten thresholds; ours on separate objects too."""
    detections, targets, classes = random_set(seed)
    recalls = torch.tensor(np.linspace(0, 1, 101))
    expected = {name: [] for name in classes}
    for threshold in np.arange(0.5, 1, 0.05):
        for name, curve in precision_recall(detections, targets, classes, threshold).items():
            reached = curve.recall >= recalls[:, None]
            expected[name].append(torch.where(reached, curve.precision, 0.0).amax(dim=1).mean().item())
    result = coco_ap(detections, targets, classes)
    assert 0.05 < result.mean < 0.95
    for name in classes:
        assert result.per_class[name] == pytest.approx(np.mean(expected[name]), abs=1e-6)
    assert result.mean == pytest.approx(np.mean(list(result.per_class.values())))


@pytest.mark.parametrize("metric", ["voc07", "voc"])
def test_detections_that_equal_the_objects_score_one(metric):
    _, targets, classes = random_set(0)
    detections = [{**target, "scores": torch.ones(len(target["labels"]))} for target in targets]
    assert voc_ap(detections, targets, classes, metric).mean == pytest.approx(1)
    assert coco_ap(detections, targets, classes).mean == pytest.approx(1)


def test_second_detection_of_an_object_is_wrong():
    target = image([[0, 0, 10, 10], [50, 50, 60, 60]], [1, 1])
    found = image([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]], [1, 1, 1], scores=[0.9, 0.8, 0.7])
    curve = precision_recall([found], [target], ["thing"])["thing"]
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve.recall.tolist() == pytest.approx([1 / 2, 1 / 2, 1])


def test_difficult_objects_are_neutral():
    target = image([[0, 0, 10, 10], [50, 50, 60, 60]], [1, 1], difficult=[False, True])
    found = image([[50, 50, 60, 60], [50, 50, 60, 59], [0, 0, 10, 10]], [1, 1, 1], scores=[0.9, 0.8, 0.7])
    curve = precision_recall([found], [target], ["thing"])["thing"]
    assert curve.objects == 1
    assert curve.precision[-1] == 1
    assert voc_ap([found], [target], ["thing"]).mean == 1
    assert coco_ap([found], [target], ["thing"]).mean == pytest.approx(1)
    assert proposal_recall([torch.tensor([[0.0, 0, 10, 10]])], [target], (1,)) == {1: 1.0}


def test_overlap_must_exceed_the_threshold():
    target = image([[0, 0, 10, 10]], [1])
    exactly_half = image([[0, 0, 10, 5]], [1], scores=[0.9])
    assert voc_ap([exactly_half], [target], ["thing"]).mean == 0
    assert voc_ap([exactly_half], [target], ["thing"], iou_threshold=0.49).mean == 1


def test_only_the_right_class_and_image_count():
    targets = [image([[0, 0, 10, 10]], [1]), image([], [])]
    wrong_class = [image([[0, 0, 10, 10]], [2], scores=[0.9]), image([], [], scores=[])]
    wrong_image = [image([], [], scores=[]), image([[0, 0, 10, 10]], [1], scores=[0.9])]
    for detections in (wrong_class, wrong_image):
        assert voc_ap(detections, targets, ["one", "two"]).per_class["one"] == 0
        assert coco_ap(detections, targets, ["one", "two"]).per_class["one"] == 0


@pytest.mark.parametrize("count", [voc_ap, coco_ap])
def test_class_without_objects_is_nan_and_left_out_of_the_mean(count):
    target = image([[0, 0, 10, 10]], [1])
    found = image([[0, 0, 10, 10], [0, 0, 5, 5]], [1, 2], scores=[0.9, 0.8])
    result = count([found], [target], ["one", "two"])
    assert math.isnan(result.per_class["two"])
    assert result.mean == pytest.approx(1)
    nothing = count([image([], [], scores=[])], [image([], [])], ["one", "two"])
    assert math.isnan(nothing.mean)
