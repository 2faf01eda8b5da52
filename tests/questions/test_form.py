"""The live form: the page learns the right answer only after a commit, and the answer is there again next time."""

import json

import pytest

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions
from rcnn_tutorial.questions.form import Form

ASKED = Questions(
    "tour",
    "predictions",
    Question("cells", "How many cells?", Number(1987, wrong={1850: "You round down."}), because="The reason."),
    Question("sides", "Which?", Number(600, "height"), Choice("the long", {"the short": "No."}), because="The rule."),
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "answers"


def kept(folder) -> dict:
    return json.loads((folder / "tour.json").read_text(encoding="utf-8"))["predictions"]


def test_the_page_does_not_know_the_answer_before_the_commit(folder):
    form = Form(ASKED, folder)
    state = json.dumps([form.questions, form.outcomes])
    assert form.outcomes == [{}, {}] and not any(word in state for word in ("1987", "round", "reason", "No."))
    form.commit(0, ["1850"])
    assert form.outcomes[0]["right"] is False and form.outcomes[1] == {}
    assert form.outcomes[0]["fields"] == [{"right": False, "says": "You round down.", "answer": "1 987"}]


def test_a_committed_answer_is_kept_and_shown_next_time(folder):
    Form(ASKED, folder).commit(1, ["600", "the short"])
    entry = kept(folder)["sides"]
    assert entry["answer"] == ["600", "the short"] and entry["right"] is False
    assert entry["misconceptions"] == ["No."] and entry["right_answer"] == ["600", "the long"]
    later = Form(ASKED, folder)
    assert later.outcomes[0] == {} and later.outcomes[1]["values"] == ["600", "the short"]


def test_answering_again_empties_the_fields_and_keeps_the_first_answer(folder):
    form = Form(ASKED, folder)
    form.commit(0, ["1850"])
    form.again(0)
    assert form.outcomes[0] == {} and Form(ASKED, folder).outcomes[0] == {}
    form.commit(0, ["1987"])
    assert form.outcomes[0]["right"] and Form(ASKED, folder).outcomes[0]["right"]
    assert kept(folder)["cells"]["first_answer"] == ["1850"] and kept(folder)["cells"]["right"] is True


def test_what_is_no_answer_is_said_and_not_kept(folder):
    form = Form(ASKED, folder)
    assert "is no number" in form.commit(0, ["many"])["problem"]
    assert "missing" in form.commit(1, ["600", ""])["problem"]
    assert not folder.exists()


def test_messages_of_the_page_commit_and_empty(folder):
    form = Form(ASKED, folder)
    form._hear(form, {"commit": 0, "values": ["1987"]}, [])
    assert form.outcomes[0]["right"]
    form._hear(form, {"again": 0}, [])
    assert form.outcomes[0] == {}


def test_a_folder_that_takes_nothing_is_said_in_the_form(tmp_path):
    (tmp_path / "answers").write_text("a file", encoding="utf-8")
    form = Form(ASKED, tmp_path / "answers")
    outcome = form.commit(0, ["1987"])
    assert outcome["right"] and outcome["note"].startswith("Kept until the notebook is closed only: ")
    assert Form(ASKED, tmp_path / "answers").outcomes[0]["right"]  # in this kernel it is known


@pytest.mark.parametrize("entry", [{"answer": "7"}, {"answer": ["7", "8"]}, {"answer": ["what?"]}, {}])
def test_a_kept_answer_that_fits_no_longer_is_asked_anew(folder, entry):
    folder.mkdir()
    (folder / "tour.json").write_text(json.dumps({"predictions": {"cells": entry}}), encoding="utf-8")
    assert Form(ASKED, folder).outcomes == [{}, {}]


def test_without_a_folder_nothing_is_kept():
    form = Form(ASKED, None)
    assert form.commit(0, ["1987"])["note"] == ""
