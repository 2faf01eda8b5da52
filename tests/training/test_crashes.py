"""A training that dies at any of its points ends, resumed, with what an unbroken one leaves.

The points have names: the k-th write, fsync, rename or removal of a file, the k-th step of the optimizer. An unbroken
run counts them, so that a write that is added to the code is tried too, and no clock decides where a process dies.
pytest compares; this same file, run as a script, is the process in whose children the training dies (`main`).
"""

import builtins
import io
import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from rcnn_tutorial.checkpoints import read_checkpoint
from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import CHECKPOINT, train

ROOT = Path(__file__).parents[2]
SCENES = ToyScenes(size=(64, 64), length=8)
TRAINING = replace(TOY_TRAINING, steps=3, batch_size=1, checkpoint_every=1, average_decay=0.9)
# What a process calls to change a file's place or what the disk holds of it, and the name of the point.
CALLS = {"fsync": "fsync", "replace": "rename", "rename": "rename", "unlink": "remove", "remove": "remove"}
KINDS = ("write", "fsync", "rename", "remove", "step")
DIED = 9


class Points:
    """The points that this process passes; at number `last` of `kind` it dies as one that is killed."""

    def __init__(self, kind: str = "", last: int = 0):
        self.passed, self.end = [], (kind, last)

    def is_last(self, kind: str) -> bool:
        self.passed.append(kind)
        return (kind, self.passed.count(kind)) == self.end

    def watch(self) -> None:
        """From here on every call of this process that makes a point is counted."""
        for name, kind in CALLS.items():
            setattr(os, name, self._counted(getattr(os, name), kind))
        builtins.open = io.open = self._opener(io.open)
        register_optimizer_step_post_hook(self._counted(lambda *_: None, "step"))

    def _counted(self, call, kind):
        def counted(*arguments, **options):
            if self.is_last(kind):
                os._exit(DIED)
            return call(*arguments, **options)

        return counted

    def _opener(self, opener):
        def opened(*arguments, **options):
            file = opener(*arguments, **options)
            if file.writable():
                file.write = self._torn(file, file.write)
            return file

        return opened

    def _torn(self, file, write):
        """`write`, of whose last call half the data arrives."""

        def torn(data):
            if not self.is_last("write"):
                return write(data)
            write(data[: len(data) // 2])
            file.flush()
            os._exit(DIED)

        return torn


def live(run: Path, points: Points, answer=None) -> None:
    """Train to the end in `run`, from where an earlier process was; answer with the points that were passed."""
    torch.manual_seed(0)
    model = build_model(toy_config(SCENES.classes))
    points.watch()
    for _ in train(model, SCENES, TRAINING, run, resume=(run / CHECKPOINT).exists()):
        pass
    if answer is not None:
        answer.send(points.passed)


def main(folder: Path) -> None:
    """Train in `folder`/unbroken; then, for each point, in a folder of its own: die there, die again resumed, end."""
    torch.set_num_threads(1)
    fork = multiprocessing.get_context("fork")  # torch is imported once

    def exit_code(*arguments) -> int:
        child = fork.Process(target=live, args=arguments)
        child.start()
        child.join()
        return child.exitcode

    receiver, sender = fork.Pipe(duplex=False)
    assert exit_code(folder / "unbroken", Points(), sender) == 0
    points = receiver.recv()
    lives = {kind: [] for kind in KINDS}
    for kind, count in Counter(points).items():
        for number in range(1, count + 1):
            # The earlier the first death, the more is left to do, and the later the second one can be.
            deaths = [Points(kind, number), Points(kind, count + 1 - number), Points()]
            lives[kind].append([exit_code(folder / f"{kind}-{number}", death) for death in deaths])
    (folder / "lives.json").write_text(json.dumps({"points": points, "lives": lives}), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `main` leaves behind."""
    folder = tmp_path_factory.mktemp("crashes")
    command = [sys.executable, __file__, folder]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stderr
    (folder / "errors").write_text(done.stderr, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def record(folder):
    """The points of the unbroken run, and the exit codes of the three lives for each point of each kind."""
    return json.loads((folder / "lives.json").read_text(encoding="utf-8"))


def log_of(run: Path) -> list[dict]:
    """The lines of the log without what a clock decides."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_dying_twice_at_any_point_changes_nothing_of_what_a_run_leaves(folder, record, kind):
    unbroken = folder / "unbroken"
    expected = read_checkpoint(unbroken / CHECKPOINT)
    assert len(record["lives"][kind]) == record["points"].count(kind) >= TRAINING.steps
    assert any(second == DIED for _, second, _ in record["lives"][kind])
    for number, (first, _, last) in enumerate(record["lives"][kind], start=1):
        run = folder / f"{kind}-{number}"
        assert (first, last) == (DIED, 0), (run.name, (folder / "errors").read_text(encoding="utf-8"))
        found = read_checkpoint(run / CHECKPOINT)
        assert found.info == expected.info and found.tensors.keys() == expected.tensors.keys(), run.name
        assert all(torch.equal(tensor, found.tensors[name]) for name, tensor in expected.tensors.items()), run.name
        assert log_of(run) == log_of(unbroken), run.name
        assert {path.name for path in run.iterdir()} == {path.name for path in unbroken.iterdir()}, run.name


def test_a_file_is_on_the_disk_before_it_takes_its_name_and_the_name_after(record):
    """A process cannot see the power fail; what survives that is decided by this order."""
    points = record["points"]
    renames = [place for place, kind in enumerate(points) if kind == "rename"]
    for place in renames:
        assert points[place - 2 : place] == ["write", "fsync"]
        assert "fsync" in points[place + 1 : place + 3]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
