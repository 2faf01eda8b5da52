"""How good is a detector? Average precision as PASCAL VOC and COCO count it, and the recall of the proposals.

Detections are one dict per image, {"boxes" (D, 4), "labels" (D,), "scores" (D,)}, as the model returns them in eval
mode. Targets are one dict per image, {"boxes" (G, 4), "labels" (G,)} and optionally "difficult" (G,) bool. Both are in
the same pixels, and in the same order of images, on the CPU.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor
from tqdm.auto import tqdm

from rcnn_tutorial import distributed
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.data.records import tolerating
from rcnn_tutorial.devices import on_cpu
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.targets import classes_of, objects_of

METRICS = ("voc07", "voc", "coco")
RECALL_COUNTS = (50, 100, 300)
SIZES = ("small", "medium", "large")  # COCO's: areas below 32 x 32, below 96 x 96 and larger, in the photo's own pixels


class APResult(NamedTuple):
    """Average precisions in [0, 1]. A class without objects has nan, and no part in the mean."""

    mean: float
    per_class: dict[str, float]


class Curve(NamedTuple):
    """Precision and recall of one class while the score threshold falls, one entry for each of its detections."""

    precision: Tensor  # (D,) share of the detections so far that are right
    recall: Tensor  # (D,) share of the objects found so far; nan without objects
    scores: Tensor  # (D,) descending
    objects: int  # difficult ones not counted


class Evaluation(NamedTuple):
    """What `evaluate` measured."""

    metric: str
    mAP: float  # noqa: N815 (the field's name for it)
    per_class: dict[str, float]
    images: int
    recall: dict[int, float]  # {number of proposals per image: share of the objects they cover with IoU >= 0.5}
    by_size: dict[str, float]  # {one of SIZES: AP at IoU 0.5 of such objects, mean of the classes}
    detections: list[dict[str, Tensor]]  # of every image, on the CPU


def evaluate(
    model: FasterRCNN,
    dataset,
    metric: str = "voc07",
    device: str | torch.device = "cpu",
    progress: bool = True,
    batch_size: int | None = None,
    on_bad_file: str = "fail",
) -> Evaluation:
    """Run the detector over a whole data set and count.

    dataset: `len(dataset)`, `dataset.classes`, and `dataset[i]` -> (image, target), see `rcnn_tutorial.targets`.
    metric: voc07 (11-point AP at IoU 0.5) | voc (area AP at IoU 0.5) | coco (AP averaged over IoU 0.5 to 0.95).
    batch_size: images that a process detects in together; the result is the same. None: 8 on a GPU, which is sooner
        ready with many at a time, and 1 on a CPU, which is not.
    on_bad_file: "fail", or "skip" to leave out images that cannot be read, with a warning that names each.
    The model is moved to `device` and otherwise left alone: its fast copy (`for_inference`) does the work. Raises
    ConfigError for an unknown metric, no batch_size or classes that differ, DataError for data that cannot be used.

    Processes that belong together (see `distributed`) take turns at the images and exchange what they found: all of
    them must call this, and all get the same result.
    """
    if batch_size is None:
        batch_size = 1 if on_cpu(device) else 8
    _check_request(model, dataset, metric, batch_size)
    with torch.no_grad():
        rows = list(_detect_all(model.to(device).for_inference(), dataset, progress, batch_size, on_bad_file))
    if not rows:
        raise DataError("none of the images to evaluate on can be read; check their folder")
    detections, proposals, targets = (list(column) for column in zip(*rows, strict=True))
    given = detections, targets, dataset.classes
    result = coco_ap(*given) if metric == "coco" else voc_ap(*given, metric)
    recall = proposal_recall(proposals, targets, RECALL_COUNTS)
    by_size = ap_by_size(detections, targets, dataset.classes)
    return Evaluation(metric, result.mean, result.per_class, len(rows), recall, by_size, detections)


def _check_request(model: FasterRCNN, dataset, metric: str, batch_size: int) -> None:
    if metric not in METRICS:
        raise ConfigError(f"metric {metric!r}: unknown; choose one of {', '.join(METRICS)}")
    if batch_size < 1:
        raise ConfigError(f"batch_size = {batch_size}: use at least one image")
    if classes_of(dataset) != tuple(model.config.classes):
        raise ConfigError(f"the data has classes {dataset.classes}, the model {model.config.classes}; use the same")
    if len(dataset) == 0:
        raise DataError("the data to evaluate on holds no images; check its folder and split")


def voc_ap(
    detections: Sequence[dict],
    targets: Sequence[dict],
    classes: Sequence[str],
    metric: str = "voc07",
    iou_threshold: float = 0.5,
) -> APResult:
    """Average precision as the VOC development kit counts it. Post: "Evaluation"; Everingham et al. 2010, section 4.2.

    metric: voc07, the mean precision at 11 recalls, or voc, the area under the curve (VOC 2010 and later).
    """
    counted = eleven_point_ap if metric == "voc07" else area_ap
    curves = precision_recall(detections, targets, classes, iou_threshold)
    per_class = {name: counted(c.precision, c.recall) if c.objects else math.nan for name, c in curves.items()}
    return APResult(_mean(per_class.values()), per_class)


def precision_recall(
    detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str], iou_threshold: float = 0.5
) -> dict[str, Curve]:
    """The precision-recall curve of every class.

    Over the whole set, best score first, a detection is right when the object of its class and image that it overlaps
    most has IoU > iou_threshold and was not found before. A second detection of an object is wrong; one of a difficult
    object is neither.
    """
    matches = _match(detections, targets)
    labels = torch.cat([target["labels"] for target in targets])
    difficult = torch.cat([_difficult(target) for target in targets])
    return {
        name: _curve(matches, label, int(((labels == label) & ~difficult).sum()), difficult, iou_threshold)
        for label, name in enumerate(classes, start=1)
    }


def eleven_point_ap(precision: Tensor, recall: Tensor) -> float:
    """VOC 2007: the mean over recalls 0, 0.1, ... 1 of the best precision at that recall or beyond."""
    # i * 0.1, not i / 10, as the reference has it: the thresholds differ in the last bit.
    reached = recall >= (torch.arange(11, dtype=torch.double) * 0.1)[:, None]  # (11, D)
    return float(torch.where(reached, precision, 0.0).amax(dim=1).mean()) if len(recall) else 0.0


def area_ap(precision: Tensor, recall: Tensor) -> float:
    """VOC 2010 and later: the area under the curve, each precision raised to the best one at that recall or beyond."""
    envelope = precision.flip(0).cummax(0).values.flip(0) if len(precision) else precision  # (D,)
    return float((envelope * recall.diff(prepend=recall.new_zeros(1))).sum())


def coco_ap(detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str]) -> APResult:
    """AP averaged over the IoU thresholds 0.5, 0.55, ... 0.95, counted by pycocotools.

    Difficult objects are passed as crowds, COCO's own kind of object that counts neither as found nor as missed. A
    detection is then neutral already when 0.5 (or the threshold at hand) of its own area lies inside such an object.
    """
    precision = _coco_precision(detections, targets, classes)[..., 0]  # (thresholds, recalls, C), objects of all sizes
    per_class = {name: _average(precision[:, :, column]) for column, name in enumerate(classes)}
    return APResult(_mean(per_class.values()), per_class)


def ap_by_size(detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str]) -> dict[str, float]:
    """{size: AP at IoU 0.5 of the objects of that size, mean of the classes that have some}, for COCO's three SIZES.

    Counted by pycocotools: objects of another size, and detections of another size that hit nothing, are neutral.
    """
    precision = _coco_precision(detections, targets, classes)[0]  # (recalls, C, 1 + sizes), at the first threshold, 0.5
    columns = range(len(classes))
    return {size: _mean(_average(precision[:, c, 1 + i]) for c in columns) for i, size in enumerate(SIZES)}


def _coco_precision(detections: Sequence[dict], targets: Sequence[dict], classes: Sequence[str]) -> np.ndarray:
    """Precisions (IoU thresholds, recalls, C, all and SIZES); -1 where a class has no object. 100 detections count."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress there
        counter = COCOeval(_coco(targets, classes), _coco(detections, classes), "bbox")
        counter.evaluate()
        counter.accumulate()
    return counter.eval["precision"][..., -1]


