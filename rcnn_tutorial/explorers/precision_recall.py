"""A precision-recall curve that moves: with a score threshold, and with an object that the reader drags elsewhere."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import Curve, area_ap, eleven_point_ap
from rcnn_tutorial.evaluation.average_precision import curve_of
from rcnn_tutorial.evaluation.matching import difficult_of, judge, match, objects_in_a_row
from rcnn_tutorial.explorers.canvas import ROOMY, Canvas, Handle, encode_image, squeeze_image
from rcnn_tutorial.explorers.explorer import Explorer, integer, number
from rcnn_tutorial.figures.inference_nms import ELEVEN_RECALLS, best_precision
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points, Words, to_uint8

SIZE = (400, 420)  # (H, W) of the chart, in units of its own
LEFT, RIGHT, UP, DOWN, LETTER = 46, 16, 40, 50, 19  # what surrounds its axes; height of the type there
FEW = 20  # photos, up to which a page gets them as they are
MOST_RANKS = 15  # detections, up to which each has its number on the chart
RIGHT_ONE = roles.AFTER._replace(name="right")
WRONG_ONE = roles.BEFORE._replace(name="wrong")
NEUTRAL_ONE = Role(roles.PALETTE[1], "dashdot", "on a difficult object")
BELOW = roles.OTHER._replace(name="below the threshold")
OBJECT = roles.GROUND_TRUTH
AS_ANNOTATED = Role(roles.PALETTE[6], "dotted", "as annotated")


class Ranking(NamedTuple):
    """All detections of one class, best score first: the rows of its precision-recall curve."""

    images: Tensor  # (D,) the photo of each
    boxes: Tensor  # (D, 4)
    right: Tensor  # (D,) bool
    neutral: Tensor  # (D,) bool: on a difficult object, neither right nor wrong
    objects: Tensor  # (D,) the object of the class that it overlaps most, counted through all photos
    ious: Tensor  # (D,) their IoU; -1 where its photo has none
    curve: Curve

    @property
    def ap(self) -> str:
        """Both average precisions, in words."""
        precision, recall = self.curve.precision, self.curve.recall
        return f"{area_ap(precision, recall):.3f} by area, {eleven_point_ap(precision, recall):.3f} at 11 points"


class CurveExplorer(Explorer):
    """The precision-recall curve of one class beside a photo, on which one object can be dragged elsewhere.

    images: one image (3, H, W) in [0, 1] or a list of them; the curve counts them all. detections, targets: one dict
    an image, in its pixels, as `evaluation.precision_recall` takes them. label: the class, 1..C. classes: their names.
    The photo is that of the object in hand, of those of the class that are not difficult.
    """

    def __init__(
        self,
        images: Tensor | Sequence[Tensor],
        detections: Mapping | Sequence[Mapping],
        targets: Mapping | Sequence[Mapping],
        label: int = 1,
        classes: Sequence[str] | None = None,
        threshold: float = 0.5,
    ):
        images, detections, targets = as_lists(images, detections, targets, classes)
        self.name = classes[label - 1] if classes else f"class {label}"
        photos = zip(images, (_only(f, label) for f in detections), (_only(t, label) for t in targets), strict=True)
        photos = [
            photo for photo in photos if len(photo[1]["labels"]) or len(photo[2]["labels"])
        ]  # others change nothing
        photos = photos or [(images[0], _only(detections[0], label), _only(targets[0], label))]
        self.images, self.found, self.targets = (list(column) for column in zip(*photos, strict=True))
        self.movable = [(i, row) for i, target in enumerate(self.targets) for row in _movable(target)]
        self.as_annotated = functools.lru_cache(maxsize=4)(functools.partial(self.ranking, self.targets))
        self._taken, self._left_at = 0, None
        controls = {"threshold": number("Score threshold", threshold, 0.0, 1.0, 0.01)}
        if len(self.movable) > 1:
            controls["object"] = integer("Object", 1, 1, len(self.movable))
        controls["iou"] = number("Right above IoU", 0.5, 0.05, 0.95, 0.05)
        super().__init__(controls, self._pictures(), self._presets())
        self.children[1].layout.flex = "3 1 530px"  # both pictures beside the controls, on a projector too
        self.canvases[1].observe(self._choose, "clicked")

    def tensors(self) -> dict:
        """What the twin draws from."""
        found = [{name: one[name] for name in ("boxes", "labels", "scores")} for one in self.found]
        targets = [objects_of(target) for target in self.targets]
        judged = {"found": found, "targets": targets, "movable": self.movable}
        return judged | {"name": self.name, "photos": photos_of(self.images)}

    def _pictures(self) -> list[Canvas]:
        handles = {}
        image = self.images[0]
        if self.movable:
            photo, row = self.movable[0]
            image = self.images[photo]
            handles["box"] = Handle(OBJECT, self.targets[photo]["boxes"][row].tolist(), name="object", fill=0.08)
        photo = Canvas(image, handles=handles, width=560, title=f"Drag the object: {self.name}")
        chart = Canvas(size=SIZE, width=480, title="Precision and recall", roomy=ROOMY)
        photo.layout.flex = chart.layout.flex = "1 1 250px"  # beside each other
        return [photo, chart]

    def _presets(self) -> dict[str, dict]:
        presets = {"Score 0": {"threshold": 0.0}, "IoU 0.75": {"iou": 0.75}}
        if self.movable:
            photo, row = self.movable[0]
            x1, y1, x2, y2 = self.targets[photo]["boxes"][row].tolist()
            presets["Half beside"] = {"box": shifted((x1, y1, x2, y2), self.images[photo].shape[-1])}
        return presets

    def _choose(self, change) -> None:
        """A click on the chart: the threshold that ends the list at the nearest detection."""
        if not change.new:
            return
        self.canvases[1].clicked = []  # so that a second click on the same place is news again
        curve = self.now.curve
        if len(curve.scores) and curve.objects:
            places = chart_places(torch.stack([curve.recall, curve.precision], dim=1))  # (D, 2)
            nearest = int((places - torch.tensor(change.new)).square().sum(dim=1).argmin())
            self.threshold.value = math.floor(float(curve.scores[nearest]) * 100 + 1e-4) / 100

    def ranking(self, targets: Sequence[Mapping], threshold: float) -> Ranking:
        """The class's detections in order, each judged on these targets: right above the threshold of the IoU."""
        matches = match(self.found, targets)
        labels, difficult = objects_in_a_row(targets)
        right, neutral = verdicts = judge(matches, difficult, threshold)
        curve = curve_of(verdicts, matches.scores, len(labels) - int(difficult.sum()))
        photos = torch.cat([torch.full((len(f["scores"]),), i) for i, f in enumerate(self.found)])[matches.order]
        boxes = torch.cat([found["boxes"] for found in self.found])[matches.order]
        return Ranking(photos, boxes, right, neutral, matches.objects, matches.overlaps, curve)

    def draw(self) -> str:
        """Draw photo and curve for the object where it is now; say what threshold and object make of the AP."""
        photo, row, box = self._in_hand()
        targets = list(self.targets)
        if box is not None:
            boxes = targets[photo]["boxes"].clone()
            boxes[row] = box
            targets[photo] = targets[photo] | {"boxes": boxes}
        self.now, self.annotated = self.ranking(targets, self.iou.value), self.as_annotated(self.iou.value)
        count = int((self.now.curve.scores >= self.threshold.value).sum())
        self.canvas.draw(self._photo(photo, row, box, count), self.images[photo])
        self.canvases[1].draw(_chart(self.now, count))
        return self._in_words(photo, row, box, count)

    def _in_hand(self) -> tuple[int, int, Tensor | None]:
        """Photo, row and box of the object in hand; one that is newly taken in hand lies where it is annotated."""
        if not self.movable:
            return 0, -1, None
        taken = self.object.value - 1 if "object" in self.controls else 0
        photo, row = self.movable[taken]
        if taken != self._taken and self.canvas.handles["box"] == self._left_at:
            self.canvas.move(box=self.targets[photo]["boxes"][row].tolist())
        self.as_annotated = functools.lru_cache(maxsize=4)(functools.partial(self.ranking, self.targets))
        self._taken, self._left_at = taken, self.canvas.handles["box"]
        return photo, row, self.canvas.box("box")

    def _photo(self, photo: int, row: int, box: Tensor | None, count: int) -> list[Layer]:
        """The class's detections and objects on the photo; `count` detections reach the threshold."""
        ranking, target = self.now, self.targets[photo]
        here, reach = ranking.images == photo, torch.arange(len(ranking.images)) < count  # (D,)
        wrong = ~ranking.right & ~ranking.neutral
        others = [i for i in range(len(target["boxes"])) if i != row]
        groups = [(WRONG_ONE, wrong), (RIGHT_ONE, ranking.right)]
        if ranking.neutral.any():
            groups.insert(0, (NEUTRAL_ONE, ranking.neutral))
        layers = [Boxes(target["boxes"][others], OBJECT, width=2, name="object" if not self.movable else "")]
        if box is not None and not torch.equal(box, target["boxes"][row].float()):
            layers.append(Boxes(target["boxes"][[row]], AS_ANNOTATED, width=2))
        layers.append(self._boxes(here & ~reach, BELOW, width=1.5, opacity=0.8))
        return layers + [self._boxes(here & reach & which, role) for role, which in groups]

    def _boxes(self, which: Tensor, role: Role, **look) -> Boxes:
        """Those of the detections (D,) bool, each with its place in the list."""
        ranking, rows = self.now, which.nonzero()[:, 0].tolist()
        scores = ranking.curve.scores
        labels = [f"{i + 1}: {scores[i]:.2f}" for i in rows] if role is not BELOW else ()
        hover = [f"{i + 1} of {len(scores)}: score {scores[i]:.2f}, IoU {max(ranking.ious[i], 0):.2f}" for i in rows]
        return Boxes(ranking.boxes[rows], role, labels=labels, hover=hover, **look)

    def _in_words(self, photo: int, row: int, box: Tensor | None, count: int) -> str:
        curve, threshold = self.now.curve, self.threshold.value
        head = f"{self.name}: {count} of {len(curve.scores)} detections score {threshold:.2f} or more"
        if not curve.objects:
            return f"{head}. There is no object of this class: recall and AP have no meaning."
        right, neutral = (int(which[:count].sum()) for which in (self.now.right, self.now.neutral))
        counted = count - neutral
        precision = f"precision {right / counted:.2f}" if counted else "no precision"
        head += f", {right} right: {precision}, recall {right / curve.objects:.2f}. AP {self.now.ap}"
        moved = box is not None and not torch.equal(box, self.targets[photo]["boxes"][row].float())
        head += f" (as annotated {self.annotated.ap}). " if moved else ". "
        return head + (self._fate(photo, row, count) if box is not None else "")

    def _fate(self, photo: int, row: int, count: int) -> str:
        """What became of the object in hand."""
        ranking = self.now
        number = sum(len(target["boxes"]) for target in self.targets[:photo]) + row  # through all photos
        mine = (ranking.objects == number) & (ranking.ious >= 0)  # (D,)
        found = (mine & ranking.right).nonzero()[:, 0].tolist()
        if found:
            rank = found[0]
            late = f"only below the threshold, score {ranking.curve.scores[rank]:.2f}, " if rank >= count else ""
            return f"Detection {rank + 1} finds the object in hand ({late}IoU {ranking.ious[rank]:.2f})."
        if mine.any() and ranking.ious[mine].max() > 0:
            return f"No detection finds the object in hand (best IoU {ranking.ious[mine].max():.2f})."
        return "No detection touches the object in hand."


