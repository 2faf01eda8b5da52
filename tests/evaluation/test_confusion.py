"""The confusion matrix: who is taken for whom, by hand and on anything at all."""

import pytest
import torch
from detection_sets import image, random_set
from hypothesis import given, settings
from hypothesis import strategies as st

from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation import confusion_matrix

CLASSES = ("cat", "dog")
THERE, ELSEWHERE = [0, 0, 10, 10], [50, 50, 60, 60]


def test_a_matrix_by_hand():
    target = image([THERE, ELSEWHERE, [90, 90, 99, 99]], [1, 1, 2])
    found = image([THERE, [50, 50, 60, 59], [0, 0, 10, 9], [0, 0, 10, 4]], [1, 2, 1, 2], scores=[0.9, 0.8, 0.7, 0.6])
    matrix = confusion_matrix([image([], [], scores=[]), found], [image([], []), target], CLASSES)
    assert matrix.counts.tolist() == [[0, 1, 1], [0, 1, 1], [1, 0, 0]]
    assert matrix.members == {
        (1, 1): [(1, 0, 0)],
        (1, 2): [(1, 1, 1)],
        (0, 1): [(1, 2, -1)],
        (0, 2): [(1, 3, -1)],
        (2, 0): [(1, -1, 2)],
    }


def test_the_better_score_takes_the_object_whatever_it_calls_it():
    found = image([THERE, THERE], [2, 1], scores=[0.9, 0.8])
    assert confusion_matrix([found], [image([THERE], [1])], CLASSES).counts.tolist() == [[0, 1, 0], [0, 0, 1], [0] * 3]


def test_both_thresholds_decide():
    found, target = [image([[0, 0, 10, 6]], [1], scores=[0.5])], [image([THERE], [1])]
    assert confusion_matrix(found, target, CLASSES).counts[1, 1] == 1  # a score of just 0.5 is enough
    assert confusion_matrix(found, target, CLASSES, score_threshold=0.51).counts[1].tolist() == [1, 0, 0]
    matrix = confusion_matrix(found, target, CLASSES, iou_threshold=0.6)  # an IoU of just 0.6 is not
    assert matrix.counts[1, 0] == matrix.counts[0, 1] == 1


def test_difficult_objects_are_in_no_cell():
    target = image([THERE], [1], difficult=[True])
    found = image([THERE, [0, 0, 10, 9]], [1, 2], scores=[0.9, 0.8])
    for detections in (found, image([], [], scores=[])):
        matrix = confusion_matrix([detections], [target], CLASSES)
        assert matrix.counts.sum() == 0 and matrix.members == {}


def test_what_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="image 0: a label without a class; labels are 1 to 2"):
        confusion_matrix([image([THERE], [3], scores=[0.9])], [image([], [])], CLASSES)
    with pytest.raises(DataError, match="detections of 1 images, targets of 0"):
        confusion_matrix([image([], [], scores=[])], [], CLASSES)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), score=st.floats(0, 1), iou=st.floats(0, 0.95))
def test_every_detection_and_every_object_is_counted_once(seed, score, iou):
    detections, targets, classes = random_set(seed, images=4)
    matrix = confusion_matrix(detections, targets, classes, score, iou)
    objects = torch.bincount(torch.cat([target["labels"] for target in targets]), minlength=4)
    said = torch.cat([found["labels"][found["scores"] >= score] for found in detections])
    assert matrix.counts[1:].sum(dim=1).tolist() == objects[1:].tolist()
    assert matrix.counts[:, 1:].sum(dim=0).tolist() == torch.bincount(said, minlength=4)[1:].tolist()
    assert {cell: len(pairs) for cell, pairs in matrix.members.items()} == {
        tuple(cell): int(matrix.counts[tuple(cell)]) for cell in matrix.counts.nonzero().tolist()
    }
    for (row, column), pairs in matrix.members.items():
        for number, detection, there in pairs:
            assert detection < 0 or detections[number]["labels"][detection] == column
            assert there < 0 or targets[number]["labels"][there] == row
