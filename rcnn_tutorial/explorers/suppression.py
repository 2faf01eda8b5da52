"""The first explorer of the eighth notebook: suppression as a game, on few enough boxes to follow each of them.

`inference_nms.py` has the explorer of the final detections.
"""

import dataclasses
import pathlib
import textwrap
from typing import Any, ClassVar, NamedTuple

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import Config
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas, WholeWidget
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.explorers.own import Own, OwnError, tensor_of
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import describe
from rcnn_tutorial.model import Trace
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer
from rcnn_tutorial.stages.inference import class_boxes
from rcnn_tutorial.stages.nms import NMSStep, bottom_y, nms, nms_steps

_HERE = pathlib.Path(__file__).parent
BY_SCORE, BY_Y = "by score", "by bottom y"
MOST = 12  # boxes in the game; each has a letter
REACH = 12  # image pixels around a box within which a click means it
HEADING = 80  # letters in a line of the still picture's heading
OPEN, NOW, FALLS, KEPT, GONE = "open", "in hand", "falls", "kept", "removed"  # what a box is in a step of the game


def letter(row: int) -> str:
    """The name of box `row`."""
    return chr(ord("A") + row)


def letters(rows: Tensor) -> str:
    """Their names: "A, C"."""
    return ", ".join(letter(row) for row in rows.tolist())


def rows_kept(result: Any, right: Tensor, arguments: tuple) -> Tensor:
    """What a reader's `nms(boxes, scores, threshold)` keeps, as indices (K,). Raises OwnError unless they are some."""
    count = len(arguments[0])
    rows = tensor_of(result, right.double())
    if rows.ndim != 1:
        raise OwnError(f"returns shape {tuple(rows.shape)}; a row of indices is needed")
    for row in rows.tolist():
        if not 0 <= row < count or row != int(row):
            raise OwnError(f"returns {row:g}; an index is a whole number from 0 to {count - 1}")
    if len(rows.unique()) < len(rows):
        raise OwnError("returns an index twice")
    if count and not len(rows):
        raise OwnError(f"keeps none of {count} boxes; the first in the order always stays")
    return rows.long()


