"""rcnn-tutorial benchmark."""

from __future__ import annotations

import argparse
import json

from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, positive
from rcnn_tutorial.config import BENCHMARKS
from rcnn_tutorial.fields import suggestion


def add_options(parser: Parser) -> None:
    """Options of the command."""
    cases_help = f"{', '.join(BENCHMARKS)}; default: all"
    parser.add_argument("cases", nargs="*", type=_case, metavar="CASE", help=cases_help)
    repeats_help = "runs of each side, of which the median counts; of learning at most 3, a seed each"
    parser.add_argument("--repeats", type=positive, default=9, help=repeats_help)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _case(text: str) -> str:
    if text not in BENCHMARKS:  # argparse's own `choices` refuse to be left away in some versions of Python
        raise argparse.ArgumentTypeError(f"{text!r} is no case; {suggestion(text, BENCHMARKS)}")
    return text


def run(args: argparse.Namespace) -> None:
    """Measure this package beside torchvision's Faster R-CNN, both in one run."""
    from rcnn_tutorial.benchmark.cases import CASES
    from rcnn_tutorial.benchmark.measure import as_table, machine

    rows = [row for name in args.cases or CASES for row in CASES[name](args.repeats)]
    figures = {"machine": machine(), "rows": [row._asdict() | {"ratio": row.ratio} for row in rows]}
    text = json.dumps(figures, indent=2) if args.json else f"{as_table(rows)}\n\n{machine()}"
    emit(text, f"the result is {json.dumps(figures)}")
