"""How `config` states an option once, and what follows from that: checks, and the way to JSON and back.

A field's annotation is its type and range, `option` its default, meaning, name in the post and flag of `train`:

    nms_threshold: Share = option(0.7, "IoU above which the lower-scored box goes", "RPN_NMS_THRESH")

`options` makes the command line and the README's table of the same fields. Annotations must be types, not texts: so no
`from __future__ import annotations` in a module of configs. Nothing here imports torch: `--help` answers at once.
"""

import dataclasses
import difflib
import math
import reprlib
from collections.abc import Callable, Iterator
from typing import Annotated, Literal, NamedTuple, get_args, get_origin

from rcnn_tutorial.errors import ConfigError

KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def option(default, meaning: str, post: str = "", flag: str | bool = "", free: bool = False):
    """A field of a config: an option.

    post: its name in the post and the reference code. flag: the option of `train` that sets it, or two such with a
    space between them; True: the field's own name; without one it is reached through --config. free: it leaves the
    weights that a training ends with as they are, so a resumed run may change it.
    """
    about = {"meaning": meaning, "post": post, "flag": flag, "free": free}
    return dataclasses.field(default=default, metadata=about)


def fields_of(kind, section: str = "") -> Iterator[tuple[str, dataclasses.Field]]:
    """Yield (dotted name, field) of every option of a config class, those of its parts included."""
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.type):
            yield from fields_of(field.type, f"{section}{field.name}.")
        else:
            yield section + field.name, field


def flags_of(field: dataclasses.Field) -> list[str]:
    """The options of `train` that set a field, mostly one or none."""
    flag = field.metadata["flag"]
    return [f"--{field.name.replace('_', '-')}"] if flag is True else flag.split()


class Rule(NamedTuple):
    """What must hold of a value, beside its type, and the remedy where it does not."""

    holds: Callable  # (value, the config that it is a field of) -> bool
    remedy: str


def between(low, high) -> Rule:
    """From `low` to `high`, each a number or the name of another field of the same config."""
    return Rule(lambda v, c: _end(low, c) <= v <= _end(high, c), f"use a number between {low} and {high}")


def at_least(low) -> Rule:
    """`low` or more, but not infinite; `low` is a number or the name of another field of the same config."""
    return Rule(lambda v, c: _end(low, c) <= v < math.inf, f"use {low} or more")


def _end(end, config):
    return getattr(config, end) if isinstance(end, str) else end


POSITIVE = Rule(lambda v, _: 0 < v < 2**31, "use a positive number below 2^31")
BELOW_ONE = Rule(lambda v, _: 0 <= v < 1, "use 0 or a number below 1")
ALL_FINITE = Rule(lambda v, _: all(map(math.isfinite, v)), "use finite numbers")
ALL_POSITIVE = Rule(lambda v, _: v and 0 < min(v) <= max(v) < math.inf, "use numbers above 0, at least one")
UNIQUE = Rule(lambda v, _: 0 < len(v) == len(set(v)), "use at least one name, each of them once")

Natural = Annotated[int, at_least(0)]
Count = Annotated[int, POSITIVE]
Positive = Annotated[float, POSITIVE]
Weight = Annotated[float, at_least(0)]
Share = Annotated[float, between(0, 1)]
SmallShare = Annotated[float, BELOW_ONE]
Positives = Annotated[tuple[float, ...], ALL_POSITIVE]
Names = Annotated[tuple[str, ...], UNIQUE]


def choices_of(annotation) -> tuple:
    """The values of a Literal; of another annotation ()."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def type_of(annotation) -> type:
    """What a value is, whatever its range: a bool, int, float, str, a tuple of such, or a part's class."""
    if choices := choices_of(annotation):
        return type(choices[0])
    return annotation.__origin__ if get_origin(annotation) is Annotated else annotation


def rules_of(annotation) -> tuple[Rule, ...]:
    """What must hold of a value of the right type."""
    if choices := choices_of(annotation):
        *others, last = choices
        return (Rule(lambda v, _: v in choices, f"use {', '.join(map(str, others))} or {last}"),)
    return getattr(annotation, "__metadata__", ())


def check(config, section: str = "") -> None:
    """Raise ConfigError, naming field, value and remedy, for a config that cannot work."""
    fields = [(section + f.name, getattr(config, f.name), f.type) for f in dataclasses.fields(config)]
    for name, value, annotation in fields:  # all of them first: a rule may compare two fields
        if not _is_a(value, type_of(annotation)):
            raise ConfigError(f"{name} = {reprlib.repr(value)}: expected {in_words(type_of(annotation))}")
    for name, value, annotation in fields:
        if dataclasses.is_dataclass(annotation):
            check(value, f"{name}.")
        for rule in rules_of(annotation):
            if not rule.holds(value, config):
                raise ConfigError(f"{name} = {value!r}: {rule.remedy}")


def _is_a(value, kind: type) -> bool:
    """A whole number may stand for a float, as in JSON; nothing else stands for another type, and nan for no number."""
    if get_origin(kind) is tuple:
        item, *more = get_args(kind)
        fits = isinstance(value, list | tuple) and all(_is_a(each, item) for each in value)
        return fits and (more == [...] or len(value) == 1 + len(more))
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return (isinstance(value, int) and abs(value) < 2**63) or (isinstance(value, float) and not math.isnan(value))
    return isinstance(value, kind)


def in_words(kind: type) -> str:
    """A type as a sentence names it."""
    if get_origin(kind) is not tuple:
        return KINDS.get(kind, f"a {kind.__name__}")
    item, *more = get_args(kind)
    return f"a list of {'names' if item is str else 'numbers'}{'' if more == [...] else f', {1 + len(more)} of them'}"


def to_dict(config) -> dict:
    """A config as nested plain dicts, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(kind: type, values: dict):
    """The inverse of `to_dict`; lists become the tuples they were. Raises ConfigError on an unknown field."""
    if not isinstance(values, dict):
        raise ConfigError(f"{kind.__name__}: expected a mapping of fields, got {reprlib.repr(values)}")
    known = {field.name: field.type for field in dataclasses.fields(kind)}
    for name in values:
        if name not in known:
            raise ConfigError(f"{kind.__name__}: unknown field {name!r}; {suggestion(name, known)}")
    return kind(**{name: _decode(known[name], value) for name, value in values.items()})


def _decode(annotation, value):
    if dataclasses.is_dataclass(annotation):
        return from_dict(annotation, value)
    return tuple(value) if isinstance(value, list) else value


def suggestion(name: str, known) -> str:
    """What to write instead of an unknown name: the one that it most resembles, or all that there are."""
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def differences(old, new, field: str = ""):
    """Yield (dotted field, old value, new value) wherever two trees of plain values differ; a list equals a tuple."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            yield from differences(old.get(key), new.get(key), f"{field}.{key}".lstrip("."))
    elif _as_list(old) != _as_list(new):
        yield field, old, new


def _as_list(value):
    return [_as_list(item) for item in value] if isinstance(value, list | tuple) else value
