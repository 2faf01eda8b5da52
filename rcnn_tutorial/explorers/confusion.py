"""The confusion matrix of a detector as an explorer: choose a cell, see the boxes behind its number."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.evaluation.confusion import confusion_matrix
from rcnn_tutorial.evaluation.matching import difficult_of
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.explorers.own import Own
from rcnn_tutorial.explorers.precision_recall import as_lists, objects_of, photos_of
from rcnn_tutorial.figures.errors import NOT_FOUND, NOTHING, Grid, matrix_layers
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, heat_colors

TRUTH = roles.GROUND_TRUTH._replace(name="truth")
RIGHT_SAID, WRONG_SAID = roles.AFTER._replace(name="said, right"), roles.BEFORE._replace(name="said, wrong")
OTHERS = roles.OTHER._replace(name="other objects")
MOST_WIDE = 760  # screen pixels of the matrix
MOST_OF_PHOTO = 240, 400  # screen pixels, height and width: all of it is seen under the controls
CELL = Role(roles.WHITE, name="cell in hand")
SAME_PLACE = 0.5  # the IoU above which `confusion` pairs


def confusion(iou: Tensor, said: Tensor, truth: Tensor, classes: int) -> Tensor:
    """The confusion matrix of one photo: (C + 1, C + 1) long, a row for what is there, a column for what is said.

    iou: (D, G), of detections, best first, with objects. said: (D,) and truth: (G,), their labels 1..C. Each detection
    takes the object not yet taken that it overlaps most, if the IoU is above 0.5; see `evaluation.confusion`.
    """
    counts, free = torch.zeros(classes + 1, classes + 1, dtype=torch.long), torch.ones(len(truth), dtype=torch.bool)
    for overlaps, label in zip(iou, said.tolist(), strict=True):
        overlaps = overlaps.masked_fill(~free, -1)  # (G,)
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best >= 0 and overlaps[best] > SAME_PLACE:
            counts[truth[best], label] += 1
            free[best] = False
        else:
            counts[0, label] += 1
    for label in truth[free].tolist():
        counts[label, 0] += 1
    return counts


class ConfusionExplorer(Explorer):
    """Which class is taken for which: the matrix, and under the controls the boxes behind the number of one cell.

    images: one image (3, H, W) in [0, 1] or a list of them. detections, targets: one dict an image, in its pixels, as
    `evaluation.confusion.confusion_matrix` takes them. classes: names of labels 1, 2, ...
    A cell is chosen by a click or in the two lists; the slider pages through its members, best score first.
    """

    replaceable: ClassVar = {"confusion": Own(confusion)}

    def __init__(
        self,
        images: Tensor | Sequence[Tensor],
        detections: Mapping | Sequence[Mapping],
        targets: Mapping | Sequence[Mapping],
        classes: Sequence[str],
        threshold: float = 0.5,
    ):
        self.images, self.found, self.targets = as_lists(images, detections, targets, classes)
        self.classes = tuple(classes)
        count = functools.partial(confusion_matrix, self.found, self.targets, self.classes)
        # Of many photos it takes a while, and most controls leave it alone.
        self.count = functools.lru_cache(maxsize=4)(count)
        first = self.count(threshold, 0.5)
        presets = _presets(first.counts)
        start = next(iter(presets.values()), {"truth": 1, "said": 1})
        most = max(len(first.members.get((start["truth"], start["said"]), ())), 1)
        controls = {
            "truth": choice("Truth", _options(NOTHING, classes), start["truth"]),
            "said": choice("Said", _options(NOT_FOUND, classes), start["said"]),
            "member": integer("Member", 1, 1, most),
            "threshold": number("Score threshold", threshold, 0.0, 1.0, 0.01),
            "iou": number("Same place above IoU", 0.5, 0.05, 0.95, 0.05),
        }
        for name in ("truth", "said"):
            controls[name].observe(self._begin, "value")  # before `update` draws
        self.grid = Grid(self.classes)
        size = self.grid.size
        width = min(MOST_WIDE, round(1.6 * size[1]))  # of few classes, type that does not shout
        matrix = Canvas(size=size, width=width, title="Rows: what is there. Columns: what is said")
        photo = Canvas(self.images[0], title="Behind the number")
        super().__init__(controls, [matrix, photo], presets)
        self._place_photo()
        self.canvas.observe(self._click, "clicked")

    def _place_photo(self) -> None:
        """The photo goes under the controls, so that the matrix has all the width: it may have 21 columns."""
        left, right = self.children
        right.children[0].children = self.canvases[:1]
        left.children = [*left.children, self.canvases[1].add_class("rcnn-aside")]
        left.layout.min_width = "0"  # else a photo that was wider a moment ago would push the matrix below

    def _click(self, change) -> None:
        """A click on a cell takes it in hand."""
        if not change.new:
            return
        self.canvas.clicked = []  # so that a second click on the same place is news again
        cell = self.grid.cell_at(*change.new)
        if cell:
            self.set(truth=cell[0], said=cell[1])

    def _begin(self, _change) -> None:
        """Another cell: its first member."""
        held, self._held = self._held, True  # one drawing, by `update`, which comes after this
        self.member.value = 1
        self._held = held

    def tensors(self) -> dict:
        """What the twin draws from."""
        found = [{name: one[name] for name in ("boxes", "labels", "scores")} for one in self.found]
        targets = [objects_of(target) for target in self.targets]
        said = {"found": found, "targets": targets, "classes": self.classes, "viridis": heat_colors()}
        matrix = {"size": self.grid.size, "margin": self.grid.margin, "cell": (self.grid.WIDE, self.grid.HIGH)}
        return said | matrix | {"photos": photos_of(self.images), "most_of_photo": MOST_OF_PHOTO}

    def draw(self) -> str:
        """Count, draw the matrix with the cell in hand, and the photo of one of its members."""
        if "confusion" in self.own:
            self.rest(iou="your confusion has its own")
        self.confusion = self.count(self.threshold.value, SAME_PLACE if "confusion" in self.own else self.iou.value)
        if "confusion" in self.own:
            self.confusion = self.confusion._replace(counts=self._by_own_confusion())
        cell = self.truth.value, self.said.value
        members = self.members(cell)
        self.member.max = max(len(members), 1)
        if len(members) < 2:
            self.rest(member="the cell has no second member" if members else "the cell is empty")
        self.canvas.draw(self._matrix(cell))
        photo, sentence = self._member(members[self.member.value - 1] if members else None)
        height, width = self.images[photo[0]].shape[-2:]
        self.canvases[1].width = max(1, min(MOST_OF_PHOTO[1], round(MOST_OF_PHOTO[0] * width / height)))
        self.canvases[1].draw(photo[1], self.images[photo[0]])
        return f"{self._count(cell)} {sentence}".strip()

    def _by_own_confusion(self) -> Tensor:
        """The counts by the reader's function, photo by photo; it is not asked about what is difficult."""
        counts = torch.zeros_like(self.confusion.counts)
        counted = {pair[:2] for members in self.confusion.members.values() for pair in members}
        for photo, (found, target) in enumerate(zip(self.found, self.targets, strict=True)):
            order = found["scores"].argsort(descending=True, stable=True).tolist()
            order = [row for row in order if (photo, row) in counted]
            there = ~difficult_of(target)
            iou = box_iou(found["boxes"][order].double(), target["boxes"][there].double())
            said, truth = found["labels"][order], target["labels"][there]
            counts += self.own["confusion"](iou, said, truth, len(self.classes))
        return counts

    def members(self, cell: tuple[int, int]) -> list[tuple[int, int, int]]:
        """(image, detection or -1, object or -1) of a cell, the best score first."""
        members = self.confusion.members.get(cell, [])
        return sorted(members, key=lambda m: -float(self.found[m[0]]["scores"][m[1]]) if m[1] >= 0 else 0.0)

    def _matrix(self, cell: tuple[int, int]) -> list[Layer]:
        return [
            *matrix_layers(self.confusion.counts, self.classes),
            Boxes(self.grid.boxes(), CELL, name="", opacity=0.0, width=1, hover=self._hover),
            Boxes([self.grid.box(*cell)], CELL, width=3),
        ]

    def _hover(self, index: int) -> str:
        row, column = divmod(index, len(self.classes) + 1)
        return f"{self._cell_name(row, column)}: {int(self.confusion.counts[row, column])}"

    def _cell_name(self, row: int, column: int) -> str:
        truth = self.classes[row - 1] if row else NOTHING
        return f"{truth}, {'said ' + self.classes[column - 1] if column else NOT_FOUND}"

    def _member(self, member: tuple[int, int, int] | None) -> tuple[tuple[int, list[Layer]], str]:
        """((photo, layers), sentence) of a member."""
        if member is None:
            return (0, []), ""
        photo, detection, index = member
        found, target = self.found[photo], self.targets[photo]
        others = [i for i in range(len(target["boxes"])) if i != index]
        layers: list[Layer] = [Boxes(target["boxes"][others], OTHERS, width=1.5, opacity=0.8)]
        texts = []
        if index >= 0:
            name = self.classes[int(target["labels"][index]) - 1]
            layers.append(Boxes(target["boxes"][[index]], TRUTH, labels=[name]))
        if detection >= 0:
            said = int(found["labels"][detection])
            right = index >= 0 and said == int(target["labels"][index])
            text = f"{self.classes[said - 1]} {found['scores'][detection]:.2f}"
            layers.append(Boxes(found["boxes"][[detection]], RIGHT_SAID if right else WRONG_SAID, labels=[text]))
            texts += [f"said {text}", self._nearest(photo, detection, index)]
        where = f"photo {photo + 1}" if len(self.images) > 1 else "here"
        texts = ", ".join(texts) or "no detection from the threshold on takes it"
        sentence = f"Member {self.member.value}: {where}, {texts}."
        return (photo, layers), sentence

    def _nearest(self, photo: int, detection: int, index: int) -> str:
        """The IoU with the object that it takes; of one that takes none, the best with any."""
        objects = self.targets[photo]["boxes"]
        if not len(objects):
            return "no object in the photo"
        ious = box_iou(self.found[photo]["boxes"][[detection]], objects)[0]
        if index >= 0:
            return f"IoU {ious[index]:.2f}"
        best = int(ious.argmax())
        taken = ", which another has taken" if ious[best] > self.iou.value else ""
        return f"best IoU {ious[best]:.2f}, with {self.classes[int(self.targets[photo]['labels'][best]) - 1]}{taken}"

    def _count(self, cell: tuple[int, int]) -> str:
        """The cell's number, and what it is a part of."""
        counts = self.confusion.counts
        diagonal = int(counts.diagonal()[1:].sum())
        objects, wrong = int(counts[1:].sum()), int(counts[:, 1:].sum()) - diagonal
        whole = f"{diagonal} of {objects} objects called by their name, {wrong} detections wrong"
        row, column = cell
        if not row and not column:
            return f"Nothing there and nothing said: not counted. {whole}."
        of = f"{int(counts[row].sum())} {self.classes[row - 1]} objects"
        if not row:
            of = f"{int(counts[0].sum())} detections of no object, or of one already taken"
        return f"{self._cell_name(row, column)}: {int(counts[cell])} of {of}. {whole}."


def _options(background: str, classes: Sequence[str]) -> list[tuple[str, int]]:
    return [(name, number) for number, name in enumerate((background, *classes))]


def _presets(counts: Tensor) -> dict[str, dict]:
    """The largest numbers of three kinds, where there are any: a confusion, a class not found, a false alarm."""
    diagonal = torch.eye(len(counts), dtype=torch.bool)
    confused = counts.masked_fill(diagonal, 0)
    confused[0] = confused[:, 0] = 0
    missed, false = torch.zeros_like(counts), torch.zeros_like(counts)
    missed[1:, 0], false[0, 1:] = counts[1:, 0], counts[0, 1:]
    named = {"Confused": confused, "Not found": missed, "False alarms": false}
    largest = {name: divmod(int(table.argmax()), len(counts)) for name, table in named.items() if table.any()}
    return {name: {"truth": row, "said": column} for name, (row, column) in largest.items()}
