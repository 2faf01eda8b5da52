"""The pages' twins: whatever a reader moves, they draw and say what the Python explorers do. Node replays them."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from explorer_cases import CASES, IMAGE, TARGET, small_trace
from golden_frames import golden
from node import needs_node

from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.course import live
from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.data import ToyScenes
from rcnn_tutorial.explorers.confusion import ConfusionExplorer
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.replay import CurvesReplay
from rcnn_tutorial.explorers.suppression import GONE, REACH, NMSExplorer, few_of_each_cluster
from rcnn_tutorial.explorers.training import TrainingMonitor
from rcnn_tutorial.explorers.twin import Pack, exported
from rcnn_tutorial.model import build_model

REPLAY = Path(__file__).with_name("replay.mjs")


@pytest.fixture(scope="module")
def trace():
    return small_trace()


def replayed(explorer: Explorer, folder: Path, changed: dict[str, str] | None = None, asked=None) -> str:
    """What differs between an explorer and its twin, a line each. changed: other modules. asked: see `golden`."""
    script, frames = folder / "twins.js", folder / "frames.json"
    right = golden(explorer, asked)
    script.write_text(bundle([right["module"], "state.js"], sources() | (changed or {})), encoding="utf-8")
    frames.write_text(json.dumps(right), encoding="utf-8")
    run = subprocess.run(["node", REPLAY, script, frames], capture_output=True, encoding="utf-8")
    assert run.returncode == 0 or run.stdout, run.stderr
    return run.stdout.strip()


@needs_node
@pytest.mark.parametrize("name", CASES)
def test_a_twin_draws_and_says_what_python_does(name, trace, tmp_path):
    build, start = CASES[name]
    explorer = build(IMAGE, trace, TARGET)
    explorer.set(**start)
    explorer._first = explorer._state()  # the sweep begins here, and Reset comes back to it
    assert replayed(explorer, tmp_path) == ""


@needs_node
@pytest.mark.parametrize("lesson", live.LESSONS)
def test_on_a_lesson_s_own_tensors_a_twin_draws_what_python_does(lesson, tmp_path):
    """At first and after every preset. The photos behind 10's matrix are squeezed: `test_confusion.py` says how far."""
    for explorer in live.LESSONS[lesson]():
        squeezed = "picture 1 image" if isinstance(explorer, ConfusionExplorer) else "nothing"
        lines = replayed(explorer, tmp_path, asked=[{}, *explorer.presets.values()]).splitlines()
        assert [line for line in lines if squeezed not in line] == []


@needs_node
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_twin_of_suppression_knows_no_boxes_and_boxes_that_tie(count, tmp_path):
    boxes = torch.tensor([[0.0, 0, 100, 60], [0, 0, 100, 18], [70, 20, 90, 60]])[:count]  # the IoU of two is 0.3
    assert replayed(NMSExplorer(IMAGE, boxes, torch.full((count,), 0.5)), tmp_path) == ""


@needs_node
@pytest.mark.parametrize("seed, least", [(0, 0.0), (1, 0.0), (2, 0.95), (3, 2.0)])
def test_the_twin_of_suppression_lets_the_same_boxes_take_part(seed, least):
    generator = torch.Generator().manual_seed(seed)
    corners = (torch.rand(60, 2, generator=generator) * 40).round()
    boxes = torch.cat([corners, corners + 20 + (torch.rand(60, 2, generator=generator) * 20).round()], dim=1)
    scores = torch.rand(60, generator=generator)
    given = f"{json.dumps(boxes.tolist())}, {json.dumps(scores.tolist())}, 0.3, {least}"
    said = f'console.log(JSON.stringify(modules["suppression.js"].fewOfEachCluster({given})));'
    script = f"{bundle(['suppression.js'], sources())}\n{said}"
    run = subprocess.run(["node", "-"], input=script, capture_output=True, encoding="utf-8", check=True)
    assert json.loads(run.stdout) == few_of_each_cluster(boxes, scores, 0.3, least).tolist()


@needs_node
def test_the_pointer_means_the_same_box_on_a_page_and_to_python():
    boxes = torch.tensor([[10.0, 10, 50, 50], [14, 10, 54, 50], [30, 10, 70, 50], [80, 60, 120, 90]])
    explorer = NMSExplorer(IMAGE, boxes, torch.tensor([0.9, 0.8, 0.7, 0.6]), threshold=0.5)
    explorer.set(step=2)  # the second box is gone
    whats, boxes = explorer.state.whats, explorer.boxes.tolist()
    assert GONE in whats
    rows = [{"row": row, "what": whats[row], "box": box} for row, box in enumerate(boxes)]
    points = [[x, y] for x in range(0, IMAGE.shape[2], 4) for y in range(0, IMAGE.shape[1], 4)]
    said = f"{json.dumps(points)}.map((point) => modules['ranking.js'].pointedAt(point, {json.dumps(rows)}, {REACH}))"
    script = f"{bundle(['ranking.js'], sources())}\nconsole.log(JSON.stringify({said}));"
    run = subprocess.run(["node", "-"], input=script, capture_output=True, encoding="utf-8", check=True)
    assert json.loads(run.stdout) == [explorer.pointed_at(*point) for point in points]


@needs_node
def test_a_training_is_replayed_with_the_runs_before_it(tmp_path):
    scenes = ToyScenes("train", 4, size=(64, 64), max_objects=3)
    torch.manual_seed(0)
    monitor = TrainingMonitor(build_model(toy_config(scenes.classes)), scenes, scenes, replace(TOY_TRAINING, steps=20))
    for rate in (0.002, 0.01):
        monitor.learning_rate.value = rate
        monitor.start_over()
        for steps in (1, 4, 5, 10):
            monitor.advance(steps)
    assert len(monitor.earlier) == 1 and len(monitor.moments) == 6
    assert replayed(monitor, tmp_path) == ""
    runs = {"this run": monitor.record().run, **monitor.earlier}
    assert replayed(CurvesReplay(runs, 20), tmp_path) == ""


@needs_node
@pytest.mark.parametrize("right, wrong", [("union, TINY", "union + 1, TINY"), ("iou >= reach", "iou > 0.5")])
def test_a_broken_twin_is_caught(right, wrong, trace, tmp_path):
    explorer = CASES["anchors"][0](IMAGE, trace, TARGET)
    broken = {name: text.replace(right, wrong) for name, text in sources().items() if right in text}
    assert broken
    assert "Python" in replayed(explorer, tmp_path, broken)


def test_a_page_has_no_control_that_only_a_notebook_can_have(trace):
    explorer = CASES["tour"][0](IMAGE, trace, TARGET)
    sent = exported(explorer, Pack())
    assert [control["name"] for control in sent["controls"]] == ["stage"]
    assert sent["left_out"] == {"Photo": "the detector has run on one photo only"}


def test_a_page_plays_the_story(trace):
    sent = exported(CASES["story"][0](IMAGE, trace, TARGET), Pack())
    kinds = {control["name"]: control["kind"] for control in sent["controls"]}
    assert kinds == {"moment": "slider", "play": "play"}
