"""The numbers of lesson 03's exercises on paper, and of its folded answers, computed by the package."""

import math

import pytest
import torch

from rcnn_tutorial.boxes import decode, encode
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import AnchorTargetConfig, Config
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.data import open_photo
from rcnn_tutorial.stages import anchor_target
from rcnn_tutorial.stages.anchor_target import AnchorTargets, assign_anchors, box_weights, sample_labels
from rcnn_tutorial.stages.anchors import generate_anchors, inside_image
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.rpn import RPNOutputs
from rcnn_tutorial.stages.rpn_loss import rpn_loss

ANSWERS = (course_folder() / PAPER / "03_rpn_loss.md").read_text(encoding="utf-8").partition("## Answers")[2]
LESSON = (course_folder() / "03_rpn_loss.ipynb").read_text(encoding="utf-8")
RULE = AnchorTargetConfig()


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def test_encode():
    anchor = torch.tensor([[200 - 92.0, 152 - 48, 200 + 92, 152 + 48]])
    found = encode(torch.tensor([[177.0, 32, 269, 224]]), anchor)
    assert [round(t, 3) for t in found[0].tolist()] == [0.125, -0.25, -0.693, 0.693]
    assert encode(anchor, anchor).tolist() == [[0, 0, 0, 0]]
    assert says("184 = 0.125", "96 = -0.25", "= -0.693", "= 0.693")


def test_probability_and_decode():
    row = (10 * 50 + 20) * 9 + 3  # shape 3 is 128 x 128
    anchor = generate_anchors(38, 50, 16, Config().anchors)[row][None]
    assert anchor.tolist() == [[328 - 64, 168 - 64, 328 + 64, 168 + 64]]
    box = decode(torch.tensor([[-0.25, 0.5, math.log(1.5), math.log(0.5)]]), anchor)
    outputs = RPNOutputs(torch.tensor([[[-0.5, 1.5]]]), box)
    assert [round(side, 3) for side in box[0].tolist()] == [200, 200, 392, 264]
    assert round(float(outputs.foreground), 3) == 0.881 and says("0.881", "(200, 200) and (392, 264)")


def test_labels(monkeypatch):
    overlaps = [[0.75, 0.72, 0.40, 0.10, 0.29, 0.50, 0.90], [0, 0.10, 0.28, 0.28, 0.05, 0.20, 0]]
    monkeypatch.setattr(anchor_target, "box_iou", lambda *_: torch.tensor(overlaps).T[None])  # (1, 7, 2)
    inside = torch.tensor([[True] * 6 + [False]])
    found = assign_anchors(torch.zeros(7, 4), GroundTruth(torch.zeros(1, 2, 4), torch.ones(1, 2)), inside, RULE)
    assert found.labels.tolist() == [[1, 1, 1, 1, 0, -1, -1]]
    assert found.type_a[0].nonzero().flatten().tolist() == [0, 2, 3]
    assert found.type_b[0].nonzero().flatten().tolist() == [0, 1] and int(found.object_indices[0, 2]) == 0
    assert says("A, B, C and D are 1, E is 0, F and G are -1", "The target of C is object 1")


@pytest.mark.parametrize(
    ("foreground", "background", "rule", "expected", "text"),
    [
        (150, 3000, RULE, (128, 128), "(a) 128 and 128"),
        (10, 3000, RULE, (10, 246), "(b) 10 and 246"),
        (40, 100, RULE, (40, 100), "(c) 40 and 100"),
        (150, 3000, AnchorTargetConfig(batch_size=32, foreground_fraction=0.25), (8, 24), "0.25: 8 and 24"),
        (20, 5000, RULE, (20, 236), ""),  # the quiz
        (54, 5000, RULE, (54, 202), ""),  # your data
    ],
)
def test_sampling(foreground, background, rule, expected, text):
    labels = torch.tensor([[1] * foreground + [0] * background])
    drawn = sample_labels(labels, torch.rand(labels.shape, generator=torch.Generator().manual_seed(0)), rule)
    assert (int((drawn == 1).sum()), int((drawn == 0).sum())) == expected and says(text)


def test_the_loss():
    labels = torch.tensor([[1, 0, 0, -1]])
    scores = torch.tensor([[[0, math.log(3)], [math.log(4), 0], [0, 0], [0, 2]]])
    differences = torch.tensor([[[0.1, -0.05, 1, 0], [0.5, 0, 0, 0], [2, 2, 0, 0], [1, 1, 1, 1]]], requires_grad=True)
    targets = AnchorTargets(labels, torch.zeros(1, 4, 4), box_weights(labels, RULE.positive_weight), assignment=None)
    loss = rpn_loss(RPNOutputs(scores, differences), targets)
    (slopes,) = torch.autograd.grad(loss.box_loss, differences)
    assert [round(float(part.detach()), 3) for part in loss] == [0.401, 0.334]
    assert float(slopes[0, 0, 2]) == pytest.approx(1 / 3)
    assert says("Together 1.204", "sampled anchors 0.401", "Together 1.0007", "it is 0.334", "divided by 3: 1/3")


def test_the_missing_boxes_of_your_data():
    drawn = round(202 / 5000, 2)
    assert drawn == 0.04 and round(6 * drawn, 2) == 0.24
    assert round(54 / 54.24, 3) == 0.996 and "54 / 54.24 = 0.996" in LESSON and "54 / 60 = 0.9" in LESSON


def test_what_the_folds_say_of_corners_that_count_pixels():
    reference, goal = torch.tensor([100.0, 100, 300, 200]), torch.tensor([120.0, 110, 280, 250])
    one = torch.tensor([0.0, 0, 1, 1])
    found = [encode(goal / by + one, reference / by + one)[1] for by in (1, 16)]
    assert [f"{float(t):.4f}" for t in found] == ["0.2970", "0.2586"] and "is 0.2970 there, and 0.2586" in LESSON


def test_what_the_folds_say_of_small_boxes_in_a_corner_and_of_sigma():
    grid, corner = generate_anchors(38, 50, 16, Config().anchors), torch.tensor([[[0.0, 0, 8, 8]]])
    inside = inside_image(grid, torch.tensor([[600, 800]]))
    found = assign_anchors(grid, GroundTruth(corner, torch.ones(1, 1)), inside, RULE)
    assert not (found.labels == 1).any()

    image, target = open_photo("scene")
    with torch.no_grad():
        trace = load_model("voc").trace([image], [target], torch.Generator().manual_seed(0))
    errors = (trace.rpn.coefficients - trace.anchor_targets.coefficients)[trace.anchor_targets.labels == 1].abs()
    shares = [float((errors < 1 / sigma**2).float().mean()) for sigma in (3, 1)]
    assert 0.5 < shares[0] < 0.65 and shares[1] > 0.95
