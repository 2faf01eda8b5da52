"""The recorded training that lesson 08's page replays: it is of the lesson, and as this edition makes one."""

import json
import re

import nbformat
from explorer_cases import CASES, IMAGE, TARGET, small_trace

from rcnn_tutorial.benchmark.learning import CLASSES
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.live import TRAINING, replayed
from rcnn_tutorial.course.recording import BETWEEN, STEPS, read_recording, write_recording
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


def test_the_recording_is_of_the_lesson():
    kept = read_recording()
    notebook = nbformat.read(course_folder() / f"{TRAINING}.ipynb", as_version=4)
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert kept.says in [data.get("text/plain") for data in outputs]
    assert kept.explorer["tensors"]["classes"] == list(CLASSES) and kept.explorer["tensors"]["steps"] == STEPS
    assert [look["step"] for look in kept.explorer["tensors"]["looks"]] == list(range(0, STEPS + 1, BETWEEN))
    measured = kept.explorer["tensors"]["moments"]
    assert measured[-1]["step"] == STEPS and measured[-1]["mAP"] > 0.9


def test_this_edition_would_record_as_much():
    monitor = CASES["monitor"][0](IMAGE, small_trace(), TARGET)
    monitor.steps.value = 20
    monitor.advance(20)
    now, kept = exported(monitor, Pack()), read_recording().explorer
    assert shape_of(now) == shape_of(kept)


def test_a_recording_is_read_as_it_was_written(tmp_path, monkeypatch):
    monitor = CASES["monitor"][0](IMAGE, small_trace(), TARGET)
    write_recording(monitor, tmp_path / "kept.json")
    monkeypatch.setattr("rcnn_tutorial.course.recording.asset_path", lambda _: tmp_path / "kept.json")
    pack = Pack()
    explorer = exported(monitor, pack)
    assert read_recording() == (repr(monitor), json.loads(json.dumps(explorer)), pack.text())
    assert replayed([]).places == {repr(monitor): 0}
