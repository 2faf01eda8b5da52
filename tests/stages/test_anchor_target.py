"""Anchor labels, targets and weights against the reference's, with its defects."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rcnn_tutorial.config import AnchorConfig, AnchorTargetConfig
from rcnn_tutorial.stages.anchor_target import (
    BACKGROUND,
    DONT_CARE,
    FOREGROUND,
    anchor_target_layer,
    assign_anchors,
    box_weights,
    sample_labels,
)
from rcnn_tutorial.stages.anchors import generate_anchors, inside_image
from rcnn_tutorial.stages.preprocessing import GroundTruth

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "04_anchor_target_layer.npz")
UNTOUCHED = "tiny_gt_corner_zero_overlap"  # the reference's flood of positives, which we do not repeat
CASES = sorted({name.split("__")[0] for name in GOLDEN.files} - {UNTOUCHED, "error_cases"})
EVERYTHING = AnchorTargetConfig(batch_size=10**8)  # samples nothing away


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


def labels_of(name: str) -> torch.Tensor:
    """Golden labels (1, 1, A * H, W) as (1, N) in the anchors' order."""
    labels, rows = figure(name)[0, 0], len(figure(f"{name.split('__')[0]}__nosample_targets")[0])
    return labels.unflatten(0, (-1, rows)).permute(1, 2, 0).reshape(1, -1).long()


def objects(boxes: torch.Tensor) -> GroundTruth:
    """Inclusive boxes with their class (G, 5) as the only image of a batch."""
    return GroundTruth((boxes[:, :4] + torch.tensor([0, 0, 1, 1]))[None], boxes[None, :, 4].long())


def golden_inputs(case: str, scales=(8, 16, 32)) -> tuple[torch.Tensor, GroundTruth, torch.Tensor]:
    """The case's anchors, objects and image size (1, 2)."""
    anchors = generate_anchors(*figure(f"{case}__feat_hw").tolist(), 16, AnchorConfig(scales=scales))
    return anchors, objects(figure(f"{case}__gt")), figure(f"{case}__im_hw")[None]


def assign(case: str, config: AnchorTargetConfig = EVERYTHING, **options):
    anchors, truth, sizes = golden_inputs(case, **options)
    return assign_anchors(anchors, truth, inside_image(anchors, sizes), config)


def tally(labels: torch.Tensor) -> list[int]:
    return [int((labels == label).sum()) for label in (FOREGROUND, BACKGROUND)]


def last_first(labels: torch.Tensor) -> torch.Tensor:
    """Keys under which the first candidates are the first to go, as in the figures named `firstk`."""
    return torch.arange(labels.shape[1])[None] / labels.shape[1]


