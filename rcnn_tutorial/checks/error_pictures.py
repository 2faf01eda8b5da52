"""What the checks of the eleventh notebook draw: kinds on a plane, a confusion matrix, bins of scores, curves."""

from __future__ import annotations

import torch
from torch import Tensor

from rcnn_tutorial.checks.pictures import RIGHT, YOURS, Chart, Sketch, role_of, table, write
from rcnn_tutorial.roles import BEFORE, OTHER
from rcnn_tutorial.scene import Layer, Lines, Points

FOREGROUND, BACKGROUND = 0.5, 0.1  # IoU


def draw_kinds(arguments, value, good, wrong) -> Sketch:
    """Every detection as a point: its best IoU with its own class across, with other classes upward."""
    iou, said, truth = arguments
    chart, same = Chart((0.0, 1.0), (0.0, 1.0)), said[:, None] == truth
    best = [
        torch.where(which, iou, 0.0).amax(dim=1) if iou.shape[1] else torch.zeros(len(iou)) for which in (same, ~same)
    ]
    places = chart.points(*best)  # (D, 2)
    lines = [chart.points([t, t], [0, 1]) for t in (BACKGROUND, FOREGROUND)]
    lines += [chart.points([0, 1], [t, t]) for t in (BACKGROUND, FOREGROUND)]
    layers: list[Layer] = [*chart.axes("IoU, own class", "IoU, another class")]
    layers.append(Lines(torch.stack(lines), OTHER._replace(name="0.1 and 0.5")))
    for role, rows in ((RIGHT, ~wrong), (role_of(value, good), wrong)):
        texts = [f"{k + 1} {value[k]}" for k in rows.nonzero()[:, 0].tolist()]
        layers.append(Points(places[rows], role._replace(name=role.name), labels=texts, radius=5.0))
    return Sketch(layers, f"{', '.join(f'{k} {kind}' for k, kind in enumerate(value, start=1))}.")


def draw_confusion(_arguments, value, good, wrong) -> Sketch:
    """The matrix with its numbers; rows and columns have their labels."""
    count = len(value)
    layers = [*table(value, good, limits=(0.0, max(1.0, float(good.max()))), digits=0)]
    layers += [write(-4.0, 6.0 * row + 5.0, str(row)) for row in range(count)]
    layers += [write(10.0 * column + 4.0, -1.0, str(column)) for column in range(count)]
    layers += [write(0.0, -5.0, "said"), write(-12.0, 3.0 * count, "true")]
    row = int(wrong.int().argmax())
    numbers = " ".join(f"{number:g}" for number in value[row].tolist())
    return Sketch(layers, f"row {row}, {'background' if row == 0 else f'class {row}'}: {numbers}.")


def in_bins(scores: Tensor, right: Tensor, number: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean score, share that is right, and how many, of every bin: (bins,) each. number: (D,) the bin of each."""
    kept = (number >= 0) & (number < bins)
    parts = [torch.ones(int(kept.sum())), scores[kept], right[kept]]
    sums = [torch.bincount(number[kept], part.double(), minlength=bins) for part in parts]
    return sums[1] / sums[0].clamp(min=1), sums[2] / sums[0].clamp(min=1), sums[0]


def usual_bin(scores: Tensor, bins: int) -> Tensor:
    """The bin of each score, the last one for 1: (D,)."""
    return (scores.double() * bins).long().clamp(max=bins - 1)


def binned(scores: Tensor, right: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """`in_bins` with the right bins."""
    return in_bins(scores, right, usual_bin(scores, bins), bins)


def draw_calibration(arguments, value, good, _wrong) -> Sketch:
    """The reliability diagram: what each bin says across, how often it is right upward; the error as a level line."""
    confidence, share, counts = (part[binned(*arguments)[2] > 0] for part in binned(*arguments))
    chart = Chart((0.0, 1.0), (0.0, 1.0))
    gaps = torch.stack([chart.points(confidence, share), chart.points(confidence, confidence)], dim=1)  # (bins, 2, 2)
    layers = [
        *chart.axes("score", "right"),
        Lines(chart.points([0, 1], [0, 1])[None], OTHER._replace(name="as often as it says")),
        Lines(gaps, BEFORE._replace(name="gap")),
        Points(
            chart.points(confidence, share), BEFORE._replace(name="bin"), labels=[f"{n:g}" for n in counts.tolist()]
        ),
        Lines(chart.points([0, 1], [good, good])[None], RIGHT._replace(name="right error")),
    ]
    if value is not good:
        layers.append(Lines(chart.points([0, 1], [value, value])[None], YOURS._replace(name="your error"), width=4.0))
    return Sketch(layers, f"a calibration error of {value:.3f}; at each bin the number of its detections.")


def draw_curve(arguments, value, good, _wrong) -> Sketch:
    """The curve of the whole set, those of the photos behind it, and the AP as a level line."""
    scores, right, photos, objects = arguments
    every = torch.ones(len(scores), dtype=torch.bool)
    lists = [(photos == photo, count, OTHER._replace(name="one photo")) for photo, count in enumerate(objects.tolist())]
    lists = [part for part in lists if part[1] and len(objects) > 1]
    chart = Chart((0.0, 1.0), (0.0, 1.0))
    layers: list[Layer] = [*chart.axes("recall", "precision")]
    for mine, count, role in [*lists, (every, float(objects.sum()), BEFORE._replace(name="all photos"))]:
        hits = right[mine][scores[mine].argsort(descending=True, stable=True)].cumsum(0).double()
        curve = chart.points(hits / count, hits / torch.arange(1, len(hits) + 1))
        layers += [Lines(curve[None], role, name=role.name), Points(curve, role, radius=3.0, name="")]
    name = "right AP" if value is good else "your AP"
    layers.append(
        Lines(chart.points([0, 1], [value, value])[None], role_of(value, good)._replace(name=name), width=4.0)
    )
    return Sketch(layers, f"an AP of {value:.3f}.")
