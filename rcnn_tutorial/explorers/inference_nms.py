"""Explorers of the eighth notebook: suppression one box at a time in two orders, and the final detections."""

from collections import Counter
from itertools import cycle
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_area
from rcnn_tutorial.config import Config
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, button, choice, integer, number
from rcnn_tutorial.model import Trace
from rcnn_tutorial.roles import DASHES, Role, class_color
from rcnn_tutorial.scene import Boxes, Layer
from rcnn_tutorial.stages.inference import Detections, class_boxes, detect
from rcnn_tutorial.stages.nms import NMSStep, bottom_y, nms_steps

LOWEST, LARGEST, WORST = "bottom right y, lowest first", "area, largest first", "score, worst first"
_RANKS = {
    LOWEST: lambda boxes, scores: bottom_y(boxes),
    LARGEST: lambda boxes, scores: box_area(boxes),
    WORST: lambda boxes, scores: -scores,
}


class NMSExplorer(Explorer):
    """Suppression played one kept box at a time: by score on the left, by another order on the right.

    image: (3, H, W) in [0, 1]. boxes: (N, 4) in its pixels. scores: (N,). threshold: the IoU to start with.
    """

    def __init__(self, image: Tensor, boxes: Tensor, scores: Tensor, threshold: float = 0.7, top: int = 30):
        boxes, scores = to_cpu((boxes, scores), single=True)
        order = torch.argsort(scores, descending=True, stable=True)
        self.boxes, self.scores = boxes[order], scores[order]
        most = max(len(boxes), 1)
        controls = {
            "threshold": number("NMS IoU", threshold, 0.0, 1.0, 0.05),
            "score_threshold": number("Score threshold", 0.0, 0.0, 1.0, 0.05),
            "top": integer("Top k by score", min(top, most), 1, most),
            "order": choice("Order at the right", list(_RANKS), LOWEST),
            "step": integer("Step", most, 0, most),
            "next": button("Next box"),
        }
        canvases = [Canvas(image, title="Order: score, best first"), Canvas(image)]
        super().__init__(controls, canvases)
        self.next.on_click(self._advance)

    def _advance(self, _button) -> None:
        """One box further; from the end back to the start."""
        self.step.value = 0 if self.step.value >= self.step.max else self.step.value + 1

    def draw(self) -> str:
        """Play both games up to the step; say how many boxes each has kept."""
        count = int((self.scores[: self.top.value] > self.score_threshold.value).sum())
        boxes, scores = self.boxes[:count], self.scores[:count]
        if count == 0:
            for canvas in self.canvases:
                canvas.draw([])
            return f"No box scores above {self.score_threshold.value:.2f}: nothing to suppress."
        orders = (scores, _RANKS[self.order.value](boxes, scores))
        games = [list(nms_steps(boxes, ranks, self.threshold.value)) for ranks in orders]
        self.canvases[1].title = f"Order: {self.order.value}"
        finished = self.step.value >= self.step.max
        self.step.max = max(len(game) for game in games)
        if finished:  # whoever looks at the result goes on looking at the result
            self.step.value = self.step.max
        sentences = []
        for canvas, game, name in zip(self.canvases, games, ("By score", f"By {self.order.value}"), strict=True):
            state = replay(game, self.step.value, count)
            canvas.draw(_state_layers(state, boxes, scores))
            sentences.append(_state_in_words(state, name, scores))
        return f"Step {self.step.value} of {self.step.max}, {count} boxes. " + " ".join(sentences)


class State(NamedTuple):
    """Suppression in the middle of the game: every box is in one of the four groups."""

    kept: list[int]  # in earlier steps
    now: list[int]  # the box that this step keeps; none before the first and after the last
    removed: list[int]  # in all steps so far
    undecided: list[int]


def replay(game: list[NMSStep], step: int, count: int) -> State:
    """Where the game stands after `step` steps; count: number of boxes in it."""
    played = game[:step]
    kept = [move.kept for move in played]
    removed = [i for move in played for i in move.suppressed.tolist()]
    undecided = sorted(set(range(count)) - set(kept) - set(removed))
    finished = step >= len(game)
    return State(kept if finished else kept[:-1], [] if finished else kept[-1:], removed, undecided)


def _state_layers(state: State, boxes: Tensor, scores: Tensor) -> list[Layer]:
    """The four groups, each in a color and a dash of its own."""

    def group(rows: list[int], role: Role, **look) -> Boxes:
        texts = [f"score {scores[row]:.3f}, number {row + 1} by score" for row in rows]
        return Boxes(boxes[rows], role, hover=texts, **look)

    labels = [f"{scores[row]:.2f}" for row in state.kept]
    return [
        group(state.removed, roles.BEFORE, width=1.5, name="removed"),
        group(state.undecided, roles.OTHER, width=1.5, name="open"),
        group(state.kept, roles.AFTER, labels=labels, name="kept"),
        group(state.now, roles.CHOSEN._replace(dash="dashdot"), width=6, labels=["now"] * len(state.now), name="now"),
    ]


def _state_in_words(state: State, name: str, scores: Tensor) -> str:
    kept = state.kept + state.now
    text = f"{name}: {len(kept)} kept, {len(state.removed)} removed, {len(state.undecided)} undecided"
    return text + (f", mean score of the kept {float(scores[kept].mean()):.3f}." if kept else ".")


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
        super().__init__(controls, Canvas(image))

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
        names = Counter(self.classes[label - 1] for label in labels)
        listed = ", ".join(f"{count} {name}" for name, count in names.most_common())
        text = f"{candidates:,} boxes score above {threshold:.2f}; "
        return text + f"suppression and the limit leave {len(labels)}: {listed}."
