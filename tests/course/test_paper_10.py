"""The numbers of lesson 10's exercises on paper, and of its question on your data, computed by the package."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.course.files import PAPER, course_folder
from rcnn_tutorial.evaluation import KINDS, RIGHT, confusion_matrix, error_report, find_errors, reliability, voc_ap

ANSWERS = (course_folder() / PAPER / "10_errors.md").read_text(encoding="utf-8").partition("## Answers")[2]
CLASSES = ("cat", "dog")
TRUTH = {
    "boxes": torch.tensor([[0.0, 0, 100, 10], [200, 0, 300, 10], [400, 0, 500, 10]]),
    "labels": torch.tensor([1, 1, 2]),
}
SPANS = [(0, 90), (200, 280), (20, 100), (440, 540), (400, 430), (295, 395)]
FOUND = {
    "boxes": torch.tensor([(left, 0.0, right, 10) for left, right in SPANS]),
    "labels": torch.tensor([1, 2, 1, 2, 1, 1]),
    "scores": torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]),
}


def says(*texts) -> bool:
    """Whether the answers hold all the texts, wherever their lines end."""
    answers = " ".join(ANSWERS.split())
    return all(text in answers for text in texts)


def test_name_the_kind():
    iou = box_iou(FOUND["boxes"], TRUTH["boxes"]).amax(dim=1)
    assert iou.tolist() == pytest.approx([0.9, 0.8, 0.8, 60 / 140, 0.3, 5 / 195])
    errors = find_errors([FOUND], [TRUTH])
    names = ["right" if kind == RIGHT else KINDS[kind] for kind in errors.kinds[0].tolist()]
    assert names == ["right", "class", "duplicate", "location", "both", "background"]
    assert not errors.missed[0].any()
    assert says("60 / 140 = 0.43, location", "5 / 195 = 0.03, background", "None is missed")


def test_what_mending_gains():
    assert list(voc_ap([FOUND], [TRUTH], CLASSES, "voc").per_class.values()) == [0.5, 0.0]
    report = error_report([FOUND], [TRUTH], CLASSES)
    assert report.ap == 0.25
    assert [report.gains[kind] for kind in ("class", "location", "duplicate")] == pytest.approx([0.25, 0.25, 0.0])
    assert says("Mean 0.25.", "mean 0.5, a gain of 0.25. *Location*", "so the gain is 0.")


def test_a_confusion_matrix():
    # A threshold of 0.5 is reached by detection 5, whose score is 0.5.
    counts = confusion_matrix([FOUND], [TRUTH], CLASSES, score_threshold=0.5).counts
    assert counts.tolist() == [[0, 2, 1], [0, 1, 1], [1, 0, 0]]
    counts = confusion_matrix([FOUND], [TRUTH], CLASSES, score_threshold=0.75).counts
    assert counts.tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 0]]
    assert says("background 0 2 1; cat 0 1 1; dog 1 0 0", "background 0 0 0; cat 0 1 1; dog 1 0 0")


def test_is_0_8_true():
    rows = [(0.95, 1), (0.9, 1), (0.9, 1), (0.85, 0), (0.7, 1), (0.65, 0), (0.6, 0), (0.3, 0), (0.2, 0), (0.1, 1)]
    starts = 20.0 * torch.arange(10)
    boxes = torch.stack([starts, 0 * starts, starts + 10, 0 * starts + 10], dim=1)
    found = {"boxes": boxes, "labels": torch.ones(10).long(), "scores": torch.tensor([score for score, _ in rows])}
    right = torch.tensor([hit for _, hit in rows]).bool()
    result = reliability([found], [{"boxes": boxes[right], "labels": torch.ones(5).long()}], bins=2)
    assert result.counts.tolist() == [3, 7]
    assert result.confidence.tolist() == pytest.approx([0.2, 5.55 / 7]) and round(5.55 / 7, 3) == 0.793
    assert result.right.tolist() == pytest.approx([1 / 3, 4 / 7]) and round(result.error, 3) == 0.195
    gaps = (result.confidence - result.right).abs()
    assert [round(gap, 3) for gap in gaps.tolist()] == [0.133, 0.221]
    assert sum(score for score, _ in rows) / 10 == pytest.approx(0.615) and int(right.sum()) == 5
    assert says("5.55 / 7 = 0.793", "gap 0.221", "gap 0.133", "= 0.195", "0.615 against 0.5")
