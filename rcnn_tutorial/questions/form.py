"""The live form of questions: Python marks and keeps an answer; only then the page knows the right one."""

from __future__ import annotations

import pathlib
from pathlib import Path
from typing import TYPE_CHECKING

import traitlets

from rcnn_tutorial import answers
from rcnn_tutorial.explorers.canvas import WholeWidget
from rcnn_tutorial.questions.text import marked_up

if TYPE_CHECKING:
    from rcnn_tutorial.questions.asking import Question, Questions

_HERE = pathlib.Path(__file__).parent
_STILL = _HERE.parent / "explorers" / "still.js"


class Form(WholeWidget):
    """Fields for questions, a Commit button each. `outcomes` has a dict a question, empty until it is answered.

    An outcome: `values` as they were given, `right`, `fields` (see `asking.Marked`), `because`, `note` (what went wrong
    with keeping it); or `problem` alone, for what is no answer.
    """

    _esm = "\n".join(path.read_text(encoding="utf-8") for path in (_STILL, _HERE / "form.js"))
    _css = _HERE / "form.css"
    questions = traitlets.List().tag(sync=True)
    outcomes = traitlets.List().tag(sync=True)

    def __init__(self, asked: Questions, folder: Path | None):
        self.asked, self.folder = asked, folder
        super().__init__()
        self.questions = [
            {"html": marked_up(question.asks), "fields": [field.form() for field in question.fields]}
            for question in asked.questions
        ]
        self.outcomes = [self._remembered(question) for question in asked.questions]
        self.on_msg(self._hear)

    def _entry(self, question: Question) -> dict:
        """What is kept of a question."""
        known, _ = answers.read(self.folder / f"{self.asked.stage}.json") if self.folder else ({}, "")
        return known.get(self.asked.section, {}).get(question.key, {})

    def _remembered(self, question: Question) -> dict:
        """The outcome of a kept answer; empty where there is none, or where it is to be answered again."""
        entry = self._entry(question)
        if entry.get("again") or not isinstance(entry.get("answer"), list):
            return {}
        try:
            return self._outcome(question, entry["answer"])
        except ValueError:  # the question has changed since
            return {}

    def _outcome(self, question: Question, values: list[str]) -> dict:
        marks = question.mark(values)
        shown = [
            {**mark, "says": marked_up(mark["says"]), "answer": marked_up(mark["answer"])} for mark in marks["fields"]
        ]
        because = marked_up(question.because)
        return {"values": list(values), "right": marks["right"], "fields": shown, "because": because, "note": ""}

    def _hear(self, _widget, content: dict, _buffers) -> None:
        if "commit" in content:
            self.commit(content["commit"], content["values"])
        elif "again" in content:
            self.again(content["again"])

    def commit(self, number: int, values: list[str]) -> dict:
        """Mark and keep the answer to a question; returns its outcome."""
        question = self.asked.questions[number]
        try:
            outcome = self._outcome(question, [str(value) for value in values])
        except ValueError as error:
            return self._set(number, {"problem": str(error)})
        before = self._entry(question)
        marks = question.mark(outcome["values"])
        entry = {
            "question": question.asks,
            "answer": outcome["values"],
            "right": outcome["right"],
            "right_answer": [mark["answer"] for mark in marks["fields"]],
            "misconceptions": [mark["says"] for mark in marks["fields"] if mark["says"]],
            "first_answer": before.get("first_answer", outcome["values"]),
        }
        outcome["note"] = answers.keep(self.folder, self.asked.stage, self.asked.section, question.key, entry)
        return self._set(number, outcome)

    def again(self, number: int) -> None:
        """Empty the fields of a question; its first answer stays in the file."""
        question = self.asked.questions[number]
        entry = self._entry(question)
        if entry:
            answers.keep(self.folder, self.asked.stage, self.asked.section, question.key, entry | {"again": True})
        self._set(number, {})

    def _set(self, number: int, outcome: dict) -> dict:
        self.outcomes = [outcome if i == number else old for i, old in enumerate(self.outcomes)]
        return outcome
