"""How sure is a mean AP? Its spread over other photos that might have been drawn. Efron 1979: the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation.average_precision import area_ap, curve_of, eleven_point_ap
from rcnn_tutorial.evaluation.matching import Verdicts, judge, match, mean_of_known, objects_in_a_row

AP_OF = {"voc07": eleven_point_ap, "voc": area_ap}


def bootstrap(
    detections: Sequence[dict],
    targets: Sequence[dict],
    classes: Sequence[str],
    metric: str = "voc",
    samples: int = 200,
    seed: int = 0,
) -> Tensor:
    """The mean AP at IoU 0.5 of `samples` sets of as many photos, drawn with replacement from these: (samples,) double.

    Its standard deviation says how far the mean AP would move with other photos of the same kind, the detector being
    the same; other trainings move it too. Which photos are drawn depends on the seed and their number alone, so the
    samples of two detectors on the same photos can be subtracted: their differences say how sure the difference is. A
    class without objects in a sample has no part in its mean; nan where no class has any. Raises ConfigError for a
    metric other than voc07 and voc, or no sample.
    """
    if metric not in AP_OF:
        raise ConfigError(f"metric {metric!r}: the bootstrap counts by voc07 or voc; choose one of them")
    if samples < 1:
        raise ConfigError(f"samples = {samples}: draw at least one")
    curves = _Curves(detections, targets, len(classes))
    generator, images = torch.Generator().manual_seed(seed), len(targets)
    draws = torch.randint(images, (samples, images), generator=generator)
    times = (torch.bincount(draw, minlength=images) for draw in draws)  # how often each photo was drawn, (images,)
    return torch.tensor([curves.mean_ap(drawn, AP_OF[metric]) for drawn in times], dtype=torch.double)


class _Curves:
    """All that a sample needs: the verdict on a detection is the same however often its photo is drawn."""

    def __init__(self, detections: Sequence[dict], targets: Sequence[dict], classes: int):
        matches = match(detections, targets)
        labels, difficult = objects_in_a_row(targets)
        verdicts, photos = judge(matches, difficult, 0.5), _photos(detections)[matches.order]
        mine = [matches.labels == label for label in range(1, classes + 1)]
        self.verdicts = [Verdicts(*(column[own] for column in verdicts)) for own in mine]
        self.scores, self.photos = [matches.scores[own] for own in mine], [photos[own] for own in mine]
        counted = [~difficult & (labels == label) for label in range(1, classes + 1)]
        self.objects = [_photos(targets)[own] for own in counted]  # the photos of the class's objects

    def mean_ap(self, drawn: Tensor, ap_of) -> float:
        """Mean AP if photo i counts drawn[i] times."""
        aps = []
        for verdicts, scores, photos, objects in zip(
            self.verdicts, self.scores, self.photos, self.objects, strict=True
        ):
            if count := int(drawn[objects].sum()):
                curve = curve_of(verdicts, scores, count, drawn[photos])
                aps.append(ap_of(curve.precision, curve.recall))
        return mean_of_known(aps) if aps else math.nan


def _photos(images: Sequence[dict]) -> Tensor:
    """The photo of every box of all images in a row."""
    lengths = torch.tensor([len(image["labels"]) for image in images])
    return torch.repeat_interleave(torch.arange(len(images)), lengths)
