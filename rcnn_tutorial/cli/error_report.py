"""What `rcnn-tutorial evaluate --errors` adds to its result: kinds of errors, confusions, reliability, spread."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import NamedTuple

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import (
    Confusion,
    Errors,
    Evaluation,
    Reliability,
    Report,
    bootstrap,
    confusion_matrix,
    error_report,
    find_errors,
    reliability,
)
from rcnn_tutorial.evaluation.errors import check_thresholds

FOREGROUND, BACKGROUND = 0.5, 0.1
SCORE = 0.5  # of the detections in the confusion matrix
LARGEST = 5  # cells of it that are told, of classes and of nothing each
SAMPLES = 200


class Mistakes(NamedTuple):
    """All that is known of what a detector got wrong on a data set."""

    classes: Sequence[str]
    foreground: float
    background: float
    errors: Errors
    report: Report
    confusion: Confusion
    reliability: Reliability
    metric: str  # of the spread: voc07 or voc
    spread: float  # standard deviation of the mean AP over samples of the photos; nan without objects


def check_options(args: argparse.Namespace) -> None:
    """Raise ConfigError for what has no effect without --errors, and for thresholds that cannot be."""
    given = [name for name in ("foreground", "background", "out") if getattr(args, name) is not None]
    if given and not args.errors:
        raise ConfigError(f"--{given[0]} has no effect without --errors; add it, or leave --{given[0]} away")
    check_thresholds(*thresholds(args))


def thresholds(args: argparse.Namespace) -> tuple[float, float]:
    """Foreground and background IoU of the command."""
    return (
        FOREGROUND if args.foreground is None else args.foreground,
        BACKGROUND if args.background is None else args.background,
    )


def collect(result: Evaluation, classes: Sequence[str], foreground: float, background: float) -> Mistakes:
    """Look for the mistakes in what `evaluate` found."""
    found = result.detections, result.targets
    metric = "voc" if result.metric == "coco" else result.metric
    means = bootstrap(*found, classes, metric, SAMPLES)
    means = means[~means.isnan()]  # a sample of photos without any object has none
    return Mistakes(
        classes,
        foreground,
        background,
        find_errors(*found, foreground, background),
        error_report(*found, classes, foreground, background),
        confusion_matrix(*found, classes, SCORE, foreground),
        reliability(*found, iou_threshold=foreground),
        metric,
        float(means.std()) if len(means) > 1 else math.nan,
    )


def largest_confusions(mistakes: Mistakes) -> list[tuple[str, str, int]]:
    """(what is there, what the detector says, count) of the largest cells off the diagonal; ties row by row.

    First those of two classes, then those of a class and nothing, which would crowd the others out.
    """
    names, members = ["nothing", *mistakes.classes], mistakes.confusion.members
    cells = sorted(members, key=lambda cell: (-len(members[cell]), cell))
    classes = [(there, said) for there, said in cells if there and said and there != said][:LARGEST]
    nothing = [(there, said) for there, said in cells if not (there and said)][:LARGEST]
    return [(names[there], names[said], len(members[there, said])) for there, said in classes + nothing]


def as_json(mistakes: Mistakes) -> dict:
    """For JSON, which has no nan: null where there is no object, or no detection."""
    report = mistakes.report
    kinds = {kind: {"count": count, "dAP": or_none(report.gains[kind])} for kind, count in report.counts.items()}
    matrix = {
        "score": SCORE,
        "names": ["background", *mistakes.classes],
        "counts": mistakes.confusion.counts.tolist(),  # row: what is there, column: what the detector says
    }
    return {
        "foreground": mistakes.foreground,
        "background": mistakes.background,
        "AP": or_none(report.ap),
        "kinds": kinds,
        "without": {name: or_none(gain) for name, gain in report.overall.items()},
        "confusion": matrix,
        "calibration_error": or_none(mistakes.reliability.error),
        "spread_of_mAP": or_none(mistakes.spread),
    }


def or_none(value: float) -> float | None:
    """None for nan."""
    return None if math.isnan(value) else value


def as_table(mistakes: Mistakes) -> str:
    """Three short tables, for people."""
    report = mistakes.report
    rows = [("error", "count", "AP gained by mending it")]
    rows += [(kind, str(count), number(report.gains[kind])) for kind, count in report.counts.items()]
    rows += [(f"all {name}", "", number(gain)) for name, gain in report.overall.items()]
    lines = [f"{name:20} {count:>6}  {gain}" for name, count, gain in rows]
    cells = largest_confusions(mistakes)
    names = [f"{there} -> {said}" for there, said, _ in cells]
    width = max(map(len, names), default=0)
    lines += ["", f"there -> said, detections scored {SCORE:g} and above"]
    lines += [f"{name:{width}}  {count:>5}" for name, (*_, count) in zip(names, cells, strict=True)] or ["no confusion"]
    return "\n".join([*lines, "", *_how_sure(mistakes)])


def _how_sure(mistakes: Mistakes) -> list[str]:
    error = mistakes.reliability.error
    return [
        f"calibration error of the scores  {'no detections' if math.isnan(error) else f'{error:.4f}'}",
        f"spread of mAP ({mistakes.metric}) over photos  {number(mistakes.spread)}",
    ]


def number(value: float) -> str:
    """Four decimals, or why there is no number."""
    return "no objects" if math.isnan(value) else f"{value:.4f}"
