"""rcnn-tutorial evaluate."""

from __future__ import annotations

import argparse
import json
import math

from rcnn_tutorial import spec as specs
from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, add_data, add_device, chosen_device, positive


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
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Measure a detector's average precision on a data set."""
    from rcnn_tutorial import evaluation
    from rcnn_tutorial.checkpoints import load_model
    from rcnn_tutorial.data import open_dataset
    from rcnn_tutorial.distributed import is_writer, process_group

    split = "val" if args.split is None and specs.has_splits(args.data) else args.split
    with process_group(chosen_device(args.device)) as device:
        model = load_model(args.weights, device)
        dataset = open_dataset(args.data, split, classes=model.classes, on_bad_file=args.on_bad_file)
        more = {"batch_size": args.batch_size, "on_bad_file": args.on_bad_file}
        result = evaluation.evaluate(model, dataset, args.metric, device, **more)
        if is_writer():
            report = _as_report(result)
            text = json.dumps(report, indent=2) if args.json else _as_table(result)
            emit(text, f"the result is {json.dumps(report)}")


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
