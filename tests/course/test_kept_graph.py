"""A recorded graph is kept until something changes that it comes from."""

import shutil
from pathlib import Path

import pytest
import torch
from small_detector import new_model

from rcnn_tutorial import export_trace
from rcnn_tutorial.course import kept_graph
from rcnn_tutorial.course.kept_graph import graph_of, source_of


@pytest.fixture
def recorded(monkeypatch):
    """The names of the files that were recorded."""
    names = []

    def record(detector, path):
        names.append(path.name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"graph {len(names)}".encode())

    monkeypatch.setattr(export_trace, "export_trace", record)
    return names


def test_a_graph_is_recorded_once(recorded, tmp_path):
    kept = tmp_path / "kept"
    assert graph_of(new_model(), kept) == graph_of(new_model(), kept) == b"graph 1"
    assert len(recorded) == 1


def test_only_the_newest_graph_stays_and_what_is_somebody_else_s(recorded, tmp_path):
    (tmp_path / "mine.onnx").write_bytes(b"mine")
    graph_of(new_model(), tmp_path)
    assert graph_of(new_model(proposals={"nms_threshold": 0.6}), tmp_path) == b"graph 2"
    assert {path.name for path in tmp_path.iterdir()} == {recorded[1], "mine.onnx"}


def test_it_is_recorded_anew_when_config_weights_code_or_a_recorder_change(monkeypatch, tmp_path):
    found = {source_of(new_model()), source_of(new_model())}
    assert len(found) == 1
    found.add(source_of(new_model(crop_pooling={"size": 3})))
    detector = new_model()
    with torch.no_grad():
        next(detector.parameters()).view(-1)[0] += 1
    found.add(source_of(detector))
    package = tmp_path / "package"
    shutil.copytree(Path(kept_graph.__file__).parents[1], package, ignore=lambda *_: {"__pycache__"})
    monkeypatch.setattr(kept_graph, "_PACKAGE", package)
    assert source_of(new_model()) in found  # the same text at another place
    with (package / "boxes.py").open("a") as file:
        file.write("\n")
    found.add(source_of(new_model()))
    monkeypatch.setattr(kept_graph, "version", lambda name: "2.99")
    found.add(source_of(new_model()))
    assert len(found) == 5