@pytest.mark.parametrize("case", CASES)
def test_assignment_of_the_reference(case):
    found = assign(case)
    inside = figure(f"{case}__inds_inside")
    assert torch.equal(found.labels, labels_of(f"{case}__nosample_labels"))
    assert torch.equal(found.object_indices[0, inside], figure(f"{case}__argmax_overlaps"))
    overlaps = figure(f"{case}__max_overlaps").float()
    torch.testing.assert_close(found.max_overlaps[0, inside], overlaps, rtol=0, atol=1e-6)
    best = figure(f"{case}__gt_max_overlaps").max().float()
    torch.testing.assert_close(found.max_overlaps.max(), best, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", [*CASES, UNTOUCHED])
def test_targets_of_the_reference(case):
    found = anchor_target_layer(*golden_inputs(case), EVERYTHING)
    inside = figure(f"{case}__inds_inside")
    expected = figure(f"{case}__nosample_targets").reshape(-1, 4)
    torch.testing.assert_close(found.coefficients[0, inside], expected[inside], rtol=0, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_weights_of_the_reference(case):
    weights = box_weights(labels_of(f"{case}__nosample_labels"), positive_weight=-1.0)
    expected = figure(f"{case}__nosample_inside_w") * figure(f"{case}__nosample_outside_w")
    torch.testing.assert_close(weights[0, :, None].expand(-1, 4), expected.reshape(-1, 4))


@pytest.mark.parametrize("case", CASES)
def test_sample_of_the_reference_for_the_same_choice(case):
    labels = assign(case).labels
    sampled = sample_labels(labels, last_first(labels), AnchorTargetConfig())
    assert torch.equal(sampled, labels_of(f"{case}__firstk_labels"))
    inside_weights = (sampled == FOREGROUND)[0, :, None]
    expected = figure(f"{case}__firstk_outside_w").reshape(-1, 4) * inside_weights
    torch.testing.assert_close(box_weights(sampled, -1.0)[0, :, None].expand(-1, 4), expected)


@pytest.mark.parametrize("case", CASES)
def test_counts_of_the_reference_for_a_random_choice(case):
    found = anchor_target_layer(*golden_inputs(case), AnchorTargetConfig(), torch.Generator().manual_seed(3))
    assert tally(found.labels) == tally(labels_of(f"{case}__seed3_labels"))
    chosen = found.labels != DONT_CARE
    assert torch.equal(found.labels[chosen], found.assignment.labels[chosen])


@pytest.mark.parametrize("case", ["normal3", "no_anchor_above_0.7"])
def test_clobbered_labels_of_the_reference(case):
    found = assign(case, AnchorTargetConfig(clobber_positives=True))
    assert torch.equal(found.labels, labels_of(f"{case}__clobber_nosample_labels"))


def test_positive_weight_of_the_reference():
    labels = labels_of("normal3__nosample_labels")
    weights = figure("normal3__posweight0.5_nosample_outside_w") * figure("normal3__nosample_inside_w")
    torch.testing.assert_close(box_weights(labels, 0.5)[0, :, None].expand(-1, 4), weights.reshape(-1, 4))


def test_twelve_anchors_of_the_reference():
    found = assign("normal3", scales=(4, 8, 16, 32))
    assert torch.equal(found.labels, labels_of("normal3__coco12_nosample_labels"))
    inputs = golden_inputs("normal3", scales=(4, 8, 16, 32))
    targets, weights = (figure(f"normal3__coco12_nosample_{name}").reshape(-1, 4) for name in ("targets", "outside_w"))
    layer = anchor_target_layer(*inputs, EVERYTHING)
    foreground = found.labels[0] == FOREGROUND
    torch.testing.assert_close(layer.coefficients[0, foreground], targets[foreground], rtol=0, atol=1e-4)
    torch.testing.assert_close(layer.box_weights[0, foreground], weights[foreground, 0])
    assert torch.equal(figure("normal3__coco12_nosample_inside_w").reshape(-1, 4)[:, 0], foreground.float())


def test_reference_defect_an_untouched_object_turns_every_anchor_into_foreground():
    assert tally(labels_of(f"{UNTOUCHED}__nosample_labels")) == [5944, 0]
    overlaps, touched = figure(f"{UNTOUCHED}__max_overlaps"), figure(f"{UNTOUCHED}__gt_max_overlaps")[1]
    expected = torch.full_like(overlaps, DONT_CARE).long()
    expected[overlaps < 0.3] = BACKGROUND
    expected[overlaps == touched] = FOREGROUND  # nothing reaches 0.7: the other object's best anchors alone
    found = assign(UNTOUCHED)
    assert torch.equal(found.labels[0, figure(f"{UNTOUCHED}__inds_inside")], expected)
    assert tally(found.labels)[0] == 16


def test_reference_defect_no_anchor_fits_into_a_small_image():
    assert "no_inside_anchor_64x64: ValueError" in str(GOLDEN["error_cases"][0])
    anchors = generate_anchors(4, 4, 16, AnchorConfig())
    truth = objects(torch.tensor([[10.0, 10.0, 40.0, 40.0, 1.0]]))
    found = anchor_target_layer(anchors, truth, torch.tensor([[64, 64]]), AnchorTargetConfig())
    assert (found.labels == DONT_CARE).all() and not found.box_weights.any()


def test_reference_defect_an_image_without_objects_is_an_error():
    assert "no_gt: ValueError" in str(GOLDEN["error_cases"][1])
    anchors, _, sizes = golden_inputs("normal3")
    nothing = GroundTruth(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.long))
    found = anchor_target_layer(anchors, nothing, sizes, AnchorTargetConfig())
    assert tally(found.assignment.labels) == [0, 5944] and tally(found.labels) == [0, 256]
    assert not found.assignment.max_overlaps.any() and not found.box_weights.any()


@pytest.mark.parametrize("batch_size, fraction, counts", [(100, 0.1, [10, 90]), (100, 0.5, [26, 74]), (7, 0.5, [3, 4])])
def test_sizes_of_the_sample(batch_size, fraction, counts):
    config = AnchorTargetConfig(batch_size=batch_size, foreground_fraction=fraction)
    assert tally(anchor_target_layer(*golden_inputs("normal3"), config).labels) == counts


def test_another_seed_samples_other_anchors():
    def sample(seed):
        generator = torch.Generator().manual_seed(seed)
        return anchor_target_layer(*golden_inputs("many_gts60"), AnchorTargetConfig(), generator).labels

    assert torch.equal(sample(1), sample(1)) and not torch.equal(sample(1), sample(2))


def test_a_batch_is_its_single_images():
    """Objects of one image say nothing to another, and padded rows are no objects."""
    cases = ["normal3", "tiny_gt", "single_gt_exact_anchor"]  # 3, 2 and 1 objects
    inputs = [golden_inputs(case) for case in cases]
    pad = max(truth.labels.shape[1] for _, truth, _ in inputs)
    padded = [torch.nn.functional.pad(truth.boxes, (0, 0, 0, pad - truth.boxes.shape[1])) for _, truth, _ in inputs]
    labels = [torch.nn.functional.pad(truth.labels, (0, pad - truth.labels.shape[1])) for _, truth, _ in inputs]
    truth = GroundTruth(torch.cat(padded), torch.cat(labels))
    sizes = torch.cat([size for *_, size in inputs])
    together = anchor_target_layer(inputs[0][0], truth, sizes, EVERYTHING)
    alone = [anchor_target_layer(*single, EVERYTHING) for single in inputs]
    assert torch.equal(together.labels, torch.cat([one.labels for one in alone]))
    assert torch.equal(together.coefficients, torch.cat([one.coefficients for one in alone]))
    assert torch.equal(together.box_weights, torch.cat([one.box_weights for one in alone]))


def test_thresholds_themselves_count_as_foreground_and_as_dont_care():
    anchors = torch.tensor(
        [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 7.0], [0.0, 0.0, 10.0, 3.0], [0.0, 0.0, 10.0, 2.9]]
    )
    truth = GroundTruth(anchors[None, :1], torch.ones(1, 1).long())  # IoU 1, 0.7, 0.3, 0.29
    config = AnchorTargetConfig(positive_overlap=float(torch.tensor(0.7)), negative_overlap=float(torch.tensor(0.3)))
    found = assign_anchors(anchors, truth, torch.ones(1, 4).bool(), config)
    assert found.labels.tolist() == [[FOREGROUND, FOREGROUND, DONT_CARE, BACKGROUND]]
    assert found.type_a.tolist() == [[True, False, False, False]]
    assert found.type_b.tolist() == [[True, True, False, False]]
