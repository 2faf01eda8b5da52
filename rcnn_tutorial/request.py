"""What `train` is asked to do, as one tree of plain values: the content of RUN/config.json.

{"data": SPEC, "split": NAME, "validation": NAME, "pretrained": NAME or path, "model": {...}, "training": {...}}. Where
it runs (`--device`, `--out`) is no part of it. Nothing here imports torch, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import re
import reprlib
from pathlib import Path

from rcnn_tutorial import spec as specs
from rcnn_tutorial.config import FREE, TOY_TRAINING, Backbone, Config, TrainingConfig, reference_config, toy_config
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.fields import differences, from_dict, suggestion, to_dict

SOURCES = ("data", "split", "validation", "pretrained")  # texts or None; "model" and "training" are trees


def put_together(given: dict, file: dict, kept: dict) -> dict:
    """The whole request, the classes left to the data where nobody names them.

    given: {dotted field: value} of the command line. file: what --config holds. kept: the request of the run that is
    resumed, which nothing but FREE may change; {} for a new one. A `data` that is given replaces the file's split and
    validation too. Raises ConfigError for what cannot work: a change (naming both values), a value, missing data.
    """
    if given.get("data", file.get("data")) != file.get("data"):
        file = {name: value for name, value in file.items() if name not in ("split", "validation")}
    asked = file
    for field, value in given.items():
        asked = merge(asked, nest(field, value))
    asked = {name: _absolute(name, value) for name, value in asked.items()}
    if kept:
        refuse_changes(kept, asked)
    asked = merge(kept, asked)
    data = asked.get("data")
    if data is None:
        raise ConfigError("--data is missing: toy, voc:DIR or coco:IMAGES:ANNOTATIONS.json (or --config with `data`)")
    request = merge(defaults(data == "toy", _backbone(asked)), asked)
    if request["split"] is None and specs.has_splits(data):
        request["split"] = "train"
    known_classes = {"classes": request["model"]["classes"] or ("any",)}
    from_dict(Config, request["model"] | known_classes), from_dict(TrainingConfig, request["training"])
    return request


def _absolute(name: str, value):
    """A source that means the same from every working folder."""
    if value is not None and (name == "data" or (name == "validation" and value.startswith("coco:"))):
        return specs.absolute(value)
    if name == "pretrained" and value and not re.fullmatch("[A-Z0-9_]+", value):  # not one of torchvision's names
        return os.path.abspath(os.path.expanduser(value))
    return value


def _backbone(asked: dict) -> Backbone:
    try:
        return asked["model"]["backbone"]["name"]
    except (KeyError, TypeError):  # what is no tree is refused by `merge`
        return "resnet50"


def defaults(toy: bool, backbone: Backbone = "resnet50") -> dict:
    """What `train` starts from."""
    config = toy_config(("any",)) if toy else reference_config(backbone)
    training = to_dict(TOY_TRAINING if toy else TrainingConfig())
    return dict.fromkeys(SOURCES) | {"model": to_dict(config) | {"classes": ()}, "training": training}


def refuse_changes(kept: dict, asked: dict) -> None:
    """Raise ConfigError where a resumed run is asked for another value than the one that it began with.

    Data that are no longer where they were may be named anew, and what an older run did not write down is free.
    """
    for field, old, new in differences(kept, merge(kept, asked)):
        known = old is not None or field in kept
        moved = field == "data" and known and not specs.is_there(old)
        if known and field not in FREE and not moved:
            raise ConfigError(f"{field} = {new!r}: the run began with {old!r}; leave it away, or name another --out")


def read_request(path: Path) -> dict:
    """The request in a JSON file, or a part of one. Raises DataError or ConfigError, naming the file, for another."""
    try:
        request = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not a JSON file that can be read ({error}); pass one such as RUN/config.json"
        ) from None
    known = (*SOURCES, "model", "training")
    if not isinstance(request, dict):
        raise ConfigError(f'{path}: expected {{"model": {{...}}, "training": {{...}}}} or the like of RUN/config.json')
    for name, value in request.items():
        if name not in known:
            raise ConfigError(f"{path}: unknown field {name!r}; {suggestion(name, known)}")
        if name in SOURCES and not (value is None or isinstance(value, str)):
            raise ConfigError(f"{path}: {name} = {reprlib.repr(value)}: expected a text or null")
        if name not in SOURCES and not isinstance(value, dict):
            raise ConfigError(f"{path}: {name} = {reprlib.repr(value)}: expected a mapping of fields")
    return request


def merge(settings: dict, changes: dict) -> dict:
    """`settings` with the values of `changes`, which may name any part of the tree (`from_dict` knows what exists)."""
    merged = dict(settings)
    for name, value in changes.items():
        known = settings.get(name)
        if isinstance(known, dict) and not isinstance(value, dict):
            raise ConfigError(f"{name} = {reprlib.repr(value)}: expected a mapping of fields")
        merged[name] = merge(known, value) if isinstance(known, dict) else value
    return merged


def nest(field: str, value) -> dict:
    """{"a": {"b": value}} of the field "a.b"."""
    for name in reversed(field.split(".")):
        value = {name: value}
    return value


def get(settings: dict, field: str):
    """The value of the field "a.b"."""
    for name in field.split("."):
        settings = settings[name]
    return settings
