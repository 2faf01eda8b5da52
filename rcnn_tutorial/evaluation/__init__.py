"""How good is a detector, and what does it get wrong: average precision, recall, kinds of errors, reliability.

`matching` pairs detections with objects, `average_precision` counts as VOC does, `coco` as COCO does (with
pycocotools), `recall` counts proposals, `errors` tells the kinds of mistakes and what mending each would gain, `worst`
which to look at first, `confusion` which class is taken for which, `reliability` what a score is worth, `spread` how
sure the mean AP is, and `dataset` runs a detector over a whole data set. Before there is a detector, `anchor_reach`
asks which objects its anchors would reach, and `anchor_shapes` looks for better ones.

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
from rcnn_tutorial.evaluation.confusion import Confusion, confusion_matrix
from rcnn_tutorial.evaluation.dataset import METRICS, Evaluation, evaluate
from rcnn_tutorial.evaluation.errors import IGNORED, KINDS, RIGHT, Errors, Report, error_report, find_errors
from rcnn_tutorial.evaluation.recall import RECALL_COUNTS, proposal_recall
from rcnn_tutorial.evaluation.reliability import Reliability, reliability
from rcnn_tutorial.evaluation.spread import bootstrap
from rcnn_tutorial.evaluation.worst import Case, worst_cases

__all__ = [
    "IGNORED", "KINDS", "METRICS", "RECALL_COUNTS", "RIGHT", "SIZES", "APResult", "Case", "Confusion", "Curve",
    "Errors", "Evaluation", "Reliability", "Report", "ap_by_size", "area_ap", "bootstrap", "coco_ap",
    "confusion_matrix", "eleven_point_ap", "error_report", "evaluate", "find_errors", "precision_recall",
    "proposal_recall", "reliability", "voc_ap", "worst_cases",
]  # fmt: skip
