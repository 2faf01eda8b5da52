"""A training that is looked through: at every step the picture and the words of the monitor."""

from dataclasses import replace

import pytest
import torch
from golden_frames import seen

from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data import ToyScenes
from rcnn_tutorial.explorers.curves import LossCurves
from rcnn_tutorial.explorers.replay import CurvesReplay, TrainingReplay
from rcnn_tutorial.explorers.training import TrainingMonitor
from rcnn_tutorial.explorers.twin import Pack, exported
from rcnn_tutorial.model import build_model


@pytest.fixture
def monitor():
    scenes = ToyScenes("train", 2, size=(64, 64), max_objects=3)
    torch.manual_seed(0)
    return TrainingMonitor(build_model(toy_config(scenes.classes)), scenes, scenes, replace(TOY_TRAINING, steps=20))


def shown(explorer):
    frame = seen(explorer)
    return frame["summary"], [scene["layers"] for scene in frame["scenes"]]


def test_every_step_looks_as_the_monitor_did(monitor):
    shots = [shown(monitor)]
    for steps in (1, 2, 10, 7):
        monitor.advance(steps)
        shots.append(shown(monitor))
    replay = monitor.for_page()
    assert [text for text, _ in replay.step.options] == ["0", "1", "3", "13", "20"]
    assert shown(replay) == shots[-1]
    for place, shot in enumerate(shots):
        replay.step.value = place
        assert shown(replay) == shot
    assert list(replay.presets) == ["Step 3", "Step 13", "Step 20"]


def test_before_the_first_step_there_is_one_picture(monitor):
    replay = monitor.for_page()
    assert shown(replay) == shown(monitor)
    assert len(replay.step.options) == 1 and replay.presets == {}


def test_a_page_gets_the_replay_in_place_of_the_monitor(monitor):
    sent = exported(monitor, Pack())
    assert (sent["kind"], sent["module"]) == (TrainingReplay.__name__, "replay.js")
    assert [control["name"] for control in sent["controls"]] == ["step"]


def test_a_new_run_has_nothing_to_look_through(monitor):
    monitor.advance(2)
    monitor.start_over()
    assert list(monitor.looks) == [0]


def test_curves_are_looked_through_over_those_of_other_runs(monitor):
    monitor.advance(20)
    run = monitor.record().run
    replay = CurvesReplay({"one": run, "other": run}, 20)
    assert replay.step.max == 20 and replay.summary == "Losses of 20 of 20 steps."
    whole, other = shown(replay)[1][0], LossCurves(20)
    other.show(run.reports, run.moments, {"other": run}, "one")
    assert [layer["name"] for layer in whole] == [layer.legend for layer in other.layers]
    replay.step.value = 5
    assert replay.summary == "Losses of 5 of 20 steps."
    assert [len(layer["data"]) for layer in shown(replay)[1][0]] != [len(layer["data"]) for layer in whole]
