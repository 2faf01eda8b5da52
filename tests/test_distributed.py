"""Several processes: the weights and figures of one, one writer, resuming on another number, and an end when one dies.

pytest compares; torchrun runs this same file for what each of two processes does (`work`, `train_until`). All of them
use the CPU and gloo, whatever the machine has.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from rcnn_tutorial import cli, data, distributed
from rcnn_tutorial.checkpoints import load_model, read_checkpoint, save_model
from rcnn_tutorial.config import TrainingConfig, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.errors import ConfigError, DataError, ProcessLost
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import CHECKPOINT, train

ROOT = Path(__file__).parents[1]
SIZES = ((64, 64), (64, 96), (96, 64))
SGD = TrainingConfig(steps=4, batch_size=2, learning_rate=0.01, average_decay=0.9, checkpoint_every=2)
RUNS = {
    "sgd": SGD,
    "alternating": replace(SGD, alternating=True),
    "skipping": replace(SGD, on_bad_file="skip", seed=1),  # the one image of a process may be broken
    "adapting": SGD,  # batch norm is not frozen
}
# Sums in another order differ in the last bits of float32, and four steps do not make much more of it.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}
HANG = 600  # seconds: longer takes only what never ends
EVALUATE = ["evaluate", "--data", "toy", "--device", "cpu", "--json", "--weights"]


class Scenes(torch.utils.data.Dataset):
    """Six scenes of three sizes, so that the images of one process need less padding than those of the batch."""

    classes = ToyScenes().classes

    def __init__(self, broken: bool = False):
        self.broken = broken

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if self.broken and index == 1:
            raise DataError("photos/1.jpg: truncated; replace it")
        return ToyScenes(size=SIZES[index % 3])[index]


def new_model(seed: int = 0, frozen: bool = True):
    config = toy_config(Scenes.classes)
    config = replace(
        config,
        preprocessing=replace(config.preprocessing, target_size=64, max_size=128),
        backbone=replace(config.backbone, frozen_batch_norm=frozen),
        inference=replace(config.inference, score_threshold=0.0, max_detections=20),
    )
    torch.manual_seed(seed)
    return build_model(config)


def train_as(name: str, folder: Path, seed: int = 0):
    """One of RUNS from its start to its end; returns the model."""
    model = new_model(seed, frozen=name != "adapting")
    list(train(model, Scenes(name == "skipping"), RUNS[name], folder / name, validation=Scenes()))
    return model


def stop_after_two_steps(folder: Path) -> None:
    reports = train(new_model(), Scenes(), SGD, folder)
    next(reports), next(reports)
    reports.close()


def resume(folder: Path):
    """The two steps that are left; returns the model."""
    model = new_model(seed=1)
    assert [report.step for report in train(model, Scenes(), SGD, folder, resume=True)] == [3, 4]
    return model


def work(folder: Path) -> None:
    """What each of the two processes does. The folder holds `one`, where one process stopped."""
    torch.set_num_threads(1)
    with distributed.process_group("cpu"):
        rank = distributed.rank()
        for name in RUNS:  # the second process starts from other weights, which must not matter
            save_model(folder / f"{name}-{rank}.safetensors", train_as(name, folder, seed=rank))
        stop_after_two_steps(folder / "two")
        save_model(folder / f"one-{rank}.safetensors", resume(folder / "one"))
        result = evaluate(load_model(folder / "sgd-0.safetensors"), Scenes(), progress=False)
        torch.save(result._asdict(), folder / f"evaluation-{rank}.pt")
        data.TOY_LENGTHS["val"] = 3
        distributed.process_group = contextlib.nullcontext  # the command need not join: they are together already
        assert cli.main([*EVALUATE, str(folder / "sgd-0.safetensors")]) == 0


def train_until(event: str, *options: str) -> int:
    """The command, in whose third step process `event` is killed or, where it is "ctrl-c", torchrun interrupted."""
    steps, rank = itertools.count(1), os.environ["RANK"]

    def happen(*_) -> None:
        if next(steps) != 3:
            return
        if event == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "ctrl-c" and rank == "0":
            interrupt_torchrun()

    register_optimizer_step_post_hook(happen)
    return cli.main(["train", *options])


def interrupt_torchrun() -> None:
    """As Ctrl-C does; returns when torchrun has handed it on to this process."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    os.kill(os.getppid(), signal.SIGINT)
    os.read(reader, 1)


