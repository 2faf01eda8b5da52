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


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no words")


class Incomparable:
    def __eq__(self, other):
        raise ValueError("no comparison")

    __hash__ = None
    __array__ = __str__ = __eq__


def raises(error):
    def answer(rows):
        raise error

    return answer


@pytest.mark.parametrize("error", [SystemExit(), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Unprintable()])
def test_whatever_an_answer_raises_becomes_a_sentence(error):
    message = double(raises(error)).message
    assert message.startswith(f"Your function stops with {type(error).__name__}: ") and "raise error" in message


@pytest.mark.parametrize(
    "value", [Incomparable(), [Incomparable()], torch.ones(2, 2) * 1j, np.array(["a", "b"]), 10**400, {1: 2}, object]
)
def test_whatever_an_answer_returns_becomes_a_sentence(value):
    words = Check("words", lambda rows: ["head", "tail"], lambda: [(ROWS,)], ())
    assert not double(lambda rows: value).passed
    assert not words(lambda rows: value).passed and not words(lambda rows: [value, value]).passed


def test_an_error_names_the_student_s_own_line():
    def answer(rows):
        half = rows / 2
        return torch.cat([half, half[0]])  # torch raises below this line

    message = double(answer).message
    line = answer.__code__.co_firstlineno + 2
    assert f"(line {line}: return torch.cat([half, half[0]])" in message


def test_a_right_answer_is_told_what_it_was_compared_with():
    own = Check("own", double.right, double.cases, (), by_package=True)
    assert double(lambda rows: rows * 2).message == "It agrees with the right answers on 2 cases."
    assert own(lambda rows: rows * 2).message == "It agrees with the package's own function on 2 cases."


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
