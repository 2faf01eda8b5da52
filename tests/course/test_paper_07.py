"""The numbers of lesson 07's exercises on paper, and of its question on your data, computed by the package."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import InferenceConfig
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.evaluation import area_ap, eleven_point_ap, precision_recall
from rcnn_tutorial.stages.inference import detect
from rcnn_tutorial.stages.nms import bottom_y, nms, nms_steps

ANSWERS = (course_folder() / PAPER / "07_inference_nms.md").read_text(encoding="utf-8").partition("## Answers")[2]
A, B, C, D, E = range(5)
BOXES = torch.tensor([[0.0, 0, 60, 40], [20, 0, 80, 40], [0, 10, 60, 50], [100, 0, 160, 40], [110, 20, 170, 60]])
SCORES = torch.tensor([0.6, 0.9, 0.8, 0.5, 0.7])


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def who_removes(box: int, threshold: float) -> int:
    steps = nms_steps(BOXES, SCORES, threshold)
    return next(step.kept for step in steps if box in step.suppressed.tolist())


def test_who_removes_whom():
    iou = box_iou(BOXES, BOXES)
    pairs = [round(float(iou[pair]), 2) for pair in ((A, B), (A, C), (B, C), (D, E))]
    assert pairs == [0.5, 0.6, 0.33, 0.26] and int((iou > 0).sum()) == 5 + 2 * 4
    kept = {threshold: nms(BOXES, SCORES, threshold).tolist() for threshold in (0.3, 0.45, 0.55)}
    assert kept == {0.3: [B, E, D], 0.45: [B, C, E, D], 0.55: [B, C, E, D]}
    assert [who_removes(A, threshold) for threshold in kept] == [B, B, C] and who_removes(C, 0.3) == B
    assert says("At 0.3: B, E, D; B removes A and C.", "B, C, E, D; B removes A.", "C removes it (0.6)")


def test_the_other_order():
    kept = nms(BOXES, bottom_y(BOXES), 0.3)
    assert kept.tolist() == [E, C, D] and round(float(SCORES[kept].mean()), 2) == 0.67
    assert round(float(SCORES[nms(BOXES, SCORES, 0.3)].mean()), 2) == 0.7
    assert says("E, C, D are left", "(0.7 + 0.8 + 0.5) / 3 = 0.67", "(0.9 + 0.7 + 0.5) / 3 = 0.70")


def test_from_rois_to_detections():
    probabilities = torch.tensor([[0.1, 0.6, 0.3], [0.1, 0.2, 0.7], [0.7, 0.25, 0.05]])
    ends = torch.tensor([[[0, 0], [0, 70], [0, 50]], [[0, 0], [35, 105], [30, 80]], [[0, 0], [30, 100], [30, 90]]])
    boxes = torch.stack([ends[..., 0], 0 * ends[..., 0], ends[..., 1], 0 * ends[..., 0] + 10], dim=2).float()
    assert box_iou(boxes[:1, 1], boxes[2:, 1]).item() == pytest.approx(40 / 100)
    assert box_iou(boxes[:1, 2], boxes[1:2, 2]).item() == pytest.approx(20 / 80)
    found = detect(boxes, probabilities, InferenceConfig(score_threshold=0.2, nms_threshold=0.3))
    assert found.labels.tolist() == [2, 1, 2] and found.roi_indices.tolist() == [1, 0, 0]
    assert [round(score, 2) for score in found.scores.tolist()] == [0.7, 0.6, 0.3]
    assert says("dog 0.70, cat 0.60, dog 0.30", "40 / 100 = 0.4", "20 / 80 = 0.25")


def curve_of(least: float):
    """The curve of exercise 4's detections that score above `least`; each lies inside its object and fills its IoU."""
    starts = 200.0 * torch.arange(5)  # (G,) objects of 100 x 10
    objects = torch.stack([starts, 0 * starts, starts + 100, 0 * starts + 10], dim=1)
    rows = [(0.9, 2, 0.8), (0.8, 4, 0.7), (0.7, 1, 0.55), (0.6, 2, 0.9), (0.5, 3, 0.5), (0.4, 5, 0.6)]
    shown = [row for row in rows if row[0] > least]
    boxes = torch.tensor([[200.0 * (number - 1), 0, 200 * (number - 1) + 100 * iou, 10] for _, number, iou in shown])
    ones = torch.ones(6, dtype=torch.long)
    found = {"boxes": boxes, "labels": ones[: len(shown)], "scores": torch.tensor([score for score, *_ in shown])}
    there = {"boxes": objects, "labels": ones[:5], "difficult": torch.arange(5) == 3}
    return precision_recall([found], [there], ("thing",))["thing"]


def test_average_precision():
    curve = curve_of(0.0)
    assert curve.precision.tolist() == pytest.approx([1, 1, 1, 2 / 3, 2 / 4, 3 / 5])  # the second is ignored
    assert curve.recall.tolist() == [0.25, 0.25, 0.5, 0.5, 0.5, 0.75] and curve.objects == 4
    assert round(eleven_point_ap(curve.precision, curve.recall), 4) == 0.6545
    assert area_ap(curve.precision, curve.recall) == pytest.approx(0.65)
    assert says("1, 1, 2/3, 2/4, 3/5", "0.25, 0.5, 0.5, 0.5, 0.75", "(6 + 1.2) / 11 = 0.6545", "0.25 · 0.6 = 0.65")


def test_looking_and_measuring():
    curve = curve_of(0.55)
    assert float(curve.precision[-1]) == pytest.approx(2 / 3) and float(curve.recall[-1]) == 2 / 4
    assert round(eleven_point_ap(curve.precision, curve.recall), 4) == 0.5455
    assert says("precision 2/3, recall 2/4", "6 / 11 = 0.5455")


def test_the_tiles_of_your_data():
    """A car of 160 pixels at the border of tiles that begin at 0, 600, 1200: what the lesson's folded answer says."""
    reported = torch.tensor([[700.0, 100, 800, 180], [100, 100, 260, 180]])
    scores, shift = torch.tensor([0.8, 0.9]), torch.tensor([[0.0, 0, 0, 0], [600, 0, 600, 0]])
    assert float(reported[0, 0] - reported[1, 2]) == 440 and nms(reported, scores, 0.3).tolist() == [1, 0]
    strip = reported + shift
    assert strip[1].tolist() == [700, 100, 860, 180] and float(box_iou(strip, strip)[0, 1]) == 0.625 == 100 / 160
    assert nms(strip, scores, 0.3).tolist() == [1] and nms(strip, scores.flip(0), 0.3).tolist() == [0]
    later = torch.tensor([[760.0, 100, 800, 180], [760, 100, 920, 180]])
    assert float(box_iou(later, later)[0, 1]) == 0.25 == 40 / 160 and len(nms(later, scores, 0.3)) == 2
    assert [start + 800 for start in (0, 600, 1200)] == [800, 1400, 2000] and 800 - 600 == 200 > 160