def as_lists(images, detections, targets, classes=None) -> tuple[list[Tensor], list[dict], list[dict]]:
    """One photo or several, on the CPU: images, detections, targets.

    Raises ConfigError where they are not as many, and for a label that has no name in `classes`.
    """
    if isinstance(images, Tensor) and images.ndim == 3:
        images = [images]
    detections = [detections] if isinstance(detections, Mapping) else detections
    targets = [targets] if isinstance(targets, Mapping) else targets
    counts = len(images), len(detections), len(targets)
    if len(set(counts)) > 1 or not counts[0]:
        raise ConfigError(f"{counts[0]} images, {counts[1]} detections, {counts[2]} targets: give one of each a photo")
    images, detections, targets = (to_cpu(list(values), single=True) for values in (images, detections, targets))
    for label in {label for image in (*detections, *targets) for label in image["labels"].tolist()}:
        if classes is not None and not 1 <= label <= len(classes):
            raise ConfigError(f"label {label}: there are {len(classes)} classes; labels are 1 to {len(classes)}")
    return images, detections, targets


def photos_of(images: Sequence[Tensor]) -> list[dict]:
    """Photos (3, H, W) in [0, 1] as a twin takes them: files, and their heights and widths. Many are squeezed."""
    encode = encode_image if len(images) <= FEW else squeeze_image
    return [{"image": encode(to_uint8(image)), "size": image.shape[-2:]} for image in images]


