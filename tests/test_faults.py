"""Training under fire: killed anywhere, out of disk, interrupted, with broken files and dead workers."""

import itertools
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
from rcnn_tutorial.evaluation import evaluate
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
        f"rcnn-tutorial: error: interrupted after step {step} of 5000, all saved; go on with --resume --out {run}"
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
