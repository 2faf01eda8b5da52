"""Checkpoints: what goes in comes out, whole or not at all; what does not fit is refused by name."""

import copy
import json
import os
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from rcnn_tutorial import checkpoints
from rcnn_tutorial.checkpoints import (
    FORMAT,
    load_model,
    load_training,
    read_checkpoint,
    save_model,
    save_training,
    write_atomically,
)
from rcnn_tutorial.config import TrainingConfig, to_dict, toy_config
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import build_optimizer

FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 200))  # `make fuzz` tries more


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model(toy_config(("circle", "square")))


@pytest.fixture
def path(model, tmp_path):
    save_model(tmp_path / "model.safetensors", model, extra={"note": "for the tests"})
    return tmp_path / "model.safetensors"


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def rewritten(path, change_tensors=lambda tensors: None, **info):
    """The checkpoint at `path` with some of its content changed."""
    checkpoint = read_checkpoint(path)
    tensors = dict(checkpoint.tensors)
    change_tensors(tensors)
    save_file(tensors, path, {"rcnn_tutorial": json.dumps(checkpoint.info | info)})
    return path


def test_a_model_comes_back_exactly(model, path):
    model.to(memory_format=torch.channels_last)  # as training leaves it
    save_model(path, model, extra={"mAP": 0.5})
    loaded = load_model(path)
    assert loaded.config == model.config and not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    assert read_checkpoint(path).info["extra"] == {"mAP": 0.5}


def test_half_precision_halves_the_file_and_loads_as_float32(model, path):
    size = path.stat().st_size
    save_model(path, model, half=True)
    assert path.stat().st_size < 0.55 * size
    loaded = load_model(path).state_dict()
    for name, tensor in model.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        torch.testing.assert_close(loaded[name], tensor, rtol=1e-3, atol=1e-6)


def test_half_precision_keeps_statistics_that_float16_cannot_hold(model, path):
    norm = next(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    norm.running_var.fill_(1e6)
    save_model(path, model, half=True)
    assert all(torch.isfinite(tensor).all() for tensor in load_model(path).state_dict().values())


def test_bundled_names_stand_for_the_package_s_files(model, path, monkeypatch):
    asked = []
    monkeypatch.setattr(checkpoints, "asset_path", lambda name: asked.append(name) or path)
    assert load_model("toy").config == load_model("voc").config == model.config
    assert asked == ["toy.safetensors", "voc.safetensors"]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere.safetensors: no such checkpoint"):
        load_model(tmp_path / "nowhere.safetensors")
    with pytest.raises(DataError, match="no such checkpoint"):
        load_model(tmp_path)


@pytest.mark.parametrize("damage", ["empty", "first half", "last byte", "text", "image"])
def test_damaged_files_are_refused(path, damage):
    content = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "first half": content[: len(content) // 2],
            "last byte": content[:-1],
            "text": b"not a checkpoint at all\n" * 100,
            "image": b"\x89PNG\r\n\x1a\n" + bytes(1000),
        }[damage]
    )
    with pytest.raises(DataError) as error:
        load_model(path)
    assert "model.safetensors: damaged, or not a safetensors file" in one_line(error)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_pickles_are_refused_and_not_run(tmp_path):
    sprung, bait = tmp_path / "sprung", tmp_path / "weights.pth"
    bait.write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(DataError, match="not a safetensors file"):
        load_model(bait)
    torch.save({"weights": torch.zeros(3), "trap": Trap(sprung)}, bait)
    with pytest.raises(DataError, match="not a safetensors file"):
        load_model(bait)
    assert not sprung.exists()


@pytest.mark.parametrize("header", [None, {"format": "pt"}, {"rcnn_tutorial": "[1"}, {"rcnn_tutorial": "[]"}])
def test_safetensors_of_others_are_refused(tmp_path, header):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors", header)
    with pytest.raises(DataError, match="not a checkpoint of rcnn_tutorial"):
        load_model(tmp_path / "other.safetensors")


def test_newer_formats_are_refused(model, path):
    with pytest.raises(DataError, match=f"format {FORMAT + 1} is newer"):
        load_model(rewritten(path, format=FORMAT + 1))


@pytest.mark.parametrize("config", [{}, None, {"classes": ["a"], "colour": 1}, {"backbone": {"name": "resnet9000"}}])
def test_unusable_configs_are_refused(model, path, config):
    with pytest.raises(DataError, match="model.safetensors: ") as error:
        load_model(rewritten(path, config=config))
    one_line(error)


