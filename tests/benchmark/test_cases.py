"""Every case has a name, and every side of it does the same work."""

import subprocess

import pytest
import torch
from PIL import Image

from rcnn_tutorial.benchmark import BY_DEFAULT, CASES, cases, start
from rcnn_tutorial.benchmark.detectors import RIVALS, detection_in_photo, megabytes
from rcnn_tutorial.benchmark.measure import SIDES
from rcnn_tutorial.benchmark.slider import slider_explorer
from rcnn_tutorial.benchmark.toy import growing_step, random_boxes, toy_step
from rcnn_tutorial.cli import build_parser


def test_every_name_stands_for_a_case():
    assert tuple(cases.CASES) == CASES and set(BY_DEFAULT) < set(CASES)


@pytest.mark.parametrize("side", SIDES)
def test_each_side_takes_a_toy_step(side):
    work = toy_step(side)
    work(), work()


def test_a_step_of_other_sizes():
    growing_step(batch=2, side=96, objects=3)()
    boxes = random_boxes(2, 50, 96, 128)
    assert boxes.shape == (2, 50, 4) and (boxes[..., 2:] > boxes[..., :2]).all()
    assert (boxes >= 0).all() and (boxes <= torch.tensor([128, 96, 128, 96])).all()


@pytest.mark.parametrize("side", SIDES)
def test_each_side_detects_in_the_same_photo(side):
    assert [set(found) for found in detection_in_photo(side, RIVALS[2])()] == [{"boxes", "labels", "scores"}]


def test_weights_are_counted_in_float32():
    assert megabytes(torch.nn.Linear(999, 1000)) == 4.0


def test_processes_from_command_to_end():
    assert start.python("-c", "print(2)")().stdout.split() == [b"2"]
    with pytest.raises(subprocess.CalledProcessError):
        start.python("-c", "1 / 0")()


def test_start_compares_whole_processes(monkeypatch):
    commands = []

    def python(*arguments):
        commands.append(arguments)
        return lambda: run_here(*arguments)

    def run_here(option, code, *arguments):
        if option == "-c" and arguments:
            monkeypatch.setattr("sys.argv", ["-c", *arguments])
            exec(code, {})
            assert Image.open(arguments[-1]).size == (800, 600)  # it has drawn its picture

    monkeypatch.setattr(start, "python", python)
    rows = start.start(1)
    assert [(row.unit, row.peer is None) for row in rows] == [("s", False), ("s", False), ("s", True)]
    detect, _, ours, _, help_command = commands
    assert build_parser().parse_args([*detect[2:]]).weights == "voc"
    assert ours == ("-c", "import rcnn_tutorial.model") and help_command[1:] == ("rcnn_tutorial", "--help")


def test_the_slider_moves_all_boxes():
    shown = slider_explorer()
    shown.shift.value = 7
    assert shown.summary == "2000 boxes, moved by 7."
