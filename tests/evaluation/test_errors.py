"""The kinds of errors and what mending them gains: by hand, against tidecv, and on anything at all."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from detection_sets import image, random_set
from hypothesis import given, settings
from hypothesis import strategies as st

from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation import IGNORED, KINDS, RIGHT, error_report, find_errors, voc_ap

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "14_tide.npz")
CAT, DOG = 1, 2
CLASSES = ("cat", "dog")
THERE = [0, 0, 10, 10]  # overlaps: [0, 0, 10, 9] by 0.9, [0, 0, 10, 4] by 0.4, [0, 0, 10, 1] by 0.1
NOTHING = image([], [], scores=[])


def kinds_of(errors) -> list[list[str]]:
    names = {RIGHT: "right", IGNORED: "ignored"} | dict(enumerate(KINDS))
    return [[names[kind] for kind in kinds.tolist()] for kinds in errors.kinds]


def golden_set():
    """(detections, targets, classes) of the file's images."""
    objects, found = (torch.tensor(GOLDEN[key]) for key in ("image_label_box", "image_label_score_box"))
    targets, detections = [], []
    for number in range(int(found[:, 0].max()) + 1):
        rows = objects[objects[:, 0] == number]
        targets.append({"boxes": rows[:, 2:], "labels": rows[:, 1].long()})
        rows = found[found[:, 0] == number]
        detections.append({"boxes": rows[:, 3:], "labels": rows[:, 1].long(), "scores": rows[:, 2]})
    return detections, targets, ("one", "two", "three")


@pytest.mark.parametrize(
    ("box", "label", "kind", "number"),
    [
        ([0, 0, 10, 9], CAT, "right", 0),
        ([0, 0, 10, 9], DOG, "class", 0),
        ([0, 0, 10, 4], CAT, "location", 0),
        ([0, 0, 10, 5], CAT, "location", 0),  # to be right, it must exceed 0.5
        ([0, 0, 10, 4], DOG, "both", 0),
        ([0, 0, 10, 1], CAT, "background", -1),  # to be near, it must exceed 0.1
        ([20, 20, 30, 30], CAT, "background", -1),
        ([5, 5, 5, 5], CAT, "background", -1),  # of no size
        ([50, 50, 60, 59], CAT, "ignored", 1),
        ([50, 50, 60, 59], DOG, "class", 1),
    ],
)
def test_a_single_detection(box, label, kind, number):
    target = image([THERE, [50, 50, 60, 60]], [CAT, CAT], difficult=[False, True])
    errors = find_errors([image([box], [label], scores=[0.9])], [target])
    assert kinds_of(errors) == [[kind]] and errors.objects[0].tolist() == [number]
    covered = number == 0 and kind in ("right", "class", "location")
    assert errors.missed[0].tolist() == [not covered, False]


def test_the_better_score_finds_the_object_and_the_other_is_a_duplicate():
    found = image([[0, 0, 10, 9], THERE], [CAT, CAT], scores=[0.9, 0.8])
    assert kinds_of(find_errors([found], [image([THERE], [CAT])])) == [["right", "duplicate"]]
    found["scores"] = found["scores"].flip(0)
    assert kinds_of(find_errors([found], [image([THERE], [CAT])])) == [["duplicate", "right"]]
    found["scores"] = torch.tensor([0.5, 0.5])  # a tie goes to the first
    assert kinds_of(find_errors([found], [image([THERE], [CAT])])) == [["right", "duplicate"]]


def test_the_thresholds_move_the_borders():
    found, target = [image([[0, 0, 10, 4]], [CAT], scores=[0.9])], [image([THERE], [CAT])]
    for foreground, background, kind in ((0.5, 0.1, "location"), (0.3, 0.1, "right"), (0.5, 0.45, "background")):
        assert kinds_of(find_errors(found, target, foreground, background)) == [[kind]]