def test_tensors_that_do_not_fit_are_named(model, path):
    name = next(name for name in read_checkpoint(path).tensors if name.endswith("weight"))
    bare = name.removeprefix("model.")
    with pytest.raises(DataError, match=f"has no tensor '{bare}'"):
        load_model(rewritten(path, lambda tensors: tensors.pop(name)))
    save_model(path, model)
    with pytest.raises(DataError, match=f"{bare} has shape \\(1, 2\\)"):
        load_model(rewritten(path, lambda tensors: tensors.update({name: torch.zeros(1, 2)})))
    save_model(path, model)
    with pytest.raises(DataError, match="unexpected tensor 'extra.weight'"):
        load_model(rewritten(path, lambda tensors: tensors.update({"model.extra.weight": torch.zeros(1)})))


def test_a_model_is_no_training_to_resume(model, path):
    with pytest.raises(DataError, match="no state of a training"):
        load_training(path, model.config, TrainingConfig())


def test_training_resumes_only_with_the_same_settings(model, path):
    training = TrainingConfig(steps=10, scale_jitter=(0.5, 2.0))
    save_training(path, model.config, training, 5, {"model.": model}, build_optimizer(model, training))
    assert load_training(path, model.config, training).info["step"] == 5
    assert load_training(path, model.config, replace(training, workers=3, checkpoint_every=7)).info["step"] == 5
    for changed in ({"steps": 20}, {"seed": 1}, {"scale_jitter": (0.5, 1.0)}):
        with pytest.raises(ConfigError, match=f"training.{next(iter(changed))} = "):
            load_training(path, model.config, replace(training, **changed))
    other = replace(model.config, rpn=replace(model.config.rpn, sigma=2.0))
    with pytest.raises(ConfigError, match="config.rpn.sigma = 3.0, not 2.0") as error:
        load_training(path, other, training)
    one_line(error)


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_file(model, path, monkeypatch, broken):
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        with pytest.raises(DataError, match="not written .no space left on device.; make room"):
            save_model(path, model)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_file_appears_under_its_name_only_when_complete(tmp_path, monkeypatch):
    target, content, seen = tmp_path / "deep" / "file", b"x" * 100_000, []
    replace_file = os.replace

    def look(source, destination):
        seen.append((target.exists(), source.read_bytes() == content))
        replace_file(source, destination)

    monkeypatch.setattr(os, "replace", look)
    write_atomically(target, content)
    assert seen == [(False, True)]
    assert target.read_bytes() == content


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A checkpoint file, and its config flattened: (file, {path of keys: value})."""
    file = tmp_path_factory.mktemp("small") / "model.safetensors"
    save_model(file, build_model(toy_config(("circle",))), half=True)
    return file


def places(values, path=()):
    """The path of keys of every value of a nested dict."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from places(value, (*path, key))


PLACES = list(places(to_dict(toy_config(("circle",)))))
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.floats(), st.text(max_size=3),
    st.lists(st.integers(0, 9), max_size=3), st.just({}),
)  # fmt: skip


def loads_or_says_why(file) -> None:
    try:
        model = load_model(file)
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert len(list(model.parameters())) > 0


@settings(max_examples=FUZZ_EXAMPLES, deadline=None)
@given(place=st.sampled_from(PLACES), value=ANYTHING)
def test_damage_never_gives_another_error_in_the_config(small, place, value):
    checkpoint = read_checkpoint(small)
    config = copy.deepcopy(checkpoint.info["config"])
    inner = config
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    damaged = small.with_name("config.safetensors")
    save_file(checkpoint.tensors, damaged, {"rcnn_tutorial": json.dumps(checkpoint.info | {"config": config})})
    loads_or_says_why(damaged)


@settings(max_examples=FUZZ_EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8), st.floats(0, 1))
def test_damage_never_gives_another_error_in_the_bytes(small, changes, length):
    content = bytearray(small.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")  # beyond it lie numbers, which may be any
    for place, byte in changes:
        content[int(place * (header - 1))] = byte
    damaged = small.with_name("bytes.safetensors")
    damaged.write_bytes(content[: int(length * len(content)) if length < 0.5 else len(content)])
    loads_or_says_why(damaged)
