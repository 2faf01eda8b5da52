"""rcnn-tutorial evaluate."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from rcnn_tutorial import spec as specs
from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, add_data, add_device, chosen_device, folder, positive, share
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.extras import require


def add_options(parser: Parser) -> None:
    """Options of the command."""
    add_data(parser, split="val", required=True)
    parser.add_argument("--weights", required=True, help="voc, toy, or the path of a checkpoint")
    batch_help = "images detected in together (default: 8 on a GPU, 1 on a CPU)"
    parser.add_argument("--batch-size", type=positive, metavar="N", help=batch_help)
    bad_help = "what an unreadable file does: it ends the evaluation, or is left out with a warning"
    parser.add_argument("--on-bad-file", choices=("fail", "skip"), default="fail", help=bad_help)
    parser.add_argument("--metric", choices=("voc07", "voc", "coco"), default="voc07", help="how AP is counted")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--errors", action="store_true", help="tell what kinds of errors there are, and what they cost")
    near_help = "IoU that a right detection exceeds (default: 0.5)"
    parser.add_argument("--foreground", type=share, metavar="IOU", help=near_help)
    far_help = "IoU up to which a detection touches nothing (default: 0.1)"
    parser.add_argument("--background", type=share, metavar="IOU", help=far_help)
    out_help = "folder for errors.html, the worst errors of each kind in pictures (default: no page)"
    parser.add_argument("--out", type=folder, metavar="DIR", help=out_help)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Measure a detector's average precision on a data set."""
    from rcnn_tutorial.checkpoints import load_model
    from rcnn_tutorial.cli.error_report import check_options
    from rcnn_tutorial.data import open_dataset
    from rcnn_tutorial.distributed import is_writer, process_group
    from rcnn_tutorial.evaluation import evaluate

    check_options(args)
    if args.out:  # before the work, which would be lost
        require("site", "rcnn-tutorial evaluate --errors --out", "jinja2")
    split = "val" if args.split is None and specs.has_splits(args.data) else args.split
    with process_group(chosen_device(args.device)) as device:
        model = load_model(args.weights, device)
        dataset = open_dataset(args.data, split, classes=model.classes, on_bad_file=args.on_bad_file)
        more = {"batch_size": args.batch_size, "on_bad_file": args.on_bad_file}
        if args.out and is_writer():
            _make_folder(args.out)
        result = evaluate(model, dataset, args.metric, device, **more)
        if is_writer():
            _answer(args, result, dataset)


def _make_folder(path: Path) -> None:
    """Before the work, so that a place that cannot be does not cost it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: no folder can be made there ({error.strerror}); name another one") from error


def _answer(args: argparse.Namespace, result, dataset) -> None:
    """Print the result, and what --errors adds to it; write the page."""
    report, table, page = _as_report(result), _as_table(result), None
    if args.errors:
        from rcnn_tutorial.cli import error_page, error_report

        mistakes = error_report.collect(result, dataset.classes, *error_report.thresholds(args))
        report["errors"] = error_report.as_json(mistakes)
        table += f"\n\n{error_report.as_table(mistakes)}"
        if args.out:
            page = args.out / error_page.PAGE
            table += f"\n\nthe worst of each kind, in pictures: {page}"
    emit(json.dumps(report, indent=2) if args.json else table, f"the result is {json.dumps(report)}")
    if page:
        html = error_page.make_page(mistakes, result, dataset, args.weights, args.data)
        write_atomically(page, html.encode())


def _as_report(result) -> dict:
    """The `Evaluation` for JSON, which has no nan: a class without objects has null."""
    per_class = {name: _number_or_none(ap) for name, ap in result.per_class.items()}
    return {
        "metric": result.metric,
        "mAP": _number_or_none(result.mAP),
        "per_class": per_class,
        "images": result.images,
        "AP50_by_size": {size: _number_or_none(ap) for size, ap in result.by_size.items()},
        "proposal_recall": {str(count): _number_or_none(recall) for count, recall in result.recall.items()},
    }


def _number_or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _as_table(result) -> str:
    rows = {f"AP {name}": ap for name, ap in result.per_class.items()}
    rows |= {f"AP50 of {size} objects": ap for size, ap in result.by_size.items()}
    rows |= {f"recall of {count} proposals": recall for count, recall in result.recall.items()}
    rows[f"mAP ({result.metric}, {result.images} images)"] = result.mAP
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {'no objects' if math.isnan(v) else f'{v:.4f}'}" for name, v in rows.items())
