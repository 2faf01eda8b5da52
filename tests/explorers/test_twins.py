"""The pages' twins: whatever a reader moves, they draw and say what the Python explorers do. Node replays them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from explorer_cases import CASES, IMAGE, TARGET, small_trace
from golden_frames import golden

from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.twin import module_of

REPLAY = Path(__file__).with_name("replay.mjs")
NO_TWIN_YET = {
    "preprocessing",
    "preprocessing of a column",
    "preprocessing of a row",
    "crops",
    "crops of the photo",
    "crops of its cells",
    "classification",
    "NMS",
    "detections",
    "merges",
    "boxes of merges",
    "merges of one color",
    "two generations",
    "tour",
    "story",
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
@pytest.mark.parametrize("right, wrong", [("union, TINY", "union + 1, TINY"), ("iou >= reach", "iou > 0.5")])
def test_a_broken_twin_is_caught(right, wrong, trace, tmp_path):
    explorer = CASES["anchors"][0](IMAGE, trace, TARGET)
    broken = {name: text.replace(right, wrong) for name, text in sources().items() if right in text}
    assert broken
    assert "Python" in replayed(explorer, tmp_path, broken)
