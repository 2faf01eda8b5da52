"""How good is a detector? Average precision as PASCAL VOC and COCO count it, and the recall of the proposals.

`matching` pairs detections with objects, `average_precision` counts as VOC does, `coco` as COCO does (with
pycocotools), `recall` counts proposals, and `dataset` runs a detector over a whole data set.

Detections are one dict per image, {"boxes" (D, 4), "labels" (D,), "scores" (D,)}, as the model returns them in eval
mode. Targets are one dict per image, {"boxes" (G, 4), "labels" (G,)} and optionally "difficult" (G,) bool. Both are in
the same pixels, and in the same order of images, on the CPU.
"""

from rcnn_tutorial.evaluation.average_precision import (
    APResult,
    Curve,
    area_ap,
    eleven_point_ap,
    precision_recall,
    voc_ap,
)
from rcnn_tutorial.evaluation.coco import SIZES, ap_by_size, coco_ap
from rcnn_tutorial.evaluation.dataset import METRICS, Evaluation, evaluate
from rcnn_tutorial.evaluation.recall import RECALL_COUNTS, proposal_recall

__all__ = [
    "METRICS", "RECALL_COUNTS", "SIZES", "APResult", "Curve", "Evaluation", "ap_by_size", "area_ap", "coco_ap",
    "eleven_point_ap", "evaluate", "precision_recall", "proposal_recall", "voc_ap",
]  # fmt: skip
