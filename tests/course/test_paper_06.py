"""The numbers of lesson 06's exercises on paper, and of its question on your data, computed by the package."""

import math

import pytest
import torch
import torch.nn.functional as F

from rcnn_tutorial.boxes import clip, decode, encode
from rcnn_tutorial.checks.classification import box_loss, bug_hunt, class_box
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.stages.rpn_loss import smooth_l1

STD = torch.tensor([0.1, 0.1, 0.2, 0.2])
ROI = torch.tensor([100.0, 50, 300, 150])
OBJECT = torch.tensor([130.0, 40, 330, 150])
TARGET = [0.15, -0.05, 0, 0.0953]
ANSWERS = (course_folder() / PAPER / "06_classification.md").read_text(encoding="utf-8").partition("## Answers")[2]
LESSON = (course_folder() / "06_classification.ipynb").read_text(encoding="utf-8")


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def near(values, *expected, within=6e-4) -> bool:
    return torch.tensor(values).flatten().tolist() == pytest.approx(expected, abs=within)


def test_scores():
    scores = torch.tensor([[1.0, 3, 1, 0]])
    assert near(scores.exp().tolist(), 2.718, 20.086, 2.718, 1) and near(float(scores.exp().sum()), 26.522)
    for shift in (0, 5):
        assert near((scores + shift).softmax(dim=1).tolist(), 0.102, 0.757, 0.102, 0.038)
        losses = [float(bug_hunt.right(scores + shift, torch.tensor([label]))) for label in (1, 0)]
        assert near(losses, 0.278, 2.278)
    assert says("0.102, 0.757, 0.102 and 0.038", "-ln 0.757 = 0.278", "-ln 0.102 = 2.278", "26.522")


def test_the_target():
    t = encode(OBJECT, ROI)
    assert near(t.tolist(), *TARGET) and near((t / STD).tolist(), 1.5, -0.5, 0, 0.477)
    assert says("(0.15, -0.05, 0, 0.095)", "(1.5, -0.5, 0, 0.477)", "(230, 95) and 200 × 110")


def test_the_box():
    coefficients = torch.zeros(1, 4, 4)
    coefficients[0, 1:3] = torch.tensor([[1.0, -1, 0.5, 0], [2, 2, 0, 0]])
    box = class_box.right(ROI[None], coefficients, torch.tensor([1]), STD)[0]
    assert near(box.tolist(), 109.5, 40, 330.5, 140, within=0.05)
    assert near((box / 2).tolist(), 54.7, 20, 165.3, 70, within=0.05)
    assert near(clip(box / 2, torch.tensor([100, 160])).tolist(), 54.7, 20, 160, 70, within=0.05)
    assert near(float(decode(torch.tensor([0.1, -0.1, 0.1, 0]), ROI)[2] - box[0]), 221.03, within=0.01)
    assert says("221.03", "(109.5, 40) and (330.5, 140)", "(54.7, 20) and (165.3, 70)", "(54.7, 20) and (160, 70)")


def test_the_loss_of_four_rois():
    parts = [-math.log(p) for p in (0.5, 0.8, 0.25, 1.0)]
    assert near(parts, 0.693, 0.223, 1.386, 0) and near(sum(parts) / 4, 0.576)
    labels, coefficients = torch.tensor([1, 0, 2, 0]), torch.zeros(4, 4, 4)
    coefficients[0, 1] = torch.tensor([0.5, -0.2, 1, 2])
    coefficients[2, 2] = torch.tensor([0, 0.1, 0, -3.0])
    each = smooth_l1(coefficients, sigma=1.0)  # (4, 4, 4)
    assert near(each[0, 1].tolist(), 0.125, 0.02, 0.5, 1.5) and near(each[2, 2].tolist(), 0, 0.005, 0, 2.5)
    loss = float(box_loss.right(coefficients, labels, torch.zeros(4, 4)))
    assert near([loss, sum(parts) / 4 + loss, loss * 4 / 2], 1.1625, 1.738, 2.325) and coefficients.numel() == 64
    assert says(
        "= 0.576", "1.5 = 2.145", "2.5 = 2.505", "4.65 / 4 = 1.1625", "Sum: 1.738", "2.325", "8 of 4 · 4 · 4 = 64"
    )


def test_the_squeezed_crop():
    crop, seen = ((box - ROI[[0, 1, 0, 1]]) / torch.tensor([200, 100, 200, 100]) * 7 for box in (ROI, OBJECT))
    assert near(seen.tolist(), 1.05, -0.7, 8.05, 7) and near(encode(seen, crop).tolist(), *TARGET)
    mirrored = [torch.stack([320 - box[2], box[1], 320 - box[0], box[3]]) for box in (OBJECT, ROI)]  # 320 pixels wide
    assert near(encode(*mirrored).tolist(), -0.15, *TARGET[1:])
    assert says("= 1.05 to", "= 8.05", "-0.7 to 7", "(4.55, 3.15), size 7 × 7.7", "becomes -0.15")


def test_the_signs_of_your_data():
    """Two classes that mirrored photos mix: what the lesson's folded answer says."""
    for share, cost in ((0.5, 0.693), (0.25, 0.562)):
        scores = torch.tensor([[1 - share, share]]).log()
        losses = F.cross_entropy(scores.expand(2, 2), torch.tensor([0, 1]), reduction="none")
        assert near(float(losses @ torch.tensor([1 - share, share])), cost)
    assert near(24 * math.log(2) / 128, 0.130) and "24 · 0.693 / 128 = 0.130" in LESSON and "costs 0.562" in LESSON


def test_what_the_bug_hunt_prints():
    certain, labels = 100.0 * F.one_hot(torch.tensor([3]), 21), torch.tensor([3])
    given = bug_hunt.misconceptions[0].wrong
    assert near(float(given(certain, labels)), 2.123) and near(math.e / (math.e + 20), 0.12, within=0.005)