class NMSExplorer(Explorer):
    """Suppression on one picture, beside it the score list that is crossed out; the reader clicks who is kept next.

    image: (3, H, W) in [0, 1]. boxes: (N, 4) in its pixels. scores: (N,). threshold: the IoU to start with. Of more
    than MOST boxes `few_of_each_cluster` takes part. The letters A, B, C ... follow the score.
    """

    replaceable: ClassVar = {"nms": Own(nms, rows_kept, letters)}

    def __init__(self, image: Tensor, boxes: Tensor, scores: Tensor, threshold: float = 0.5):
        boxes, scores = to_cpu((boxes, scores), single=True)
        rows = few_of_each_cluster(boxes, scores) if len(boxes) > MOST else scores.argsort(descending=True, stable=True)
        self.boxes, self.scores = boxes[rows], scores[rows]
        self.ranking, self._verdict = Ranking(), ""
        most = max(len(rows), 1)
        controls = {
            "order": choice("Order", [BY_SCORE, BY_Y], BY_SCORE),
            "threshold": number("NMS IoU", threshold, 0.0, 1.0, 0.05),
            "step": integer("Step", 0, 0, most + 1),
        }
        presets = {
            "NMS 0.3": {"threshold": 0.3, "step": most + 1},
            "NMS 0.7": {"threshold": 0.7, "step": most + 1},
            "By bottom y": {"order": BY_Y, "step": most + 1},
        }
        super().__init__(controls, Canvas(image), presets)
        self.canvas.observe(self._click, "clicked")
        self.ranking.on_msg(self._told)

    def tensors(self) -> dict:
        """What the twin draws from."""
        return {"boxes": self.boxes, "scores": self.scores, "size": self.canvas.size}

    def _left(self):
        return [*super()._left(), self.ranking]

    # ---- the reader's hand

    def _told(self, _ranking, content: dict, _buffers) -> None:
        """From the list: {"go": 1} and {"go": -1} step, {"pick": 3} says that box 3 is kept next."""
        if "go" in content:
            self.step.value = min(max(self.step.value + content["go"], 0), self.step.max)
        elif 0 <= content.get("pick", -1) < len(self.boxes):
            self.answer(content["pick"])

    def _click(self, change) -> None:
        if not change.new:
            return
        self.canvas.clicked = []  # so that a second click on the same place is news again
        row = self.pointed_at(*change.new)
        if row is not None:
            self.answer(row)

    def pointed_at(self, x: float, y: float) -> int | None:
        """The box whose outline is nearest, of those that hold the point or pass within REACH; none removed before."""
        among = [row for row, what in enumerate(self.state.whats) if what != GONE]
        found = [(distance(self.boxes[row].tolist(), x, y), row) for row in among]
        near = [(abs(away), row) for away, row in found if away <= REACH]
        return min(near)[1] if near else None

    def answer(self, row: int) -> None:
        """The reader says that this box is kept next: say whether and why; if so, take the step."""
        self._verdict, right = self._judge(row)
        if right:
            self.step.value += 1
        else:
            self.update()

    def _judge(self, row: int) -> tuple[str, bool]:
        if self.step.value >= len(self.game):
            return "The game is over: no box is open.", False
        name, what, by = letter(row), self.state.whats[row], self.state.by[row]
        if what in (KEPT, NOW):
            return f"✗ Not {name}: it is kept already.", False
        if what in (FALLS, GONE):
            iou = float(box_iou(self.boxes[by, None], self.boxes[row, None]))
            return f"✗ Not {name}: {letter(by)} removed it, their IoU is {iou:.2f}.", False
        first, value = self.game[self.step.value].kept, float(self.ranks[row])
        best, more = ("best open score, {:.2f}", "scores more than {:.2f}")
        if self.order.value == BY_Y:
            best, more = ("lowest bottom, {:.0f}", "ends lower than {:.0f}")
        if "nms" in self.own:
            right = row == first
            return f"{'✓ Yes' if right else '✗ No'}, {letter(first)} is kept next.", right
        if row == first:
            return f"✓ Right, {name} has the {best.format(value)}.", True
        if value == float(self.ranks[first]):
            more = "ties with it and comes first in the list"
        return f"✗ Not {name}: an open box {more.format(value)}.", False

    # ---- the picture

    def figure(self, width: float = 9.0) -> Figure:
        """The present picture, with the scores in its heading: the list is not beside it."""
        scores = ", ".join(f"{letter(row)} {score:.2f}" for row, score in enumerate(self.scores.tolist()))
        scene = dataclasses.replace(self.canvas.scene, title=textwrap.fill(f"Scores: {scores}", HEADING))
        return describe(figure_of([scene], width, words=self.summary), self.summary)

    def draw(self) -> str:
        """Play up to the step; say what it keeps and removes, or what the reader's answer was worth."""
        verdict, self._verdict = self._verdict, ""
        self.ranks = self.scores if self.order.value == BY_SCORE else bottom_y(self.boxes)
        self.game = self._game()
        finished = self.step.value >= self.step.max
        self.step.max = len(self.game) + 1 if len(self.boxes) else 0
        if finished:  # whoever looks at the result goes on looking at the result
            self.step.value = self.step.max
        step = self.step.value
        self.state = replay(self.game, step, len(self.boxes))
        ious = self._ious()
        self.canvas.draw(_layers(self.state, self.boxes, ious))
        self.ranking.show(self._rows(ious), self.canvas.size, self.state.now, step, self.step.max)
        return " ".join(filter(None, (verdict, self._in_words(step))))

    def _game(self) -> list[NMSStep]:
        """The steps; by the reader's nms, where there is one."""
        if "nms" not in self.own:
            return list(nms_steps(self.boxes, self.ranks, self.threshold.value))
        kept = self.own["nms"](self.boxes, self.ranks, self.threshold.value)
        return steps_of(kept, self.boxes, self.threshold.value)

    def _ious(self) -> Tensor | None:
        """Of the box in hand with every box: (N,); None where no box is in hand."""
        now = self.state.now
        return None if now is None else box_iou(self.boxes[now, None], self.boxes)[0]

    def _rows(self, ious: Tensor | None) -> list[dict]:
        """The list, in the order of the game."""
        rows = []
        for row in torch.argsort(self.ranks, descending=True, stable=True).tolist():
            what, by = self.state.whats[row], self.state.by[row]
            known = ious is not None and what in (OPEN, FALLS)
            fate = f"✗ by {letter(by)}" if what == GONE else what
            words = f"removed by {letter(by)}" if what == GONE else what
            cells = [f"{self.scores[row]:.2f}", f"{self.boxes[row, 3]:.0f}", f"{ious[row]:.2f}" if known else "", fate]
            look = {"row": row, "name": letter(row), "what": what.replace(" ", "-"), "box": self.boxes[row].tolist()}
            rows.append(look | {"cells": cells, "words": f"{letter(row)}, {words}, score {cells[0]}"})
        return rows

    def _in_words(self, step: int) -> str:
        if not len(self.boxes):
            return "No box: nothing to suppress."
        last, threshold = len(self.game), self.threshold.value
        ask = "Which is next?" if step < last else "No box is open."
        if step == 0:
            return f"{len(self.boxes)} open boxes, NMS IoU {threshold:.2f}. Which one is kept first? Click it."
        if step > last:
            names = [letter(row) for row, what in enumerate(self.state.whats) if what == KEPT]
            mean = float(self.scores[torch.tensor(self.state.whats_are(KEPT))].mean())
            kept = f"{len(names)} kept: {', '.join(names)}"
            return f"NMS IoU {threshold:.2f}: {kept}; {len(self.boxes) - last} removed. Mean score kept {mean:.2f}."
        fallen = ", ".join(letter(row) for row in self.state.whats_are(FALLS))
        why = "" if "nms" in self.own else f" (IoU above {threshold:.2f})"
        removes = f"removes {fallen}{why}" if fallen else "removes none"
        return f"Step {step} of {last}: {letter(self.state.now)} is kept, {removes}. {ask}"


