"""Training under fire: out of disk, interrupted, with broken files and dead workers. Killed: test_crashes.py."""

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rcnn_tutorial.checkpoints import read_checkpoint
from rcnn_tutorial.config import TOY_TRAINING, TrainingConfig, toy_config
from rcnn_tutorial.data.batching import training_loader
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.errors import DataError, TutorialError
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import train

ROOT = Path(__file__).parents[2]
SCENES = ToyScenes(size=(64, 64), length=50)
HANG = 600  # seconds: longer takes only what never ends

# The command, in whose third step Ctrl-C is pressed: as in a terminal, all processes of the group hear of it.
INTERRUPTED = """
import itertools, os, signal, sys
from torch.optim.optimizer import register_optimizer_step_post_hook
from rcnn_tutorial.cli import main

steps = itertools.count(1)

def press(*_):
    if next(steps) == 3:
        os.killpg(0, signal.SIGINT)

register_optimizer_step_post_hook(press)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def full_disk():
    """Call it with a number of bytes: no file can grow beyond, and writing more fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, previous)


def test_a_full_disk_is_one_clear_line_and_the_old_checkpoint_stays(tmp_path, full_disk):
    training = replace(TOY_TRAINING, steps=3, batch_size=1, checkpoint_every=1)
    reports = train(build_model(toy_config(SCENES.classes)), SCENES, training, tmp_path)
    next(reports)
    checkpoint = tmp_path / "checkpoint.safetensors"
    before = checkpoint.read_bytes()
    full_disk(len(before) // 2)
    with pytest.raises(DataError, match="checkpoint.safetensors: not written .*; make room") as caught:
        next(reports)
    assert "\n" not in str(caught.value)
    assert checkpoint.read_bytes() == before and read_checkpoint(checkpoint).info["step"] == 1


def test_ctrl_c_ends_the_step_saves_and_says_how_to_go_on(tmp_path):
    run = tmp_path / "run"
    options = "train --data toy --device cpu --optimizer sgd --batch-size 1 --workers 1 --steps 30 --out".split()
    command = [sys.executable, "-c", INTERRUPTED, *options, run]
    output = {"stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"}
    done = subprocess.run(command, cwd=ROOT, timeout=HANG, start_new_session=True, **output)
    step = read_checkpoint(run / "checkpoint.safetensors").info["step"]
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == (
        f"rcnn-tutorial: error: interrupted after step {step} of 30, all saved; go on with "
        f"rcnn-tutorial train --resume --out {run} --device cpu"
    )
    log = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(log) == json.loads(log[-1])["step"] == step >= 3


def test_closing_the_reports_saves_what_was_reached(tmp_path):
    training = replace(TOY_TRAINING, steps=5, batch_size=1)
    reports = train(build_model(toy_config(SCENES.classes)), SCENES, training, tmp_path)
    next(reports), next(reports)
    reports.close()
    assert read_checkpoint(tmp_path / "checkpoint.safetensors").info["step"] == 2


class Faulty(torch.utils.data.Dataset):
    """Scenes, the third of which does what `fault` does."""

    classes = SCENES.classes

    def __init__(self, fault):
        self.fault = fault

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.fault() if index == 2 else SCENES[index]


def unreadable():
    raise DataError("photos/7.jpg: truncated; replace it")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_ends_training_or_the_next_takes_its_place(workers):
    training = TrainingConfig(batch_size=4, workers=workers, flip=False)
    with pytest.raises(DataError, match="photos/7.jpg: truncated"):
        next(iter(training_loader(Faulty(unreadable), training)))
    with pytest.warns(UserWarning, match="left out: photos/7.jpg: truncated"):
        images, targets = next(iter(training_loader(Faulty(unreadable), replace(training, on_bad_file="skip"))))
    assert sorted(target["image_id"] for target in targets) == [SCENES[i][1]["image_id"] for i in (0, 1, 3, 3)]
    assert all(torch.equal(image, SCENES[int(t["image_id"][-1])][0]) for image, t in zip(images, targets, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:left out")
def test_skipping_with_a_batch_of_one_depends_on_the_step_alone(workers):
    training = TrainingConfig(batch_size=1, workers=workers, on_bad_file="skip", seed=5)

    def ids(start, number, **parts):
        loader = iter(training_loader(Faulty(unreadable), training, start, **parts))
        return [targets[0]["image_id"] for _, targets in itertools.islice(loader, number)]

    whole = ids(0, 12)
    assert {name[-1] for name in whole} == {"0", "1", "3"} and len(whole) == 12
    assert all(ids(start, 12 - start) == whole[start:] for start in (1, 5, 11))


@pytest.mark.filterwarnings("ignore:left out")
def test_resuming_a_training_that_skips_ends_with_the_same_weights(tmp_path):
    training = replace(TOY_TRAINING, steps=6, batch_size=1, on_bad_file="skip")

    def trained(run, stop=None, resume=False):
        torch.manual_seed(0)
        model = build_model(toy_config(SCENES.classes))
        reports = train(model, Faulty(unreadable), training, run, resume)
        list(itertools.islice(reports, stop))
        reports.close()
        return model.state_dict()

    trained(tmp_path / "broken", stop=3)
    expected, found = trained(tmp_path / "whole"), trained(tmp_path / "broken", resume=True)
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_several_processes_skip_as_one_does():
    training = TrainingConfig(batch_size=2, on_bad_file="skip")
    with pytest.warns(UserWarning, match="left out: photos/7.jpg"):
        loaders = [
            training_loader(Faulty(unreadable), training, part=part, parts=parts)
            for part, parts in ((0, 1), (0, 2), (1, 2))
        ]
        whole, first, second = ([targets for _, targets in itertools.islice(loader, 6)] for loader in loaders)
    for batch, one, other in zip(whole, first, second, strict=True):
        assert [target["image_id"] for target in batch] == [one[0]["image_id"], other[0]["image_id"]]


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_files_alone_end_training(workers):
    class Broken(Faulty):
        def __getitem__(self, index):
            return self.fault()

    training = TrainingConfig(batch_size=1, workers=workers, on_bad_file="skip")
    with pytest.raises(DataError, match="none of the 4 images can be used; the first: photos/7.jpg: truncated"):
        next(iter(training_loader(Broken(unreadable), training)))


def test_validation_leaves_out_a_broken_file_where_training_skips():
    training = replace(TOY_TRAINING, steps=1, batch_size=1, checkpoint_every=1)
    model = build_model(toy_config(SCENES.classes))
    with pytest.raises(DataError, match="photos/7.jpg"):
        list(train(model, SCENES, training, validation=Faulty(unreadable)))
    with pytest.warns(UserWarning, match="left out: photos/7.jpg"):
        (report,) = train(model, SCENES, replace(training, on_bad_file="skip"), validation=Faulty(unreadable))
    assert 0 <= report.validation <= 1
    with pytest.warns(UserWarning, match="left out: photos/7.jpg"):
        assert evaluate(model, Faulty(unreadable), progress=False, on_bad_file="skip").images == 3


def test_a_dead_worker_is_reported():
    with pytest.raises(TutorialError, match="a process that loads images is gone .*; resume with fewer --workers"):
        next(iter(training_loader(Faulty(killed), TrainingConfig(batch_size=4, workers=1))))
