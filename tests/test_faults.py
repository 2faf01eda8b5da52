"""Training under fire: killed anywhere, out of disk, interrupted, with broken files and dead workers."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
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
KILLS = 20
SCENES = ToyScenes(size=(64, 64), length=50)

# A process that trains in children of its own, so that torch is imported once: argv is folder, kills, seed.
KILLED_TRAINING = """
import os, random, signal, sys, time
from dataclasses import replace
from pathlib import Path
import torch
from rcnn_tutorial.checkpoints import read_checkpoint
from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import CHECKPOINT, train

torch.set_num_threads(1)
run, kills = Path(sys.argv[1]), int(sys.argv[2])
random.seed(int(sys.argv[3]))
scenes = ToyScenes(size=(64, 64), length=50)
training = replace(TOY_TRAINING, steps=60, batch_size=1, checkpoint_every=1, average_decay=0.9)

def child():
    pid = os.fork()
    if pid:
        return pid
    torch.manual_seed(0)
    for report in train(build_model(toy_config(scenes.classes)), scenes, training, run, (run / CHECKPOINT).exists()):
        pass
    os._exit(0)

for _ in range(kills):
    pid = child()
    time.sleep(random.uniform(0.1, 0.5))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "it ended before it was killed"
    print(read_checkpoint(run / CHECKPOINT).info["step"] if (run / CHECKPOINT).exists() else 0, flush=True)
_, status = os.waitpid(child(), 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def train_killed(run: Path, kills: int) -> list[int]:
    """Train in `run`, killed that many times. Returns the step of the newest checkpoint after every kill."""
    run.mkdir()
    command = [sys.executable, "-c", KILLED_TRAINING, run, str(kills), "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_killed_at_random_moments_it_ends_with_the_weights_of_an_unbroken_run(tmp_path):
    train_killed(tmp_path / "unbroken", kills=0)
    steps = train_killed(tmp_path / "killed", KILLS)
    assert len(steps) == KILLS and steps == sorted(steps)
    expected, found = (read_checkpoint(tmp_path / run / "checkpoint.safetensors") for run in ("unbroken", "killed"))
    assert expected.tensors.keys() == found.tensors.keys()
    assert all(torch.equal(tensor, found.tensors[name]) for name, tensor in expected.tensors.items())
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("unbroken", "killed")]
    assert [[json.loads(line)["step"] for line in log] for log in logs] == [list(range(1, 61))] * 2
    assert not list((tmp_path / "killed").glob(".*"))  # no half-written file is left


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
    command = [sys.executable, "-m", "rcnn_tutorial", "train", "--data", "toy", "--batch-size", "1", "--out", run]
    process = subprocess.Popen(
        [*command, "--steps", "5000", "--workers", "1"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    log = run / "log.jsonl"
    while not (log.exists() and log.read_text().count("\n") > 2):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1].splitlines()[-1]
    step = read_checkpoint(run / "checkpoint.safetensors").info["step"]
    assert process.returncode == 130
    assert message == (
        f"rcnn-tutorial: error: interrupted after step {step} of 5000, all saved; go on with rcnn-tutorial train "
        f"--resume --out {run}"
    )
    assert json.loads(log.read_text().splitlines()[-1])["step"] == step


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