def torchrun(*arguments) -> subprocess.CompletedProcess:
    """This file's `work` or `train_until` in two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", __file__]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    output = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    return subprocess.run([*command, *map(str, arguments)], env=environment, timeout=HANG, **output)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `work` leaves behind."""
    folder = tmp_path_factory.mktemp("two")
    stop_after_two_steps(folder / "one")
    done = torchrun("work", folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("batch norm is not frozen: each process normalizes with its own 1 of the images") == 1
    (folder / "output.json").write_text(done.stdout, encoding="utf-8")
    return folder


def assert_same_weights(path: Path, expected, prefix: str = "model.") -> None:
    found = read_checkpoint(path).group(prefix)
    assert found.keys() == expected.state_dict().keys()
    torch.testing.assert_close(found, {name: t.contiguous() for name, t in expected.state_dict().items()}, **TOLERANCE)


def log_of(run: Path) -> list[dict]:
    """The run's log without what a clock decides, and without the validation of steps that have none."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds" and value is not None} for line in lines]


@pytest.mark.parametrize("name", ["sgd", "alternating", "skipping"])
@pytest.mark.filterwarnings("ignore:left out")
def test_two_processes_end_with_the_weights_and_the_log_of_one(folder, tmp_path, name):
    model = train_as(name, tmp_path)
    start = new_model().state_dict()
    assert max((tensor - start[name]).abs().max() for name, tensor in model.state_dict().items()) > 1e-3
    assert_same_weights(folder / f"{name}-0.safetensors", model)
    checkpoint = folder / name / CHECKPOINT
    assert_same_weights(checkpoint, model, prefix=read_checkpoint(checkpoint).info["detect_with"])
    assert len(log_of(folder / name)) == RUNS[name].steps
    for found, expected in zip(log_of(folder / name), log_of(tmp_path / name), strict=True):
        assert found.pop("losses") == pytest.approx(expected.pop("losses"), rel=1e-4)
        assert found.pop("phase") == expected.pop("phase")
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", RUNS)
def test_all_processes_hold_the_same_weights(folder, name):
    first, second = (read_checkpoint(folder / f"{name}-{rank}.safetensors").tensors for rank in (0, 1))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_one_process_writes_one_checkpoint_and_one_log(folder):
    for name in RUNS:
        assert sorted(path.name for path in (folder / name).iterdir()) == [CHECKPOINT, "log.jsonl"]


def test_resuming_goes_on_with_another_number_of_processes(folder, tmp_path):
    whole = train_as("sgd", tmp_path)
    assert_same_weights(folder / "one-0.safetensors", whole)  # from one to two
    resumed = resume(folder / "two")  # and from two to one
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), **TOLERANCE)


def test_evaluation_is_that_of_one_process_on_every_process(folder):
    expected = evaluate(load_model(folder / "sgd-0.safetensors"), Scenes(), progress=False)
    for rank in (0, 1):
        found = torch.load(folder / f"evaluation-{rank}.pt", weights_only=True)
        assert found["mAP"] == expected.mAP and found["recall"] == expected.recall
        assert found["images"] == len(found["detections"]) == 6
        assert sum(len(one["boxes"]) for one in expected.detections) > 0
        for one, other in zip(found["detections"], expected.detections, strict=True):
            assert all(torch.equal(one[key], other[key]) for key in ("boxes", "labels", "scores"))


def test_a_batch_that_cannot_be_shared_evenly_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 4)
    for size, remedy in ((6, "4 or 8"), (3, "4")):
        with pytest.raises(ConfigError, match=f"batch_size = {size}: .* by 4 processes; use {remedy}$"):
            train(new_model(), Scenes(), replace(SGD, batch_size=size))


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="process 3 of this machine has no GPU .* --nproc-per-node 2"):
        with distributed.process_group("cuda"):
            pass


@pytest.mark.parametrize(
    ("error", "becomes", "ignored"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer"), ProcessLost, True),
        (RuntimeError("[/a/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:78] Timed out"), ProcessLost, True),
        (RuntimeError("[enforce fail at ../gloo/gloo/transport/tcp/device.cc:83] no address"), ProcessLost, True),
        (ProcessLost("process 0 cannot go on"), ProcessLost, True),
        (RuntimeError("a mistake of ours"), RuntimeError, False),
        (RuntimeError("photos/gloo/1.jpg: closed by peer"), RuntimeError, False),
        (RuntimeError("no backend 'gloo': use nccl"), RuntimeError, False),
        (ConfigError("steps = 0"), ConfigError, False),
    ],
)
def test_only_the_message_about_a_loss_outlasts_torchrun_s_signal(error, becomes, ignored, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *_, **__: None)
    previous = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(becomes), distributed.process_group("cpu"):
            raise error
        assert signal.getsignal(signal.SIGTERM) == (signal.SIG_IGN if ignored else previous)
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_deterministic_training_is_the_same_on_a_cpu_and_leaves_torch_as_it_was():
    plain, deterministic = new_model(), new_model()
    list(train(plain, Scenes(), SGD))
    for _ in train(deterministic, Scenes(), replace(SGD, deterministic=True, workers=1)):
        assert not torch.are_deterministic_algorithms_enabled()
    assert all(torch.equal(t, deterministic.state_dict()[name]) for name, t in plain.state_dict().items())


def test_an_operation_without_a_deterministic_algorithm_is_named(monkeypatch):
    def refuse(*_, **__):
        assert torch.are_deterministic_algorithms_enabled()
        raise RuntimeError("grid_sampler_2d_backward_cuda does not have a deterministic implementation, but you set")

    monkeypatch.setattr("rcnn_tutorial.training.step.PhaseLosses.forward", refuse)
    with pytest.raises(ConfigError, match="^--deterministic: grid_sampler_2d_backward_cuda has no .* --pooling align"):
        next(train(new_model(), Scenes(), replace(SGD, deterministic=True)))


TRAIN = "--data toy --device cpu --target-size 64 --max-size 64 --batch-size 2 --frozen-batch-norm".split()
TRAIN += "--optimizer sgd --lr 1e-4".split()  # one optimizer, whose steps are those of the training


def train_two_until(event: str, run: Path) -> subprocess.CompletedProcess:
    """A training of two processes for five steps, in whose third `event` happens."""
    done = torchrun("train", event, *TRAIN, "--steps", 5, "--checkpoint-every", 1, "--out", run)
    assert done.returncode != 0 and done.stdout == ""
    return done


@pytest.mark.parametrize(("killed", "left"), ["01", "10"])
def test_a_killed_process_ends_the_others_with_a_message(tmp_path, killed, left):
    done = train_two_until(killed, tmp_path)
    assert done.returncode == 1
    assert f"rcnn-tutorial: error: process {left} cannot go on without the others (" in done.stderr
    assert "Signal 9 (SIGKILL) received by PID" in done.stderr
    assert load_model(tmp_path / CHECKPOINT).classes == Scenes.classes
    step = read_checkpoint(tmp_path / CHECKPOINT).info["step"]
    assert step in (2, 3) and len(log_of(tmp_path)) in (step, step + 1)


def test_ctrl_c_ends_the_step_and_saves_once(tmp_path):
    done = train_two_until("ctrl-c", tmp_path)
    assert done.stderr.count("rcnn-tutorial: error: ") == 1
    goes_on = f"rcnn-tutorial train --resume --out {tmp_path} --device cpu"
    assert f"error: interrupted after step 3 of 5, all saved; go on with {goes_on}\n" in done.stderr
    assert len(log_of(tmp_path)) == read_checkpoint(tmp_path / CHECKPOINT).info["step"] == 3


def test_the_command_reports_once_what_one_process_measures(folder, monkeypatch, capsys):
    monkeypatch.setitem(data.TOY_LENGTHS, "val", 3)
    assert cli.main([*EVALUATE, str(folder / "sgd-0.safetensors")]) == 0
    assert json.loads((folder / "output.json").read_text(encoding="utf-8")) == json.loads(capsys.readouterr().out)


if __name__ == "__main__":
    distributed.PATIENCE = timedelta(hours=1)  # no busy machine keeps a process waiting for that long
    if sys.argv[1] == "work":
        work(Path(sys.argv[2]))
    else:
        sys.exit(train_until(*sys.argv[2:]))
