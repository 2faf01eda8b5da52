"""How an exercise answers back: with the misconceptions behind a wrong result, each in one sentence.

A check holds the right function, cases to try it on, and for every misconception the wrong function that somebody who
holds it would write. A wrong answer that agrees with such a function in all cases is recognized by it. So each
misconception is executable, and its own test case. Two at once are recognized where the right function can be written
with switches (`pairs`), or where one explains some of the cases that are wrong, and another one the rest.

A check with a `picture` also draws a wrong case: `pictures` says how to give it one.

A bug hunt is a check too, `bug_hunt`, whose first misconception is the code as the lesson gives it. Its sentence begins
with STILL; a lesson that is run as it stands has tried nothing, so this verdict is not kept.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rcnn_tutorial import answers
from rcnn_tutorial.checks.pictures import Picture, failing_case
from rcnn_tutorial.checks.verdict import Verdict
from rcnn_tutorial.guarded import Outcome, describe, run, same
from rcnn_tutorial.scene import Scene

STILL = "The bug is still there"


class Misconception(NamedTuple):
    """A way of being wrong."""

    says: str  # one sentence to the student: what happened, not what to type
    wrong: Callable  # what somebody with this misconception would write


def misconceptions(*sentences_and_functions: Any) -> tuple[Misconception, ...]:
    """Misconceptions from their parts in turn: a sentence, its wrong function, the next sentence, and so on."""
    parts = iter(sentences_and_functions)
    return tuple(Misconception(says, wrong) for says, wrong in zip(parts, parts, strict=True))


def pairs(function: Callable, **slips: str) -> tuple[Misconception, ...]:
    """Every two slips at once. `function` is the right one, with a switch for each; a slip says what "it" does."""
    return tuple(
        Misconception(f"Two things at once: it {slips[a]}, and it {slips[b]}.", _switched(function, a, b))
        for a, b in itertools.combinations(slips, 2)
    )


def _switched(function: Callable, *names: str) -> Callable:
    return functools.partial(function, **dict.fromkeys(names, True))


@dataclass(frozen=True)
class Check:
    """An exercise's check; call it with the student's function."""

    name: str
    right: Callable
    cases: Callable[[], Sequence[tuple]]  # makes the argument tuples, the same ones every time
    misconceptions: tuple[Misconception, ...]
    by_package: bool = False  # whether `right` is the package's own function, or else a second way to write it
    pairs: tuple[Misconception, ...] = ()  # two slips at once, see `pairs`; those that look like one are not told apart
    picture: Picture | None = None  # draws a wrong case, the student's result beside the right one, see `pictures`

    def __call__(self, answer: Callable) -> Verdict:
        """Run `answer` on every case and say what it shows. Never raises for what the student wrote.

        In a notebook the verdict is kept beside it, see `answers`.
        """
        verdict = self.judge(answer)
        return replace(verdict, note=self._keep(verdict)) if verdict.tried else verdict

    def judge(self, answer: Callable) -> Verdict:
        """The verdict, not kept."""
        if not callable(answer):
            says = f"Pass the function itself, check.{self.name}(my_{self.name}), not what it returns."
            return Verdict(False, says, tried=False)
        outcomes = []
        for arguments in self.cases():
            outcomes.append(run(answer, arguments))
            if outcomes[-1].trouble:  # one endless loop is enough to wait for
                return Verdict(False, outcomes[-1].trouble, line=outcomes[-1].line, tried=outcomes[-1].tried)
        expected = [self.right(*arguments) for arguments in self.cases()]
        right = [same(outcome.result, good) for outcome, good in zip(outcomes, expected, strict=True)]
        if not all(right):
            says, first = self._recognize(outcomes, right), right.index(False)
            message = " ".join(says) or describe(outcomes[first].result, expected[first], self.cases()[first])
            scenes = self._scenes(outcomes, expected, right)
            tried = not message.startswith(STILL)
            return Verdict(False, message, says, sum(right), len(right), tried=tried, scenes=scenes)
        if any(outcome.changed_input for outcome in outcomes):
            return Verdict(False, "The result is right, but your function changes its input; work on a copy.")
        compared = "package's own function" if self.by_package else "right answers"
        return Verdict(True, f"It agrees with the {compared} on {len(outcomes)} cases.", (), len(right), len(right))

    def _scenes(self, outcomes: list[Outcome], expected: list, right: list[bool]) -> Sequence[Scene]:
        """The picture of a wrong case, if the check has one and the result can be drawn."""
        wrong = [i for i, fine in enumerate(right) if not fine]
        cases, results = self.cases(), [outcome.result for outcome in outcomes]
        parts = ([items[i] for i in wrong] for items in (cases, results, expected))
        return failing_case(self.picture, *parts) if self.picture else ()

    def _recognize(self, outcomes: list[Outcome], right: list[bool]) -> tuple[str, ...]:
        """The sentences of the misconceptions that give the student's results, of one if it explains everything."""
        explained = []  # a misconception's sentence, and which of the wrong cases it gives
        for misconception in (*self.misconceptions, *self.pairs):
            wrong = [run(misconception.wrong, arguments) for arguments in self.cases()]
            alike = [not bad.trouble and same(own.result, bad.result) for own, bad in zip(outcomes, wrong, strict=True)]
            if all(alike):
                return (misconception.says,)
            explained.append((misconception.says, {i for i, fits in enumerate(alike) if fits and not right[i]}))
        all_wrong = {i for i, fine in enumerate(right) if not fine}
        for number in (1, 2):
            for chosen in itertools.combinations(explained[: len(self.misconceptions)], number):
                if set().union(*(cases for _, cases in chosen)) == all_wrong:
                    return tuple(says for says, _ in chosen)
        return ()

    def _keep(self, verdict: Verdict) -> str:
        """Keep a verdict beside the notebook; returns in one line what went wrong with that, "" if nothing did."""
        folder, stage = answers.folder_of_answers(), self.stage
        if folder is None or not stage:
            return ""
        before = answers.read(folder / f"{stage}.json")[0].get("exercises", {}).get(self.name, {})
        tries, known = before.get("tries", 0), before.get("misconceptions", [])
        entry = {
            "right": verdict.passed or before.get("right") is True,  # solved is solved
            "tries": tries + 1 if isinstance(tries, int) else 1,
            "last_verdict": repr(verdict),
            "misconceptions": list(
                dict.fromkeys([*(known if isinstance(known, list) else []), *verdict.misconceptions])
            ),
        }
        return answers.keep(folder, stage, "exercises", self.name, entry)

    @property
    def stage(self) -> str:
        """The name of the module whose check this is, that of the lesson's stage; "" for one of somewhere else."""
        modules = {stage: sys.modules.get(f"{__package__}.{stage}") for stage in answers.STAGES}
        return next((stage for stage, module in modules.items() if getattr(module, self.name, None) is self), "")
