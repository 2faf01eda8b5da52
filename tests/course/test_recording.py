"""The recorded trainings that lesson 08's page replays: they are the lesson's, and as this edition makes them."""

import json
import re

from explorer_cases import CASES, IMAGE, TARGET, small_trace

from rcnn_tutorial.benchmark.learning import CLASSES
from rcnn_tutorial.course.live import replayed
from rcnn_tutorial.course.recording import BETWEEN, STEPS, read_recording, write_recording
from rcnn_tutorial.explorers.curves import MAP, PANELS, RECALL, LossCurves, Run
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.replay import CurvesReplay
from rcnn_tutorial.explorers.twin import Pack, exported


def names_in(value, path: str = "") -> set[str]:
    """The paths of all names in a JSON value; what lists hold counts as one."""
    if isinstance(value, dict):
        return {f"{path}/{name}" for name in value} | {
            one for name, item in value.items() for one in names_in(item, f"{path}/{name}")
        }
    return {one for item in value for one in names_in(item, f"{path}/*")} if isinstance(value, list) else set()


def shape_of(explorer: dict) -> set[str]:
    """The names in an exported explorer but for presets, and for what is in a tensor: they are of the training."""
    names = names_in(explorer)
    return {path for path in names if not re.match("/presets/|/tensors/.*/", path)}


def small_trainings() -> list[tuple[str, Explorer]]:
    """A training of 20 steps and its curves, each with what is stored in its place."""
    monitor = CASES["monitor"][0](IMAGE, small_trace(), TARGET)
    monitor.steps.value = 20
    monitor.advance(20)
    runs = {"one": monitor.record().run, "other": Run()}
    return [(repr(monitor), monitor), *[(repr(LossCurves(20)), CurvesReplay(runs, 20)) for _ in "ab"]]


def test_the_long_recording_is_of_the_lesson():
    _, monitor = read_recording().explorers[0]
    tensors = monitor["tensors"]
    assert tensors["classes"] == list(CLASSES) and tensors["steps"] == STEPS
    assert [look["step"] for look in tensors["looks"]] == list(range(0, STEPS + 1, BETWEEN))
    assert tensors["moments"][-1]["step"] == STEPS and tensors["moments"][-1]["mAP"] > 0.9


def test_the_recorded_comparisons_are_those_of_the_lesson():
    curves = [explorer["tensors"] for _, explorer in read_recording().explorers[1:]]
    names = [[one["name"], *one["earlier"]] for one in curves]
    assert names == [["Muon", "AdamW", "SGD"], ["joint", "not detached", "frozen head", "alternating"]]
    for run in [run for one in curves for run in (one["series"], *one["earlier"].values())]:
        judged = [len(run[panel]) for names in PANELS for panel in names[2:]]
        assert judged == [2, 2]  # in the middle and at the end
    muon, adamw, sgd = (one[MAP][-1][1] for one in (curves[0]["series"], *curves[0]["earlier"].values()))
    assert muon > adamw > sgd  # as the lesson says
    assert curves[1]["series"] == curves[0]["series"]  # one run, in both
    recall = {name: run[RECALL][-1][1] for name, run in curves[1]["earlier"].items()}
    assert recall["not detached"] < 0.6 < curves[1]["series"][RECALL][-1][1]


def test_this_edition_would_record_as_much():
    pack = Pack()
    now = [exported(explorer, pack) for _, explorer in small_trainings()]
    kept = [explorer for _, explorer in read_recording().explorers]
    assert list(map(shape_of, now)) == list(map(shape_of, kept))


def test_a_recording_is_read_as_it_was_written(tmp_path, monkeypatch):
    trainings = small_trainings()
    write_recording(trainings, tmp_path / "kept.json")
    monkeypatch.setattr("rcnn_tutorial.course.recording.asset_path", lambda _: tmp_path / "kept.json")
    pack = Pack()
    explorers = [(words, json.loads(json.dumps(exported(explorer, pack)))) for words, explorer in trainings]
    assert read_recording() == (explorers, pack.text())
    (monitor, _), (curves, _), _ = trainings
    assert replayed([]).places == {monitor: [0], curves: [1, 2]}
