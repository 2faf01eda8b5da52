"""Is a score of 0.87 right 87 times in 100? The reliability diagram. Guo et al. 2017, section 2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation.matching import judge, match, objects_in_a_row


class Reliability(NamedTuple):
    """Scores beside what came of them, in bins of equal width from 0 to 1."""

    confidence: Tensor  # (bins,) mean score of the bin's detections; the bin's middle where it has none
    right: Tensor  # (bins,) share of them that is right; 0 where it has none
    counts: Tensor  # (bins,) long, detections
    error: float  # expected calibration error: mean |confidence - right| over the detections; nan without any


def reliability(
    detections: Sequence[dict], targets: Sequence[dict], bins: int = 10, iou_threshold: float = 0.5
) -> Reliability:
    """How often detections of each score are right, as `precision_recall` judges them; neutral ones are left out.

    A bin holds scores from its lower end up to, but without, its upper one; the last one holds 1 too. Raises
    ConfigError for no bin, DataError for a score outside of 0 to 1.
    """
    if bins < 1:
        raise ConfigError(f"bins = {bins}: use at least one")
    matches = match(detections, targets)
    right, neutral = judge(matches, objects_in_a_row(targets)[1], iou_threshold)
    scores, right = matches.scores[~neutral], right[~neutral].double()
    if not ((scores >= 0) & (scores <= 1)).all():
        raise DataError("a score outside of 0 to 1 among the detections; give probabilities, not logits")
    bin_of = (scores * bins).long().clamp(max=bins - 1)
    counts = torch.bincount(bin_of, minlength=bins)
    middle = (torch.arange(bins, dtype=torch.double) + 0.5) / bins
    confidence = torch.bincount(bin_of, scores, minlength=bins) / counts.clamp(min=1)
    confidence = torch.where(counts > 0, confidence, middle)
    share = torch.bincount(bin_of, right, minlength=bins) / counts.clamp(min=1)
    error = float((counts * (confidence - share).abs()).sum() / counts.sum()) if len(scores) else math.nan
    return Reliability(confidence, share, counts, error)
