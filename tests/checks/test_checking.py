"""What every check does with an answer, whatever the exercise."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from rcnn_tutorial import answers
from rcnn_tutorial.checks import tour
from rcnn_tutorial.checks.checking import Check, Misconception, pairs
from rcnn_tutorial.checks.verdict import Verdict

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


def test_an_endless_loop_is_stopped(endless):
    assert "still running" in double(lambda rows: endless()).message
    assert endless.ended()


def test_the_cases_are_not_spoiled_by_an_answer_that_changes_them():
    double(lambda rows: rows.zero_())
    assert double(lambda rows: rows * 2).passed


def shifted(rows, *, twice=False, back=False, half=False):
    rows = rows + (-1 if back else 1)
    return rows * (2 if twice else 1) / (2 if half else 1)


plus_one = Check(
    "plus_one",
    lambda rows: rows + 1,
    lambda: [(ROWS,), (-ROWS,), (ROWS * 0,)],
    (
        Misconception("You subtract.", lambda rows: rows - 1),
        Misconception("You drop the sign.", lambda rows: rows.abs() + 1),
        Misconception("You add nothing.", lambda rows: rows),
    ),
    pairs=pairs(shifted, twice="doubles", back="subtracts 1", half="halves"),
)


def test_two_slips_at_once_are_named_together():
    verdict = plus_one(lambda rows: 2 * (rows - 1))
    assert verdict.message == "Two things at once: it doubles, and it subtracts 1."
    assert plus_one(lambda rows: (rows - 1) / 2).message == "Two things at once: it subtracts 1, and it halves."
    assert plus_one(lambda rows: (rows + 1) * 2 / 2).passed  # these two undo each other


def test_misconceptions_that_show_in_different_cases_are_all_named():
    verdict = plus_one(lambda rows: rows - 1 if rows.sum() > 0 else rows if rows.sum() == 0 else rows + 1)
    assert verdict.misconceptions == ("You subtract.", "You add nothing.") and (verdict.right, verdict.cases) == (1, 3)
    assert repr(verdict) == "Not yet. You subtract. You add nothing. 1 of 3 cases are right."


def test_a_misconception_in_some_cases_only_is_named_with_the_number_of_those_that_are_right():
    verdict = plus_one(lambda rows: rows + 1 if rows.sum() >= 0 else rows.abs() + 1)
    assert verdict.misconceptions == ("You drop the sign.",) and verdict.score == "2 of 3 cases are right."


def words_of(verdict: Verdict) -> str:
    return " ".join(BeautifulSoup(verdict._repr_html_(), "html.parser").get_text(" ").split())


def test_a_card_says_by_word_sign_and_color_how_it_went():
    right, wrong = double(lambda rows: rows * 2), double(lambda rows: rows + 2)
    assert words_of(right) == "✓ Right. It agrees with the right answers on 2 cases."
    assert words_of(wrong) == "✗ Not yet. 0 of 2 cases are right. You add 2; twice the value is meant."
    assert "solid #009E73" in right._repr_html_() and "dashed #D55E00" in wrong._repr_html_()


def test_a_card_shows_the_line_that_stopped_the_function_and_nothing_as_markup():
    def answer(rows):
        return [rows < 3][7] if "<b>" else 0

    verdict = double(answer)
    line = f"line {answer.__code__.co_firstlineno + 1}: return [rows < 3][7]"
    page = BeautifulSoup(verdict._repr_html_(), "html.parser")
    assert page.pre.get_text().startswith(line) and page.b.get_text() == "Not yet." and len(page.find_all("b")) == 1
    assert line not in page.find_all("p")[1].get_text() and "IndexError" in page.find_all("p")[1].get_text()


def test_an_exercise_not_yet_begun_is_a_line_and_no_card():
    assert double(lambda rows: None)._repr_html_() is None and double(3)._repr_html_() is None


def test_in_a_notebook_verdicts_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(answers, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    tour.count_anchors(lambda *given: None)
    double(lambda rows: rows)
    assert not (tmp_path / "answers").exists()  # not begun; no exercise of a lesson
    tour.count_anchors(lambda h, w, s, a: (h // s) * (w // s) * a)
    tour.count_anchors(lambda h, w, s, a: -(-h // s) * -(-w // s) * a)
    tour.count_anchors(lambda h, w, s, a: 7)
    entry = json.loads((tmp_path / "answers" / "tour.json").read_text(encoding="utf-8"))["exercises"]["count_anchors"]
    assert entry["right"] is True and entry["tries"] == 3 and entry["last_verdict"].startswith("Not yet. ")
    assert [sentence[:14] for sentence in entry["misconceptions"]] == ["You round down"]


def test_a_verdict_that_cannot_be_kept_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(answers, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    (tmp_path / "answers").write_text("a file", encoding="utf-8")
    verdict = tour.count_anchors(lambda h, w, s, a: -(-h // s) * -(-w // s) * a)
    assert (
        verdict.passed
        and "Kept until the notebook is closed only" in words_of(verdict)
        and verdict.note in repr(verdict)
    )
