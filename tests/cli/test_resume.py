"""A run and its folder: what is written there, what repeats it, what goes on with it, what is left alone."""

import json
import shlex
import shutil
import signal
from contextlib import closing

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from rcnn_tutorial.checkpoints import load_model, read_checkpoint
from rcnn_tutorial.config import Config, TrainingConfig
from rcnn_tutorial.data import TOY_CLASSES
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.fields import from_dict
from rcnn_tutorial.training import loop, runs


def test_train_writes_a_run_that_can_be_detected_with_and_resumed(run, coco, small, capsys, tmp_path):
    out = tmp_path / "run"
    options = [*small, "--batch-size", 2]
    assert run(["train", "--data", coco, *options, "--seed", 3, "--out", out]) == 0
    output = capsys.readouterr()
    assert output.out == f"{out / 'model.safetensors'}\n"
    assert "4/4" in output.err and "loss=" in output.err
    model = load_model(out / "model.safetensors")
    assert model.classes == TOY_CLASSES and model.config.backbone.name == "small"

    written = json.loads((out / "config.json").read_text(encoding="utf-8"))
    training = from_dict(TrainingConfig, written["training"])
    assert (training.steps, training.batch_size, training.seed) == (4, 2, 3)
    assert from_dict(Config, written["model"]) == model.config

    assert run(["train", "--data", coco, "--resume", "--out", out]) == 0  # finished: the same weights again
    again = load_model(out / "model.safetensors").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