def objects_of(target: Mapping) -> dict[str, Tensor]:
    """Of a target what a twin judges by."""
    return {"boxes": target["boxes"], "labels": target["labels"], "difficult": difficult_of(target)}


def shifted(box: Sequence[float], width: float) -> list[float]:
    """The box moved by half its width, to the side where the photo has more room."""
    x1, y1, x2, y2 = box
    by = (x2 - x1) / 2 * (1 if width - x2 >= x1 else -1)
    return [x1 + by, y1, x2 + by, y2]


def _only(image: Mapping, label: int) -> dict:
    """Detections or objects of one class, which becomes class 1."""
    mine = image["labels"] == label
    return {name: image[name][mine] for name in ("boxes", "scores", "difficult") if name in image} | {
        "labels": torch.ones(int(mine.sum()), dtype=torch.long)
    }


def _movable(target: Mapping) -> list[int]:
    """The objects that count and that have a size."""
    return (
        (~difficult_of(target) & (target["boxes"][:, 2:] > target["boxes"][:, :2]).all(dim=1)).nonzero()[:, 0].tolist()
    )


# ---- the chart


def chart_places(points: Tensor) -> Tensor:
    """(recall, precision) (N, 2) as places of the chart, precision upward: (N, 2)."""
    height, width = SIZE
    x = LEFT + points[..., 0] * (width - LEFT - RIGHT)
    return torch.stack([x, height - DOWN - points[..., 1] * (height - UP - DOWN)], dim=-1).float()


