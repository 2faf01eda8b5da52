"""Training under fire: out of disk, interrupted, with broken files and dead workers. Killed: test_crashes.py."""

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
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import train

ROOT = Path(__file__).parents[1]
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
    options = "train --data toy --device cpu --batch-size 1 --workers 1 --steps 30 --out".split()
    command = [sys.executable, "-c", INTERRUPTED, *options, run]
    output = {"stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"}
    done = subprocess.run(command, cwd=ROOT, timeout=HANG, start_new_session=True, **output)
    step = read_checkpoint(run / "checkpoint.safetensors").info["step"]
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == (
        f"rcnn-tutorial: error: interrupted after step {step} of 30, all saved; go on with --resume --out {run}"
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
def test_a_broken_file_ends_training_or_is_left_out_with_its_path(workers):
    training = TrainingConfig(batch_size=4, workers=workers)
    with pytest.raises(DataError, match="photos/7.jpg: truncated"):
        next(iter(training_loader(Faulty(unreadable), training)))
    with pytest.warns(UserWarning, match="left out: photos/7.jpg: truncated"):
        images, targets = next(iter(training_loader(Faulty(unreadable), replace(training, on_bad_file="skip"))))
    assert len(images) == len(targets) == 3


def test_a_batch_of_broken_files_alone_is_fatal():
    training = TrainingConfig(batch_size=1, on_bad_file="skip")
    with pytest.raises(DataError, match="photos/7.jpg"):
        for _ in zip(range(4), training_loader(Faulty(unreadable), training), strict=False):
            pass


def test_a_dead_worker_is_reported():
    with pytest.raises(TutorialError, match="a process that loads images is gone .*; resume with fewer --workers"):
        next(iter(training_loader(Faulty(killed), TrainingConfig(batch_size=4, workers=1))))
