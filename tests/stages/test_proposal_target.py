"""Sampled ROIs, labels and targets against the reference's, with its defects."""

import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from rcnn_tutorial.boxes import box_iou, encode
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.proposal import Proposals
from rcnn_tutorial.stages.proposal_target import (
    ProposalTargets,
    append_ground_truth,
    assign_rois,
    denormalize_coefficients,
    expand_to_classes,
    normalize_coefficients,
    proposal_target_layer,
    sample_rois,
)

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "07_proposal_target_layer.npz")
CASES = ("mixed", "only_fg", "only_bg", "few_bg", "fewer_than_batch", "neither_lo0.1")
CONTINUOUS = torch.tensor([0, 0, 1, 1])  # turns a box of inclusive corners into ours
CLASSES = int(GOLDEN["num_classes"])


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


def objects(boxes=GOLDEN["gt"]) -> GroundTruth:
    """Inclusive boxes with their class (G, 5) as the only image of a batch."""
    boxes = torch.tensor(boxes)
    return GroundTruth((boxes[:, :4] + CONTINUOUS)[None], boxes[None, :, 4].long())


def as_proposals(boxes: torch.Tensor, scores: torch.Tensor | None = None) -> Proposals:
    scores = torch.zeros(len(boxes)) if scores is None else scores
    return Proposals(boxes[None], scores[None], torch.arange(len(boxes))[None], torch.ones(1, len(boxes)).bool())


def golden_proposals(case: str) -> Proposals:
    return as_proposals(figure(f"{case}__rois_in")[:, 1:] + CONTINUOUS, figure(f"{case}__scores_in"))


def golden_config(case: str, batch_size: int) -> ProposalTargetConfig:
    low = 0.0 if case == "usegt" else float(GOLDEN[f"{case}__bg_lo"])
    return ProposalTargetConfig(background_low=low, batch_size=batch_size)


def first_first(rows: int) -> torch.Tensor:
    """Keys under which the first candidates are drawn first, as in the figures named `firstk`."""
    return 1 - torch.arange(1, rows + 1)[None] / (rows + 1)


def layer_with_keys(monkeypatch, proposals: Proposals, config: ProposalTargetConfig) -> ProposalTargets:
    monkeypatch.setattr(
        "rcnn_tutorial.stages.proposal_target.random_keys", lambda like, generator: first_first(like.shape[1])
    )
    return proposal_target_layer(proposals, objects(), config)


def assert_is_the_reference_s(found: ProposalTargets, proposals: Proposals, prefix: str):
    assert torch.equal(found.rois[0], figure(f"{prefix}_rois")[:, 1:] + CONTINUOUS)
    assert torch.equal(proposals.scores[0, found.roi_indices[0]], figure(f"{prefix}_roi_scores"))
    assert torch.equal(found.labels[0], figure(f"{prefix}_labels")[:, 0].long())
    targets, mask = expand_to_classes(found, CLASSES)
    torch.testing.assert_close(targets[0], figure(f"{prefix}_bbox_targets"), rtol=1e-5, atol=1e-4)
    assert torch.equal(mask[0], figure(f"{prefix}_inside_w"))
    assert torch.equal(mask[0], figure(f"{prefix}_outside_w"))


@pytest.mark.parametrize("case", CASES)
def test_assignment_of_the_reference(case):
    proposals = golden_proposals(case)
    found = assign_rois(proposals.boxes, proposals.valid, objects(), golden_config(case, 128))
    overlaps = figure(f"{case}__max_overlaps")
    torch.testing.assert_close(found.max_overlaps[0], overlaps, rtol=0, atol=1e-6)
    touched = overlaps > 0
    assert torch.equal(found.object_indices[0][touched], figure(f"{case}__gt_assignment")[touched])
    assert torch.equal(found.foreground[0].nonzero().flatten(), figure(f"{case}__fg_inds"))
    background = figure(f"{case}__bg_inds") if case != "neither_lo0.1" else torch.arange(4)  # then all it has
    assert torch.equal(found.background[0].nonzero().flatten(), background)


@pytest.mark.parametrize("batch_size", [128, 256])
@pytest.mark.parametrize("case", CASES)
def test_sample_of_the_reference_for_the_same_choice(monkeypatch, case, batch_size):
    proposals = golden_proposals(case)
    found = layer_with_keys(monkeypatch, proposals, golden_config(case, batch_size))
    assert_is_the_reference_s(found, proposals, f"{case}__B{batch_size}_firstk")


