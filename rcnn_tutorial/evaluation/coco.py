"""Average precision as COCO counts it, by pycocotools; by size of the objects too."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from rcnn_tutorial.evaluation.average_precision import APResult
from rcnn_tutorial.evaluation.matching import difficult_of, mean_of_known

if TYPE_CHECKING:  # pycocotools is imported by who counts with it, not by every training
    from pycocotools.coco import COCO

SIZES = ("small", "medium", "large")  # COCO's: areas below 32 x 32, below 96 x 96 and larger, in the photo's own pixels


def coco_ap(detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str]) -> APResult:
    """AP averaged over the IoU thresholds 0.5, 0.55, ... 0.95, counted by pycocotools.

    Difficult objects are passed as crowds, COCO's own kind of object that counts neither as found nor as missed. A
    detection is then neutral already when 0.5 (or the threshold at hand) of its own area lies inside such an object.
    """
    precision = _coco_precision(detections, targets, classes)[..., 0]  # (thresholds, recalls, C), objects of all sizes
    per_class = {name: _average(precision[:, :, column]) for column, name in enumerate(classes)}
    return APResult(mean_of_known(per_class.values()), per_class)


def ap_by_size(detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str]) -> dict[str, float]:
    """{size: AP at IoU 0.5 of the objects of that size, mean of the classes that have some}, for COCO's three SIZES.

    Counted by pycocotools: objects of another size, and detections of another size that hit nothing, are neutral.
    """
    precision = _coco_precision(detections, targets, classes)[0]  # (recalls, C, 1 + sizes), at the first threshold, 0.5
    columns = range(len(classes))
    return {size: mean_of_known(_average(precision[:, c, 1 + i]) for c in columns) for i, size in enumerate(SIZES)}


def _coco_precision(detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str]) -> np.ndarray:
    """Precisions (IoU thresholds, recalls, C, all and SIZES); -1 where a class has no object. 100 detections count."""
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress there
        counter = COCOeval(_coco(targets, classes), _coco(detections, classes), "bbox")
        counter.evaluate()
        counter.accumulate()
    return counter.eval["precision"][..., -1]


def _average(precision: np.ndarray) -> float:
    return float(precision.mean()) if (precision > -1).all() else math.nan


def _coco(images: Sequence[dict], classes: Sequence[str]) -> COCO:
    """Targets or detections as pycocotools' own data structure."""
    from pycocotools.coco import COCO

    annotations = []
    for index, image in enumerate(images):
        corners = image["boxes"].double()
        boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1).tolist()
        labels = image["labels"].tolist()
        scores = image["scores"].tolist() if "scores" in image else [0.0] * len(labels)
        for box, label, score, crowd in zip(boxes, labels, scores, difficult_of(image).tolist(), strict=True):
            row = {"id": len(annotations) + 1, "image_id": index, "category_id": label, "bbox": box}
            annotations.append(row | {"area": box[2] * box[3], "iscrowd": int(crowd), "score": score})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": index} for index in range(len(images))],
        "categories": [{"id": label, "name": name} for label, name in enumerate(classes, start=1)],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco
