"""An explorer of the eighth notebook: the final detections. `suppression.py` has the game of suppression."""

from collections import Counter
from itertools import cycle
from typing import ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import Config
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.model import Trace
from rcnn_tutorial.roles import DASHES, Role, class_color
from rcnn_tutorial.scene import Boxes
from rcnn_tutorial.stages.inference import Detections, class_boxes, detect

LISTED = 6  # classes that the summary counts


class DetectionExplorer(Explorer):
    """The final picture: threshold, suppression within each class, the best of all classes.

    image: (3, H, W) in [0, 1]. trace: of this image alone, in eval mode. objects: (G, 4) annotated, or None.
    """

    ALL = "all classes"
    fields: ClassVar = {"score_threshold": "score_threshold", "nms_threshold": "threshold", "max_detections": "most"}

    def __init__(self, image: Tensor, trace: Trace, config: Config, objects: Tensor | None = None):
        trace = to_cpu(trace, single=True)
        self.classes, self.inference = config.classes, config.inference
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

    def draw(self) -> str:
        """Draw what the inference layer detects; count it."""
        threshold, config = self.score_threshold.value, self.adjusted(self.inference)
        probabilities = self.probabilities
        if self.class_name.value != self.ALL:
            column = self.classes.index(self.class_name.value) + 1
            probabilities = torch.zeros_like(probabilities)
            probabilities[:, column] = self.probabilities[:, column]
        candidates = int((probabilities[self.valid, 1:] > threshold).sum())
        found = detect(self.boxes, probabilities, config, self.valid)
        looks = zip(dict.fromkeys(found.labels.tolist()), cycle(DASHES), strict=False)  # the class of the best first
        classes = [self._class_layer(label, found, dash) for label, dash in looks]
        self.canvas.draw([Boxes(self.objects, roles.GROUND_TRUTH, width=2), *classes])
        return self._in_words(found.labels.tolist(), candidates, threshold)

    def _class_layer(self, label: int, found: Detections, dash: str) -> Boxes:
        """All detections of one class; the dash tells classes apart where the color does not."""
        rows = found.labels == label  # (D,)
        name = self.classes[label - 1]
        texts = [f"{name} {score:.2f}" for score in found.scores[rows].tolist()]
        return Boxes(found.boxes[rows], Role(class_color(label), dash, name), labels=texts, hover=texts)

    def _in_words(self, labels: list[int], candidates: int, threshold: float) -> str:
        if not labels:
            return f"No box of any class shown scores above {threshold:.2f}: nothing detected."
        names = Counter(self.classes[label - 1] for label in labels).most_common()
        listed = ", ".join(f"{count} {name}" for name, count in names[:LISTED])
        more = f" and {len(names) - LISTED} more classes" if len(names) > LISTED else ""
        return f"{candidates:,} boxes score above {threshold:.2f}; {len(labels)} are left: {listed}{more}."
