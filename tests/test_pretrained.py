"""Weights from files: however they were saved they are taken over, and what cannot be is named in one readable line."""

import pickle
from collections import OrderedDict
from dataclasses import replace

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from rcnn_tutorial.backbones import build_backbone
from rcnn_tutorial.checkpoints import save_model
from rcnn_tutorial.config import BackboneConfig, toy_config
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.model import build_model

RESNET18 = BackboneConfig(name="resnet18", tail_stride=2, frozen_blocks=0)


def classifier(name: str = "resnet18", **options) -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None, **options)


@pytest.fixture(scope="module")
def state():
    return classifier().state_dict()


def prefixed(prefix: str, state: dict) -> dict:
    return {prefix + key: value for key, value in state.items()}


def without(state: dict, *names: str) -> dict:
    return {key: value for key, value in state.items() if not key.startswith(names)}


WAYS = {
    "ten classes": lambda state: state | {"fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)},
    "no last layer": lambda state: without(state, "fc."),
    "another last layer": lambda state: (
        without(state, "fc.") | {"fc.0.weight": torch.zeros(9), "fc.3.bias": torch.ones(1)}
    ),
    "DataParallel": lambda state: prefixed("module.", state),
    "compiled": lambda state: prefixed("_orig_mod.", state),
    "both": lambda state: prefixed("module._orig_mod.", state),
    "inside a training": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"state": {}, "lr": 0.1}},
    "Lightning": lambda state: {"state_dict": prefixed("model.", state) | {"loss.weight": torch.ones(10)}},
    "model and average": lambda state: {"model": state, "model_ema": prefixed("x.", state), "args": None},
    "detector of torchvision": lambda state: (
        prefixed("backbone.body.", without(state, "fc.")) | {"rpn.x": torch.ones(1)}
    ),
    "half precision": lambda state: {key: value.half() for key, value in state.items()},
    "no counters": lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
    "ordered": OrderedDict,
}


@pytest.mark.parametrize("way", WAYS)
def test_weights_are_taken_however_they_were_saved(way, state, tmp_path):
    torch.save(WAYS[way](state), tmp_path / "weights.pth")
    backbone = build_backbone(RESNET18, str(tmp_path / "weights.pth"))
    tolerance = {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close(backbone.head.stem[0].weight, state["conv1.weight"], **tolerance)
    torch.testing.assert_close(backbone.tail[0][1].conv2.weight, state["layer4.1.conv2.weight"], **tolerance)


@pytest.mark.parametrize("name", ["weights.bin", "weights.ckpt", "weights", "weights.PTH"])
def test_a_file_of_any_ending_is_a_file(name, state, tmp_path):
    torch.save(state, tmp_path / name)
    backbone = build_backbone(RESNET18, str(tmp_path / name))
    assert torch.equal(backbone.head.stem[0].weight, state["conv1.weight"])


@pytest.mark.parametrize(("name", "unused"), [("vgg16", "classifier.6"), ("mobilenet_v2", "classifier.1")])
def test_the_last_layer_of_other_backbones_is_not_used_either(name, unused, tmp_path):
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in classifier(name).state_dict().items()}
    state = {key: torch.zeros(shape) for key, shape in shapes.items()} | {f"{unused}.weight": torch.zeros(3, 5)}
    safetensors.torch.save_file(state, tmp_path / "weights.safetensors")
    backbone = build_backbone(BackboneConfig(name, frozen_blocks=0), str(tmp_path / "weights.safetensors"))
    assert not any(parameter.any() for parameter in backbone.head.parameters())


def test_weights_of_another_backbone_are_recognized(tmp_path):
    torch.save(classifier("resnet34").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(DataError, match="does not fit resnet18; they are of resnet34: use --backbone resnet34$"):
        build_backbone(RESNET18, str(tmp_path / "weights.pth"))
    torch.save(classifier("mobilenet_v2").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(DataError, match="holds no tensor of resnet18; they are of mobilenet_v2"):
        build_backbone(RESNET18, str(tmp_path / "weights.pth"))


def test_a_detector_s_own_checkpoint_is_no_classifier(tmp_path):
    save_model(tmp_path / "detector.safetensors", build_model(toy_config(("circle",))))
    with pytest.raises(DataError, match="holds no tensor of resnet18; it is a detector's; give the weights of a class"):
        build_backbone(RESNET18, str(tmp_path / "detector.safetensors"))


BAD = {
    "web page": (b"<!DOCTYPE html>\n<html>", "not a weights file .*<!DOCTYPE html>.*download the file itself"),
    "empty": (b"", "not a weights file .it is empty"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1",
        "not a weights file .it begins with 'version",
    ),
    "bytes": (b"\x1b[31m\x00\xff\xfe", "not a weights file .it begins with "),
    "cut pickle": (b"\x80\x02}q", "damaged .its content is cut off"),
    "cut archive": (b"PK\x03\x04" + bytes(50), "damaged .its content is cut off"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_weights_file_is_named_in_one_readable_line(kind, tmp_path):
    content, complaint = BAD[kind]
    (tmp_path / "weights.pth").write_bytes(content)
    assert_refused(tmp_path / "weights.pth", complaint)


OBJECTS = {
    "whole model": lambda: classifier(),
    "a layer in a dict": lambda: {"model": nn.Linear(1, 1)},
    "a training with its config": lambda: {"state_dict": {}, "config": replace(RESNET18)},
    "a function": lambda: {"state_dict": {}, "collate": pickle.loads},
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_pickled_objects_are_named_and_no_advice_to_trust_them_is_given(kind, tmp_path):
    torch.save(OBJECTS[kind](), tmp_path / "weights.pth")
    assert_refused(
        tmp_path / "weights.pth", r"holds a pickled object \([\w.]+\), which is not opened; save the network's"
    )


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "weights.pth").mkdir()
    assert_refused(tmp_path / "weights.pth", "cannot be read")


def assert_refused(path, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as error:
        build_backbone(RESNET18, str(path))
    text = str(error.value)
    assert text.startswith(f"{path}: ") and text.isprintable() and len(text) < 300 + len(str(path))
    assert "weights_only" not in text and "trust" not in text