def test_appended_ground_truth_of_the_reference(monkeypatch):
    proposals = append_ground_truth(golden_proposals("usegt"), objects())
    assert proposals.scores[0, 600:].tolist() == [1, 1, 1] and proposals.anchor_indices[0, 600:].tolist() == [-1] * 3
    found = layer_with_keys(monkeypatch, proposals, golden_config("usegt", 256))
    assert_is_the_reference_s(found, proposals, "usegt__B256_firstk")


def test_appended_ground_truth_is_foreground_of_its_own_class():
    proposals = append_ground_truth(golden_proposals("only_bg"), objects())
    found = proposal_target_layer(proposals, objects(), golden_config("only_bg", 12))
    assert sorted(found.labels[0].tolist(), reverse=True)[:4] == [15, 12, 7, 0]
    assert not found.coefficients[0, :3].any() and (found.roi_indices[0, :3] >= 60).all()


@pytest.mark.parametrize("case", CASES)
def test_counts_of_the_reference_for_a_random_choice(case):
    proposals = golden_proposals(case)
    found = proposal_target_layer(proposals, objects(), golden_config(case, 256), torch.Generator().manual_seed(3))
    expected = figure(f"{case}__B256_seed3_labels")[:, 0]
    assert found.labels.shape == (1, 256)
    assert torch.equal((found.labels[0] > 0).nonzero(), (expected > 0).nonzero())  # foreground first, as many
    assert torch.equal(found.rois[0], proposals.boxes[0, found.roi_indices[0]])


@pytest.mark.parametrize("batch_size", [2, 6, 10, 64, 128, 256, 512])
def test_a_quarter_is_rounded_as_in_the_reference(batch_size):
    proposals = golden_proposals("mixed")  # 200 foreground, 400 background
    found = proposal_target_layer(proposals, objects(), golden_config("mixed", batch_size))
    assert (found.labels > 0).sum() == int(GOLDEN[f"fg_rois_per_image_B{batch_size}"])


@pytest.mark.parametrize("case, fraction", [("mixed", 1.0), ("few_bg", 1.0), ("fewer_than_batch", 1.0)])
def test_reference_defect_its_newest_version_never_samples_background(case, fraction):
    broken = figure(f"{case}__B256_HEADBUG_labels")
    assert (broken > 0).float().mean() == fraction  # on torch >= 1.2, where bool + bool == 2 never holds
    found = proposal_target_layer(golden_proposals(case), objects(), golden_config(case, 256))
    assert (found.labels > 0).sum() == {"mixed": 64, "few_bg": 64, "fewer_than_batch": 3}[case]


def test_reference_defect_its_newest_version_stops_without_foreground():
    assert figure("only_bg__B256_HEADBUG_labels").numel() == 0  # it raised
    found = proposal_target_layer(golden_proposals("only_bg"), objects(), golden_config("only_bg", 256))
    assert not found.labels.any() and found.rois.shape == (1, 256, 4)


def test_an_image_without_objects_has_only_background():
    nothing = GroundTruth(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.long))
    found = proposal_target_layer(golden_proposals("mixed"), nothing, ProposalTargetConfig(background_low=0.1))
    assert not found.labels.any() and found.coefficients.isfinite().all()


def test_rois_between_the_two_thresholds_are_background_when_there_are_no_others_and_never_foreground():
    truth = GroundTruth(torch.tensor([[[0.0, 0.0, 10.0, 10.0]]]), torch.tensor([[7]]))
    config = ProposalTargetConfig(background_low=0.0, background_high=0.3, batch_size=4)
    between = as_proposals(torch.tensor([[0.0, 0.0, 10.0, 4.0]]))  # IoU 0.4
    assert proposal_target_layer(between, truth, config).labels.tolist() == [[0, 0, 0, 0]]
    with_others = as_proposals(torch.tensor([[0.0, 0.0, 10.0, 4.0], [0.0, 0.0, 10.0, 1.0]]))
    assert proposal_target_layer(with_others, truth, config).roi_indices.tolist() == [[1, 1, 1, 1]]


def test_background_is_repeated_and_foreground_is_not():
    found = proposal_target_layer(
        golden_proposals("fewer_than_batch"), objects(), golden_config("fewer_than_batch", 128)
    )
    times = found.roi_indices[0].bincount(minlength=8)
    assert times[:3].tolist() == [1, 1, 1]
    assert times[3:].tolist() == [25] * 5


