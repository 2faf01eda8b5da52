"""A student's function called with care: it may raise, never end, return anything, change what it is given.

Checks and explorers call it so: what goes wrong becomes a sentence.
"""

from __future__ import annotations

import copy
import ctypes
import linecache
import threading
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

PATIENCE = 5.0  # seconds before an answer counts as an endless loop
TOLERANCE = 1e-4  # largest difference that counts as rounding


class Outcome(NamedTuple):
    """One call of an answer."""

    result: Any = None
    trouble: str = ""  # why there is no result to compare
    line: str = ""  # the student's own line where it stopped
    tried: bool = True  # whether there is an answer at all
    changed_input: bool = False
    endless: bool = False  # whether it was still running when patience ended


def run(answer: Callable, arguments: tuple, called: str = "Your function") -> Outcome:
    """Call `answer` on a copy of `arguments`, patiently but not for ever, and put what goes wrong into a sentence.

    called: how the sentence begins.
    """
    given = copy.deepcopy(arguments)
    results = {"error": Outcome(trouble=f"{called} ends its thread without a result.")}

    def call():
        try:
            results["value"] = answer(*given)
            del results["error"]
        except _TooLong:
            pass
        except BaseException as error:  # whatever a student's code may raise, sys.exit() and an interrupt included
            said, line = _said(error)
            results["error"] = Outcome(trouble=f"{called} stops with {said}{f' ({line})' * bool(line)}.", line=line)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_TooLong))
        trouble = f"{called} is still running after {PATIENCE:.0f} seconds: a loop without an end?"
        return Outcome(trouble=trouble, endless=True)
    if "error" in results:
        return results["error"]
    if results["value"] is None:
        return Outcome(trouble=f"{called} returns nothing yet: write it, and end it with `return`.", tried=False)
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
        a, b = as_array(a), as_array(b)
    except Exception:  # what a student's object may raise when it is compared or converted
        return False
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))


def describe(result: Any, good: Any, arguments: tuple) -> str:
    """What is wrong with a result that no misconception explains: its type, its shape, or its value."""
    if _numeric(good):
        wanted = type(good).__name__
        try:
            result, good = as_array(result), as_array(good)
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
        text = str(np.round(as_array(value), 4).tolist())
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


def as_array(value: Any) -> np.ndarray:
    """Numbers of any container as float64. Raises whatever a value that holds none may raise."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value).astype(np.float64, casting="same_kind" if np.iscomplexobj(value) else "unsafe")
