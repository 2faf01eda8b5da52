"""How a command or a file names data: toy, voc:DIR or coco:IMAGES:ANNOTATIONS.json."""

from __future__ import annotations

import os
import re

from rcnn_tutorial.errors import ConfigError

# Two paths with a colon between them, either of which may begin with a Windows drive such as C:\ or C:/.
_COCO = re.compile(r"coco:((?:[A-Za-z]:[\\/])?[^:]+):((?:[A-Za-z]:[\\/])?[^:]+)")


def parse(spec: str) -> tuple[str, tuple[str, ...]]:
    """("toy", ()), ("voc", (DIR,)) or ("coco", (IMAGES, ANNOTATIONS)), a ~ expanded. Else ConfigError."""
    if spec == "toy":
        return "toy", ()
    if spec.startswith("voc:") and spec != "voc:":
        return "voc", (os.path.expanduser(spec.removeprefix("voc:")),)
    if paths := _COCO.fullmatch(spec):
        return "coco", tuple(map(os.path.expanduser, paths.groups()))
    raise ConfigError(f"data {spec!r}: use toy, voc:DIR or coco:IMAGES:ANNOTATIONS.json")


def absolute(spec: str) -> str:
    """The spec that means the same from every working folder; unchanged where a colon in that folder's name forbids."""
    kind, paths = parse(spec)
    paths = tuple(map(os.path.abspath, paths))
    named = ":".join([kind, *paths])
    try:
        return named if parse(named) == (kind, paths) else spec
    except ConfigError:
        return spec


def has_splits(spec: str) -> bool:
    """Whether the data have parts with names; a COCO file is one part by itself."""
    return parse(spec)[0] != "coco"


def is_there(spec: str) -> bool:
    """Whether the folders and files that it names exist."""
    return all(os.path.exists(path) for path in parse(spec)[1])