def _average(precision: np.ndarray) -> float:
    return float(precision.mean()) if (precision > -1).all() else math.nan


def proposal_recall(
    proposals: Sequence[Tensor], targets: Sequence[dict], counts: Sequence[int] = RECALL_COUNTS, iou_threshold=0.5
) -> dict[int, float]:
    """The share of the objects that the best `count` proposals of their image cover with IoU >= iou_threshold.

    proposals: one tensor (R, 4) per image, best first, in the pixels of the targets. Difficult objects are left out;
    nan without any object.
    """
    first = []  # of every object: how many proposals it takes to cover it
    for boxes, target in zip(proposals, targets, strict=True):
        objects = target["boxes"][~_difficult(target)]  # (G, 4)
        covered = box_iou(objects.double(), boxes.double()) >= iou_threshold  # (G, R)
        first += [int(hits.nonzero()[0]) + 1 if hits.any() else math.inf for hits in covered]
    return {count: sum(rank <= count for rank in first) / len(first) if first else math.nan for count in counts}


class _Matches(NamedTuple):
    """All detections of the set, best score first, each with the object that it overlaps most."""

    labels: Tensor  # (D,)
    scores: Tensor  # (D,)
    overlaps: Tensor  # (D,) IoU with the best object of the same class and image; -1 if there is none
    objects: Tensor  # (D,) number of that object, counted through all images; without meaning if there is none