def distance(box: list[float], x: float, y: float) -> float:
    """From a point to the outline of a box, negative inside: positive and at most REACH is near enough."""
    x1, y1, x2, y2 = box
    outside = max(x1 - x, 0, x - x2) ** 2 + max(y1 - y, 0, y - y2) ** 2
    return outside**0.5 if outside else -min(x - x1, x2 - x, y - y1, y2 - y)


def of_the_surest_class(trace: Trace, config: Config) -> tuple[Tensor, Tensor]:
    """Boxes (R, 4) and scores (R,) of the class that has the largest probability; of a trace's first image."""
    boxes = class_boxes(trace.proposed, trace.preprocessed, config.proposal_targets)[0]  # (R, C + 1, 4)
    probabilities = trace.proposed.probabilities[0]  # (R, C + 1)
    label = int(probabilities[:, 1:].amax(dim=0).argmax()) + 1
    return boxes[:, label], probabilities[:, label]


def few_of_each_cluster(boxes: Tensor, scores: Tensor, threshold: float = 0.3, least: float = 0.1) -> Tensor:
    """Rows of a few boxes that tell the story, best score first: (K,), K <= 10.

    boxes: (N, 4). scores: (N,). Of the first three boxes that suppression at `threshold` keeps each, and with it
    boxes that it removes, from the nearest to the farthest by IoU: four with the first, two with the others. Boxes
    that score below `least` take part only where there are no others.
    """
    able = (scores >= least).nonzero()[:, 0] if (scores >= least).any() else torch.arange(len(scores))
    chosen = []
    for step, count in zip(nms_steps(boxes[able], scores[able], threshold), (4, 2, 2), strict=False):
        iou = box_iou(boxes[able[step.kept], None], boxes[able[step.suppressed]])[0]  # (S,)
        nearest = step.suppressed[iou.argsort(descending=True, stable=True)]
        places = torch.linspace(0, len(nearest) - 1, min(count, len(nearest)) + 2)[1:-1].round().long()
        chosen += [int(able[step.kept]), *able[nearest[places.unique()]].tolist()]
    rows = torch.tensor(chosen, dtype=torch.long)
    return rows[scores[rows].argsort(descending=True, stable=True)]


