"""rcnn-tutorial lab."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rcnn_tutorial.cli.output import say
from rcnn_tutorial.cli.parser import Parser, folder, port
from rcnn_tutorial.extras import require

# JupyterLab would ask the network for extensions, news and a newer version of itself, by way of a proxy if one is set.
WITHOUT_NETWORK = (
    "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def add_options(parser: Parser) -> None:
    """Options of the command."""
    folder_help = "where your copy of the course is or shall be (default: the clone's course/; else rcnn_course/)"
    parser.add_argument("folder", nargs="?", type=folder, metavar="DIR", help=folder_help)
    port_help = "of 127.0.0.1; the next free one if it is taken"
    parser.add_argument("--port", type=port, default=8888, help=port_help)
    parser.add_argument("--browser", action=argparse.BooleanOptionalAction, default=True, help="open a browser")


def run(args: argparse.Namespace) -> None:
    """Open a copy of the course in JupyterLab, at its start page, on 127.0.0.1 and with Jupyter's token."""
    require("lab", "rcnn-tutorial lab", "jupyterlab")
    from rcnn_tutorial.course.places import find_places
    from rcnn_tutorial.course.start import START

    if said := find_places():
        say("rcnn-tutorial", said)
    from jupyterlab.labapp import LabApp  # now: it asks for its folders as it is imported

    folder = folder_to_work_in(args.folder)
    arguments = [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={args.port}"]
    arguments += [f"--LabApp.default_url=/lab/tree/{START}", *WITHOUT_NETWORK]
    if not args.browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")  # in a bare container root is the only user
    LabApp.launch_instance(arguments)


def folder_to_work_in(folder: Path | None) -> Path:
    """A working copy of the course, made or brought up to date, where the reader wants it."""
    from rcnn_tutorial.course.files import working_folder
    from rcnn_tutorial.course.handout import copy_course

    folder = (folder or working_folder()).resolve()
    copied = copy_course(folder)
    if copied.written:
        print(f"{folder}: {len(copied.written)} files written", file=sys.stderr)
    if copied.kept:
        names = ", ".join(path.relative_to(folder).as_posix() for path in copied.kept)
        print(f"{folder}: new editions of {names}; yours are kept: to get a new one, move yours away", file=sys.stderr)
    return folder