def test_thresholds_themselves_count_as_foreground_and_as_background():
    boxes = torch.tensor([[0.0, 0.0, 10.0, 5.0], [0.0, 0.0, 10.0, 2.5], [0.0, 0.0, 10.0, 2.4], [0.0, 0.0, 10.0, 4.9]])
    truth = GroundTruth(torch.tensor([[[0.0, 0.0, 10.0, 10.0]]]), torch.tensor([[7]]))
    found = assign_rois(boxes[None], torch.ones(1, 4).bool(), truth, ProposalTargetConfig(background_low=0.25))
    assert found.foreground.tolist() == [[True, False, False, False]]
    assert found.background.tolist() == [[False, True, False, True]]


def test_padded_proposals_are_never_drawn():
    proposals = golden_proposals("mixed")
    valid = torch.zeros(1, 600).bool()
    valid[0, ::7] = True
    found = proposal_target_layer(proposals._replace(valid=valid), objects(), golden_config("mixed", 128))
    assert valid[0, found.roi_indices[0]].all()


def test_targets_are_from_the_roi_to_its_object_in_units_of_the_stds():
    config = golden_config("mixed", 64)
    found = proposal_target_layer(golden_proposals("mixed"), objects(), config)
    foreground = found.labels[0] > 0
    rois, truth = found.rois[0, foreground], objects()
    closest = box_iou(rois, truth.boxes[0]).argmax(dim=1)
    assert torch.equal(truth.labels[0, closest], found.labels[0, foreground])
    expected = encode(truth.boxes[0, closest], rois) / torch.tensor([0.1, 0.1, 0.2, 0.2])
    torch.testing.assert_close(found.coefficients[0, foreground], expected)


def test_expansion_has_four_live_columns_a_foreground_row():
    found = proposal_target_layer(golden_proposals("mixed"), objects(), golden_config("mixed", 64))
    targets, mask = expand_to_classes(found, CLASSES)
    assert targets.shape == mask.shape == (1, 64, 84)
    assert torch.equal(mask.sum(dim=2), 4.0 * (found.labels > 0))
    assert not targets[mask == 0].any()


def test_rois_keep_their_gradient_and_targets_have_none():
    proposals = golden_proposals("mixed")
    found = proposal_target_layer(
        proposals._replace(boxes=proposals.boxes.requires_grad_()), objects(), golden_config("mixed", 64)
    )
    assert found.rois.requires_grad and not found.coefficients.requires_grad


@given(st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=4))
def test_denormalizing_undoes_normalizing(values):
    config = ProposalTargetConfig(target_means=(0.0, 0.1, -0.2, 0.3), target_stds=(0.1, 0.1, 0.2, 0.5))
    coefficients = torch.tensor([values])
    normalized = normalize_coefficients(coefficients, config)
    torch.testing.assert_close(denormalize_coefficients(normalized, config), coefficients, rtol=1e-5, atol=1e-5)
    assert normalized[0, 3].item() == pytest.approx((values[3] - 0.3) / 0.5, rel=1e-4, abs=1e-4)


@given(
    st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(1, 20), st.sampled_from([0.0, 0.25, 0.5, 1.0])
)
def test_a_sample_holds_the_right_share_of_the_right_kinds(foreground, background, neither, size, fraction):
    kinds = torch.tensor([[0] * foreground + [1] * background + [2] * neither + [2]])
    assignment = assign_rois(torch.zeros(1, kinds.shape[1], 4), kinds >= 0, objects(), ProposalTargetConfig())
    assignment = assignment._replace(foreground=kinds == 0, background=kinds == 1)
    config = ProposalTargetConfig(batch_size=size, foreground_fraction=fraction)
    rows, is_foreground = sample_rois(assignment, torch.rand(kinds.shape), config)
    if foreground + background:
        assert torch.equal(kinds[0, rows[0]] == 0, is_foreground[0]) and (kinds[0, rows[0]] != 2).all()
        most = round(size * fraction) if background else size
        assert is_foreground.sum() == (min(foreground, most) if background else size)
        drawn, expected = rows[0, ~is_foreground[0]].unique(), int(size - is_foreground.sum())
        assert len(drawn) == min(background, expected)  # none twice before all were drawn once
        assert len(rows[0, is_foreground[0]].unique()) == min(foreground, int(is_foreground.sum()))
    assert rows.shape == (1, size) and not math.isnan(float(rows.sum()))
