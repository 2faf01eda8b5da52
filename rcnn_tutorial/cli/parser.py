"""The parser, the options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.fields import suggestion
from rcnn_tutorial.options import shown


class Parser(argparse.ArgumentParser):
    """argparse, with the error alone on one line, a remedy for misspelt options, and every option's default in help."""

    def __init__(self, **options):
        super().__init__(**options, formatter_class=_HelpFormatter, allow_abbrev=False)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace=None):
        """Take the words as argparse does, but name the remedy for one that it does not know."""
        found, unknown = super().parse_known_args(args, namespace)
        for word in unknown:
            if word.startswith("--"):
                name, options = word.split("=")[0], re.findall(r"--[\w-]+", self.format_usage())
                self.error(f"unknown option {name}; {suggestion(name, options)}")
        return found, unknown

    def error(self, message: str):
        """Exit with one line and code 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (see {self.prog} --help)\n")


class _HelpFormatter(argparse.HelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        told = action.required or action.default in (None, argparse.SUPPRESS) or "default:" in action.help
        return action.help if told else f"{action.help} (default: {shown(action.default)})"


def add_data(parser: Parser, split: str, required: bool, otherwise: str = "those of --config") -> None:
    """--data and --split. otherwise: the data of one who names none."""
    spec_help = "toy, voc:DIR or coco:IMAGES:ANNOTATIONS.json"
    spec_help += "" if required else f" (default: {otherwise})"
    parser.add_argument("--data", required=required, metavar="SPEC", help=spec_help)
    parser.add_argument("--split", help=f"part of the data, which a COCO file does not have (default: {split})")


def add_device(parser: Parser) -> None:
    """--device."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")


def chosen_device(name: str) -> str:
    """The device that --device stands for. Raises ConfigError for a GPU that is not there."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no GPU; use --device cpu, or install a CUDA build of torch")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def folder(text: str) -> Path:
    """A path, which an unset variable of a shell is not."""
    if not text:
        raise argparse.ArgumentTypeError("'' is no folder; name one, such as . for this one")
    return Path(text)


def _number(kind: type, low: float, high: float, words: str) -> Callable[[str], float]:
    """A function from the text of an argument to a number from `low` to `high`, which `words` describe."""

    def number(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no {words}")
        return value

    return number


share = _number(float, 0, 1, "number between 0 and 1")
positive = _number(int, 1, math.inf, "whole number above 0")
port = _number(int, 1, 65535, "port, which is a number from 1 to 65535")
port_or_any = _number(int, 0, 65535, "port, which is a number from 1 to 65535, or 0 for any that is free")
