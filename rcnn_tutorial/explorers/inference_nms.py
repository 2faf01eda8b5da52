"""An explorer of the eighth notebook: the final detections. `suppression.py` has the game of suppression."""

from collections import Counter
from itertools import cycle
from typing import Any, ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import Config, InferenceConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.explorers.own import Own, OwnError, like_the_package_s, tensor_of
from rcnn_tutorial.explorers.suppression import rows_kept
from rcnn_tutorial.model import Trace
from rcnn_tutorial.roles import DASHES, Role, class_color
from rcnn_tutorial.scene import Boxes
from rcnn_tutorial.stages.inference import class_boxes, detect
from rcnn_tutorial.stages.nms import nms

LISTED = 6  # classes that the summary counts


def detections(boxes: Tensor, probabilities: Tensor, score_threshold: float, nms_threshold: float) -> tuple:
    """All detections of one image: boxes (D, 4), labels (D,), scores (D,), best first, however many.

    boxes: (R, C + 1, 4). probabilities: (R, C + 1).
    """
    config = InferenceConfig(score_threshold, nms_threshold, max_detections=max(probabilities.numel(), 1))
    return detect(boxes, probabilities, config)[:3]


def _as_detections(result: Any, right: tuple, arguments: tuple) -> tuple[Tensor, Tensor, Tensor]:
    """What a reader's `detections` returns. Raises OwnError unless it is boxes, labels and scores of one length."""
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        raise OwnError(f"returns a {type(result).__name__}; boxes, labels and scores are needed")
    count, classes = len(tensor_of(result[2], right[2]).flatten()), arguments[1].shape[1] - 1
    shapes = right[0].new_zeros(count, 4), right[0].new_zeros(count), right[2].new_zeros(count)
    boxes, labels, scores = (like_the_package_s(one, shape, ()) for one, shape in zip(result, shapes, strict=True))
    for label in labels.tolist():
        if not 1 <= label <= classes or label != int(label):
            raise OwnError(f"returns the label {label:g}; there are 1 to {classes}")
    return boxes, labels.long(), scores


class DetectionExplorer(Explorer):
    """The final picture: threshold, suppression within each class, the best of all classes.

    image: (3, H, W) in [0, 1]. trace: of this image alone, in eval mode. objects: (G, 4) annotated, or None.
    """

    ALL = "all classes"
    replaceable: ClassVar = {
        "detections": Own(detections, _as_detections, lambda found: f"{len(found[2])} in all"),
        "nms": Own(nms, rows_kept, lambda rows: f"{len(rows)} boxes of a class kept"),
    }

    def __init__(self, image: Tensor, trace: Trace, config: Config, objects: Tensor | None = None):
        trace = to_cpu(trace, single=True)
        self.classes = config.classes
        self.boxes = class_boxes(trace.proposed, trace.preprocessed, config.proposal_targets)[0]  # (R, C + 1, 4)
        self.probabilities = trace.proposed.probabilities[0]  # (R, C + 1)
        self.valid = trace.proposals.valid[0]  # (R,)
        self.objects = torch.zeros(0, 4) if objects is None else to_cpu(objects, single=True)
        controls = {
            "score_threshold": number("Score threshold", 0.3, 0.0, 1.0, 0.01),
            "threshold": number("NMS IoU", config.inference.nms_threshold, 0.0, 1.0, 0.05),
            "most": integer("Most detections", config.inference.max_detections, 1, 100),
            "class_name": choice("Show", (self.ALL, *self.classes), self.ALL),
        }
        presets = {
            "Score 0": {"score_threshold": 0.0},
            "NMS 1": {"threshold": 1.0},
            "NMS 0": {"threshold": 0.0},
        }
        super().__init__(controls, Canvas(image), presets)

    def tensors(self) -> dict:
        """What the twin draws from."""
        layer = {"boxes": self.boxes, "probabilities": self.probabilities, "valid": self.valid}
        return layer | {"objects": self.objects, "classes": self.classes}

    def draw(self) -> str:
        """Draw what the inference layer detects; count it."""
        threshold, probabilities = self.score_threshold.value, self.probabilities
        if self.class_name.value != self.ALL:
            column = self.classes.index(self.class_name.value) + 1
            probabilities = torch.zeros_like(probabilities)
            probabilities[:, column] = self.probabilities[:, column]
        candidates = int((probabilities[self.valid, 1:] > threshold).sum())
        if "nms" in self.own and "detections" in self.own:
            raise OwnError("your nms and your detections at once: use one of them")
        find = self._by_own_nms if "nms" in self.own else self.own["detections"]
        found = find(self.boxes[self.valid], probabilities[self.valid], threshold, self.threshold.value)
        boxes, labels, scores = (part[: self.most.value] for part in found)  # (D, 4), (D,), (D,)
        looks = zip(dict.fromkeys(labels.tolist()), cycle(DASHES), strict=False)  # the class of the best first
        layers = [Boxes(self.objects, roles.GROUND_TRUTH, width=2)]
        for label, dash in looks:
            rows = labels == label  # (D,)
            layers.append(self._class_layer(label, boxes[rows], scores[rows], dash))
        self.canvas.draw(layers)
        return self._in_words(labels.tolist(), candidates, threshold)

    def _by_own_nms(self, boxes: Tensor, probabilities: Tensor, score_threshold: float, nms_threshold: float) -> tuple:
        """What `detections` gives, class by class, with the reader's suppression."""
        found = []
        for label in range(1, probabilities.shape[1]):
            rows = (probabilities[:, label] > score_threshold).nonzero()[:, 0]
            keep = rows[self.own["nms"](boxes[rows, label], probabilities[rows, label], nms_threshold)]
            found.append((boxes[keep, label], torch.full_like(keep, label), probabilities[keep, label]))
        boxes, labels, scores = (torch.cat(parts) for parts in zip(*found, strict=True))
        order = scores.argsort(descending=True, stable=True)
        return boxes[order], labels[order], scores[order]

    def _class_layer(self, label: int, boxes: Tensor, scores: Tensor, dash: str) -> Boxes:
        """All detections of one class; the dash tells classes apart where the color does not."""
        name = self.classes[label - 1]
        texts = [f"{name} {score:.2f}" for score in scores.tolist()]
        return Boxes(boxes, Role(class_color(label), dash, name), labels=texts, hover=texts)

    def _in_words(self, labels: list[int], candidates: int, threshold: float) -> str:
        if not labels:
            return f"No box of any class shown scores above {threshold:.2f}: nothing detected."
        names = Counter(self.classes[label - 1] for label in labels).most_common()
        listed = ", ".join(f"{count} {name}" for name, count in names[:LISTED])
        more = f" and {len(names) - LISTED} more classes" if len(names) > LISTED else ""
        return f"{candidates:,} boxes score above {threshold:.2f}; {len(labels)} are left: {listed}{more}."
