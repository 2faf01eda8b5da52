"""The numbers of lesson 04's exercises on paper, and of its question on your data, computed by the package."""

import math
from dataclasses import replace

import pytest
import torch

from rcnn_tutorial.boxes import box_iou, clip, decode, encode
from rcnn_tutorial.checks.proposal_target import sample_rois
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.stages.nms import nms
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.proposal_target import (
    ProposalTargets,
    assign_rois,
    expand_to_classes,
    normalize_coefficients,
)

CONFIG = ProposalTargetConfig()
PAGE = (course_folder() / PAPER / "04_proposal_target.md").read_text(encoding="utf-8")


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(PAGE.partition("## Answers")[2].split())
    return all(text in answers for text in texts)


def test_move_and_clip():
    moved = decode(torch.tensor([[-0.5, 0.25, 0.693, 0]]), torch.tensor([[40.0, 60, 120, 220]]))
    assert moved[0].tolist() == pytest.approx([-40, 100, 120, 260], abs=0.05)
    assert clip(moved, torch.tensor([600, 800]))[0].tolist() == pytest.approx([0, 100, 120, 260], abs=0.05)
    assert says("(40, 180)", "(-40, 100, 120, 260)", "(0, 100, 120, 260)")


def test_thin_out():
    boxes = torch.tensor([[0.0, 0, 100, 100], [0, 0, 100, 80], [0, 0, 100, 60], [200, 0, 300, 100]])
    overlaps = box_iou(boxes, boxes)
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7, 0.6]), 0.7).tolist() == [0, 2, 3]
    assert [round(float(overlaps[i, j]), 2) for i, j in ((0, 1), (0, 2), (1, 2))] == [0.8, 0.6, 0.75]
    assert (overlaps.tril(-1) > 0.7).any(dim=1).tolist() == [False, True, True, False]  # removed by any better one
    assert says("are A and C", "(IoU 0.8)", "0.75", "A and D would be left")


def test_kinds():
    truth = GroundTruth(torch.tensor([[[0.0, 0, 100, 100], [100, 0, 200, 100]]]), torch.tensor([[12, 8]]))
    boxes = torch.tensor([[[50.0, 0, 150, 100], [0, 0, 100, 55], [90, 0, 200, 100], [190, 90, 290, 190]]])
    for low, last in ((0.1, -1), (0.0, 0)):
        found = assign_rois(boxes, torch.ones(1, 4).bool(), truth, replace(CONFIG, background_low=low))
        labels = torch.where(found.foreground, truth.labels.gather(1, found.object_indices), -1)
        assert torch.where(found.background, 0, labels).tolist() == [[0, 12, 8, last]]
    assert found.max_overlaps[0].tolist() == pytest.approx([1 / 3, 0.55, 0.91, 0.005], abs=0.001)
    assert says("= 1/3", "label 12", "0.91 with the cat, label 8", "0.005, neither")


@pytest.mark.parametrize(
    ("foreground", "background", "counts", "most"), [(60, 1000, (32, 96), 1), (20, 50, (20, 108), 3)]
)
def test_counts_of_a_batch(foreground, background, counts, most):
    rows = sample_rois.right(list(range(foreground)), list(range(100, 100 + background)), CONFIG.batch_size, 0.25)
    times = torch.tensor(rows).bincount()[100:]
    assert (len(rows) - int(times.sum()), int(times.sum())) == counts and int(times.max()) == most
    assert says(f"{counts[0]} foreground and {counts[1]} background", "all 50 twice, 8 of them", "32 and 20 rows")
    assert most == 1 or times.bincount().tolist() == [0, 0, 42, 8]


def test_one_row_of_the_table():
    roi, thing = torch.tensor([100.0, 100, 200, 200]), torch.tensor([120.0, 100, 200, 180])
    v = normalize_coefficients(encode(thing, roi), CONFIG)
    assert v.tolist() == pytest.approx([1, -1, -1.12, -1.12], abs=0.005)
    row = ProposalTargets(roi[None, None], torch.tensor([[2]]), v[None, None], None, None, None)
    targets, mask = expand_to_classes(row, 4)
    assert mask[0, 0].nonzero().flatten().tolist() == [8, 9, 10, 11] == targets[0, 0].nonzero().flatten().tolist()
    assert mask.numel() == 16 and says("(0.1, -0.1, -0.223, -0.223)", "(1, -1, -1.12, -1.12)", "8 to 11", "12 others")


def test_the_screws_of_your_data():
    """Objects of 8 × 8 pixels, of which two proposals are foreground: what the lesson's folded answer says."""
    rows = sample_rois.right([0, 1], list(range(2, 152)), 128, 0.25)
    assert len(set(rows)) == 128 and round(126 / 128, 3) == 0.984
    for side, shift in ((8.0, 2.7), (128.0, 43)):
        thing, farthest = torch.tensor([[0.0, 0, side, side]]), side / 3
        assert float(box_iou(thing, thing + torch.tensor([farthest, 0, farthest, 0]))) == pytest.approx(0.5)
        assert farthest == pytest.approx(shift, abs=0.4)
    by_three = float(box_iou(torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([[3.0, 0, 11, 8]])))
    assert math.isclose(by_three, 5 / 11, rel_tol=1e-6) and round(by_three, 2) == 0.45
    assert round(14 / 128, 2) == 0.11 and round(2 / 32, 2) == 0.06 and round(2 / 128, 3) == 0.016
    assert round(3 / 7 * 8, 1) == 3.4 and (1 - 3 / 7) / (1 + 3 / 7) == pytest.approx(0.4)
