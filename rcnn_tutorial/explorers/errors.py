"""Explorers of the eleventh notebook: what kind of error each detection is.

`confusion.py` has the confusion matrix, `precision_recall.py` the curve that moves, `reliability.py` the scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.evaluation.errors import IGNORED, KINDS, RIGHT, find_errors
from rcnn_tutorial.evaluation.matching import difficult_of
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.confusion import ConfusionExplorer
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.explorers.own import Own, OwnError
from rcnn_tutorial.explorers.precision_recall import CurveExplorer, as_lists, objects_of, photos_of
from rcnn_tutorial.explorers.reliability import ReliabilityExplorer
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer

__all__ = ["ConfusionExplorer", "CurveExplorer", "ErrorExplorer", "ReliabilityExplorer"]

ALL = "all kinds"
MISSED = len(KINDS) - 1  # the kind of objects; the others are of detections
LOOKS = {  # the label of a box says its kind too: there are more kinds than dashes
    RIGHT: roles.AFTER._replace(name="right"),
    0: roles.CHOSEN._replace(dash="dashdot", name="class"),
    1: Role(roles.PALETTE[0], "dashed", "location"),
    2: Role(roles.PALETTE[6], "dashdot", "both"),
    3: Role(roles.PALETTE[1], "dotted", "duplicate"),
    4: roles.BEFORE._replace(name="background"),
    IGNORED: Role(roles.PALETTE[9], "dotted", "on a difficult object"),
}
FOUND = roles.GROUND_TRUTH
NOT_FOUND = roles.GROUND_TRUTH._replace(dash="dotted", name="missed")
UNCOUNTED = Role(roles.PALETTE[9], "dashdot", "difficult object")


WORDS = {"right": RIGHT} | {kind: number for number, kind in enumerate(KINDS[:MISSED])}
FOREGROUND, BACKGROUND = 0.5, 0.1  # the thresholds of `error_kinds`


def error_kinds(iou: Tensor, said: Tensor, truth: Tensor) -> list[str]:
    """The kinds of one photo's detections: "right" or one of KINDS, D of them. Bolya et al. 2020, section 2.2.

    iou: (D, G), of detections, best first, with objects. said: (D,) and truth: (G,), their labels. Right is above an
    IoU of 0.5, background up to 0.1; see `evaluation.errors`, which knows difficult objects too.
    """
    kinds, found = [], set()
    for overlaps, label in zip(iou, said, strict=True):
        mine = overlaps.masked_fill(truth != label, -1)  # (G,) with objects of the same class
        best = int(mine.argmax()) if len(mine) else -1
        own = float(mine[best]) if best >= 0 else -1.0
        other = float(overlaps.masked_fill(truth == label, -1).max()) if len(mine) else -1.0
        if own > FOREGROUND and best not in found:
            kinds.append("right")
            found.add(best)
        elif BACKGROUND < own <= FOREGROUND:
            kinds.append("location")
        elif other > FOREGROUND:
            kinds.append("class")
        elif own > FOREGROUND:
            kinds.append("duplicate")
        else:
            kinds.append("both" if other > BACKGROUND else "background")
    return kinds


def _as_kinds(result: Any, right: list[str], _arguments: tuple) -> list[str]:
    """What a reader's `error_kinds` returns. Raises OwnError unless it is a known word for each detection."""
    if not isinstance(result, (list, tuple)) or len(result) != len(right):
        count = _number(len(result), "word") if isinstance(result, (list, tuple)) else f"a {type(result).__name__}"
        raise OwnError(f"returns {count}; a list of {len(right)} words is needed")
    for word in result:
        if not isinstance(word, str) or word not in WORDS:
            raise OwnError(f"returns {word!r}; the words are {', '.join(WORDS)}")
    return list(result)