def _chart(ranking: Ranking, count: int) -> list[Layer]:
    """Area, curve, eleven points and, of the first `count` detections, the point that the threshold picks."""
    curve = ranking.curve
    if not curve.objects:
        return chart_axes("recall", "precision")
    points = torch.stack([curve.recall, curve.precision], dim=1)  # (D, 2)
    places = chart_places(points)
    eleven = torch.tensor([*zip(ELEVEN_RECALLS, best_precision(curve), strict=True)])
    layers = [*chart_axes("recall", "precision"), _area(curve, ranking.right)]
    layers.append(Lines(places[None] if len(places) else places.reshape(0, 2, 2), Role(roles.WHITE), width=1.5))
    wrong = ~ranking.right & ~ranking.neutral  # a neutral one leaves the curve where it is
    for which, role, shape in ((wrong, WRONG_ONE, "ring"), (ranking.right, RIGHT_ONE, "dot")):
        rows = which.nonzero()[:, 0].tolist()
        ranks = [str(i + 1) for i in rows] if len(places) <= MOST_RANKS else ()
        layers.append(Points(places[rows], role, shape=shape, radius=5, labels=ranks))
    layers.append(Points(chart_places(eleven), Role(roles.YELLOW), shape="cross", radius=5, name="11 points"))
    here = points[count - 1 : count]  # (0 or 1, 2)
    return layers + [_guides(here), Points(chart_places(here), Role(roles.WHITE, name="at the threshold"), "ring", 11)]


def _area(curve: Curve, right: Tensor) -> Boxes:
    """What the AP by area adds up: a column for each right detection, as high as the best precision from there on."""
    recall = curve.recall[right]
    top = torch.from_numpy(best_precision(curve, recall.numpy()))
    left = recall - 1 / curve.objects
    corners = [chart_places(torch.stack(pair, dim=1)) for pair in ((left, top), (recall, torch.zeros_like(top)))]
    return Boxes(torch.cat(corners, dim=1), Role(roles.PALETTE[1], name="area"), fill=0.3, width=1)


def _guides(here: Tensor) -> Lines:
    """From the point (0 or 1, 2) to both axes."""
    lines = [chart_places(torch.tensor([(r, 0.0), (r, p), (0.0, p)])) for r, p in here.tolist()]
    return Lines(torch.stack(lines) if lines else torch.zeros(0, 3, 2), Role(roles.WHITE, "dotted"), width=2)


def chart_axes(across_name: str, upward_name: str) -> list[Layer]:
    """Two axes from 0 to 1 with their names."""
    ticks, (height, width) = (0.0, 0.5, 1.0), SIZE
    grid = [[(0, t), (1, t)] for t in ticks] + [[(t, 0), (t, 1)] for t in ticks]
    across = chart_places(torch.tensor([(t, 0.0) for t in ticks])) + torch.tensor([0, 15])
    upward = chart_places(torch.tensor([(0.0, t) for t in ticks])) - torch.tensor([14, 0])
    names = torch.tensor([[(LEFT + width - RIGHT) / 2, height - 13]])
    numbers = [f"{t:g}" for t in ticks]
    return [
        Lines(chart_places(torch.tensor(grid)), Role(roles.PALETTE[9]), width=1, opacity=0.4),
        Words(torch.cat([across[1:], names]), [*numbers[1:], across_name], letter=LETTER),
        Words([[6, 14]], [upward_name], letter=LETTER, align="left"),
        Words(upward, numbers, letter=LETTER, align="right"),
    ]
