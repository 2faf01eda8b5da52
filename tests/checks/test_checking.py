"""What every check does with an answer, whatever the exercise."""

import threading

import numpy as np
import pytest
import torch

from rcnn_tutorial.checks import checking
from rcnn_tutorial.checks.checking import Check, Misconception

HANG = 600  # seconds: longer takes only what never ends
ROWS = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
double = Check(
    "double",
    right=lambda rows: rows * 2,
    cases=lambda: [(ROWS,), (ROWS[:1],)],
    misconceptions=(
        Misconception("You square; twice the value is meant.", lambda rows: rows**2),
        Misconception("You add 2; twice the value is meant.", lambda rows: rows + 2),
    ),
)


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows + rows,
        lambda rows: 2 * rows.numpy(),
        lambda rows: [[2 * x for x in row] for row in rows.tolist()],
    ],
    ids=["torch", "numpy", "lists"],
)
def test_right_answers_pass_in_every_style(answer):
    assert double(answer).passed and repr(double(answer)).startswith("Right. ")


def test_a_wrong_answer_meets_its_misconception():
    for misconception in double.misconceptions:
        verdict = double(misconception.wrong)
        assert not verdict.passed and verdict.message == misconception.says


def test_an_answer_that_nobody_foresaw_is_shown_beside_the_right_one():
    message = double(lambda rows: rows * 3).message
    assert "[[3.0, 6.0], [9.0, 12.0]]" in message and "[[2.0, 4.0], [6.0, 8.0]]" in message


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda rows: None, "returns nothing yet"),
        (lambda rows: 1 / 0, "stops with ZeroDivisionError: division by zero"),
        (lambda rows: "four", "returns a str"),
        (lambda rows: rows[0], "shape (2,); shape (2, 2) is needed"),
        (lambda: 0, "stops with TypeError"),
        (lambda rows: rows.mul_(2), "changes its input"),
        (np.zeros(3), "Pass the function itself"),
    ],
)
def test_what_is_no_answer_gets_a_sentence_too(answer, sentence):
    verdict = double(answer)
    assert not verdict.passed and sentence in verdict.message


def test_an_endless_loop_is_stopped(monkeypatch):
    began, ended = threading.Event(), threading.Event()

    class Impatient(threading.Thread):
        def join(self, timeout=None):
            began.wait()  # patience is over as soon as the loop runs

    def endless(rows):
        try:
            began.set()
            while True:
                pass
        finally:
            ended.set()

    monkeypatch.setattr(checking.threading, "Thread", Impatient)
    assert "still running" in double(endless).message
    assert ended.wait(HANG)


def test_the_cases_are_not_spoiled_by_an_answer_that_changes_them():
    double(lambda rows: rows.zero_())
    assert double(lambda rows: rows * 2).passed
