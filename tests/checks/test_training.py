"""The checks of lesson 08: right answers pass, whatever their style."""

import math

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

import rcnn_tutorial.checks.training as check

CHECKS = {name: getattr(check, name) for name in check.__all__}


def rate_by_branches(step, steps, warmup, highest):
    first = round(warmup * steps)
    if step < first:
        return highest * (0.01 + 0.99 * step / first)
    return highest * (1 + math.cos(math.pi * (step - first) / (steps - first))) / 2


def rate_by_table(step, steps, warmup, highest):
    first = round(warmup * steps)
    rise = np.linspace(0.01, 1, first, endpoint=False)
    fall = (1 + np.cos(np.linspace(0, np.pi, steps - first, endpoint=False))) / 2
    return highest * np.concatenate([rise, fall])[step]


def rate_by_half_angle(step, steps, warmup, highest):
    first = round(warmup * steps)
    rise = torch.tensor(highest * (0.01 + 0.99 * step / max(first, 1)))
    fall = highest * torch.cos(torch.tensor(math.pi / 2 * (step - first) / (steps - first))) ** 2
    return torch.where(torch.tensor(step < first), rise, fall)


def recall_by_loop(proposals, objects, count):
    found = 0
    for thing in objects:
        found += any(float(box_iou(thing[None], one[None])) >= 0.5 for one in proposals[:count])
    return found / len(objects)


def recall_by_torch(proposals, objects, count):
    return (box_iou(proposals[:count], objects) >= 0.5).any(dim=0).float().mean()


def recall_by_numpy(proposals, objects, count):
    p, o = proposals[:count].numpy()[:, None], objects.numpy()[None]
    shared = (np.minimum(p[..., 2:], o[..., 2:]) - np.maximum(p[..., :2], o[..., :2])).clip(0).prod(-1)
    areas = (p[..., 2:] - p[..., :2]).prod(-1) + (o[..., 2:] - o[..., :2]).prod(-1)
    return np.mean((shared / (areas - shared)).max(0) >= 0.5)


def learns_by_cases(loss, frozen, detach_rois):
    modules = ["head", "rpn"] if loss.startswith("rpn") else ["head", "tail", "classification"]
    if not loss.startswith("rpn") and not detach_rois:
        modules.insert(1, "rpn")
    return [name for name in modules if name not in frozen]


def learns_by_table(loss, frozen, detach_rois):
    detector = loss in ("cross_entropy", "loss_box")
    reached = {"head": True, "rpn": not detector or not detach_rois, "tail": detector, "classification": detector}
    return tuple(name for name, reaches in reached.items() if reaches and name not in frozen)


def steps_with_zero_grad(weight, batches, rate):
    w, path = torch.tensor(weight, requires_grad=True), []
    optimizer = torch.optim.SGD([w], rate)
    for x, y in batches:
        optimizer.zero_grad()
        ((w * x - y) ** 2).mean().backward()
        optimizer.step()
        path.append(w.item())
    return path


def steps_by_formula(weight, batches, rate):
    path = []
    for x, y in batches:
        x, y = x.numpy(), y.numpy()
        weight = weight - rate * np.mean(2 * x * (weight * x - y))
        path.append(weight)
    return np.array(path)


RIGHT = [
    ("bug_hunt", steps_with_zero_grad),
    ("bug_hunt", steps_by_formula),
    ("learning_rate", rate_by_branches),
    ("learning_rate", rate_by_table),
    ("learning_rate", rate_by_half_angle),
    ("proposal_recall", recall_by_loop),
    ("proposal_recall", recall_by_torch),
    ("proposal_recall", recall_by_numpy),
    ("learns", learns_by_cases),
    ("learns", learns_by_table),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass(name, answer):
    verdict = CHECKS[name](answer)
    assert verdict.passed, verdict.message


def test_an_answer_that_changes_its_input_is_told_so():
    def in_place(proposals, objects, count):
        result = recall_by_torch(proposals, objects, count)
        proposals.zero_()
        return result

    assert "changes its input" in check.proposal_recall(in_place).message
