"""rcnn-tutorial handout."""

from __future__ import annotations

import argparse

from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, folder


def add_options(parser: Parser) -> None:
    """Options of the command."""
    parser.add_argument("folder", type=folder, metavar="DIR", help="where the copies go")
    graded = "as assignments for nbgrader, a folder a lesson, with a cell for each exercise's point; DIR is its source"
    parser.add_argument("--nbgrader", action="store_true", help=graded)


def run(args: argparse.Namespace) -> None:
    """Write copies of the lessons for students: nothing run, no solutions."""
    from rcnn_tutorial.course.grading import write_assignments
    from rcnn_tutorial.course.handout import write_handout

    write = write_assignments if args.nbgrader else write_handout
    if written := write(args.folder).written:
        emit("\n".join(map(str, written)), f"the copies lie in {args.folder}")
