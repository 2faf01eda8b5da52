"""Questions: how numbers are read, how answers are marked, what a notebook stores, what all lessons' questions keep."""

import importlib
import pkgutil

import pytest
from bs4 import BeautifulSoup

from rcnn_tutorial import questions
from rcnn_tutorial.answers import STAGES
from rcnn_tutorial.questions import asking
from rcnn_tutorial.questions.asking import WAKE, Choice, Number, Question, Questions
from rcnn_tutorial.questions.text import marked_up, number_in, written

MODULES = {
    name: importlib.import_module(f"{questions.__name__}.{name}")
    for _, name, _ in pkgutil.iter_modules(questions.__path__)
}
ASKED = [value for module in MODULES.values() for value in vars(module).values() if isinstance(value, Questions)]
QUESTIONS = [question for asked in ASKED for question in asked.questions]
WRONG = [
    (question, place, wrong)
    for question in QUESTIONS
    for place, part in enumerate(question.fields)
    for wrong in part.wrong
]

CELLS = Question("cells", "How many **cells**?", Number(1900, wrong={1850: "You round down."}), because="`38 · 50`.")
SIDE = Question("side", "Which side?", Choice("the short", {"the long": "No, < 600."}, place=1), because="The rule.")
BOTH = Questions("tour", "quiz", CELLS, SIDE)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("17100", 17100), ("17 100", 17100), ("17\u202f100", 17100), ("17,100", 17100), ("1,234,567.5", 1234567.5),
        ("1.6", 1.6), ("1,6", 1.6), ("2/3", 2 / 3), (" 7 ", 7), ("-3", -3), ("−3", -3), (".5", 0.5), ("5.", 5),
    ],
)  # fmt: skip
def test_numbers_as_students_write_them(text, number):
    assert number_in(text) == pytest.approx(number)


@pytest.mark.parametrize(
    "text", ["about 5", "1/0", "1/2/3", "nan", "inf", "1e5", "5 or 6", "", "--3", "x" * 500, "1,2,3"]
)
def test_what_is_no_number_gets_a_sentence(text):
    with pytest.raises(ValueError, match="is no number: write it like 42, 0.5 or 2/3") as raised:
        number_in(text)
    assert len(str(raised.value)) < 120


@pytest.mark.parametrize(
    ("number", "text"), [(17100, "17 100"), (1.6, "1.6"), (600.0, "600"), (0.6194, "0.6194"), (0, "0")]
)
def test_numbers_are_written_as_in_the_lessons(number, text):
    assert written(number) == text and number_in(text) == number


def test_texts_become_html_and_nothing_in_them_does():
    assert marked_up("**a** < `b*c`") == "<b>a</b> &lt; <code>b*c</code>"


def test_an_answer_is_right_within_its_tolerance_and_a_wrong_one_names_its_misconception():
    third = Number(333, near=0.5, wrong={600: "Too wide."})
    assert third.mark("333.33")["right"] and not third.mark("334")["right"]
    assert third.mark("600") == {"right": False, "says": "Too wide.", "answer": "333"}
    assert third.mark("42")["says"] == ""
    assert SIDE.mark(["the short"])["right"] and SIDE.mark(["the long"])["fields"][0]["says"] == "No, < 600."


@pytest.mark.parametrize("values", [[""], [" "], [], ["1", "2"]])
def test_a_missing_answer_is_said(values):
    with pytest.raises(ValueError, match="An answer is missing"):
        CELLS.mark(values)


def test_an_option_that_is_not_on_offer_is_refused():
    with pytest.raises(ValueError, match="Choose one"):
        SIDE.mark(["the tall"])


def test_a_notebook_stores_the_questions_and_folds_the_answers(monkeypatch):
    shown = []
    monkeypatch.setattr(asking, "display", lambda bundle, **_: shown.append(bundle))
    BOTH._ipython_display_()
    still, live = shown
    assert (
        still["text/plain"]
        == "1. How many cells?\n   Your answer: ____\n2. Which side?\n   ( ) the long\n   ( ) the short"
    )
    page = BeautifulSoup(still["text/html"], "html.parser")
    folded = [details.extract().get_text(" ") for details in page.find_all("details")]
    assert folded == ["Answer 1 900 38 · 50 .", "Answer the short The rule."]
    assert "1 900" not in page.get_text() and "38" not in page.get_text()
    assert live["text/plain"] == WAKE and "application/vnd.jupyter.widget-view+json" in live


def test_every_stage_has_its_own_module():
    assert [name for name in MODULES if name in STAGES] == sorted(
        asked.stage for asked in ASKED if asked.section == "quiz"
    )
    for asked in ASKED:
        assert MODULES[asked.stage] is not None and asked.section in ("predictions", "quiz")
        assert len({question.key for question in asked.questions}) == len(asked.questions)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)
def test_a_right_answer_is_right_and_the_wrong_ones_are_not(question):
    right = [part.answer for part in question.fields]
    assert question.mark(right)["right"] and question.because
    for part in question.fields:
        assert all(says.endswith((".", ")")) for says in part.wrong.values())
        if isinstance(part, Choice):
            assert len(part.options) >= 3 and part.place < len(part.options)


@pytest.mark.parametrize(
    ("question", "place", "wrong"), WRONG, ids=lambda value: getattr(value, "key", str(value)[:20])
)
def test_a_foreseen_wrong_answer_meets_its_sentence(question, place, wrong):
    values = [part.answer for part in question.fields]
    values[place] = str(wrong)
    found = question.mark(values)
    assert not found["right"] and found["fields"][place]["says"] == question.fields[place].wrong[wrong]


def test_right_options_stand_at_different_places():
    for asked in ASKED:
        places = [part.place for question in asked.questions for part in question.fields if isinstance(part, Choice)]
        assert len(places) < 3 or len(set(places)) >= 3
