"""rcnn-tutorial export: the file detects as the model with the same options does; what is missing is one line."""

import sys

import numpy as np
import onnxruntime
import pytest
import torch

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.cli.export import with_proposals
from rcnn_tutorial.data import ToyScenes, load_sample


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "toy.onnx"
    assert run(["export", "--onnx", path, "--weights", "toy", "--candidates", 400, "--proposals", 60]) == 0
    return path


@pytest.fixture(scope="module")
def both(exported):
    """A function: what model and file find in a photo, as (boxes, labels, scores) each."""
    model, session = load_model("toy"), onnxruntime.InferenceSession(exported)
    model.config = with_proposals(model.config, 400, 60)

    def both(photo):
        with torch.inference_mode():
            (found,) = model([photo])
        return [value.numpy() for value in found.values()], session.run(None, {"image": photo.numpy()})

    return both


def assert_alike(expected, found, size):
    assert found[1].tolist() == expected[1].tolist()
    assert np.abs(found[0] - expected[0]).max(initial=0) < 1e-4 * max(size)
    assert np.abs(found[2] - expected[2]).max(initial=0) < 1e-4


@pytest.mark.parametrize("size", [(128, 128), (96, 160), (240, 200)], ids=str)
def test_the_bundled_detector_finds_the_same_in_onnxruntime(both, size):
    expected, found = both(ToyScenes("val", size=size)[0][0])
    assert len(expected[1]) > 0
    assert_alike(expected, found, size)


def test_a_photo_is_larger_than_a_scene(both):
    photo = load_sample("motorcycle")[0]
    assert_alike(*both(photo), photo.shape[1:])


def test_nothing_is_found_in_a_photo_of_one_color(both):
    expected, found = both(torch.full((3, 100, 120), 0.5))
    assert len(expected[1]) == 0 and [value.shape for value in found] == [(0, 4), (0,), (0,)]


def test_the_command_says_what_it_wrote(exported, run, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("rcnn_tutorial.export.export_onnx", lambda model, path: exported.stat().st_size)
    path = tmp_path / "toy.onnx"
    assert run(["export", "--onnx", path, "--weights", "toy", "--proposals", 60]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"{path}: 2.0 MB, 10 classes, at most 600 boxes -> 60 proposals"
    assert [line.split(":")[0].strip() for line in others] == ["in", "out"]


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_a_missing_package_is_named_with_the_remedy(missing, run, complaint, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, missing, None)
    assert run(["export", "--onnx", tmp_path / "a.onnx", "--weights", "toy"]) == 2
    remedy = 'run: pip install "rcnn-tutorial[onnx]"'
    assert complaint().endswith(f"error: an ONNX file needs {missing}, not installed here; {remedy}")


def test_a_checkpoint_is_not_overwritten(run, complaint, weights):
    with open(weights, "rb") as file:
        before = file.read()
    assert run(["export", "--onnx", weights, "--weights", weights]) == 2
    assert "ends in .onnx" in complaint()
    with open(weights, "rb") as file:
        assert file.read() == before


def test_a_place_that_cannot_be_written_to_is_told(run, complaint, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: Recorded())
    assert run(["export", "--onnx", tmp_path / "file" / "a.onnx", "--weights", "toy"]) == 1
    assert "not written" in complaint()


class Recorded:
    """What torch.onnx.export gives, as far as the command looks at it."""

    class model_proto:  # noqa: N801
        class metadata_props:  # noqa: N801
            add = staticmethod(lambda key, value: None)

        SerializeToString = staticmethod(lambda: b"graph")


def test_the_numbers_of_boxes_are_the_detectors_own_unless_given():
    config = load_model("toy").config
    assert with_proposals(config, None, None) == config
    assert with_proposals(config, 7, None).proposals.top_n(False) == (7, 150)
    assert with_proposals(config, None, 7).proposals.top_n(False) == (600, 7)
