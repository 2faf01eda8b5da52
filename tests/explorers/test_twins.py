"""The pages' twins: whatever a reader moves, they draw and say what the Python explorers do. Node replays them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from explorer_cases import CASES, IMAGE, TARGET, small_trace
from golden_frames import golden

from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.suppression import NMSExplorer
from rcnn_tutorial.explorers.twin import Pack, exported, module_of

REPLAY = Path(__file__).with_name("replay.mjs")
NO_TWIN_YET = {
    "errors",
    "confusion",
    "reliability",
    "curve",
    "monitor",
}
needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="Node.js replays the twins, and there is none here"
)


@pytest.fixture(scope="module")
def trace():
    return small_trace()


def replayed(explorer: Explorer, folder: Path, changed: dict[str, str] | None = None) -> str:
    """What differs between an explorer and its twin, a line each. changed: other texts of modules."""
    script, frames = folder / "twins.js", folder / "frames.json"
    script.write_text(bundle([module_of(explorer), "state.js"], sources() | (changed or {})), encoding="utf-8")
    frames.write_text(json.dumps(golden(explorer)), encoding="utf-8")
    run = subprocess.run(["node", REPLAY, script, frames], capture_output=True, encoding="utf-8")
    assert run.returncode == 0 or run.stdout, run.stderr
    return run.stdout.strip()


@needs_node
@pytest.mark.parametrize("name", [name for name in CASES if name not in NO_TWIN_YET])
def test_a_twin_draws_and_says_what_python_does(name, trace, tmp_path):
    build, start = CASES[name]
    explorer = build(IMAGE, trace, TARGET)
    explorer.set(**start)
    explorer._first = explorer._state()  # the sweep begins here, and Reset comes back to it
    assert replayed(explorer, tmp_path) == ""


@needs_node
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_twin_of_suppression_knows_no_boxes_and_boxes_that_tie(count, tmp_path):
    boxes = torch.tensor([[0.0, 0, 100, 60], [0, 0, 100, 18], [70, 20, 90, 60]])[:count]  # the IoU of two is 0.3
    assert replayed(NMSExplorer(IMAGE, boxes, torch.full((count,), 0.5)), tmp_path) == ""


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