def test_same_config_file_and_seed_train_the_same_weights(run, coco, small, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    run(["train", "--data", coco, *small, "--steps", 2, "--out", first])
    run(["train", "--data", coco, "--config", first / "config.json", "--out", second])
    one, other = (load_model(run / "model.safetensors").state_dict() for run in (first, second))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_train_refuses_to_overwrite_a_run_or_to_resume_with_other_settings(run, coco, small, capsys, tmp_path):
    out = tmp_path / "run"
    start = ["train", "--data", coco, "--out", out]
    run([*start, *small, "--steps", 1])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run([*start, *small, "--steps", 1]) == 2
    assert "--resume" in capsys.readouterr().err
    assert run([*start, "--resume", "--lr", 0.5]) == 2
    assert "training.learning_rate" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_resume_without_a_run(run, capsys, tmp_path):
    assert run(["train", "--data", "toy", "--resume", "--out", tmp_path / "run"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(tmp_path / "run") in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"config": None},
        {"training": [1]},
        {"training": {"speed": 1}},
        {"training": {"workers": "x"}},
        {"step": "2"},
    ],
)
def test_resume_from_what_is_no_training(run, info, capsys, tmp_path):
    out = tmp_path / "run"
    run(["train", "--data", "toy", "--steps", 1, "--batch-size", 1, "--target-size", 64, "--out", out])
    checkpoint = read_checkpoint(out / "checkpoint.safetensors")
    changed = {name: value for name, value in (checkpoint.info | info).items() if info or name != "training"}
    save_file(checkpoint.tensors, checkpoint.path, {"rcnn_tutorial": json.dumps(changed)})
    capsys.readouterr()
    assert run(["train", "--data", "toy", "--resume", "--out", out]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("rcnn-tutorial: error: ")


def same_weights(one, other) -> bool:
    first, second = (read_checkpoint(run / "model.safetensors").tensors for run in (one, other))
    return first.keys() == second.keys() and all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def content_of(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stopped(monkeypatch, after: int) -> None:
    """Let Ctrl-C come in step `after` of the trainings that follow."""
    step = loop.train_step

    def interrupted(*arguments):
        report = step(*arguments)
        if report.step == after:
            signal.raise_signal(signal.SIGINT)
        return report

    monkeypatch.setattr(loop, "train_step", interrupted)


def test_the_written_config_repeats_the_whole_request(run, voc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(7)
    torch.save({"state_dict": torchvision.models.resnet18(num_classes=3).state_dict()}, "own.pth")
    small = ["--backbone", "resnet18", "--target-size", 32, "--max-size", 48, "--steps", 1, "--rpn-channels", 8]
    options = ["--split", "all", "--validation", "val", "--pretrained", "own.pth", *small]
    assert run(["train", "--data", "voc:voc data", *options, "--out", "first"]) == 0
    written = json.loads((tmp_path / "first" / "config.json").read_text(encoding="utf-8"))
    assert (written["data"], written["split"], written["validation"]) == (voc, "all", "val")
    assert written["pretrained"] == str(tmp_path / "own.pth")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(["train", "--config", tmp_path / "first" / "config.json", "--out", tmp_path / "second"]) == 0
    assert same_weights(tmp_path / "first", tmp_path / "second")
    assert (tmp_path / "second" / "config.json").read_bytes() == (tmp_path / "first" / "config.json").read_bytes()
    stem = load_model(tmp_path / "second" / "model.safetensors").head.stem[0].weight
    assert not torch.allclose(stem, torchvision.models.resnet18().conv1.weight)


def test_resume_needs_nothing_but_the_folder_and_the_hint_says_so(run, voc, small, tmp_path, monkeypatch, capsys):
    whole, out = tmp_path / "whole", tmp_path / "a run's folder"
    options = ["--data", voc, "--split", "all", "--validation", "val", *small]
    assert run(["train", *options, "--out", whole]) == 0
    with monkeypatch.context() as patch:
        stopped(patch, after=3)
        assert run(["train", *options, "--out", out]) == 130
    hint = capsys.readouterr().err.splitlines()[-1].partition("; go on with ")[2]
    assert hint == shlex.join(["rcnn-tutorial", "train", "--resume", "--out", str(out), "--device", "cpu"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run(shlex.split(hint)[1:]) == 0
    assert same_weights(whole, out)
    logs = [json.loads(line) for path in (whole, out) for line in (path / "log.jsonl").open(encoding="utf-8")]
    assert [line["validation"] for line in logs[:4]] == [line["validation"] for line in logs[4:]]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--data", "toy"], "data = 'toy': the run began with 'voc:"),
        (["--split", "val"], "split = 'val': the run began with 'all'"),
        (["--validation", "train"], "validation = 'train': the run began with None"),
        (["--pretrained", "DEFAULT"], "pretrained = 'DEFAULT': the run began with None"),
        (["--seed", 5], "training.seed = 5: the run began with 0"),
        (["--steps", 40], "training.steps = 40: the run began with 4"),
        (["--classes", "b", "a"], "model.classes = "),
        (["--rpn-channels", 3], "model.rpn.channels = 3: the run began with 64"),
        (["--flip"], None),
        (["--split", "all"], None),
        (["--workers", 1], None),
        (["--checkpoint-every", 1, "--on-bad-file", "skip"], None),
    ],
)
def test_a_resumed_run_is_what_it_began_as(run, voc, small, tmp_path, options, named, complaint, capsys, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stopped(patch, after=2)
        run(["train", "--data", voc, "--split", "all", *small, "--out", out])
    before = content_of(out)
    capsys.readouterr()
    code = run(["train", "--resume", "--out", out, *options])
    if named is None:
        assert code == 0 and read_checkpoint(out / "checkpoint.safetensors").info["step"] == 4
    else:
        assert code == 2 and named in complaint() and content_of(out) == before


def test_a_run_of_an_older_version_goes_on_once_its_data_are_named(run, voc, small, tmp_path, complaint, capsys):
    whole, out = tmp_path / "whole", tmp_path / "old"
    options = ["--data", voc, "--split", "all", *small]
    assert run(["train", *options, "--out", whole]) == 0
    shutil.copytree(whole, out)
    settings = json.loads((out / "config.json").read_text(encoding="utf-8"))
    old = {name: settings[name] for name in ("model", "training")}
    (out / "config.json").write_text(json.dumps(old), encoding="utf-8")
    capsys.readouterr()
    assert run(["train", "--resume", "--out", out]) == 2
    assert "--data is missing" in complaint()
    assert run(["train", "--resume", "--out", out, *options[:4]]) == 0
    assert json.loads((out / "config.json").read_text(encoding="utf-8")) == settings
    (out / "config.json").unlink()
    assert run(["train", "--resume", "--out", out, *options[:4]]) == 0
    assert same_weights(whole, out)


def test_data_that_have_moved_may_be_named_anew_and_data_that_have_changed_are_warned_of(
    run, voc, small, tmp_path, capsys
):
    out, moved = tmp_path / "run", tmp_path / "moved"
    assert run(["train", "--data", voc, "--split", "all", *small, "--out", out]) == 0
    shutil.move(tmp_path / "voc data", moved)
    capsys.readouterr()
    assert run(["train", "--resume", "--out", out]) == 1
    assert "voc data: no such folder" in capsys.readouterr().err
    assert run(["train", "--resume", "--out", out, "--data", f"voc:{moved}"]) == 0
    assert "warning" not in capsys.readouterr().err
    (moved / "ImageSets" / "Main" / "all.txt").write_text("0\n1\n3\n", encoding="utf-8")
    assert run(["train", "--resume", "--out", out, "--data", f"voc:{moved}"]) == 0
    assert "warning: " in (text := capsys.readouterr().err) and "(4 images then, 3 now" in text


def test_a_run_that_ended_before_its_first_checkpoint_is_resumed_at_its_start(run, voc, small, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "run"
    options = ["train", "--data", voc, "--split", "all", *small]
    assert run([*options, "--out", whole]) == 0

    def broken(*_):
        raise DataError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("rcnn_tutorial.training.runs.save_training", broken)
        assert run([*options, "--out", out]) == 1
    assert sorted(content_of(out)) == ["config.json", "log.jsonl"]
    assert run([*options, "--out", out]) == 2
    assert run(["train", "--resume", "--out", out]) == 0
    assert same_weights(whole, out)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "log.jsonl", "checkpoint.safetensors"])
@pytest.mark.parametrize("content", [b"of another program", b'{"architectures": ["Bert"]}\n'])
def test_files_of_others_are_left_alone(name, content, run, voc, small, tmp_path, complaint):
    out = tmp_path / "run"
    out.mkdir()
    (out / name).write_bytes(content)
    (out / "notes.txt").write_bytes(b"mine")
    assert run(["train", "--data", voc, *small, "--out", out]) == 2
    assert f"{out / name} exists already; " in (text := complaint()) and "name another --out" in text
    assert content_of(out) == {name: content, "notes.txt": b"mine"}


def test_a_folder_with_files_of_other_names_is_used(run, voc, small, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine", encoding="utf-8")
    assert run(["train", "--data", voc, *small, "--out", tmp_path / "run"]) == 0
    names = ["checkpoint.safetensors", "config.json", "log.jsonl", "model.safetensors", "notes.txt"]
    assert sorted(content_of(tmp_path / "run")) == names


@pytest.mark.parametrize("options", [[], ["--resume"]])
def test_a_second_training_in_the_folder_is_refused(options, run, voc, small, tmp_path, complaint):
    start = ["train", "--data", voc, *small, "--out", tmp_path]
    with closing(runs.Claim(tmp_path)):
        (tmp_path / "config.json").write_text('{"training": {}}', encoding="utf-8")
        assert run([*start, *options]) == 2
        assert f"{tmp_path}: a training is running there" in complaint()


def test_validation_on_the_training_images_is_told(run, voc, small, tmp_path, capsys):
    assert run(["train", "--data", voc, "--validation", "train", *small, "--out", tmp_path / "run"]) == 0
    assert "warning: the validation measures on the training images" in capsys.readouterr().err


def test_validation_of_a_coco_file_is_another_coco_file(run, coco, small, tmp_path, capsys, complaint):
    other = tmp_path / "other.json"
    shutil.copy(tmp_path / "objects.json", other)
    assert run(["train", "--data", coco, "--validation", "val", *small, "--out", tmp_path / "run"]) == 2
    assert "one split by itself; give --validation coco:IMAGES:ANNOTATIONS.json" in complaint()
    validation = ["--validation", f"coco:{tmp_path}:{other}"]
    assert run(["train", "--data", coco, *validation, *small, "--out", tmp_path / "run"]) == 0
    assert "step 4: validation mAP 0." in capsys.readouterr().err
    assert run(["train", "--resume", "--out", tmp_path / "run"]) == 0


@pytest.mark.parametrize("skip", [False, True])
def test_a_validation_that_fails_loses_no_step(skip, run, voc, small, tmp_path, capsys):
    photo = tmp_path / "voc data" / "JPEGImages" / "2.jpg"
    whole, content = tmp_path / "whole", photo.read_bytes()
    options = ["--data", voc, "--validation", "val", *small]
    assert run(["train", *options, "--out", whole]) == 0
    photo.write_bytes(content[:300])
    capsys.readouterr()
    assert run(["train", *options, "--out", tmp_path / "run"]) == 1
    assert "2.jpg: cannot read the image" in capsys.readouterr().err
    assert read_checkpoint(tmp_path / "run" / "checkpoint.safetensors").info["step"] == 2
    if not skip:
        assert run(["train", "--resume", "--out", tmp_path / "run"]) == 1  # the photo is still what it was
        photo.write_bytes(content)
    capsys.readouterr()
    goes_on = ["train", "--resume", "--out", tmp_path / "run", *(["--on-bad-file", "skip"] if skip else [])]
    assert run(goes_on) == 0
    errors = capsys.readouterr().err
    assert "step 2: validation mAP" in errors and "step 4: validation mAP" in errors
    assert ("left out: " in errors) == skip
    assert same_weights(whole, tmp_path / "run")
    logs = [
        [json.loads(line) for line in (path / "log.jsonl").open(encoding="utf-8")] for path in (whole, tmp_path / "run")
    ]
    if not skip:
        assert [line["validation"] for line in logs[0]] == [line["validation"] for line in logs[1]]
    assert [line["step"] for line in logs[1] if line["validation"] is not None] == [2, 4]
