"""A reliability diagram to work with: how honest the scores are, and which temperature would make them so."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import voc_ap
from rcnn_tutorial.evaluation.matching import judge, match, objects_in_a_row
from rcnn_tutorial.evaluation.reliability import Reliability, reliability
from rcnn_tutorial.explorers.canvas import ROOMY, Canvas
from rcnn_tutorial.explorers.explorer import Explorer, integer, number
from rcnn_tutorial.explorers.own import Own
from rcnn_tutorial.explorers.precision_recall import LEFT, RIGHT, SIZE, UP, chart_axes, chart_places, objects_of
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points, Words

MOST_BINS = 20
COOLEST, HOTTEST, STEP = 0.25, 4.0, 0.05  # temperatures
SHARE = Role(roles.PALETTE[1], name="share right")
HONEST = Role(roles.WHITE, "dashed", "honest: score = share right")
DISTANCE = Role(roles.RED, name="distance")
BIN = Role(roles.YELLOW, "dotted", "bin in hand")


def calibration_error(scores: Tensor, right: Tensor, bins: int) -> float:
    """The expected calibration error of detections: Guo et al. 2017, equation 3.

    scores: (D,) in [0, 1], D >= 1. right: (D,) bool. The mean over the detections of the distance, in the bin of each,
    between the mean score and the share that is right.
    """
    bin_of = (scores.double() * bins).long().clamp(max=bins - 1)  # (D,)
    of_bin = (bin_of[:, None] == torch.arange(bins)).double()  # (D, bins)
    return float((of_bin.T @ (scores.double() - right.double())).abs().sum() / len(scores))


class ReliabilityExplorer(Explorer):
    """How often detections of each score are right, in bins; a temperature stretches or squeezes all scores.

    detections, targets: one dict an image, as `evaluation.reliability.reliability` takes them. classes: names of labels
    1, 2, ... A click takes a bin in hand. The temperature divides each score's own logit, log(s / (1 - s)), as Guo et
    al. 2017 (section 4.2) divide all logits of a softmax; it leaves the order of the detections, and so AP.
    """

    replaceable: ClassVar = {"calibration_error": Own(calibration_error)}

    def __init__(
        self, detections: Mapping | Sequence[Mapping], targets: Mapping | Sequence[Mapping], classes: Sequence[str]
    ):
        detections = [detections] if isinstance(detections, Mapping) else list(detections)
        targets = [targets] if isinstance(targets, Mapping) else list(targets)
        self.found, self.targets = to_cpu((detections, targets), single=True)
        self.classes = tuple(classes)
        self.measure = functools.lru_cache(maxsize=200)(self._measure)
        controls = {
            "temperature": number("Temperature", 1.0, COOLEST, HOTTEST, STEP),
            "bins": integer("Bins", 10, 2, MOST_BINS),  # before the bin, so that Reset finds room for it
            "bin": integer("Bin in hand", 10, 1, 10),
            "iou": number("Right above IoU", 0.5, 0.05, 0.95, 0.05),
        }
        controls["bins"].observe(self._make_room, "value")  # before `update` draws
        presets = {"Best temperature": {"temperature": self.best_temperature()}, "IoU 0.75": {"iou": 0.75}}
        super().__init__(controls, Canvas(size=SIZE, width=600, roomy=ROOMY), presets)
        self.canvas.observe(self._choose, "clicked")

    def _make_room(self, change) -> None:
        """More bins: each can be taken in hand."""
        self.bin.max = max(self.bin.max, change.new)

    def tensors(self) -> dict:
        """What the twin draws from."""
        found = [{name: one[name] for name in ("boxes", "labels", "scores")} for one in self.found]
        return {"found": found, "targets": [objects_of(target) for target in self.targets], "classes": self.classes}

    def _choose(self, change) -> None:
        """A click takes the bin under it in hand."""
        if change.new:
            self.canvas.clicked = []  # so that a second click on the same place is news again
            share = (change.new[0] - LEFT) / (SIZE[1] - LEFT - RIGHT)
            self.bin.value = min(max(math.ceil(share * self.bins.value), 1), self.bins.value)

    def _measure(self, temperature: float, bins: int, iou: float) -> tuple[Reliability, float]:
        """The diagram and the mean AP at a temperature."""
        heated = [found | {"scores": heat(found["scores"], temperature)} for found in self.found]
        mean_ap = voc_ap(heated, self.targets, self.classes, "voc", iou).mean
        return reliability(heated, self.targets, bins, iou), mean_ap

    def best_temperature(self, bins: int = 10, iou: float = 0.5) -> float:
        """The step of the slider with the least mean distance; 1 where there is no detection."""
        steps = [round(COOLEST + i * STEP, 2) for i in range(round((HOTTEST - COOLEST) / STEP) + 1)]
        scores = torch.cat([found["scores"] for found in self.found])
        errors = {}
        for step in steps if len(scores) else ():
            heated = [found | {"scores": heat(found["scores"], step)} for found in self.found]
            errors[step] = reliability(heated, self.targets, bins, iou).error
        known = {step: error for step, error in errors.items() if not math.isnan(error)}
        return min(known, key=lambda step: (known[step], abs(step - 1))) if known else 1.0

    def draw(self) -> str:
        """Draw a bar a bin, how far it is from the diagonal, and how many detections it has; say what the bin holds."""
        bins = self.bins.value
        self.bin.max = bins
        self.result, mean_ap = self.measure(self.temperature.value, bins, self.iou.value)
        if "calibration_error" in self.own and self.result.counts.any():
            error = self.own["calibration_error"](*self._judged(), bins)
            self.result = self.result._replace(error=error)
        self.canvas.draw(_diagram(self.result, self.bin.value - 1))
        return self._in_words(mean_ap)

    def _judged(self) -> tuple[Tensor, Tensor]:
        """Scores (D,) and right (D,) bool of all detections that are not neutral, at the temperature of now."""
        matches = match(self.found, self.targets)
        right, neutral = judge(matches, objects_in_a_row(self.targets)[1], self.iou.value)
        return heat(matches.scores, self.temperature.value)[~neutral], right[~neutral]

    def _in_words(self, mean_ap: float) -> str:
        result, total = self.result, int(self.result.counts.sum())
        if not total:
            return "No detection to judge: nothing to measure."
        shares = result.counts / total
        score, right = (float((values * shares).sum()) for values in (result.confidence, result.right))
        ap = "no AP: no object" if math.isnan(mean_ap) else f"mAP {mean_ap:.3f}"
        head = f"Temperature {self.temperature.value:.2f}: {total:,} detections, "
        head += f"mean score {score:.2f}, share right {right:.2f}. Mean distance {result.error:.3f}; {ap}. "
        i, bins = self.bin.value - 1, len(result.counts)
        ends = f"Scores {i / bins:.2f} to {(i + 1) / bins:.2f}"
        if not result.counts[i]:
            return f"{head}{ends}: no detection."
        said = f"mean score {result.confidence[i]:.2f}, share right {result.right[i]:.2f}"
        return f"{head}{ends}: {int(result.counts[i]):,} detections, {said}."


def heat(scores: Tensor, temperature: float) -> Tensor:
    """Scores (D,) with their logits divided by a temperature: (D,) double. Raises ConfigError unless it is > 0."""
    if temperature <= 0:
        raise ConfigError(f"temperature = {temperature:g}: use a positive number")
    scores = scores.double()
    return torch.sigmoid(torch.logit(scores) / temperature) if temperature != 1 else scores


def _diagram(result: Reliability, chosen: int) -> list[Layer]:
    """Bars of the bins that hold something, their distance from the diagonal, their numbers on top."""
    bins = len(result.counts)
    ends = torch.linspace(0, 1, bins + 1, dtype=torch.double)
    filled = result.counts > 0  # (bins,)
    low, high, right = ends[:-1][filled], ends[1:][filled], result.right[filled].double()
    corners = [torch.stack(pair, dim=1) for pair in ((low, right), (high, torch.zeros_like(right)))]
    bars = torch.cat([chart_places(corner) for corner in corners], dim=1)  # (K, 4)
    score = result.confidence[filled].double()
    gaps = torch.stack([torch.stack([score, score], dim=1), torch.stack([score, right], dim=1)], dim=-1)  # (K, 2, 2)
    places = chart_places(torch.stack([(low + high) / 2, torch.ones_like(low)], dim=1))
    places[:, 1] = UP - 9
    letter = min(15.0, 0.6 * float(SIZE[1] - LEFT - RIGHT) / bins)
    numbers = [f"{count}" if count < 1000 else f"{count / 1000:.0f}k" for count in result.counts[filled].tolist()]
    distance = "distance" if math.isnan(result.error) else f"distance, mean {result.error:.3f}"
    column = torch.tensor([[chosen / bins, 1.0], [(chosen + 1) / bins, 0.0]])
    return [
        *chart_axes("score", "share right, and how many"),
        Boxes(bars, SHARE, fill=0.5, width=1.5),
        Lines(chart_places(torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])), HONEST, width=2),
        Lines(chart_places(gaps), DISTANCE, width=4, name=distance),
        Points(chart_places(torch.stack([score, right], dim=1)), SHARE, radius=5, name=""),
        Words(places, numbers, letter=letter),
        Boxes(chart_places(column).reshape(1, 4), BIN, width=2),
    ]
