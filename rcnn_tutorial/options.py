"""Every option of `config`: as options of `train`, and as the README's table (`python -m rcnn_tutorial.options`)."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from typing import get_args

from rcnn_tutorial.config import Config, TrainingConfig
from rcnn_tutorial.fields import choices_of, fields_of, flags_of, in_words, rules_of, type_of
from rcnn_tutorial.request import defaults, get

USUAL, TOY = defaults(toy=False), defaults(toy=True)
METAVARS = {int: "N", float: "X", str: "NAME"}


def request_fields() -> Iterator[tuple[str, dataclasses.Field]]:
    """Yield (dotted name in a request, field) of every option."""
    yield from fields_of(Config, "model.")
    yield from fields_of(TrainingConfig, "training.")


def add_flags(parser: argparse.ArgumentParser, only: Sequence[str] | None = None) -> None:
    """The options that set one field. One that is not given is absent, so that no default overrides a file.

    only: dotted names of the fields to offer; None: all.
    """
    title = "the detector (defaults: the reference's, and those of toy where they differ)"
    groups = {"model": parser.add_argument_group(title), "training": parser.add_argument_group("training")}
    for name, field in request_fields():
        if (flags := flags_of(field)) and (only is None or name in only):
            text = f"{field.metadata['meaning']} (default: {default_of(name)})"
            group = groups[name.split(".")[0]]
            group.add_argument(*flags, dest=name, default=argparse.SUPPRESS, help=text, **_for_argparse(field.type))


def _for_argparse(annotation) -> dict:
    kind = type_of(annotation)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if choices := choices_of(annotation):
        return {"type": kind, "choices": choices}
    if items := get_args(kind):  # a tuple's
        return {"type": items[0], "metavar": METAVARS[items[0]], "nargs": "+" if ... in items else len(items)}
    return {"type": kind, "metavar": METAVARS[kind]}


def default_of(name: str) -> str:
    """What `train` takes for a field that nobody names, and what it takes for --data toy where that differs."""
    usual, toy = (shown(get(settings, name)) or "the data's own" for settings in (USUAL, TOY))
    return usual if usual == toy else f"{usual}; toy: {toy}"


def shown(value) -> str:
    """A default as help shows it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(shown(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def values_of(annotation) -> str:
    """What a field takes, in words."""
    if annotation is bool:
        return "on or off"
    return "; ".join(rule.remedy.removeprefix("use ") for rule in rules_of(annotation)) or in_words(annotation)


def table() -> str:
    """Every option in a row, in Markdown."""
    rows = ["| `train` | in a file for `--config` | default | values | in the post and its code | meaning |"]
    rows.append("|---|---|---|---|---|---|")
    for name, field in request_fields():
        flags, about = " ".join(f"`{flag}`" for flag in flags_of(field)), field.metadata
        cells = flags, f"`{name}`", default_of(name), values_of(field.type), about["post"], about["meaning"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