def steps_of(kept: Tensor, boxes: Tensor, threshold: float) -> list[NMSStep]:
    """The steps of a suppression of which only the kept boxes (K,) are known, in their order.

    A box that is not kept falls to the first kept one that overlaps it by more than `threshold`, or, where none does,
    to the one that overlaps it most. `remaining` is not known.
    """
    falls: dict[int, list[int]] = {row: [] for row in kept.tolist()}
    for row in set(range(len(boxes))) - set(falls):
        ious = box_iou(boxes[row, None], boxes[kept])[0]  # (K,)
        guilty = (ious > threshold).int() if bool((ious > threshold).any()) else ious
        falls[int(kept[guilty.argmax()])].append(row)
    return [NMSStep(row, torch.tensor(sorted(fallen), dtype=torch.long), kept[:0]) for row, fallen in falls.items()]


class State(NamedTuple):
    """Suppression in the middle of the game."""

    whats: list[str]  # (N,) of each box: OPEN, NOW, FALLS, KEPT or GONE
    by: list[int | None]  # (N,) which box has removed it
    now: int | None  # the box that this step keeps; none before the first and after the last

    def whats_are(self, what: str) -> list[int]:
        """The boxes of one kind."""
        return [row for row, mine in enumerate(self.whats) if mine == what]


def replay(game: list[NMSStep], step: int, count: int) -> State:
    """Where the game stands in step 1, 2, ...; 0 is before the first, len(game) + 1 the result. count: of boxes."""
    whats, by = [OPEN] * count, [None] * count
    for played, move in enumerate(game[:step], start=1):
        whats[move.kept] = NOW if played == step else KEPT
        for row in move.suppressed.tolist():
            whats[row], by[row] = FALLS if played == step else GONE, move.kept
    return State(whats, by, whats.index(NOW) if NOW in whats else None)


def _layers(state: State, boxes: Tensor, ious: Tensor | None) -> list[Layer]:
    """The five kinds of boxes, each in a color, dash and width of its own; those that count lie on top."""

    def group(what: str, role: Role, text=letter, **look) -> Boxes:
        rows = state.whats_are(what)
        labels = [text(row) for row in rows] if text else ()
        return Boxes(boxes[rows], role, labels=labels, name=what, **look)

    return [
        group(GONE, roles.BEFORE._replace(dash="dotted"), None, width=1.5, opacity=0.45),
        group(OPEN, roles.OTHER._replace(dash="solid"), width=2),
        group(KEPT, roles.AFTER, width=4),
        group(FALLS, roles.BEFORE, lambda row: f"{letter(row)} IoU {ious[row]:.2f}", width=4),
        group(NOW, roles.CHOSEN._replace(dash="dashdot"), width=6),
    ]


class Ranking(WholeWidget):
    """The score list beside the picture, with the buttons that play the game. Rows and picture mark each other."""

    _esm = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("elements.js", "ranking.js"))
    _css = _HERE / "ranking.css"
    frame = traitlets.Dict().tag(sync=True)

    def show(self, rows: list[dict], size: tuple[int, int], now: int | None, step: int, last: int) -> None:
        """rows: as the list shows them, from the top. size: (H, W) of the picture. now: the box in hand."""
        head = "IoU" if now is None else f"IoU {letter(now)}"
        heads = ["Box", "Score", "Bottom", head, "State"]
        self.frame = {"rows": rows, "heads": heads, "size": list(size), "step": step, "last": last, "reach": REACH}
