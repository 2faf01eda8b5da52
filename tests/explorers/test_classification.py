"""The classification explorer: the blue box, the loss in words, no targets."""

import dataclasses
import itertools

import pytest
import torch

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou, encode
from rcnn_tutorial.config import BackboneConfig, Config, PreprocessingConfig
from rcnn_tutorial.explorers.bars import SHORTEST, bars
from rcnn_tutorial.explorers.classification import (
    LIKELIEST,
    MOST_OF_A_CLASS,
    ClassificationExplorer,
    _probability_bars,
)
from rcnn_tutorial.model import build_model
from rcnn_tutorial.scene import Boxes
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


def texts_of(explorer):
    """The bars' texts."""
    return [text for layer in explorer.canvases[1].layers for text in getattr(layer, "labels", ()) if text]


def rows_of(explorer, foreground):
    return [row for row in explorer.names if (explorer.labels[row] > 0) == foreground]


def test_every_class_can_be_chosen_and_gets_the_blue_box(explorer, model):
    for label, name in enumerate(model.classes, start=1):
        explorer.class_name.value = name
        boxes = class_boxes(explorer.trace.proposed, explorer.trace.preprocessed, model.config.proposal_targets)
        assert torch.allclose(blue_box(explorer), boxes[0, explorer.roi.value, label])
        assert explorer.summary.startswith(f"Blue: {name}, probability ")
    explorer.class_name.value = LIKELIEST


def test_it_starts_where_the_class_s_box_fits_its_object_best(explorer, model):
    boxes = class_boxes(explorer.trace.proposed, explorer.trace.preprocessed, model.config.proposal_targets)[0, :, 2]
    fits = box_iou(boxes, TARGET["boxes"])[:, 0]
    assert explorer.roi.value == max(torch.nonzero(explorer.labels).flatten().tolist(), key=lambda row: fits[row])


def test_rois_are_listed_by_class_the_surest_first(explorer):
    probabilities = explorer.trace.proposed.probabilities[0]
    classes = [int(probabilities[row].argmax()) for row in explorer.names]
    surest = [float(probabilities[row].max()) for row in explorer.names]
    runs = [list(run) for _, run in itertools.groupby(range(len(classes)), key=lambda i: classes[i])]
    assert len(runs) == len(set(classes)) and all(label for label in classes[: len(classes) - len(runs[-1])])
    for run in runs:
        assert len(run) <= MOST_OF_A_CLASS + 1
        assert [surest[i] for i in run] == sorted((surest[i] for i in run), reverse=True)
        assert [explorer.roi.options[i][0].split()[1] for i in run] == [str(n) for n in range(1, len(run) + 1)]


def test_the_weight_multiplies_the_box_loss_and_nothing_else(explorer):
    explorer.set(roi=rows_of(explorer, True)[0], box_weight=0.0)
    assert "target dog. Loss" in explorer.summary and "+ 0.00 ×" in explorer.summary
    explorer.box_weight.value = 2.0
    entropy, rest = explorer.summary.split("Loss ")[1].split(". IoU")[0].split(" + 2.00 × ")
    distance, result = rest.split(" = ")
    assert float(result) == pytest.approx(float(entropy) + 2 * float(distance), abs=2e-3)
    bar = next(text for text in texts_of(explorer) if text.startswith("box loss"))
    assert float(bar.split()[-1]) == pytest.approx(2 * float(distance), abs=2e-3)
    explorer.set(**explorer._first)


def test_a_background_proposal_has_no_box_loss(explorer):
    explorer.roi.value = rows_of(explorer, False)[0]
    assert "target background. Class loss" in explorer.summary and explorer.summary.endswith("no box loss.")
    assert explorer.box_weight.disabled and not any("box loss" in text for text in texts_of(explorer))
    explorer.set(**explorer._first)
    assert not explorer.box_weight.disabled


def test_another_standard_deviation_moves_the_boxes_further_and_says_so(explorer):
    before = blue_box(explorer).clone()
    explorer.target_std.value = 0.2
    assert "2.00 times as far" in explorer.summary
    assert not torch.allclose(before, blue_box(explorer))
    explorer.target_std.value = 0.1
    assert "times as far" not in explorer.summary


def test_the_loss_keeps_its_unit_at_another_standard_deviation(explorer, model):
    """A box that moves twice as far is compared with the same target: no std makes a loss small by its unit alone."""
    row = rows_of(explorer, True)[0]
    roi, config = explorer.trace.proposed.rois[0, row], model.config.proposal_targets
    wanted = normalize_coefficients(encode(explorer.matched[row], roi), config)
    predicted = explorer.trace.proposed.coefficients[0, row, int(explorer.labels[row])]
    for factor in (0.5, 1, 2):
        explorer.set(roi=row, target_std=factor * config.target_stds[0])
        loss = float(smooth_l1(factor * predicted - wanted, model.config.classification.sigma).sum())
        assert f"+ 1.00 × {loss:.3f} =" in explorer.summary
    explorer.set(**explorer._first)


def test_small_probabilities_have_no_bar_but_a_sum(explorer):
    probabilities = torch.tensor([0.9, 0.05, 0.03, 0.004, 0.006, 0.01])
    rows = _probability_bars(probabilities, 3, tuple("abcdef"))
    assert [bar.text for bar in rows] == ["a 0.900", "b 0.050", "c 0.030", "d 0.004", "2 others 0.016"]
    boxes = torch.cat([layer.boxes for layer in bars(rows, 40.0) if isinstance(layer, Boxes)])
    assert len(boxes) == 3 and float((boxes[:, 2] - boxes[:, 0]).min()) >= SHORTEST


def test_presets_show_what_the_questions_ask_for(explorer, press):
    assert list(explorer.presets) == ["Std doubled", "Std halved", "Background"]
    press(explorer, "Std doubled")
    assert explorer.target_std.value == 0.2 and len(explorer.summary) <= 150
    press(explorer, "Background")
    assert explorer.labels[explorer.roi.value] == 0 and explorer.target_std.value == 0.1
    explorer.set(**explorer._first)


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
    assert ("Without targets" if targets is None else "target background") in explorer.summary
    assert explorer.box_weight.disabled
    explorer.roi.value = list(explorer.names)[-1]
    explorer.figure()


def test_without_any_proposal_there_is_a_sentence(model):
    explorer = explore(model)
    proposals = explorer.trace.proposals._replace(valid=torch.zeros_like(explorer.trace.proposals.valid))
    nothing = dataclasses.replace(explorer.trace, proposals=proposals)
    for trace in (nothing, dataclasses.replace(nothing, ground_truth=None)):
        assert "proposes no region" in ClassificationExplorer(IMAGE, trace, model.config).summary
