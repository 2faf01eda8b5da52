"""The classification explorer: the blue box, the loss in words, no targets."""

import dataclasses

import pytest
import torch

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import encode
from rcnn_tutorial.config import BackboneConfig, Config, PreprocessingConfig
from rcnn_tutorial.explorers.classification import LIKELIEST, ClassificationExplorer
from rcnn_tutorial.model import build_model
from rcnn_tutorial.stages.classification import classification_loss
from rcnn_tutorial.stages.inference import class_boxes
from rcnn_tutorial.stages.proposal_target import normalize_coefficients
from rcnn_tutorial.stages.rpn_loss import smooth_l1

IMAGE = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))
TARGET = {"boxes": torch.tensor([[20.0, 15, 70, 80]]), "labels": torch.tensor([2])}
NOTHING = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = Config(
        classes=("cat", "dog", "bird"),
        preprocessing=PreprocessingConfig(target_size=96, max_size=128),
        backbone=BackboneConfig(name="small"),
    )
    return build_model(config).eval()


@torch.no_grad()
def explore(model, targets=None, image=IMAGE):
    trace = model.trace([image], targets, torch.Generator().manual_seed(0))
    return ClassificationExplorer(image, trace, model.config)


@pytest.fixture(scope="module")
def explorer(model):
    return explore(model, [TARGET])


def blue_box(explorer):
    (layer,) = (layer for layer in explorer.canvas.layers if layer.role == roles.CHOSEN)
    return layer.boxes[0]


def test_every_class_can_be_chosen_and_gets_the_blue_box(explorer, model):
    for label, name in enumerate(model.classes, start=1):
        explorer.class_name.value = name
        boxes = class_boxes(explorer.trace.proposed, explorer.trace.preprocessed, model.config.proposal_targets)
        row = explorer.order[explorer.roi.value]
        assert torch.allclose(blue_box(explorer), boxes[0, row, label])
        assert f": {name} with probability" in explorer.summary
    explorer.class_name.value = LIKELIEST


def test_proposals_come_in_the_order_of_their_certainty(explorer):
    certainty = explorer.trace.proposed.probabilities[0, :, 1:].amax(dim=1)[explorer.order]
    assert torch.equal(certainty, certainty.sort(descending=True).values)
    assert len(explorer.order) == int(explorer.trace.proposals.valid.sum())


def test_the_weight_multiplies_the_box_loss_and_nothing_else(explorer):
    foreground = next(k for k, row in enumerate(explorer.order.tolist()) if explorer.labels[row] > 0)
    explorer.set(roi=foreground, box_weight=0.0)
    assert "Its target is dog: class loss" in explorer.summary and "+ 0.00 ×" in explorer.summary
    explorer.box_weight.value = 2.0
    total = explorer.summary.split("total ")[1].split(". IoU")[0]
    entropy, rest = total.split(" + 2.00 × ")
    distance, result = rest.split(" = ")
    assert float(result) == pytest.approx(float(entropy) + 2 * float(distance), abs=2e-3)
    explorer.set(roi=0, box_weight=1.0)


def test_a_background_proposal_has_no_box_loss(explorer):
    background = next(k for k, row in enumerate(explorer.order.tolist()) if explorer.labels[row] == 0)
    explorer.roi.value = background
    assert "Its target is background" in explorer.summary and "× 0.000 =" in explorer.summary
    explorer.roi.value = 0


def test_another_standard_deviation_moves_the_boxes_further_and_says_so(explorer):
    before = blue_box(explorer).clone()
    explorer.target_std.value = 0.2
    assert "2.00 times as far" in explorer.summary
    assert not torch.allclose(before, blue_box(explorer))
    explorer.target_std.value = 0.1
    assert "times as far" not in explorer.summary


def test_the_loss_keeps_its_unit_at_another_standard_deviation(explorer, model):
    """A box that moves twice as far is compared with the same target: no std makes a loss small by its unit alone."""
    foreground = next(k for k, row in enumerate(explorer.order.tolist()) if explorer.labels[row] > 0)
    row = int(explorer.order[foreground])
    roi, config = explorer.trace.proposed.rois[0, row], model.config.proposal_targets
    wanted = normalize_coefficients(encode(explorer.matched[row], roi), config)
    predicted = explorer.trace.proposed.coefficients[0, row, int(explorer.labels[row])]
    for factor in (0.5, 1, 2):
        explorer.set(roi=foreground, target_std=factor * config.target_stds[0])
        loss = float(smooth_l1(factor * predicted - wanted, model.config.classification.sigma).sum())
        assert f"box loss {loss:.3f};" in explorer.summary
    explorer.set(roi=0, target_std=config.target_stds[0])


def test_the_mean_of_the_single_losses_is_the_loss_of_the_stage(explorer, model):
    sampled, targets = explorer.trace.sampled, explorer.trace.proposal_targets
    each = []
    for row in range(sampled.rois.shape[1]):
        one = sampled._replace(scores=sampled.scores[:, [row]], coefficients=sampled.coefficients[:, [row]])
        alone = targets._replace(labels=targets.labels[:, [row]], coefficients=targets.coefficients[:, [row]])
        each.append(torch.stack(classification_loss(one, alone)))
    torch.testing.assert_close(torch.stack(each).mean(dim=0), torch.stack(classification_loss(sampled, targets)))


@pytest.mark.parametrize("targets", [None, [NOTHING]])
def test_without_objects_there_is_a_sentence(model, targets):
    explorer = explore(model, targets)
    assert ("Without targets" if targets is None else "Its target is background") in explorer.summary
    explorer.roi.value = explorer.roi.max
    explorer.figure()


def test_without_any_proposal_there_is_a_sentence(model):
    explorer = explore(model)
    proposals = explorer.trace.proposals._replace(valid=torch.zeros_like(explorer.trace.proposals.valid))
    nothing = dataclasses.replace(explorer.trace, proposals=proposals)
    assert "proposes no region" in ClassificationExplorer(IMAGE, nothing, model.config).summary
