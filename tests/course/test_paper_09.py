"""The numbers of lesson 09's exercises on paper, and of its question on your data, computed by the package."""

import math

import pytest
import torch

import rcnn_tutorial.checks.three_generations as check
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.figures.three_generations import cut_boxes
from rcnn_tutorial.stages.rcnn import linear, ridge, warp

ANSWERS = (course_folder() / PAPER / "09_three_generations.md").read_text(encoding="utf-8").partition("## Answers")[2]
BOXES = torch.tensor([[0.0, 0, 10, 10], [10, 0, 20, 10], [0, 10, 20, 20]])
PIXELS = torch.tensor([100.0, 60, 200])
COLORS = torch.tensor([[0.5, 0.5, 0], [0.5, 0.25, 0.25], [0, 0.5, 0.5]])


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


@pytest.mark.parametrize(
    ("pair", "expected"), [([0, 1], [0.75, 0.6, 0.9]), ([0, 2], [0.5, 0.25, 0.75]), ([1, 2], [0.5, 0.35, 0.65])]
)
def test_how_alike_two_regions_are(pair, expected):
    found = check.similarity.right(PIXELS[pair], BOXES[pair], COLORS[pair], 400)
    assert found == pytest.approx(expected, abs=1e-6)


def test_what_the_first_two_become():
    assert says("sum 2.25", "A and C: color 0.5, size 0.25", "B and C: color 0.5, size 0.35")
    merged = check.bug_hunt.right(PIXELS, COLORS, [(0, 1)])[3]
    assert merged.tolist() == pytest.approx([0.5, 65 / 160, 15 / 160])
    assert float(torch.minimum(merged, COLORS[2]).sum()) == pytest.approx(0.5)
    plain = COLORS[:2].mean(dim=0)
    assert plain.tolist() == [0.5, 0.375, 0.125] and says("green (50 + 15) / 160 = 0.406", "0.375 and 0.125")


def test_from_merges_to_proposals():
    regions = [[0, 0, 10, 20], [10, 0, 20, 10], [10, 10, 20, 20], [20, 0, 40, 10], [20, 10, 40, 20]]
    for one, other in ((1, 2), (0, 5), (3, 4), (6, 7)):
        a, b = regions[one], regions[other]
        regions.append([*map(min, a[:2], b[:2]), *map(max, a[2:], b[2:])])
    assert regions[5:] == [[10, 0, 20, 20], [0, 0, 20, 20], [20, 0, 40, 20], [0, 0, 40, 20]]
    fits = box_iou(torch.tensor([[8.0, 0, 20, 20]]), torch.tensor(regions[::-1]).float())[0]
    assert fits[:4].tolist() == pytest.approx([0.3, 0, 0.6, 200 / 240]) and int(fits.argmax()) == 3
    assert says("So three boxes cover it. Best is 5, with 200 / 240 = 0.83", "nine boxes")


def test_what_is_warped():
    proposals = torch.tensor([[30.0, 40, 90, 160], [0, 0, 96, 48]])
    cut = cut_boxes(proposals, 224, 16)
    assert cut.tolist() == [[25, 30, 95, 170], [-8, -4, 104, 52]]
    assert (20 * 192 / 60, 20 * 192 / 120) == (64, 32)
    crop = warp(torch.ones(3, 300, 300), proposals[1:], 224, 16)[0, 0]
    outside = float((crop < 0.75).double().mean())  # the mean color, below the border between the two
    assert round(1 - (208 / 224) ** 2, 3) == 0.138 and outside == pytest.approx(0.138, abs=0.005)
    assert says("(25, 30, 95, 170)", "64 wide", "32 high", "(-8, -4, 104, 52)", "0.138")


def test_what_a_photo_costs():
    first, second, _ = check.seconds.right(1000, 224, 500, 600, 2e-6, 0.001, 2, 0.05)
    third = check.seconds.right(300, 224, 500, 600, 2e-6, 0.001, 2, 0.05)[2]
    assert [round(time, 2) for time in (first, second, third)] == [103.35, 3.6, 0.95]
    ratios = ((first - 2) / (second - 2), first / second, second / third)
    assert [round(ratio, 1) for ratio in ratios] == [63.3, 28.7, 3.8]
    assert says("= 103.35 s", "= 3.6 s", "= 0.95 s", "63 times", "29 times", "3.8 times")


def test_ridge_with_one_feature():
    features, goals = torch.tensor([[1.0], [2], [3]]), torch.tensor([[0.0], [1], [1]])
    for penalty, weight, bias, scores in (
        (1e-12, 0.5, -1 / 3, (0.167, 0.667, 1.167)),
        (1.0, 0.25, 1 / 6, (0.417, 0.667, 0.917)),  # times the sum of squares, 2: a strength of 2
    ):
        weights = ridge(features, goals, penalty)
        assert weights.flatten().tolist() == pytest.approx([weight, bias])
        assert linear(features, weights).flatten().tolist() == pytest.approx(scores, abs=1e-3)
    centered = torch.tensor([-1.0, 0, 1, math.sqrt(2)])
    aims = torch.tensor([-2 / 3, 1 / 3, 1 / 3, 0])
    assert float((centered * aims).sum() / (centered**2).sum()) == pytest.approx(0.25)
    assert says("weight 0.5", "weight 1 / (2 + 2) = 0.25", "0.417, 0.667, 0.917")


def test_the_cells_of_your_data():
    rcnn, fast, faster = check.seconds.right(1000, 64, 1000, 1000, 1e-6, 0.001, 3, 0)
    assert [round(time, 1) for time in (rcnn, fast, faster)] == [8.1, 5, 2]
    assert round(check.seconds.right(300, 64, 1000, 1000, 1e-6, 0.001, 3, 0)[2], 1) == 1.3
    assert round(30 * 30 * math.pi / 4) == 707
