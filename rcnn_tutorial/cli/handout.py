"""rcnn-tutorial handout."""

from __future__ import annotations

import argparse

from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, folder
from rcnn_tutorial.errors import ConfigError


def add_options(parser: Parser) -> None:
    """Options of the command."""
    parser.add_argument("folder", type=folder, metavar="DIR", help="where the copies go")
    graded = "as assignments for nbgrader, a folder a lesson, with a cell for each exercise's point; DIR is its source"
    parser.add_argument("--nbgrader", action="store_true", help=graded)
    wheel, github = "the package, a path or an address", "https://github.com/OWNER/REPOSITORY/tree/BRANCH/FOLDER"
    parser.add_argument(
        "--wheel", default="", metavar="WHEEL", help=f"for Colab and Kaggle: {wheel}; a cell installs it"
    )
    parser.add_argument("--github", default="", metavar="ADDRESS", help=f"where you publish the copies, {github}")
    parser.add_argument("--pages", default="", metavar="ADDRESS", help="where you publish what make site writes")


def run(args: argparse.Namespace) -> None:
    """Write copies of the lessons for students: nothing run, no solutions."""
    from rcnn_tutorial.course.grading import write_assignments
    from rcnn_tutorial.course.handout import write_handout
    from rcnn_tutorial.course.hosted import Published

    published = Published(args.wheel, args.github, args.pages)
    if args.nbgrader and any(published):
        raise ConfigError("--nbgrader: assignments go to nbgrader alone; leave out --wheel, --github and --pages")
    wrote = write_assignments(args.folder) if args.nbgrader else write_handout(args.folder, published)
    if wrote.written:
        emit("\n".join(map(str, wrote.written)), f"the copies lie in {args.folder}")
