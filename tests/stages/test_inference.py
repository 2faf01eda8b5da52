"""Post-processing against the reference's detections, with its missing limits."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rcnn_tutorial.boxes import clip
from rcnn_tutorial.config import InferenceConfig, ProposalTargetConfig
from rcnn_tutorial.stages.classification import RoiOutputs
from rcnn_tutorial.stages.inference import Detections, class_boxes, detect, inference_layer
from rcnn_tutorial.stages.nms import nms
from rcnn_tutorial.stages.preprocessing import Preprocessed

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "12_test_postprocess.npz")
SCALE = float(GOLDEN["im_scale"])
HEIGHT, WIDTH = GOLDEN["im_shape"][:2].tolist()
FIGURES = [("thr0_nms0p3_max100", 0.0, 100), ("thr0_nms0p3_max20", 0.0, 20), ("thr0p05_nms0p3_max100", 0.05, 100)]


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


def golden_inputs(limits=(HEIGHT, WIDTH)) -> tuple[RoiOutputs, Preprocessed]:
    """The case's ROIs, in scaled pixels, coefficients and logits; boxes are clipped to `limits`."""
    # The reference divides by the scale first and then reads the corners as inclusive, original pixels.
    rois = figure("rois")[None, :, 1:] + torch.tensor([0, 0, SCALE, SCALE])
    outputs = RoiOutputs(rois, None, None, figure("cls_prob")[None].log(), figure("bbox_pred_raw").reshape(1, 80, 5, 4))
    return outputs, Preprocessed([], None, torch.tensor([limits]), torch.tensor([SCALE]))


def by_class(found: Detections) -> torch.Tensor:
    """Detections as the reference lists them: rows (class, x1, y1, x2, y2, score), class by class, best first."""
    rows = torch.cat([found.labels[:, None], found.boxes, found.scores[:, None]], dim=1)
    return rows[torch.argsort(found.labels, stable=True)]


def test_boxes_of_the_reference_where_they_lie_inside_the_image():
    expected = figure("pred_boxes").reshape(80, 5, 4)
    found = class_boxes(*golden_inputs(), ProposalTargetConfig())[0]
    inside = (clip(expected, torch.tensor([HEIGHT, WIDTH])) == expected).all(dim=2)
    assert inside.float().mean() > 0.5
    torch.testing.assert_close(found[inside], expected[inside], rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(found, clip(expected, torch.tensor([HEIGHT, WIDTH])), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name, threshold, most", FIGURES)
def test_detections_of_the_reference_from_its_boxes(name, threshold, most):
    boxes = figure("pred_boxes_clipped").reshape(80, 5, 4)
    found = detect(boxes, figure("cls_prob"), InferenceConfig(threshold, 0.3, most))
    torch.testing.assert_close(by_class(found), figure(f"dets_{name}"), rtol=0, atol=1e-4)
    assert torch.equal(found.boxes, boxes[found.roi_indices, found.labels])
    assert torch.equal(found.scores, figure("cls_prob")[found.roi_indices, found.labels])
    assert (found.scores.diff() <= 0).all()


@pytest.mark.parametrize("name, threshold, most", FIGURES)
def test_detections_of_the_reference_from_the_network_s_outputs(name, threshold, most):
    inputs = golden_inputs((HEIGHT - 1, WIDTH - 1))  # the reference clips to the last pixel's index
    config = InferenceConfig(threshold, 0.3, most)
    (found,) = inference_layer(inputs[0], torch.ones(1, 80).bool(), inputs[1], config, ProposalTargetConfig())
    torch.testing.assert_close(by_class(found), figure(f"dets_{name}"), rtol=1e-5, atol=1e-3)


def test_coefficients_are_denormalized_as_in_the_reference():
    raw, expected = figure("bbox_pred_raw").reshape(80, 5, 4), figure("bbox_pred_unnorm").reshape(80, 5, 4)
    torch.testing.assert_close(raw * torch.tensor(ProposalTargetConfig().target_stds), expected, rtol=1e-5, atol=1e-6)


def test_reference_defect_it_limits_two_sides_of_every_box_only():
    """Its x1, y1 have no upper and its x2, y2 no lower limit: a box beside the image turns inside out."""
    outputs, preprocessed = golden_inputs()
    aside = torch.zeros(1, 80, 5, 4)
    aside[..., 0] = 100.0  # moves every box ten of its widths to the right
    found = class_boxes(outputs._replace(coefficients=aside), preprocessed, ProposalTargetConfig())
    assert (found[..., 0] <= found[..., 2]).all() and found[..., [0, 2]].max() <= WIDTH
    centers = (outputs.rois[..., 0] + outputs.rois[..., 2]) / 2 / SCALE
    widths = (outputs.rois[..., 2] - outputs.rois[..., 0]) / SCALE
    reference_x1 = (centers + 10 * widths - widths / 2).clamp(min=0)  # as its _clip_boxes leaves it
    assert (reference_x1 > WIDTH - 1).any()


def test_suppression_is_within_a_class_only():
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0]])[:, None].expand(2, 3, 4)
    probabilities = torch.tensor([[0.0, 0.9, 0.1], [0.0, 0.6, 0.4]])
    found = detect(boxes, probabilities, InferenceConfig())
    assert found.labels.tolist() == [1, 2] and found.roi_indices.tolist() == [0, 1]
    torch.testing.assert_close(found.scores, torch.tensor([0.9, 0.4]))


def test_every_class_is_suppressed_as_by_the_written_out_version():
    torch.manual_seed(0)
    corner = torch.rand(40, 4, 2) * 60
    boxes = torch.cat([corner, corner + 20 + 20 * torch.rand(40, 4, 2)], dim=2)
    probabilities = torch.rand(40, 4).softmax(dim=1)
    found = detect(boxes, probabilities, InferenceConfig(0.2, 0.3, 1000))
    for label in (1, 2, 3):
        above = (probabilities[:, label] > 0.2).nonzero().flatten()
        expected = above[nms(boxes[above, label], probabilities[above, label], 0.3)]
        assert torch.equal(found.roi_indices[found.labels == label], expected)


def test_a_score_at_the_threshold_is_not_above_it():
    boxes, probabilities = torch.zeros(1, 2, 4), torch.tensor([[0.5, 0.5]])
    assert len(detect(boxes, probabilities, InferenceConfig(score_threshold=0.5)).scores) == 0
    assert len(detect(boxes, probabilities, InferenceConfig(score_threshold=0.49)).scores) == 1


def test_padded_rois_are_no_detections():
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [50.0, 50.0, 60.0, 60.0]])[:, None].expand(2, 2, 4)
    probabilities = torch.tensor([[0.5, 0.5], [0.1, 0.9]])
    found = detect(boxes, probabilities, InferenceConfig(), valid=torch.tensor([True, False]))
    assert found.roi_indices.tolist() == [0]


def test_an_image_where_nothing_is_found():
    found = detect(torch.zeros(3, 2, 4), torch.zeros(3, 2), InferenceConfig())
    assert found.boxes.shape == (0, 4) and found.labels.shape == found.scores.shape == (0,)
