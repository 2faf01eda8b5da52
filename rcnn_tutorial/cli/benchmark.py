"""rcnn-tutorial benchmark."""

from __future__ import annotations

import argparse
import json

from rcnn_tutorial.benchmark import BY_DEFAULT, CASES
from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, positive
from rcnn_tutorial.fields import suggestion


def add_options(parser: Parser) -> None:
    """Options of the command."""
    cases_help = f"{', '.join(CASES)}; default: {' '.join(BY_DEFAULT)}"
    parser.add_argument("cases", nargs="*", type=_case, metavar="CASE", help=cases_help)
    repeats_help = "runs of each side, of which the median counts, or seeds of learning (default: each case's own)"
    parser.add_argument("--repeats", type=positive, help=repeats_help)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _case(text: str) -> str:
    if text not in CASES:  # argparse's own `choices` refuse to be left away in some versions of Python
        raise argparse.ArgumentTypeError(f"{text!r} is no case; {suggestion(text, CASES)}")
    return text


def run(args: argparse.Namespace) -> None:
    """Measure this package beside torchvision's detectors, both in one run."""
    from rcnn_tutorial.benchmark import cases
    from rcnn_tutorial.benchmark.measure import as_table, machine

    repeats = {} if args.repeats is None else {"repeats": args.repeats}
    rows = [row for name in args.cases or BY_DEFAULT for row in cases.CASES[name](**repeats)]
    measured = [row._asdict() | {"ratio": row.ratio, "tuned_ratio": row.tuned_ratio} for row in rows]
    figures = {"machine": machine(), "rows": measured}
    text = json.dumps(figures, indent=2) if args.json else f"{as_table(rows)}\n\n{machine()}"
    emit(text, f"the result is {json.dumps(figures)}")
