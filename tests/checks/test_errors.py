"""The checks of lesson 10: right answers pass, whatever their style, and the rules are the package's own."""

import numpy as np
import pytest
import torch

import rcnn_tutorial.checks.errors as check
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.evaluation import area_ap, confusion_matrix, find_errors, reliability
from rcnn_tutorial.evaluation.errors import KINDS

# ---- correct answers


def kinds_with_masks(iou, said, truth):
    found, kinds = torch.zeros(len(truth), dtype=torch.bool), []
    for row, label in zip(iou, said, strict=True):
        mine = truth == label
        own, other = (torch.where(which, row, 0).max() if len(row) else 0.0 for which in (mine, ~mine))
        which = int(torch.where(mine, row, -1).argmax()) if len(row) else -1
        before = bool(found[which]) if which >= 0 else False
        if own > 0.5 and not before:
            found[which] = True
            kinds.append("right")
            continue
        lines = (
            (0.1 < own <= 0.5, "location"),
            (other > 0.5, "class"),
            (own > 0.5, "duplicate"),
            (other > 0.1, "both"),
        )
        kinds.append(next((kind for fits, kind in lines if fits), "background"))
    return kinds


def confusion_with_bincount(iou, said, truth, classes):
    free, pairs = iou.clone(), []
    for row, label in enumerate(said.tolist()):
        best = int(free[row].argmax()) if len(truth) else -1
        hit = best >= 0 and free[row, best] > 0.5
        pairs.append((int(truth[best]) if hit else 0, label))
        if hit:
            free[:, best] = -1
    left = [int(u) for u, column in zip(truth, free.T, strict=True) if not (column < 0).any()]
    cells = [row * (classes + 1) + column for row, column in pairs + [(u, 0) for u in left]]
    counts = torch.bincount(torch.tensor(cells, dtype=torch.long), minlength=(classes + 1) ** 2)
    return counts.reshape(classes + 1, classes + 1).tolist()


def calibration_in_numpy(scores, right, bins):
    scores, right = scores.double().numpy(), right.numpy()
    error = 0.0
    for low in range(bins):
        inside = (scores >= low / bins) & ((scores < (low + 1) / bins) | (low == bins - 1))
        error += inside.sum() * abs(scores[inside].mean() - right[inside].mean()) if inside.any() else 0
    return error / len(scores)


def one_ranking(scores, right, photos, objects):
    hits = right[scores.argsort(descending=True)].cumsum(0)
    return area_ap(hits / torch.arange(1, len(hits) + 1), hits / objects.sum())


def one_ranking_in_numpy(scores, right, photos, objects):
    hits = np.cumsum(right.numpy()[np.argsort(-scores.numpy())])
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / int(objects.sum())
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best * np.diff(recall, prepend=0)).sum())


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.error_kinds, kinds_with_masks),
        (check.error_kinds, lambda *given: tuple(kinds_with_masks(*given))),
        (check.confusion, confusion_with_bincount),
        (check.calibration_error, calibration_in_numpy),
        (check.bug_hunt, one_ranking),
        (check.bug_hunt, one_ranking_in_numpy),
    ],
    ids=lambda part: getattr(part, "name", None) or part.__name__,
)
def test_correct_answers_of_any_style_pass(exercise, answer):
    verdict = exercise(answer)
    assert verdict.passed, verdict.message


# ---- the right answers are what the package computes from boxes


def scene(seed: int) -> tuple[dict, dict, torch.Tensor]:
    """Detections, best first, on a row of objects; their IoUs."""
    generator = torch.Generator().manual_seed(seed)
    starts = 60.0 * torch.arange(6)  # objects that overlap their neighbors
    objects = torch.stack([starts, 0 * starts, starts + 100, 0 * starts + 10], dim=1)
    shift = 80 * torch.rand(20, generator=generator) - 40
    boxes = objects[torch.randint(6, (20,), generator=generator)] + shift[:, None] * torch.tensor([1.0, 0, 1, 0])
    found = {"boxes": boxes, "scores": torch.linspace(0.99, 0.51, 20)}
    truth = {"boxes": objects, "labels": torch.randint(1, 4, (6,), generator=generator)}
    found["labels"] = torch.randint(1, 4, (20,), generator=generator)
    return found, truth, box_iou(boxes.double(), objects.double())


@pytest.mark.parametrize("seed", range(8))
def test_kinds_and_confusion_are_the_package_s(seed):
    found, truth, iou = scene(seed)
    kinds = find_errors([found], [truth]).kinds[0].tolist()
    names = [KINDS[kind] if kind >= 0 else "right" for kind in kinds]
    assert check.error_kinds.right(iou, found["labels"], truth["labels"]) == names
    counts = confusion_matrix([found], [truth], ("a", "b", "c"), score_threshold=0.0).counts
    assert torch.equal(check.confusion.right(iou, found["labels"], truth["labels"], 3), counts)


@pytest.mark.parametrize("seed", range(4))
def test_calibration_error_is_the_package_s(seed):
    found, truth, _ = scene(seed)
    kinds = find_errors([found], [truth]).kinds[0]
    right = check.calibration_error.right(found["scores"], kinds == -1, 7)
    assert right == pytest.approx(reliability([found], [truth], bins=7).error)
