"""How an exercise answers back: with the misconceptions behind a wrong result, each in one sentence.

A check holds the right function, cases to try it on, and for every misconception the wrong function that somebody who
holds it would write. A wrong answer that agrees with such a function in all cases is recognized by it. So each
misconception is executable, and its own test case. Two at once are recognized where the right function can be written
with switches (`pairs`), or where one explains some of the cases that are wrong, and another one the rest.

A check with a `picture` also draws a wrong case: `pictures` says how to give it one.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import itertools
import linecache
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from rcnn_tutorial import answers
from rcnn_tutorial.checks.pictures import Picture, failing_case
from rcnn_tutorial.checks.verdict import Verdict
from rcnn_tutorial.scene import Scene

PATIENCE = 5.0  # seconds before an answer counts as an endless loop
TOLERANCE = 1e-4  # largest difference that counts as rounding


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
            return Verdict(False, message, says, sum(right), len(right), scenes=self._scenes(outcomes, expected, right))
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


class Outcome(NamedTuple):
    """One call of an answer."""

    result: Any = None
    trouble: str = ""  # why there is no result to compare
    line: str = ""  # the student's own line where it stopped
    tried: bool = True  # whether there is an answer at all
    changed_input: bool = False


def run(answer: Callable, arguments: tuple) -> Outcome:
    """Call `answer` on a copy of `arguments`, patiently but not for ever, and put what goes wrong into a sentence."""
    given = copy.deepcopy(arguments)
    results = {"error": Outcome(trouble="Your function ends its thread without a result.")}

    def call():
        try:
            results["value"] = answer(*given)
            del results["error"]
        except _TooLong:
            pass
        except BaseException as error:  # whatever a student's code may raise, sys.exit() and an interrupt included
            said, line = _said(error)
            results["error"] = Outcome(
                trouble=f"Your function stops with {said}{f' ({line})' * bool(line)}.", line=line
            )

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_TooLong))
        return Outcome(trouble=f"Your function is still running after {PATIENCE:.0f} seconds: a loop without an end?")
    if "error" in results:
        return results["error"]
    if results["value"] is None:
        return Outcome(trouble="Your function returns nothing yet: write it, and end it with `return`.", tried=False)
    changed = not all(same(now, before, 0.0) for now, before in zip(given, arguments, strict=True))
    return Outcome(results["value"], changed_input=changed)


class _TooLong(BaseException):
    """Raised inside a student's function that does not come to an end."""


def _said(error: BaseException) -> tuple[str, str]:
    """An error in one line, its name and what it says; and the student's own line that it comes from."""
    try:
        message = str(error).splitlines()
    except Exception:  # an error of the student's own that cannot even be printed
        message = []
    said = f"{type(error).__name__}: {message[0] if message else 'no message'}"
    frames = list(traceback.walk_tb(error.__traceback__))[1:]  # the first is ours, which calls
    if not frames:  # it was not even entered, for want of an argument
        return said, ""
    own = frames[0][0].f_code.co_filename
    line = [line for frame, line in frames if frame.f_code.co_filename == own][-1]
    source = linecache.getline(own, line).strip()
    return said, f"line {line}: {brief(source)}" if source else f"line {line}"


def same(a: Any, b: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two results agree: numbers, arrays and tensors by value and shape, sequences item by item."""
    if isinstance(b, (tuple, list)) and not _numeric(b):
        fits = isinstance(a, (tuple, list)) and len(a) == len(b)
        return fits and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    try:
        if not _numeric(b):
            return bool(a == b)
        a, b = _array(a), _array(b)
    except Exception:  # what a student's object may raise when it is compared or converted
        return False
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))


def describe(result: Any, good: Any, arguments: tuple) -> str:
    """What is wrong with a result that no misconception explains: its type, its shape, or its value."""
    if _numeric(good):
        wanted = type(good).__name__
        try:
            result, good = _array(result), _array(good)
        except Exception:  # what a student's object may raise when it is converted
            return f"Your function returns a {type(result).__name__}; a {wanted} of numbers is needed."
        if result.shape != good.shape:
            return f"Your result has shape {result.shape}; shape {good.shape} is needed."
    return f"On {brief(arguments)} your result is {brief(result)}; it should be {brief(good)}."


def brief(value: Any) -> str:
    """A value in at most 120 characters."""
    if isinstance(value, tuple):
        text = ", ".join(brief(item) for item in value)
    elif isinstance(value, (torch.Tensor, np.ndarray)) and _numeric_kind(value):
        text = str(np.round(_array(value), 4).tolist())
    else:
        try:
            text = str(value)
        except Exception:  # an object of the student's own that cannot be printed
            text = f"a {type(value).__name__}"
    return text if len(text) <= 120 else text[:117] + "..."


def _numeric(value: Any) -> bool:
    if isinstance(value, (int, float, bool, np.ndarray, np.number, torch.Tensor)):
        return True
    return isinstance(value, (tuple, list)) and all(isinstance(item, (int, float)) for item in value)


def _numeric_kind(value: torch.Tensor | np.ndarray) -> bool:
    """Whether an array holds plain numbers, not complex ones, words or objects."""
    return not value.is_complex() if isinstance(value, torch.Tensor) else value.dtype.kind in "biuf"


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value).astype(np.float64, casting="same_kind" if np.iscomplexobj(value) else "unsafe")
