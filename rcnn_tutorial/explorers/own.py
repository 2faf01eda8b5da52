"""The reader's own functions in an explorer, in place of the package's: `explorer.use(nms=my_nms)`.

An explorer says in `replaceable` which functions it can do without. What the reader's gives is compared with what the
package's gives on the same arguments; what cannot be drawn (an error, no end, another shape) is an `OwnError`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial import guarded
from rcnn_tutorial.errors import ConfigError, TutorialError

FEW = 4  # numbers that a sentence can hold


class OwnError(TutorialError):
    """What the reader's function did, or gave, with which there is nothing to draw."""


def like_the_package_s(result: Any, right: Tensor | float, _arguments: tuple) -> Tensor | float:
    """The result as what the package's function gives: a tensor of that type and shape, or a number.

    Raises OwnError, whose sentence goes on after "your iou", where it cannot be that, or is infinite or NaN.
    """
    wanted = torch.as_tensor(right)
    numbers = tensor_of(result, wanted)
    if numbers.shape != wanted.shape:
        raise OwnError(f"returns shape {tuple(numbers.shape)}, where {tuple(wanted.shape)} is needed")
    return numbers if isinstance(right, Tensor) else float(numbers)


def tensor_of(result: Any, like: Tensor) -> Tensor:
    """Numbers of any container as a tensor of the type of `like`, of their own shape."""
    try:
        numbers = torch.from_numpy(guarded.as_array(result))  # float64
    except Exception:  # what a reader's object may raise when it is converted
        raise OwnError(f"returns a {type(result).__name__} that is no table of numbers") from None
    if not bool(numbers.isfinite().all()):
        raise OwnError("returns a number that is infinite or NaN")
    return numbers.to(like.dtype)


def in_short(value: Any) -> str:
    """A few numbers, as a sentence gives them; "" for many."""
    numbers = torch.as_tensor(value).flatten().tolist()
    texts = [f"{number:.4f}" if abs(number) < 1e6 else f"{number:.0e}" for number in numbers]
    return ", ".join(texts) if len(texts) <= FEW else ""


class Own(NamedTuple):
    """A function that the reader's may take the place of."""

    package: Callable
    fitted: Callable[[Any, Any, tuple], Any] = like_the_package_s  # (result, package's, arguments) -> what is drawn
    says: Callable[[Any], str] = in_short


class OwnFunctions:
    """What an explorer computes with: `own["iou"](a, b)` calls the reader's function, or else the package's."""

    def __init__(self, replaceable: Mapping[str, Own]):
        self.replaceable = replaceable
        self.chosen: dict[str, Callable] = {}
        self._endless: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def choose(self, functions: Mapping[str, Callable]) -> None:
        """Call these from now on, and the package's for all others. Raises ConfigError for what cannot be called."""
        for name, function in functions.items():
            if name not in self.replaceable:
                known = ", ".join(self.replaceable) or "none"
                raise ConfigError(f"use({name}=...): no such function here; there is {known}")
            if not callable(function):
                raise ConfigError(f"use({name}=...): pass the function itself, not what it returns")
        self.chosen, self._endless = dict(functions), {}

    def forget(self) -> None:
        """Before a drawing: nothing has been called yet."""
        self._notes = {}

    @property
    def notes(self) -> list[str]:
        """Whose functions the picture shows, a sentence each; none where all are the package's."""
        return list(self._notes.values())

    def __contains__(self, name: str) -> bool:
        """Whether this function is the reader's."""
        return name in self.chosen

    def __getitem__(self, name: str) -> Callable:
        return functools.partial(self._call, name)

    def _call(self, name: str, *arguments: Any) -> Any:
        own = self.replaceable[name]
        right = own.package(*arguments)
        if name not in self.chosen:
            return right
        result = self._result(name, arguments)
        if result is None:
            self._notes[name] = f"Your {name} is not written yet; the package's is used."
            return right
        try:
            result = own.fitted(result, right, arguments)
        except OwnError as error:
            raise OwnError(f"your {name} {error}") from None
        agrees = guarded.same(result, right)
        if not agrees or name not in self._notes:  # of several calls, one that differs tells more
            self._notes[name] = f"With your {name}{_compared(own.says, result, right, agrees)}."
        return result

    def _result(self, name: str, arguments: tuple) -> Any:
        """What the reader's function returns. Raises OwnError where it returns nothing that can be used."""
        if name in self._endless:  # once is enough to wait for
            raise OwnError(self._endless[name])
        outcome = guarded.run(self.chosen[name], arguments, f"your {name}")
        if outcome.endless:
            self._endless[name] = outcome.trouble
        if outcome.trouble and outcome.tried:
            raise OwnError(outcome.trouble)
        if outcome.changed_input:
            raise OwnError(f"your {name} changes its input; let it work on a copy")
        return outcome.result


def _compared(says: Callable[[Any], str], result: Any, right: Any, agrees: bool) -> str:
    if agrees:
        return ", which agrees with the package's"
    if says(result) or says(right):
        return f": {says(result)}; with the package's: {says(right)}"
    differ = int((~torch.isclose(result.double(), right.double(), guarded.TOLERANCE, guarded.TOLERANCE)).sum())
    return f": {differ:,} of {right.numel():,} numbers differ from the package's"
