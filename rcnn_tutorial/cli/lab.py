"""rcnn-tutorial lab."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rcnn_tutorial.cli.parser import Parser, folder, port
from rcnn_tutorial.errors import DataError


def add_options(parser: Parser) -> None:
    """Options of the command."""
    folder_help = "copy the course there and open it (default: the clone's notebooks; without a clone: rcnn_course)"
    parser.add_argument("folder", nargs="?", type=folder, metavar="DIR", help=folder_help)
    port_help = "of 127.0.0.1; the next free one if it is taken"
    parser.add_argument("--port", type=port, default=8888, help=port_help)
    parser.add_argument("--browser", action=argparse.BooleanOptionalAction, default=True, help="open a browser")


def run(args: argparse.Namespace) -> None:
    """Open the course in JupyterLab, on 127.0.0.1 and with Jupyter's token."""
    from jupyterlab.labapp import LabApp

    _check_jupyter_folders()
    folder = folder_to_work_in(args.folder)
    arguments = [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={args.port}"]
    if not args.browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")  # in a bare container root is the only user
    LabApp.launch_instance(arguments)


def _check_jupyter_folders() -> None:
    """Raise DataError where Jupyter cannot keep its own files, of which it would complain in many tracebacks."""
    from jupyter_core import paths

    for path in (paths.jupyter_runtime_dir(), paths.jupyter_data_dir(), paths.jupyter_config_dir()):
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            if not os.access(path, os.W_OK):
                raise PermissionError(None, "it cannot be written to")
        except OSError as error:
            raise DataError(
                f"{path}: Jupyter cannot keep its files there ({error.strerror}); set HOME to a folder of your own, or "
                "JUPYTER_RUNTIME_DIR, JUPYTER_DATA_DIR and JUPYTER_CONFIG_DIR"
            ) from error


def folder_to_work_in(folder: Path | None) -> Path:
    """The clone's own notebooks, or a copy of the course where the reader wants it."""
    from rcnn_tutorial.course.files import course_folder, installed

    if folder is None and not installed():
        return course_folder()
    from rcnn_tutorial.course.handout import copy_course

    folder = (folder or Path("rcnn_course")).resolve()
    copied = copy_course(folder)
    print(f"{folder}: {len(copied.written)} files written", file=sys.stderr)
    for path in copied.kept:
        print(f"{path}: kept as it is; it differs from the course's", file=sys.stderr)
    return folder
