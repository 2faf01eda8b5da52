"""The command line as a whole: help, bad usage, and one clear line with the right exit code for whatever goes wrong."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from rcnn_tutorial.cli import lab
from rcnn_tutorial.errors import DataError

COMMANDS = ("detect", "train", "evaluate", "anchors", "export", "lab", "handout", "reports", "serve", "benchmark")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]])
def test_help_and_version_import_no_torch(arguments):
    code = (
        "import sys, atexit; atexit.register(lambda: print('torch' in sys.modules));"
        f"from rcnn_tutorial.cli import main; main({arguments})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.endswith("\nFalse\n")
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_options_default(run, command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    run([command, "--help"])
    text = capsys.readouterr().out
    optional = re.findall(r"\[(--[\w-]+)", text.split("\n\n")[0])
    entries = dict(re.findall(r"^  (--[\w-]+)(.*?)(?=^  -|^\S|\Z)", text, flags=re.MULTILINE | re.DOTALL))
    assert "--debug" in optional
    for option in optional:
        assert "(default: " in entries[option], option


def test_help_shows_the_defaults_of_both_starting_points(run, capsys):
    run(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "training steps (default: 70000; toy: 600)" in text
    assert "heights / widths (default: 0.5 1 2)" in text
    assert "never train batch norm (default: on; toy: off)" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "COMMAND"),
        (["paint"], "'paint'"),
        (["detect"], "IMAGE"),
        (["detect", "a.png", "--score", "1.5"], "'1.5'"),
        (["detect", "a.png", "--score", "high"], "'high'"),
        (["detect", "a.png", "--device", "tpu"], "'tpu'"),
        (["train", "--data", "toy"], "--out"),
        (["train", "--data", "toy", "--out", "run", "--steps", "many"], "'many'"),
        (["train", "--data", "toy", "--out", "run", "--backbone", "alexnet"], "'alexnet'"),
        (
            ["train", "--data", "toy", "--out", "run", "--targetsize", "3"],
            "--targetsize; did you mean '--target-size'?",
        ),
        (["train", "--data", "toy", "--out", "run", "--no-fliip"], "--no-fliip; did you mean '--no-flip'?"),
        (["detect", "a.png", "--jsn"], "--jsn; did you mean '--json'?"),
        (["train", "--out", "run"], "--data is missing: toy, voc:DIR or coco:"),
        (["train", "--data", "toy", "--out", ""], "'' is no folder"),
        (["detect", "a.png", "--out", ""], "'' is no folder"),
        (["train", "--data", "moon", "--out", "run"], "'moon'"),
        (["train", "--data", "toy", "--out", "run", "--split", "night"], "'night'"),
        (["train", "--data", "toy", "--out", "run", "--target-size", "3"], "preprocessing.target_size = 3"),
        (["train", "--data", "toy", "--out", "run", "--steps", "0"], "steps = 0"),
        (["evaluate", "--data", "toy", "--weights", "w", "--metric", "f1"], "'f1'"),
        (["train", "--data", "toy", "--out", "run", "--seed", "9" * 30], "seed = 999"),
        (["train", "--data", "toy", "--out", "run", "--rpn-channels", "9" * 30], "rpn.channels = 999"),
        (["train", "--data", "toy", "--out", "run", "--scale-jitter", "2", "1"], "scale_jitter = (2.0, 1.0)"),
        (["anchors"], "--data is missing: toy, voc:DIR or coco:"),
        (["anchors", "--data", "toy", "--suggest", "0"], "'0'"),
        (["anchors", "--data", "toy", "--anchor-ratios", "0"], "anchors.ratios = (0.0,)"),
        (["anchors", "--data", "toy", "--weights", "toy", "--config", "c.json"], "not allowed with argument --weights"),
        (["anchors", "--data", "toy", "--out", ""], "'' is no folder"),
        (["lab", "--port", "70000"], "'70000'"),
        (["serve", "--port", "-1"], "'-1'"),
        (["serve", "--lan", "--host", "127.0.0.1"], "not allowed with argument"),
        (["benchmark", "--repeats", "²"], "'²'"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(run, arguments, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1 and output.err.startswith("rcnn-tutorial") and complaint in output.err
    assert list(tmp_path.iterdir()) == []


def test_missing_gpu_is_named(run, photos, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(["detect", photos[0], "--device", "cuda", "--out", tmp_path / "out"]) == 2
    assert "no GPU" in capsys.readouterr().err


SHORTAGES = [
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 230400000000 bytes."),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("Storage size calculation overflowed with sizes=[100, 64, 3, 3]"),
]


@pytest.mark.parametrize("shortage", SHORTAGES)
def test_too_little_memory_is_one_line(run, shortage, capsys, monkeypatch):
    def short(_):
        raise shortage

    monkeypatch.setattr(lab, "folder_to_work_in", short)
    assert run(["lab"]) == 1
    assert capsys.readouterr().err.startswith("rcnn-tutorial: error: not enough memory; use smaller images")
    with pytest.raises(type(shortage)):
        run(["lab", "--debug"])


def test_an_error_of_the_program_itself_keeps_its_traceback(run, monkeypatch):
    def wrong(_):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(lab, "folder_to_work_in", wrong)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        run(["lab"])


def test_debug_shows_the_traceback(run, weights):
    with pytest.raises(DataError):
        run(["detect", "missing.png", "--weights", weights, "--debug"])


def test_python_m_is_the_same_command(run):
    command = [sys.executable, "-m", "rcnn_tutorial", "train", "--data", "toy"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=Path(__file__).parents[2])
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("rcnn-tutorial train: error: ") and done.stderr.count("\n") == 1


def test_interrupt_is_exit_code_130(run, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(lab, "folder_to_work_in", interrupted)
    assert run(["lab"]) == 130
    assert capsys.readouterr().err == "rcnn-tutorial: error: interrupted\n"


def test_warnings_are_one_line_on_stderr(run, monkeypatch, capsys):
    def warned(_):
        warnings.warn("3 boxes were clipped", stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setattr(lab, "folder_to_work_in", warned)
    before = warnings.showwarning
    run(["lab"])
    assert capsys.readouterr().err.splitlines()[0] == "rcnn-tutorial: warning: 3 boxes were clipped"
    assert warnings.showwarning is before