def _match(detections: Sequence[dict], targets: Sequence[dict]) -> _Matches:
    rows, counted = [], 0
    for found, target in zip(detections, targets, strict=True):
        iou = box_iou(found["boxes"].double(), target["boxes"].double())  # (D, G)
        iou[found["labels"][:, None] != target["labels"]] = -1
        iou = torch.cat([iou, iou.new_full((len(iou), 1), -1)], dim=1)  # so that there is a maximum without objects
        best = iou.max(dim=1)
        rows.append(_Matches(found["labels"], found["scores"].double(), best.values, best.indices + counted))
        counted += len(target["labels"])
    matches = _Matches(*(torch.cat(column) for column in zip(*rows, strict=True)))
    order = matches.scores.argsort(descending=True, stable=True)
    return _Matches(*(column[order] for column in matches))


def _curve(matches: _Matches, label: int, objects: int, difficult: Tensor, iou_threshold: float) -> Curve:
    mine = matches.labels == label
    scores, found = matches.scores[mine], matches.objects[mine]
    touching = matches.overlaps[mine] > iou_threshold
    neutral = touching.clone()
    neutral[touching] = difficult[found[touching]]
    right = touching & ~neutral
    right[right.clone()] = _first_of_each(found[right])
    true, false = right.cumsum(0).double(), (~right & ~neutral).cumsum(0).double()
    return Curve(true / (true + false).clamp(min=1), true / (objects or math.nan), scores, objects)


def _first_of_each(values: Tensor) -> Tensor:
    """True where a value occurs for the first time: (N,) bool."""
    order = values.argsort(stable=True)
    first = torch.ones_like(values, dtype=torch.bool)
    first[order[1:]] = values[order[1:]] != values[order[:-1]]
    return first


def _difficult(target: dict) -> Tensor:
    return target.get("difficult", torch.zeros(len(target["labels"]), dtype=torch.bool))


def _mean(values) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _coco(images: Sequence[dict], classes: Sequence[str]) -> COCO:
    """Targets or detections as pycocotools' own data structure."""
    annotations = []
    for index, image in enumerate(images):
        corners = image["boxes"].double()
        boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1).tolist()
        labels = image["labels"].tolist()
        scores = image["scores"].tolist() if "scores" in image else [0.0] * len(labels)
        for box, label, score, crowd in zip(boxes, labels, scores, _difficult(image).tolist(), strict=True):
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


def _detect_all(
    model: FasterRCNN, dataset, progress: bool, batch_size: int, on_bad_file: str
) -> Iterator[tuple[dict, Tensor, dict]]:
    """(detections, proposals, target) of every image that can be read, in order, whichever process ran it."""
    together, quiet = distributed.size() * batch_size, not (progress and distributed.is_writer())
    with tqdm(total=len(dataset), desc="evaluate", unit="image", disable=quiet) as bar:
        for start in range(0, len(dataset), together):  # in step, so that none waits longer than for one batch
            first = start + distributed.rank() * batch_size
            indices = range(first, min(first + batch_size, len(dataset)))
            samples = {}
            for index in indices:
                with tolerating(on_bad_file):
                    samples[index] = dataset[index]
            for rows in distributed.gather(_rows(model, samples) if samples else []):
                yield from rows
            bar.update(min(together, len(dataset) - start))


def _rows(model: FasterRCNN, samples: dict[int, tuple]) -> list[tuple[dict, Tensor, dict]]:
    """What `_detect_all` gives of some images (index: (image, target)), found in one batch; all on the CPU."""
    trace = model.trace([torch.as_tensor(image).to(model.device) for image, _ in samples.values()])
    boxes = trace.proposals.boxes / trace.preprocessed.scales[:, None, None]  # (B, R, 4) in the image's own pixels
    rows = []
    for i, (index, (_, target)) in enumerate(samples.items()):
        objects = objects_of(target, len(model.classes), f"number {index}")
        detections = {name: getattr(trace.detections[i], name).cpu() for name in ("boxes", "labels", "scores")}
        rows.append((detections, boxes[i][trace.proposals.valid[i]].cpu(), objects._asdict()))
    return rows
