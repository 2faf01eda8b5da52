"""What a check answers: in a notebook a card, elsewhere a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from rcnn_tutorial.checks import pictures
from rcnn_tutorial.scene import Scene


class _Look(NamedTuple):
    """How a verdict looks: by word, sign, color and line, so that no one of them is needed."""

    word: str
    sign: str
    border: str
    ground: str  # of the sign; white on it has a contrast of 5 and more


RIGHT = _Look("Right", "✓", "solid #009E73", "#00704F")
NOT_YET = _Look("Not yet", "✗", "dashed #D55E00", "#A84300")
CARD = (
    '<div class="rcnn-card" style="border-left: 6px {border}; padding: 2px 0 2px 14px; margin: 4px 0; max-width: 54em; '
    'font-size: 16px; line-height: 1.45; overflow-wrap: anywhere"><p style="margin: 2px 0"><span aria-hidden="true" '
    'style="display: inline-block; width: 1.4em; line-height: 1.4em; border-radius: 50%; '
    "text-align: center; color: #fff; font-weight: 700; "
    'background: {ground}">{sign}</span> <b>{word}.</b>{score}</p>{lines}</div>'
)


@dataclass(frozen=True)
class Verdict:
    """What a check answers; shown as its message, and in a notebook as a card.

    Attributes:
        misconceptions: those that the answer shows, each in a sentence of the message.
        right, cases: how many of the cases came out right, of how many; 0 of 0 where none was compared.
        line: the student's own line that stopped the function, "line 3: ...", which the message quotes.
        tried: whether there was an answer at all.
        note: in one line, why the verdict could not be kept.
        scenes: of a case that came out wrong, the student's and the right one; drawn where the card is shown.

    """

    passed: bool
    message: str
    misconceptions: tuple[str, ...] = ()
    right: int = 0
    cases: int = 0
    line: str = ""
    tried: bool = True
    note: str = ""
    scenes: Sequence[Scene] = field(default=(), repr=False, compare=False)

    @property
    def score(self) -> str:
        """How many cases came out right, unless all did."""
        return "" if self.passed or not self.cases else f"{self.right} of {self.cases} cases are right."

    def __repr__(self) -> str:
        look = RIGHT if self.passed else NOT_YET
        return " ".join(part for part in (f"{look.word}.", self.message, self.score, self.note) if part)

    def _repr_html_(self) -> str | None:
        """The card; an exercise that nobody has begun yet has none."""
        if not self.tried:
            return None
        look = RIGHT if self.passed else NOT_YET
        told = self.misconceptions or (self.message.replace(f" ({self.line})", ""),)
        lines = [f'<p style="margin: 2px 0">{escape(text, quote=False)}</p>' for text in told]
        if self.line:
            lines.append(f'<pre style="margin: 2px 0; white-space: pre-wrap">{escape(self.line, quote=False)}</pre>')
        if self.note:
            lines.append(f'<p style="margin: 2px 0"><i>{escape(self.note, quote=False)}</i></p>')
        lines.append(pictures.html(self.scenes))
        return CARD.format(**look._asdict(), score=f" {self.score}" if self.score else "", lines="".join(lines))
