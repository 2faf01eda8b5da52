"""The command `rcnn-tutorial`, a module for each of its commands.

Results go to stdout, all else (progress, warnings, errors) to stderr. Exit code 2: the request cannot work; 1: a file
or its content cannot be used. torch is imported by the commands, not here, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Sequence

import rcnn_tutorial
from rcnn_tutorial.cli import anchors, benchmark, detect, evaluate, export, handout, lab, reports, serve, train
from rcnn_tutorial.cli.output import forgiving, say
from rcnn_tutorial.cli.parser import Parser
from rcnn_tutorial.errors import ConfigError, ProcessLost, TutorialError, is_out_of_memory

PROGRAM = "rcnn-tutorial"

# Each has add_options(parser) and run(args).
COMMANDS = (detect, train, evaluate, anchors, export, lab, handout, reports, serve, benchmark)
SHARED = (train, evaluate)  # several processes of torchrun share their work


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = build_parser().parse_args(arguments)
    with forgiving():
        return _answer(args)


def _answer(args: argparse.Namespace) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: say(PROGRAM, f"warning: {message}")
            _check_alone(args)
            args.command.run(args)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except (TutorialError, OSError) as error:
        if args.debug:
            raise
        _wait_unless_first(error)
        return _fail(str(error), getattr(error, "exit_code", 1))
    except (MemoryError, RuntimeError) as error:
        if args.debug or not is_out_of_memory(error):
            raise
        return _fail("not enough memory; use smaller images, a smaller batch or a smaller network", 1)
    return 0


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(prog=PROGRAM, description="Faster R-CNN, stage by stage, on real tensors.")
    parser.add_argument("--version", action="version", version=rcnn_tutorial.__version__, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        name, described = command.__name__.split(".")[-1], command.run.__doc__.splitlines()[0]
        sub = commands.add_parser(name, help=described, description=described)
        command.add_options(sub)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.set_defaults(command=command, name=name)
    return parser


def _check_alone(args: argparse.Namespace) -> None:
    processes = os.environ.get("WORLD_SIZE", "1") if "TORCHELASTIC_RUN_ID" in os.environ else "1"
    if args.command not in SHARED and processes != "1":
        raise ConfigError(f"{args.name} does the same in each of {processes} processes; call it without torchrun")


def _wait_unless_first(error: Exception) -> None:
    """What ends all processes of torchrun alike is reported once: torchrun ends the others while they wait here."""
    follows = "TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0"
    if follows and not isinstance(error, ProcessLost):
        time.sleep(2)


def _fail(message: str, code: int) -> int:
    say(PROGRAM, f"error: {message}")
    return code
