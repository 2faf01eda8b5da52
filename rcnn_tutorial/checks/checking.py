"""How an exercise answers back: with the misconception behind a wrong result, in one sentence.

A check holds the right function, cases to try it on, and for every misconception the wrong function that somebody who
holds it would write. An answer that agrees with such a wrong function wherever right and wrong differ is recognized
by it. So each misconception is executable, and its own test case.
"""

from __future__ import annotations

import copy
import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

PATIENCE = 5.0  # seconds before an answer counts as an endless loop


class Misconception(NamedTuple):
    """A way of being wrong."""

    says: str  # one sentence to the student: what happened, not what to type
    wrong: Callable  # what somebody with this misconception would write


class Verdict(NamedTuple):
    """What a check answers; shown as its message."""

    passed: bool
    message: str

    def __repr__(self) -> str:
        return ("Right. " if self.passed else "Not yet. ") + self.message


@dataclass(frozen=True)
class Check:
    """An exercise's check; call it with the student's function."""

    name: str
    right: Callable
    cases: Callable[[], Sequence[tuple]]  # makes the argument tuples, the same ones every time
    misconceptions: tuple[Misconception, ...]
    tolerance: float = 1e-4  # largest difference that counts as rounding

    def __call__(self, answer: Callable) -> Verdict:
        """Run `answer` on every case and say what it shows. Never raises for what the student wrote."""
        if not callable(answer):
            return Verdict(False, f"Pass the function itself, check.{self.name}(my_{self.name}), not what it returns.")
        outcomes = []
        for arguments in self.cases():
            outcomes.append(run(answer, arguments))
            if outcomes[-1].trouble:  # one endless loop is enough to wait for
                return Verdict(False, outcomes[-1].trouble)
        expected = [self.right(*copy.deepcopy(arguments)) for arguments in self.cases()]
        wrong = [k for k, good in enumerate(expected) if not same(outcomes[k].result, good, self.tolerance)]
        if not wrong:
            return self._verdict_on_inputs(outcomes, len(expected))
        first = wrong[0]
        return Verdict(False, self._recognize(outcomes, expected) or describe(outcomes[first].result, self, first))

    def _verdict_on_inputs(self, outcomes: list[Outcome], cases: int) -> Verdict:
        if any(outcome.changed_input for outcome in outcomes):
            return Verdict(False, "The result is right, but your function changes its input; work on a copy.")
        return Verdict(True, f"It agrees with the detector's own on {cases} cases.")

    def _recognize(self, outcomes: list[Outcome], expected: list) -> str | None:
        """The sentence of the first misconception whose wrong function gives the student's results."""
        for misconception in self.misconceptions:
            wrong = [run(misconception.wrong, arguments) for arguments in self.cases()]
            telling = any(
                bad.trouble or not same(bad.result, good, self.tolerance)
                for bad, good in zip(wrong, expected, strict=True)
            )
            agrees = all(
                not bad.trouble and same(outcome.result, bad.result, self.tolerance)
                for outcome, bad in zip(outcomes, wrong, strict=True)
            )
            if telling and agrees:
                return misconception.says
        return None


class Outcome(NamedTuple):
    """One call of an answer."""

    result: Any = None
    trouble: str = ""  # why there is no result to compare
    changed_input: bool = False


def run(answer: Callable, arguments: tuple) -> Outcome:
    """Call `answer` on a copy of `arguments`, patiently but not for ever, and put what goes wrong into a sentence."""
    given, results = copy.deepcopy(arguments), {}

    def call():
        try:
            results["value"] = answer(*given)
        except _TooLong:
            pass
        except Exception as error:  # whatever a student's code may raise
            said = str(error).splitlines()[0] if str(error) else "no message"
            results["error"] = f"Your function stops with {type(error).__name__}: {said}."

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_TooLong))
        return Outcome(trouble=f"Your function is still running after {PATIENCE:.0f} seconds: a loop without an end?")
    if "error" in results:
        return Outcome(trouble=results["error"])
    if results["value"] is None:
        return Outcome(trouble="Your function returns nothing yet: write it, and end it with `return`.")
    changed = not all(same(now, before, 0.0) for now, before in zip(given, arguments, strict=True))
    return Outcome(results["value"], changed_input=changed)


class _TooLong(BaseException):
    """Raised inside a student's function that does not come to an end."""


def same(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two results agree: numbers, arrays and tensors by value and shape, sequences item by item."""
    if isinstance(b, (tuple, list)) and not _numeric(b):
        fits = isinstance(a, (tuple, list)) and len(a) == len(b)
        return fits and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if not _numeric(b):
        return bool(a == b)
    try:
        a, b = _array(a), _array(b)
    except (TypeError, ValueError, RuntimeError):
        return False
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))


def describe(result: Any, check: Check, case: int) -> str:
    """What is wrong with a result that no misconception explains: its type, its shape, or its value."""
    arguments = check.cases()[case]
    good = check.right(*copy.deepcopy(arguments))
    if _numeric(good):
        try:
            mine, theirs = _array(result), _array(good)
        except (TypeError, ValueError, RuntimeError):
            return f"Your function returns a {type(result).__name__}; a {type(good).__name__} of numbers is needed."
        if mine.shape != theirs.shape:
            return f"Your result has shape {mine.shape}; shape {theirs.shape} is needed."
        return f"On {brief(arguments)} your result is {brief(mine)}; it should be {brief(theirs)}."
    return f"On {brief(arguments)} your result is {brief(result)}; it should be {brief(good)}."


def brief(value: Any) -> str:
    """A value in at most 120 characters."""
    if isinstance(value, tuple):
        text = ", ".join(brief(item) for item in value)
    elif isinstance(value, (torch.Tensor, np.ndarray)):
        text = str(np.round(_array(value), 4).tolist())
    else:
        text = str(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _numeric(value: Any) -> bool:
    if isinstance(value, (int, float, bool, np.ndarray, np.number, torch.Tensor)):
        return True
    return isinstance(value, (tuple, list)) and all(isinstance(item, (int, float)) for item in value)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)
