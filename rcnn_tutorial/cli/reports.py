"""rcnn-tutorial reports."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, folder
from rcnn_tutorial.errors import DataError

if TYPE_CHECKING:
    from rcnn_tutorial.course.reports import Report

MOST = 10  # misconceptions that are shown
LONGEST_PATH = 300  # letters


def add_options(parser: Parser) -> None:
    """Options of the command."""
    where = "what the students sent: files of check.report() in it and below"
    parser.add_argument("folder", type=folder, metavar="DIR", help=where)
    table = "also write a table for a spreadsheet, a line for each report and lesson (default: none)"
    parser.add_argument("--csv", type=Path, metavar="FILE", help=table)


def run(args: argparse.Namespace) -> None:
    """Sum up a class's reports: who solved how much, and the misconceptions that the checks named."""
    from rcnn_tutorial.atomic import write_atomically
    from rcnn_tutorial.course.reports import as_csv, find_reports

    reports = sorted(_readable(find_reports(args.folder)), key=lambda report: (report.name.casefold(), report.path))
    if not reports:
        raise DataError(f"{args.folder}: none of its files is a report; ask for the files of check.report()")
    if args.csv:
        write_atomically(args.csv, as_csv(reports).encode("utf-8-sig"))  # else Excel misreads é
    emit("\n".join(_as_text(reports)))


def _readable(paths: list[Path]) -> Iterator[Report]:
    """One damaged file must not cost the class's table."""
    from rcnn_tutorial.course.reports import read_report

    for path in paths:
        try:
            yield read_report(path)
        except DataError as error:
            warnings.warn(f"left out: {error}", stacklevel=2)


def _as_text(reports: Sequence[Report]) -> Iterator[str]:
    from rcnn_tutorial.answers import SECTIONS
    from rcnn_tutorial.course.reports import counts, misconceptions, plain

    wide = max(len(report.name) for report in reports)
    yield "  ".join(["name".ljust(wide), *(section.rjust(11) for section in SECTIONS), "file"])
    for report in reports:
        scores = ["{} of {}".format(*counts(report.lessons.values(), section)).rjust(11) for section in SECTIONS]
        yield "  ".join([report.name.ljust(wide), *scores, plain(str(report.path), LONGEST_PATH)])
    told = misconceptions(reports)
    if told:
        yield f"\nMisconceptions, by the number of reports that name them ({min(MOST, len(told))} of {len(told)}):"
    for words, number in told[:MOST]:
        yield f"{number:5}  {words}"
