"""Questions that take an answer: commit to it, then see the right one beside it and why.

How to ask (`tour.py` is the example to follow)
-----------------------------------------------
    predict = Questions(
        "tour", "predictions",
        Question("anchors", "How many anchors are there?", Number(17100, wrong={16650: "You round down."}),
                 because="38 · 50 · 9."),
    )

and in the lesson a cell with the one word `predict`. Texts are plain, but for `code` and **bold**. A wrong number or
option names the misconception behind it. What a notebook stores is the question, its answer folded, to be
read without a kernel; the live form takes its place.

A field that is answered by a click on a picture (`inference_nms.py` has one); the right spot is the one without a
misconception, and the spots' words are options beside the picture, for the keyboard and for screen readers:

    click(
        "A photo of a cat, three boxes over it.",  # the picture in words
        lambda: Scene(open_photo("cat")[0]),  # drawn when the lesson first shows it
        Spot("around the head", (120, 10, 300, 160), "A part of the cat: its IoU is 0.2."),
        Spot("around the cat", (0, 0, 402, 300)),
        Spot("on the rug", (400, 200, 451, 300), "It does not touch the cat."),
    )
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase

from IPython.display import display

from rcnn_tutorial import answers
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.shown import live_view
from rcnn_tutorial.questions.form import Form
from rcnn_tutorial.questions.picture import COLORS, Picture, Spot
from rcnn_tutorial.questions.text import marked_up, number_in, plain, written
from rcnn_tutorial.scene import Scene

WAKE = "Run > Run All Cells brings the fields that take an answer."
# The stored question and the live form are neighbors in the output area; one of the two is shown.
_STYLE = """
STILL + OUTPUT:not(:has(.rcnn-ask)), STILL + OUTPUT:has(DEAD),
STILL:has(+ OUTPUT .rcnn-ask):not(:has(+ OUTPUT DEAD)) { display: none; }
"""
_STYLE = _STYLE.replace("STILL", "OUTPUT:has(.rcnn-question)").replace("OUTPUT", ".jp-OutputArea-child")
_STYLE = _STYLE.replace("DEAD", ".jupyter-widgets-disconnected")


class Marked(dict):
    """How a field came out: `right`, what it `says` of a wrong answer, the right `answer`."""


@dataclass(frozen=True)
class Number:
    """A field for a number; `near` is how far from the right one still counts as right."""

    right: float
    label: str = "Your answer"
    near: float = 0.0
    wrong: Mapping[float, str] = field(default_factory=dict)  # number -> the misconception that leads to it

    @property
    def answer(self) -> str:
        """The right number, as the lessons write it."""
        return written(self.right)

    def form(self) -> dict:
        """What the page needs to know."""
        return {"kind": "number", "label": marked_up(self.label)}

    def mark(self, text: str) -> Marked:
        """Compare an answer. Raises ValueError, in a sentence, for what is no number."""
        number = number_in(text)
        right = abs(number - self.right) <= self.near + 1e-9
        says = [] if right else [says for wrong, says in self.wrong.items() if abs(number - wrong) <= self.near + 1e-9]
        return Marked(right=right, says="".join(says[:1]), answer=self.answer)


@dataclass(frozen=True)
class Choice:
    """One of several options; the right one stands at `place` among the wrong ones."""

    right: str
    wrong: Mapping[str, str]  # option -> why it is not so
    place: int = 0
    label: str = "Your answer"
    picture: Picture | None = None  # on which the options can be clicked, see `click`

    @property
    def answer(self) -> str:
        """The right option."""
        return self.right

    @property
    def options(self) -> list[str]:
        """All options, in the order in which they are shown."""
        options = list(self.wrong)
        options.insert(self.place, self.right)
        return options

    def form(self) -> dict:
        """What the page needs to know."""
        options = [{"value": option, "html": marked_up(option)} for option in self.options]
        known = {"kind": "choice", "label": marked_up(self.label), "options": options}
        return known | {"picture": self.picture.form()} if self.picture else known

    def mark(self, text: str) -> Marked:
        """Compare an answer. Raises ValueError for what is not on offer."""
        if text not in self.options:
            raise ValueError("Choose one of the options.")
        return Marked(right=text == self.right, says=self.wrong.get(text, ""), answer=self.answer)


def click(shows: str, draw: Callable[[], Scene], *spots: Spot) -> Choice:
    """A choice among boxes or points in a picture. Raises ConfigError unless just one of at most five spots is right.

    shows: the picture in words. draw: makes the scene on which the spots are marked.
    """
    options = [f"{letter}: {spot.words}" for letter, spot in zip(ascii_uppercase, spots, strict=False)]
    right = [place for place, spot in enumerate(spots) if not spot.says]
    if len(right) != 1 or len(spots) > len(COLORS):
        raise ConfigError(
            f"{len(spots)} spots, {len(right)} without a misconception: mark {len(COLORS)} at most, just one of them "
            "the right one"
        )
    wrong = {option: spot.says for option, spot in zip(options, spots, strict=True) if spot.says}
    return Choice(options[right[0]], wrong, right[0], picture=Picture(shows, draw, spots))


class Question:
    """A question with one field or several; `because` is told once it is answered."""

    def __init__(self, key: str, asks: str, *fields: Number | Choice, because: str):
        self.key, self.asks, self.fields, self.because = key, asks, fields, because

    def mark(self, values: list[str]) -> dict:
        """How an answer came out. Raises ValueError, in a sentence, for what is no answer."""
        if len(values) != len(self.fields) or not all(str(value).strip() for value in values):
            raise ValueError("An answer is missing: commit to one first." if len(self.fields) == 1 else
                             "An answer is missing: fill in every field first.")  # fmt: skip
        marks = [part.mark(str(value)) for part, value in zip(self.fields, values, strict=True)]
        return {"right": all(mark["right"] for mark in marks), "fields": marks}


class Questions:
    """The predictions or the quiz of a lesson. A cell that ends in it shows the questions and takes answers."""

    def __init__(self, stage: str, section: str, *questions: Question):
        self.stage, self.section, self.questions = stage, section, questions

    def __repr__(self) -> str:
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {plain(question.asks)}")
            for part in question.fields:
                blanks = [f"{part.label}: ____"]
                lines += [f"   {plain(line)}" for line in blanks if isinstance(part, Number)]
                lines += [f"   ( ) {plain(option)}" for option in getattr(part, "options", [])]
        return "\n".join(lines)

    def html(self) -> str:
        """The questions to read, each answer folded."""
        items = "".join(f"<li>{_still(question)}</li>" for question in self.questions)
        return f'<style>{_STYLE}</style><div class="rcnn-question"><ol>{items}</ol></div>'

    def form(self) -> Form:
        """The live form, with the answers that were kept."""
        folder = answers.folder_of_answers()
        return Form(self, folder)

    def _ipython_display_(self, **_kwargs) -> None:
        display({"text/html": self.html(), "text/plain": repr(self)}, raw=True)
        data, metadata = live_view(self.form(), WAKE)
        display(data, metadata=metadata, raw=True)


def _still(question: Question) -> str:
    shown = []
    for part in question.fields:
        options = "".join(f"<li>{marked_up(option)}</li>" for option in getattr(part, "options", []))
        picture = getattr(part, "picture", None)
        shown += [picture.html()] if picture else []
        shown.append(f"<ul>{options}</ul>" if options else f"<p>{marked_up(part.label)}: ____</p>")
    answer = ", ".join(marked_up(part.answer) for part in question.fields)
    folded = f"<details><summary>Answer</summary><p><b>{answer}</b></p><p>{marked_up(question.because)}</p></details>"
    return f"<p>{marked_up(question.asks)}</p>{''.join(shown)}{folded}"
