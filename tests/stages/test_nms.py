"""Suppression written out, against torchvision's operator and the reference's three variants."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given

from rcnn_tutorial.stages.nms import bottom_y, nms, nms_steps

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "06_nms.npz")
CONTINUOUS = torch.tensor([0, 0, 1, 1])
PAIR = torch.tensor([[100.0, 100.0, 200.0, 200.0], [110.0, 115.0, 210.0, 215.0]])  # IoU 0.6194


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


@st.composite
def scenes(draw):
    """Boxes (N, 4) on a coarse grid, so that overlaps and ties are frequent, and distinct scores (N,)."""
    side, corner = st.integers(1, 8), st.integers(0, 8)
    rows = draw(st.lists(st.tuples(corner, corner, side, side), max_size=8))
    boxes = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in rows], dtype=torch.float).reshape(-1, 4)
    scores = torch.tensor(draw(st.permutations(range(len(rows)))), dtype=torch.float)
    return boxes, scores


@pytest.mark.parametrize("threshold", ["0.3", "0.5", "0.7"])
def test_kept_boxes_of_the_reference(threshold):
    boxes, scores = figure("boxes"), figure("scores")
    assert torch.equal(nms(boxes, scores, float(threshold)), figure(f"tv_keep_{threshold}"))
    continuous = nms(boxes + CONTINUOUS, scores, float(threshold))
    assert torch.equal(continuous, figure(f"plus1_gt_keep_{threshold}"))
    assert torch.equal(continuous, figure(f"plus1_ge_keep_{threshold}"))


@pytest.mark.parametrize("name, threshold", [("0.3333333", 1 / 3), ("0.5000000", 0.5)])
def test_kept_boxes_of_the_reference_at_an_overlap_equal_to_the_threshold(name, threshold):
    boxes, scores = figure("exact_boxes"), figure("exact_scores")
    assert torch.equal(nms(boxes, scores, threshold), figure(f"exact_tv_{name}"))
    assert torch.equal(nms(boxes + CONTINUOUS, scores, threshold), figure(f"exact_plus1_gt_{name}"))


def test_only_an_overlap_above_the_threshold_suppresses():
    boxes = torch.tensor([[0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 1.0, 1.0]])  # IoU exactly 0.5
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0, 1]
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.49).tolist() == [0]


@given(scenes(), st.sampled_from([0.0, 0.21, 0.47, 0.71, 1.0]))
def test_same_as_torchvision_s(scene, threshold):
    assert torch.equal(nms(*scene, threshold), torchvision.ops.nms(*scene, threshold))


@given(scenes(), st.sampled_from([0.0, 0.21, 0.47, 0.71, 1.0]))
def test_suppressing_again_changes_nothing(scene, threshold):
    boxes, scores = scene
    kept = nms(boxes, scores, threshold)
    assert torch.equal(nms(boxes[kept], scores[kept], threshold), torch.arange(len(kept)))


@given(scenes())
def test_every_step_accounts_for_every_box(scene):
    boxes, scores = scene
    left = set(range(len(boxes)))
    for step in nms_steps(boxes, scores, 0.3):
        gone = {step.kept, *step.suppressed.tolist()}
        assert scores[step.kept] == max(scores[i] for i in left)
        assert gone <= left and set(step.remaining.tolist()) == left - gone
        left -= gone
    assert not left


def test_the_order_decides_which_of_two_boxes_stays():
    scores = torch.tensor([0.9, 0.8])
    assert nms(PAIR, scores, 0.5).tolist() == [0]
    assert nms(PAIR, bottom_y(PAIR), 0.5).tolist() == [1]  # the lower box, though it scores less
    assert nms(PAIR, scores, 0.6195).tolist() == [0, 1]
