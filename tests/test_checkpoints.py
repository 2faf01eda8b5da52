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
    load_optimizers,
    load_training,
    load_weights,
    read_checkpoint,
    save_model,
    save_training,
)
from rcnn_tutorial.config import OPTIMIZERS, TrainingConfig, toy_config
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import build_optimizers

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


OF_OTHERS = ("[1", "[]", "[" * 100_000, '{"format": Infinity}', '{"format": null}')


@pytest.mark.parametrize("header", [None, {"format": "pt"}, *({"rcnn_tutorial": text} for text in OF_OTHERS)])
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
    save_training(path, model.config, training, 5, {"model.": model}, build_optimizers(model, training))
    assert load_training(path, model.config, training).info["step"] == 5
    assert load_training(path, model.config, replace(training, workers=3, checkpoint_every=7)).info["step"] == 5
    for changed in ({"steps": 20}, {"seed": 1}, {"scale_jitter": (0.5, 1.0)}):
        with pytest.raises(ConfigError, match=f"training.{next(iter(changed))} = "):
            load_training(path, model.config, replace(training, **changed))
    other = replace(model.config, rpn=replace(model.config.rpn, sigma=2.0))
    with pytest.raises(ConfigError, match="config.rpn.sigma = 3.0, not 2.0") as error:
        load_training(path, other, training)
    one_line(error)


def test_a_training_of_an_older_version_is_resumed_with_the_defaults_of_what_it_did_not_know(model, path):
    training = TrainingConfig(steps=10)
    save_training(path, model.config, training, 5, {"model.": model}, build_optimizers(model, training))
    info = read_checkpoint(path).info
    del info["training"]["color_jitter"], info["config"]["rpn"]["sigma"], info["data"]
    save_file(read_checkpoint(path).tensors, path, {"rcnn_tutorial": json.dumps(info)})
    assert load_training(path, model.config, training).info["step"] == 5
    with pytest.raises(ConfigError, match="training.color_jitter = 0.0, not 0.5"):
        load_training(path, model.config, replace(training, color_jitter=0.5))


@pytest.mark.parametrize("change", ["fast copy", "another layer", "a layer less"])
def test_a_model_that_is_not_what_its_config_builds_is_not_saved(model, tmp_path, change):
    if change == "fast copy":
        model = model.for_inference()
    elif change == "another layer":
        model.tail.append(torch.nn.Linear(128, 128))
    else:
        del model.classification
    with pytest.raises(ConfigError, match="m.safetensors: not written: '.*save the model itself") as error:
        save_model(tmp_path / "m.safetensors", model)
    one_line(error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", [None, "2", 1.5, True, -1, 11, 10**9])
def test_a_step_that_no_training_was_at_is_refused(model, path, step):
    training = TrainingConfig(steps=10)
    save_training(path, model.config, training, 5, {"model.": model}, build_optimizers(model, training))
    with pytest.raises(DataError, match=f"step = {step!r} of 10: ") as error:
        load_training(rewritten(path, step=step), model.config, training)
    one_line(error)


def moved(model, name: str) -> list[torch.optim.Optimizer]:
    """Optimizers that remember one step."""
    optimizers = build_optimizers(model, TrainingConfig(optimizer=name, steps=10))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    for optimizer in optimizers:
        optimizer.step()
    return optimizers


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_remembers_what_it_did(model, path, name):
    training, optimizers = TrainingConfig(optimizer=name, steps=10), moved(model, name)
    save_training(path, model.config, training, 1, {"model.": model}, optimizers)
    again = build_optimizers(model, training)
    load_optimizers(again, read_checkpoint(path))
    assert len(optimizers) == len(again) == (2 if name == "muon" else 1)
    for one, other in zip(optimizers, again, strict=True):
        expected, found = one.state_dict()["state"], other.state_dict()["state"]
        assert expected.keys() == found.keys()
        for number, values in expected.items():
            assert values.keys() == found[number].keys()
            assert all(torch.equal(value, found[number][key]) for key, value in values.items())


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("damage", ["shape", "name", "number", "gap"])
def test_what_another_optimizer_remembers_is_refused(model, path, name, damage):
    training, last = TrainingConfig(optimizer=name, steps=10), "momentum_buffer" if name == "sgd" else "exp_avg"
    save_training(path, model.config, training, 1, {"model.": model}, moved(model, name))
    tensor = f"optimizer.1.{last}"

    def change(tensors):
        if damage == "gap" and name != "sgd":
            del tensors[tensor]
        elif damage in ("shape", "gap"):
            tensors[tensor] = torch.zeros(7)
        else:
            tensors["optimizer.x" if damage == "name" else f"optimizer.999.{last}"] = torch.zeros(7)

    with pytest.raises(DataError, match="model.safetensors: .*'optimizer.") as error:
        load_optimizers(build_optimizers(model, training), read_checkpoint(rewritten(path, change)))
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


def test_a_checkpoint_that_was_read_is_no_longer_tied_to_its_file(small, tmp_path):
    """Windows replaces no file that is mapped into memory; elsewhere such a tensor shows what the file gets."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(small.read_bytes())
    checkpoint = read_checkpoint(path)
    before = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()}
    with open(path, "r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert all(torch.equal(before[name], tensor) for name, tensor in checkpoint.tensors.items())


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


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A training checkpoint after one step of ten, and the settings that it may be resumed with."""
    file, training = tmp_path_factory.mktemp("begun") / "checkpoint.safetensors", TrainingConfig(steps=10)
    model = build_model(toy_config(("circle",)))
    save_training(file, model.config, training, 1, {"model.": model}, moved(model, "sgd"))
    return file, model, training


NAMES = st.builds("{}{}".format, st.sampled_from(["model.", "optimizer."]), st.integers(-1, 99) | st.text(max_size=3))


@settings(max_examples=FUZZ_EXAMPLES, deadline=None)
@given(data=st.data(), value=ANYTHING, shape=st.none() | st.lists(st.integers(0, 3), max_size=4))
def test_damage_never_gives_another_error_in_a_training(begun, data, value, shape):
    file, model, training = begun
    checkpoint = read_checkpoint(file)
    tensors, info = dict(checkpoint.tensors), dict(checkpoint.info)
    name = data.draw(st.sampled_from([*tensors, *info]) | NAMES)
    if name in info:
        info[name] = value
    elif shape is None:
        tensors.pop(name, None)
    else:
        tensors[name] = torch.zeros(shape)
    damaged = file.with_name("damaged.safetensors")
    save_file(tensors, damaged, {"rcnn_tutorial": json.dumps(info)})
    try:
        resumed = load_training(damaged, model.config, training)
        load_weights(model, resumed)
        load_optimizers(build_optimizers(model, training), resumed)
    except (ConfigError, DataError) as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert 0 <= resumed.info["step"] <= training.steps


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
