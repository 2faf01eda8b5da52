"""The three generations measured: every row is there, parts add up, recall never falls, a blind detector has none."""

from functools import partial

import pytest
import torch

from rcnn_tutorial.benchmark import generations as case
from rcnn_tutorial.benchmark.generations import mean_ap, medians, precisions, recalls, remembered, speeds, taking_turns
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.generations import PARTS, Run, faster_rcnn
from rcnn_tutorial.stages.inference import Detections


@pytest.fixture(scope="module")
def model():
    return load_model("toy").for_inference()


@pytest.fixture(scope="module")
def scenes():
    return case.toy_scenes("val", 3)


def test_seconds_of_every_generation_and_part(model, scenes):
    rows = speeds(model, [image for image, _ in scenes[:1]], repeats=1, count=20)
    names = [row.name for row in rows]
    assert names == [f"{g}, {part}" for g in ("R-CNN", "Fast R-CNN", "Faster R-CNN") for part in (*PARTS, "in all")]
    seconds = {row.name: row.ours for row in rows}
    assert seconds["R-CNN, network"] == 0 < seconds["R-CNN, per region"] and {row.unit for row in rows} == {"s"}
    assert seconds["Faster R-CNN, in all"] == pytest.approx(sum(row.ours for row in rows[8:11]))


def test_the_first_run_warms_up_and_medians_are_taken_twice():
    figures = iter([99.0, 1.0, 2.0, 9.0, 99.0, 4.0, 4.0, 5.0])  # of two photos, three runs each after the first
    nothing = Detections(torch.zeros(0, 4), *(torch.zeros(0) for _ in range(3)))

    def detect(image):
        return Run(nothing, torch.zeros(0, 4), dict.fromkeys(PARTS, next(figures)))

    taken = taking_turns({"one": detect}, [torch.zeros(1), torch.zeros(1)], repeats=3)
    assert taken == {"one": {**dict.fromkeys(PARTS, 3.0), "in all": 9.0}}  # medians 2 and 4, and theirs
    assert medians([{"a": 1.0}, {"a": 5.0}, {"a": 2.0}]) == {"a": 2.0}


def test_more_proposals_cover_more_objects(model, scenes):
    rows = recalls("toy scenes", model, scenes, counts=(5, 20, 60))
    shares = {row.name: row.ours for row in rows}
    for name in ("selective search", "RPN"):
        few, some, many = (shares[f"toy scenes, recall of {count}, {name}"] for count in (5, 20, 60))
        assert 0 <= few <= some <= many <= 1 and many > 0.5


def test_map_of_every_detector_and_ablation(model, scenes):
    rows = precisions(model, case.toy_scenes("train", 3), scenes)
    assert len({row.name for row in rows}) == len(rows) == 8
    assert all(0 <= row.ours <= 1 for row in rows)
    shares = {row.name: row.ours for row in rows}
    assert shares["mAP50, Faster R-CNN"] > 0.9 and shares["mAP50, Fast R-CNN"] > 0.5


def test_a_detector_that_finds_nothing_has_an_map_of_zero(model, scenes):
    def blind(image):
        run = faster_rcnn(model, image)
        return run._replace(detections=Detections(*(column[:0] for column in run.detections)))

    assert mean_ap(blind, scenes, model.classes) == 0.0
    assert mean_ap(partial(faster_rcnn, model), scenes, model.classes) > 0.9


def test_proposals_are_found_once_for_an_image(scenes):
    asked = []
    propose = remembered(lambda image: asked.append(image) or torch.zeros(1, 4))
    assert propose(scenes[0][0]) is propose(scenes[0][0]) and propose(scenes[1][0]) is not propose(scenes[0][0])
    assert len(asked) == 2


def test_the_case_is_all_reports(monkeypatch):
    scenes, asked = case.toy_scenes("val", 1), []
    monkeypatch.setattr(case, "toy_scenes", lambda split, length: asked.append((split, length)) or scenes)
    monkeypatch.setattr(case, "PHOTOS", ("cat",))
    for name in ("speeds", "recalls", "precisions"):
        monkeypatch.setattr(case, name, lambda *arguments, name=name: [name])
    assert case.generations(1) == ["speeds", "recalls", "recalls", "precisions"]
    assert asked == [("train", case.LEARNED_FROM), ("val", case.SCENES)]
