"""Output that fails or cannot be encoded costs no work and no traceback."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from rcnn_tutorial.checkpoints import read_checkpoint
from rcnn_tutorial.data import TOY_CLASSES

# As bytes, which every locale can write: a name in an old encoding, and three in UTF-8.
TEXTS = ("\u732b.png", "\u05d7\u05ea\u05d5\u05dc.png", "a\u0301 \u2603.png")
NAMES = [os.fsdecode(name) for name in (b"caf\xe9.png", *(text.encode() for text in TEXTS))]


class Stream(io.TextIOWrapper):
    """A stream of an encoding, such as the one of a terminal on Windows."""

    def __init__(self, encoding: str):
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict")

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


class Failing(Stream):
    """A stream that stands before a closed pipe or a full disk."""

    def __init__(self, number: int):
        super().__init__("utf-8")
        self.number, self.waiting = number, False

    def write(self, text):
        self.waiting = True
        return len(text)

    def flush(self):
        if self.waiting:
            raise OSError(self.number, os.strerror(self.number))

    def close(self):
        pass


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "latin-1"])
@pytest.mark.parametrize("name", NAMES)
def test_names_that_cannot_be_encoded_are_escaped(name, encoding, run, weights, photos, tmp_path, monkeypatch):
    photo = tmp_path / name
    Image.open(photos[0]).save(photo)
    stream = Stream(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    options = [photo, photos[1], "--weights", weights, "--out", tmp_path / "out"]
    assert run(["detect", *options]) == 0
    lines = [line for line in stream.text().splitlines() if "drawn in" in line]
    assert len(lines) == 2 and lines[0].startswith(str(photo).encode(encoding, "backslashreplace").decode(encoding))
    assert (tmp_path / "out" / f"{photo.stem}_detections.png").exists()
    assert stream.errors == "strict"  # as it was
    stream = Stream(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    assert run(["detect", *options, "--json"]) == 0
    assert json.loads(stream.text())[0]["image"] == str(photo)


FAILURES = [errno.EPIPE, errno.ENOSPC, errno.EIO]


@pytest.mark.parametrize("number", FAILURES)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_result_that_stdout_does_not_take_is_kept(
    number, form, run, weights, photos, coco, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Failing(number))
        assert run(["detect", *photos, "--weights", weights, "--out", tmp_path / "out", *form]) == 1
        patch.setattr(sys, "stdout", Failing(number))
        assert run(["evaluate", "--data", coco, "--weights", weights, *form]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rcnn-tutorial")]
    reason = f"rcnn-tutorial: error: standard output: not written ({os.strerror(number)}); "
    assert errors[0] == f"{reason}the pictures lie in {tmp_path / 'out'}"
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert errors[1].startswith(f"{reason}the result is ")
    assert set(json.loads(errors[1].partition("the result is ")[2])["per_class"]) == set(TOY_CLASSES)


def test_a_closed_stdout_is_named(run, weights, photos, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert run(["detect", photos[0], "--weights", weights, "--out", tmp_path / "out"]) == 1
    assert "standard output: not written (it is closed); the pictures lie in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "stream", [None, *map(Failing, FAILURES)], ids=lambda stream: getattr(stream, "number", "none")
)
def test_a_training_outlives_its_terminal(stream, run, voc, small, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        assert run(["train", "--data", voc, "--validation", "val", *small, "--out", tmp_path / "run"]) == 0
        assert sys.stderr is stream
    assert read_checkpoint(tmp_path / "run" / "checkpoint.safetensors").info["step"] == 4


@pytest.mark.parametrize("target", ["closed pipe", *(["full disk"] if os.path.exists("/dev/full") else [])])
def test_the_process_ends_with_one_line_and_code_1(target, weights, photos, tmp_path):
    command = [sys.executable, "-m", "rcnn_tutorial", "detect", photos[0], "--device", "cpu", "--weights", weights]
    read, write = os.pipe()
    os.close(read)
    with (
        open("/dev/full", "w", encoding="utf-8")
        if target == "full disk"
        else os.fdopen(write, "w", encoding="utf-8") as stdout
    ):
        done = subprocess.run(
            [*command, "--out", tmp_path / "out"],
            cwd=Path(__file__).parents[2],
            stdout=stdout,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("rcnn-tutorial: error: standard output: not written (")