def test_every_image_has_its_own_objects():
    found = [NOTHING, image([THERE, THERE], [CAT, DOG], scores=[0.3, 0.9]), image([THERE], [CAT], scores=[0.8])]
    targets = [image([THERE], [DOG]), image([[90, 90, 99, 99], THERE], [DOG, CAT]), image([], [])]
    errors = find_errors(found, targets)
    assert kinds_of(errors) == [[], ["right", "class"], ["background"]]
    assert [numbers.tolist() for numbers in errors.objects] == [[], [1, 1], [-1]]
    assert [missed.tolist() for missed in errors.missed] == [[True], [True, False], []]


def test_gains_by_hand():
    """Two cats. A stray detection first, then a cat called a dog, then the other found, and found again."""
    target = image([THERE, [50, 50, 60, 60]], [CAT, CAT])
    found = image(
        [[80, 80, 90, 90], THERE, [50, 50, 60, 60], [50, 50, 60, 59]], [CAT, DOG, CAT, CAT], scores=[0.9, 0.8, 0.7, 0.6]
    )
    report = error_report([found], [target], CLASSES)
    assert report.ap == pytest.approx(1 / 4)  # cats: wrong, right, wrong; precision 1/2 at recall 1/2
    assert report.counts == dict.fromkeys(KINDS, 0) | {"class": 1, "duplicate": 1, "background": 1}
    gains = dict.fromkeys(KINDS, 0) | {
        "class": 2 / 3 - 1 / 4,
        "background": 1 / 2 - 1 / 4,
    }
    assert report.gains == pytest.approx(gains)
    assert report.overall == pytest.approx({"false positives": 1 / 2 - 1 / 4, "false negatives": 1 / 2 - 1 / 4})


def test_a_mended_box_is_that_of_its_object_and_missed_objects_leave_the_count():
    target = image([THERE, [50, 50, 60, 60]], [CAT, CAT])
    report = error_report([image([[0, 0, 10, 4]], [CAT], scores=[0.9])], [target], CLASSES)
    assert report.ap == 0 and report.counts["location"] == report.counts["missed"] == 1
    assert report.gains == pytest.approx(dict.fromkeys(KINDS, 0) | {"location": 1 / 2})
    report = error_report([image([THERE], [CAT], scores=[0.9])], [target], CLASSES)
    assert report.ap == 1 / 2 and report.gains == pytest.approx(dict.fromkeys(KINDS, 0) | {"missed": 1 / 2})


def test_an_object_is_mended_once():
    """Of two near misses on one object only the first becomes right; of a found object's, none does."""
    near = [[0, 0, 10, 4], [0, 0, 10, 3]]
    report = error_report([image(near, [CAT, CAT], scores=[0.9, 0.8])], [image([THERE], [CAT])], CLASSES)
    assert report.counts["location"] == 2 and report.gains["location"] == 1
    report = error_report([image([near[0], THERE], [CAT, CAT], scores=[0.9, 0.8])], [image([THERE], [CAT])], CLASSES)
    assert report.ap == 1 / 2 and report.gains["location"] == 1 / 2
    both = image([near[0], THERE], [CAT, DOG], scores=[0.9, 0.8])  # the better one would mend it: the other is dropped
    report = error_report([both], [image([THERE], [CAT])], CLASSES)
    assert report.gains["location"] == 1 and report.gains["class"] == 0


@pytest.mark.parametrize(("foreground", "background"), [(0.5, 0.1), (0.6, 0.2)])
def test_counts_and_gains_equal_tidecv_s(foreground, background):
    report = error_report(*golden_set(), foreground, background)
    gains = [*report.gains.values(), *report.overall.values()]
    for name, tolerance in (("area", 1e-9), ("tidecv", 0.01)):  # tidecv's own AP is the mean at 101 recalls
        expected = {key: GOLDEN[f"{name}_{foreground}_{background}__{key}"] for key in ("ap", "counts", "gains")}
        assert list(report.counts.values()) == expected["counts"].tolist()
        assert report.ap == pytest.approx(float(expected["ap"]), abs=tolerance)
        np.testing.assert_allclose(gains, expected["gains"], atol=tolerance)


