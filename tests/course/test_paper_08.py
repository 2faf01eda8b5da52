"""The numbers in the answers to the paper exercises of 08, computed by the package."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.evaluation import proposal_recall
from rcnn_tutorial.stages.classification import RoiOutputs, classification_loss
from rcnn_tutorial.stages.proposal_target import ProposalTargets
from rcnn_tutorial.training import build_optimizers, learning_rate, set_rate

EXERCISES, ANSWERS = (course_folder() / "paper" / "08_training.md").read_text(encoding="utf-8").split("## Answers\n")
OBJECTS = torch.tensor([[0.0, 0, 40, 40], [60, 0, 100, 40], [0, 60, 20, 80]])
PROPOSALS = torch.tensor([[0.0, 0, 40, 30], [10, 0, 50, 40], [60, 0, 100, 80], [0, 60, 30, 90], [60, 0, 100, 40]])


def answer(number: int) -> str:
    """The text of one answer."""
    return ANSWERS.split(f"**{number}.** ")[1].split(f"**{number + 1}.** ")[0]


def bold(number: int) -> list[str]:
    """What is printed in bold in one answer, in its order."""
    return answer(number).split("**")[1::2]


def losses(scores, labels, errors=None):
    """Cross entropy and box loss of one image's ROIs. errors: (S,) of each of a ROI's four coefficients."""
    scores, labels = torch.tensor(scores)[None], torch.tensor(labels)[None]  # (1, S, C + 1), (1, S)
    zeros = torch.zeros(*labels.shape, 4)
    off = zeros if errors is None else zeros + torch.tensor(errors)[None, :, None]
    outputs = RoiOutputs(zeros, None, None, scores, off[:, :, None].expand(-1, -1, scores.shape[2], -1))
    targets = ProposalTargets(zeros, labels, zeros, labels, labels, None)
    return [float(loss) for loss in classification_loss(outputs, targets, sigma=3.0)]


def test_there_are_five_exercises_and_as_many_answers():
    for number in range(1, 6):
        assert f"\n**{number}. " in EXERCISES and f"\n**{number}.** " in ANSWERS


def test_first_losses():
    rpn, _ = losses([[0.0] * 2], [1])
    start, _ = losses([[0.0] * 8], [3])
    later, _ = losses([[0.0, 0, 0, 3, 0, 0, 0, 0]], [3])
    probability = float(torch.tensor(-later).exp())
    assert bold(1) == [f"{value:.3f}" for value in (rpn, start, probability, later)]


def test_rates():
    run = TrainingConfig(schedule="cosine", warmup=0.1, learning_rate=0.008)
    assert bold(2) == [f"{learning_rate(run, step, 400):.5f}" for step in (0, 20, 40, 130, 220)]


def test_one_step():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data[:] = torch.tensor([2.0, -1])
    (sgd,) = build_optimizers(layer, TrainingConfig(optimizer="sgd", weight_decay=0.0))
    sgd.state[layer.weight]["momentum_buffer"] = torch.tensor([[1.0, 0.0]])
    set_rate([sgd], 0.1)
    found = []
    for gradient in ([6.0, 8.0], [0.0, 0.0]):
        layer.weight.grad = torch.tensor([gradient])
        clip_grad_norm_(layer.parameters(), 5)
        found += [layer.weight.grad.clone()] * (not found)
        sgd.step()
        found.append(layer.weight.detach().clone())
    assert bold(3) == [f"({a:.2f}, {b:.2f})" for a, b in (pair[0].tolist() for pair in found)]


def test_proposal_recall():
    overlaps = box_iou(PROPOSALS, OBJECTS).amax(dim=1).tolist()
    target = {"boxes": OBJECTS, "labels": torch.ones(3, dtype=torch.int64)}
    recalls = proposal_recall([PROPOSALS], [target], (1, 2, 3, 5))
    assert bold(4) == [f"{value:.3f}" for value in (*overlaps, *recalls.values())]


def test_a_loss_that_rises():
    known = []
    for foreground, error in ((4, 0.5), (20, 0.3)):
        labels = [1] * foreground + [0] * (48 - foreground)
        known.append(losses([[0.0, 0.0]] * 48, labels, [error] * 48)[1])
    each = [loss * 48 / foreground for loss, foreground in zip(known, (4, 20), strict=True)]
    assert bold(5) == [f"{value:.3f}" for value in (*each, *known)] + [f"{known[1] / known[0]:.2f}"]
