"""Questions as a page without a kernel takes them: what `form.js` shows, and what `marking.js` marks answers by."""

from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions
from rcnn_tutorial.questions.text import marked_up


def exported(asked: Questions) -> dict:
    """The questions with their keys, as JSON holds them."""
    shown = [{"html": marked_up(one.asks), "fields": [part.form() for part in one.fields]} for one in asked.questions]
    return {"questions": shown, "keys": [key_of(question) for question in asked.questions]}


def key_of(question: Question) -> dict:
    """What a question's answers are marked by."""
    return {"because": marked_up(question.because), "fields": [_key_of_field(part) for part in question.fields]}


def _key_of_field(part: Number | Choice) -> dict:
    wrong = [[value, marked_up(says)] for value, says in part.wrong.items()]
    kind, near = ("number", part.near) if isinstance(part, Number) else ("choice", 0)
    return {"kind": kind, "right": part.right, "near": near, "wrong": wrong, "answer": marked_up(part.answer)}