def _counted(kinds: Sequence[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in Counter(kinds).items())


class ErrorExplorer(Explorer):
    """What every detection on a photo is: right, or one of the kinds of error; and which objects are missed.

    images: one image (3, H, W) in [0, 1] or a list of them. detections, targets: one dict an image, in its pixels, as
    `evaluation.errors.find_errors` takes them. classes: names of labels 1, 2, ... threshold: the score to start with.
    A button a kind goes to the photo that has most of it.
    """

    fields: ClassVar = {"foreground": "foreground", "background": "background"}
    replaceable: ClassVar = {"error_kinds": Own(error_kinds, _as_kinds, _counted)}

    def __init__(
        self,
        images: Tensor | Sequence[Tensor],
        detections: Mapping | Sequence[Mapping],
        targets: Mapping | Sequence[Mapping],
        classes: Sequence[str],
        threshold: float = 0.3,
    ):
        self.images, self.found, self.targets = as_lists(images, detections, targets, classes)
        self.classes = tuple(classes)
        controls = {"photo": integer("Photo", 1, 1, len(self.images))} if len(self.images) > 1 else {}
        controls |= {
            "threshold": number("Score threshold", threshold, 0.0, 1.0, 0.01),
            "foreground": number("Right above IoU", 0.5, 0.05, 0.95, 0.05),
            "background": number("Background up to IoU", 0.1, 0.0, 0.9, 0.05),
            "kind": choice("Show", [ALL, *KINDS], ALL),
        }
        super().__init__(controls, Canvas(self.images[0]), self._presets(threshold))

    def tensors(self) -> dict:
        """What the twin draws from."""
        found = [{name: one[name] for name in ("boxes", "labels", "scores")} for one in self.found]
        targets = [objects_of(target) for target in self.targets]
        return {"photos": photos_of(self.images), "found": found, "targets": targets, "classes": self.classes}

    def _presets(self, threshold: float) -> dict[str, dict]:
        """The photo that has most of each kind, for the kinds that occur; and a stricter look at the first."""
        found = [_from(image, threshold) for image in self.found]
        errors = find_errors(found, self.targets)
        counts = [[int((kinds == kind).sum()) for kind in range(MISSED)] for kinds in errors.kinds]
        counts = torch.tensor([[*row, int(m.sum())] for row, m in zip(counts, errors.missed, strict=True)])  # (N, 6)
        several = len(self.images) > 1
        most = {
            name: {"photo": int(counts[:, kind].argmax()) + 1} if several else {"kind": name}
            for kind, name in enumerate(KINDS)
            if counts[:, kind].any()
        }
        return {name.capitalize(): values for name, values in most.items()} | {"IoU 0.75": {"foreground": 0.75}}

    def draw(self) -> str:
        """Draw the detections that reach the score threshold, each as its kind, and the objects; count the kinds."""
        self.at = self.photo.value - 1 if "photo" in self.controls else 0
        found, self.target = _from(self.found[self.at], self.threshold.value), self.targets[self.at]
        self.ious = box_iou(found["boxes"].double(), self.target["boxes"].double())  # (D, G)
        thresholds = self.foreground.value, self.background.value
        if "error_kinds" in self.own:
            thresholds = FOREGROUND, BACKGROUND
            self.rest(**dict.fromkeys(("foreground", "background"), "your error_kinds has its own"))
        errors = find_errors([found], [self.target], *thresholds)
        kinds, missed = errors.kinds[0], errors.missed[0]
        if "error_kinds" in self.own:
            kinds = self._by_own_kinds(found, kinds)
        layers = self._objects(missed)
        for kind, role in LOOKS.items():
            rows = (kinds == kind).nonzero()[:, 0]
            if kind != IGNORED or len(rows):
                layers.append(self._boxes(found, kind, rows, errors.objects[0], role))
        self.canvas.draw(layers, self.images[self.at])
        return self._in_words(kinds, missed)

    def _by_own_kinds(self, found: Mapping, kinds: Tensor) -> Tensor:
        """The kinds (D,) by the reader's function; detections of difficult objects, which it knows not, are left."""
        order = found["scores"].argsort(descending=True, stable=True)
        order = order[kinds[order] != IGNORED]
        words = self.own["error_kinds"](self.ious[order], found["labels"][order], self.target["labels"])
        kinds = kinds.clone()
        kinds[order] = torch.tensor([WORDS[word] for word in words], dtype=torch.long)
        return kinds

    def _objects(self, missed: Tensor) -> list[Layer]:
        """The objects: found, missed, and difficult ones if there are any."""
        target, names = self.target, [self.classes[label - 1] for label in self.target["labels"].tolist()]
        difficult = difficult_of(target)
        layers: list[Layer] = []
        groups = [(UNCOUNTED, difficult, 1.5), (FOUND, ~missed & ~difficult, 2.0), (NOT_FOUND, missed, 4.0)]
        for role, which, width in groups:
            rows = which.nonzero()[:, 0].tolist()
            crossed = [f"missed {names[row]}" for row in rows] if role is NOT_FOUND else ()
            hover = [f"object {row + 1}, {names[row]}: {role.name}" for row in rows]
            if self._shows(MISSED) or role is not NOT_FOUND:
                if rows or role is not UNCOUNTED:
                    layers.append(Boxes(target["boxes"][rows], role, labels=crossed, hover=hover, width=width))
        return layers

    def _shows(self, kind: int) -> bool:
        """Right ones and objects are there always; of the errors, those that are asked for."""
        return kind < 0 or self.kind.value in (ALL, KINDS[kind])

    def _boxes(self, found: Mapping, kind: int, rows: Tensor, objects: Tensor, role: Role) -> Boxes:
        """All detections of one kind; its label and its hover text say which, and what it is about."""
        rows = rows if self._shows(kind) else rows[:0]
        names = [self.classes[label - 1] for label in found["labels"][rows].tolist()]
        texts = [f"{name} {score:.2f}" for name, score in zip(names, found["scores"][rows].tolist(), strict=True)]
        hover = [
            f"{text}: {role.name}, {self._of(row, int(objects[row]))}"
            for text, row in zip(texts, rows.tolist(), strict=True)
        ]
        labels = [f"{role.name}: {text}" for text in texts] if kind >= 0 else texts
        return Boxes(found["boxes"][rows], role, labels=labels, hover=hover, width=3 if kind >= 0 else 2.5)

    def _of(self, row: int, index: int) -> str:
        """The object that the verdict on detection `row` speaks of, and the IoU with it; else with the nearest one."""
        if not self.ious.shape[1]:
            return "there is no object"
        best = self.ious[row].argmax().item() if index < 0 else index
        name = self.classes[int(self.target["labels"][best]) - 1]
        most = "no more than " if index < 0 else ""
        return f"IoU {most}{self.ious[row, best]:.2f} with object {best + 1}, {name}"

    def _in_words(self, kinds: Tensor, missed: Tensor) -> str:
        """All six counts, whatever is shown."""
        counts = ", ".join(f"{int((kinds == kind).sum())} {KINDS[kind]}" for kind in range(MISSED))
        ignored = int((kinds == IGNORED).sum())
        counts += f", {ignored} on a difficult object" if ignored else ""
        here = f"Photo {self.at + 1}: " if len(self.images) > 1 else ""
        head = f"{here}{_number(len(kinds), 'detection')} from score {self.threshold.value:.2f}"
        difficult = int(difficult_of(self.target).sum())
        objects = f"{_number(len(missed) - difficult, 'object')}: {int(missed.sum())} missed."
        return f"{head}: {int((kinds == RIGHT).sum())} right, {counts}. {objects}"


def _from(found: Mapping, threshold: float) -> dict[str, Tensor]:
    """The detections that score `threshold` or more."""
    return {name: values[found["scores"] >= threshold] for name, values in found.items()}


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