def test_ap_is_that_of_the_evaluation():
    detections, targets, classes = random_set(0)
    assert error_report(detections, targets, classes).ap == pytest.approx(
        voc_ap(detections, targets, classes, "voc").mean
    )


def test_nothing_there_and_nothing_found():
    report = error_report([NOTHING], [image([], [])], CLASSES)
    assert math.isnan(report.ap) and set(report.counts.values()) == {0}
    assert all(math.isnan(gain) for gain in [*report.gains.values(), *report.overall.values()])
    report = error_report([image([THERE], [CAT], scores=[0.5])], [image([], [])], CLASSES)
    assert math.isnan(report.ap) and report.counts["background"] == 1


def test_a_class_that_is_missed_altogether():
    report = error_report([NOTHING], [image([THERE], [CAT])], CLASSES)  # without its object nothing is wrong
    assert report.ap == 0 and report.gains["missed"] == 1 and report.overall["false negatives"] == 1
    stray = image([[50, 50, 60, 60]], [CAT], scores=[0.9])
    report = error_report([stray], [image([THERE], [CAT])], CLASSES)  # the stray detection is left, and AP is 0
    assert report.counts["missed"] == report.counts["background"] == 1 and set(report.gains.values()) == {0.0}
    found = image([[50, 50, 60, 60]], [DOG], scores=[0.9])
    report = error_report([found], [image([THERE, [50, 50, 60, 60]], [CAT, DOG])], CLASSES)
    assert report.ap == 1 / 2 and report.gains["missed"] == 1 / 2  # dogs alone are left, all right


def test_what_cannot_work_is_refused():
    for foreground, background in ((0.5, 0.5), (0.1, 0.5), (1.0, 0.1), (0.5, -0.1), (math.nan, 0.1)):
        with pytest.raises(ConfigError, match="use 0 <= background < foreground < 1"):
            find_errors([NOTHING], [image([], [])], foreground, background)
    with pytest.raises(DataError, match="detections of 1 images, targets of 2; give one dict per image"):
        error_report([NOTHING], [image([], [])] * 2, CLASSES)
    with pytest.raises(DataError, match="detections of 0 images"):
        find_errors([], [])


def boxes_and_labels(more):
    side = st.integers(0, 8)
    row = st.tuples(side, side, side, side, st.integers(1, 2), more)
    return st.lists(st.lists(row, max_size=6), min_size=3, max_size=3)


def as_images(rows, key, kind):
    """Images of rows (x, y, width, height, label, value)."""
    return [
        image([[x, y, x + w, y + h] for x, y, w, h, *_ in each], [row[4] for row in each])
        | {key: torch.tensor([row[5] for row in each], dtype=kind)}
        for each in rows
    ]


@settings(max_examples=100, deadline=None)
@given(found=boxes_and_labels(st.sampled_from([0.1, 0.5, 0.5001, 1.0])), there=boxes_and_labels(st.booleans()))
def test_whatever_is_found_every_kind_adds_up(found, there):
    detections, targets = as_images(found, "scores", torch.float), as_images(there, "difficult", torch.bool)
    errors, report = find_errors(detections, targets), error_report(detections, targets, CLASSES)
    kinds = torch.cat(errors.kinds)
    assert [int((kinds == number).sum()) for number in range(5)] == list(report.counts.values())[:5]
    for of_image, objects, target in zip(errors.kinds, errors.objects, targets, strict=True):
        assert ((objects == -1) == (of_image == KINDS.index("background"))).all()
        assert (objects < len(target["labels"])).all()
        right = objects[of_image == RIGHT]
        assert len(right.unique()) == len(right) and not target["difficult"][right].any()
        assert target["difficult"][objects[of_image == IGNORED]].all()
    if not math.isnan(report.ap):
        assert all(0 <= gain <= 1 - report.ap + 1e-9 for gain in [*report.gains.values(), *report.overall.values()])
