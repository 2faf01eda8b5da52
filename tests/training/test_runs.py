"""The folder of a run: it belongs to one training, its log is whole, and what it was trained on is remembered."""

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from rcnn_tutorial.config import TrainingConfig, toy_config
from rcnn_tutorial.data import CachedDataset
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import runs, train
from rcnn_tutorial.training.runs import Claim, Log, claim, fingerprint

ROOT = Path(__file__).parents[2]
SCENES = ToyScenes(size=(64, 64), length=4)
TRAINING = TrainingConfig(steps=3, learning_rate=1e-4)

# A process that claims the folder in argv, starts another that outlives it if asked to, says so and waits.
HOLDER = """
import os, sys
from pathlib import Path
from rcnn_tutorial.training.runs import Claim

claimed = Claim(Path(sys.argv[1]))
if sys.argv[2] == "fork" and not os.fork():
    sys.stdin.read()
    os._exit(0)
print("claimed", flush=True)
sys.stdin.read()
"""


def model():
    return build_model(toy_config(SCENES.classes))


def test_a_folder_is_claimed_once_and_free_after_release(tmp_path):
    with closing(Claim(tmp_path / "new" / "run")) as claimed:
        with pytest.raises(ConfigError, match="run: a training is running there; close.. its reports first$"):
            Claim(claimed.folder)
        Claim(tmp_path / "another").close()
    assert list(claimed.folder.iterdir()) == []
    Claim(claimed.folder).close()


def test_what_a_killed_training_left_half_written_goes_with_the_next_one(tmp_path):
    left, foreign = tmp_path / ".checkpoint.safetensors.4711.tmp", tmp_path / ".notes.txt.4711.tmp"
    for path in (left, foreign, tmp_path / "log.jsonl"):
        path.write_bytes(b"")
    with pytest.raises(ConfigError, match="is running there"), closing(claim(tmp_path, resume=True)):
        assert not left.exists() and foreign.exists()
        left.write_bytes(b"")
        claim(tmp_path, resume=True)
    assert left.exists()  # it may be of the one that runs


@pytest.mark.parametrize("kind", ["alone", "fork"])
def test_another_process_is_kept_out_until_the_first_is_killed(tmp_path, kind):
    if kind == "fork" and not hasattr(os, "fork"):
        kind = "alone"
    command = [sys.executable, "-c", HOLDER, tmp_path, kind]
    holder = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert holder.stdout.readline() == "claimed\n"
        with pytest.raises(ConfigError, match="a training is running there; wait for its end, or name another --out$"):
            Claim(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with closing(Claim(tmp_path)):  # although a process that it started lives on, and the file is still there
            pass
    finally:
        holder.stdin.close()
        holder.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_its_owner_removes_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    lock, removed = runs._lock, []

    def slow(file):
        lock(file)
        if not removed:  # the owner lets go after our opening of the file and before our lock
            os.unlink(tmp_path / ".lock")
            removed.append(True)

    monkeypatch.setattr(runs, "_lock", slow)
    with closing(Claim(tmp_path)):
        assert (tmp_path / ".lock").exists()
        with pytest.raises(ConfigError):
            Claim(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL])
def test_a_file_system_without_locks_is_told_of(tmp_path, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(runs, "_lock", refuse)
    with pytest.warns(UserWarning, match="on a file system without locks; start no second training there"):
        reports = train(model(), SCENES, TRAINING, tmp_path)
    assert len(list(reports)) == 3


def test_a_place_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "run").write_text("a file", encoding="utf-8")
    with pytest.raises(DataError, match="run: cannot be written to .*; name another --out"):
        Claim(tmp_path / "run")


def test_two_trainings_in_one_process_do_not_share_a_folder(tmp_path):
    first = train(model(), SCENES, TRAINING, tmp_path)
    for resume in (False, True):
        with pytest.raises((ConfigError, DataError)):
            train(model(), SCENES, TRAINING, tmp_path, resume=resume)
    next(first)
    with pytest.raises(ConfigError, match="a training is running there"):
        train(model(), SCENES, TRAINING, tmp_path, resume=True)
    first.close()
    assert [report.step for report in train(model(), SCENES, TRAINING, tmp_path, resume=True)] == [2, 3]


def test_a_training_that_was_never_begun_leaves_the_folder_free(tmp_path):
    reports = train(model(), SCENES, TRAINING, tmp_path)
    del reports
    assert len(list(train(model(), SCENES, TRAINING, tmp_path))) == 3


def test_a_refused_request_leaves_the_folder_free_and_as_it_was(tmp_path):
    list(train(model(), SCENES, TRAINING, tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(2):
        with pytest.raises(ConfigError, match="steps = 3, not 4"):
            train(model(), SCENES, TrainingConfig(steps=4, learning_rate=1e-4), tmp_path, resume=True)
        with pytest.raises(ConfigError, match="checkpoint.safetensors exists already; pass --resume"):
            train(model(), SCENES, TRAINING, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "replaced"),
    [
        ("", True),
        ('{"step": 1, "phase": "joint"}\n', True),
        ('{"step": 1, "phase": "joint"}\n{"step": 2, "pha', True),
        ('{"st', True),
        ('{"step": 1, "loss": 3}\n', False),
        ("epoch,loss\n", False),
        ("epoch,loss", False),
        ("[]\n", False),
    ],
)
def test_a_log_alone_is_replaced_if_it_is_a_run_s_that_had_saved_nothing_yet(content, replaced, tmp_path):
    (tmp_path / "log.jsonl").write_text(content, encoding="utf-8")
    if replaced:
        claim(tmp_path, resume=False).close()
    else:
        with pytest.raises(ConfigError, match="log.jsonl exists already; name another --out$"):
            claim(tmp_path, resume=False)
    assert (tmp_path / "log.jsonl").read_text(encoding="utf-8") == content


def test_a_link_that_leads_nowhere_is_a_file_too(tmp_path):
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="model.safetensors exists already; name another --out$"):
        claim(tmp_path, resume=False)


def test_a_log_is_cut_back_appended_to_and_amended(tmp_path):
    lines = [{"step": step, "phase": "joint", "validation": None} for step in (1, 2, 3)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with closing(Log(tmp_path, 2)) as log:
        assert log.last == lines[1]
        log.append(lines[2])
        log.amend(lines[2] | {"validation": 0.5})
        assert log.last["validation"] == 0.5
        log.append({"step": 4})
    read = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert read == [*lines[:2], lines[2] | {"validation": 0.5}, {"step": 4}]


def test_a_log_of_no_folder_keeps_nothing_but_the_last_line():
    with closing(Log(None, 0)) as log:
        log.append({"step": 1})
        log.amend({"step": 1, "validation": 0.5})
        assert log.last == {"step": 1, "validation": 0.5}


def test_data_are_told_apart_by_their_objects_and_not_by_their_place():
    toy = fingerprint(SCENES)
    assert toy["images"] == 4 and fingerprint(CachedDataset(SCENES)) == toy
    assert json.loads(json.dumps(toy)) == toy
    assert fingerprint(ToyScenes(size=(64, 64), length=5)) != toy
