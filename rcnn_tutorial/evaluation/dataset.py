"""Run a detector over a whole data set and count; several processes may share the images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rcnn_tutorial import distributed
from rcnn_tutorial.data.records import tolerating
from rcnn_tutorial.devices import on_cpu
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.evaluation.average_precision import voc_ap
from rcnn_tutorial.evaluation.coco import ap_by_size, coco_ap
from rcnn_tutorial.evaluation.recall import RECALL_COUNTS, proposal_recall
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.targets import classes_of, objects_of

METRICS = ("voc07", "voc", "coco")


class Evaluation(NamedTuple):
    """What `evaluate` measured."""

    metric: str
    mAP: float  # noqa: N815 (the field's name for it)
    per_class: dict[str, float]
    images: int
    recall: dict[int, float]  # {number of proposals per image: share of the objects they cover with IoU >= 0.5}
    by_size: dict[str, float]  # {one of SIZES: AP at IoU 0.5 of such objects, mean of the classes}
    detections: list[dict[str, Tensor]]  # of every image, on the CPU
    targets: list[dict[str, Tensor]] = []  # of every image: boxes, labels, difficult
    indices: list[int] = []  # of every image: its number in the data set, where some may have been left out


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
    indices, detections, proposals, targets = (list(column) for column in zip(*rows, strict=True))
    given = detections, targets, dataset.classes
    result = coco_ap(*given) if metric == "coco" else voc_ap(*given, metric)
    recall = proposal_recall(proposals, targets, RECALL_COUNTS)
    by_size = ap_by_size(detections, targets, dataset.classes)
    counted = metric, result.mean, result.per_class, len(rows), recall, by_size
    return Evaluation(*counted, detections, targets, indices)


def _check_request(model: FasterRCNN, dataset, metric: str, batch_size: int) -> None:
    if metric not in METRICS:
        raise ConfigError(f"metric {metric!r}: unknown; choose one of {', '.join(METRICS)}")
    if batch_size < 1:
        raise ConfigError(f"batch_size = {batch_size}: use at least one image")
    if classes_of(dataset) != tuple(model.config.classes):
        raise ConfigError(f"the data has classes {dataset.classes}, the model {model.config.classes}; use the same")
    if len(dataset) == 0:
        raise DataError("the data to evaluate on holds no images; check its folder and split")


def _detect_all(
    model: FasterRCNN, dataset, progress: bool, batch_size: int, on_bad_file: str
) -> Iterator[tuple[int, dict, Tensor, dict]]:
    """(number, detections, proposals, target) of every image that can be read, in order, whichever process ran it."""
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


def _rows(model: FasterRCNN, samples: dict[int, tuple]) -> list[tuple[int, dict, Tensor, dict]]:
    """What `_detect_all` gives of some images (index: (image, target)), found in one batch; all on the CPU."""
    trace = model.trace([torch.as_tensor(image).to(model.device) for image, _ in samples.values()])
    boxes = trace.proposals.boxes / trace.preprocessed.scales[:, None, None]  # (B, R, 4) in the image's own pixels
    rows = []
    for i, (index, (_, target)) in enumerate(samples.items()):
        objects = objects_of(target, len(model.classes), f"number {index}")
        detections = {name: getattr(trace.detections[i], name).cpu() for name in ("boxes", "labels", "scores")}
        rows.append((index, detections, boxes[i][trace.proposals.valid[i]].cpu(), objects._asdict()))
    return rows
