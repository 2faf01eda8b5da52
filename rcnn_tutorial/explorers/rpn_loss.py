"""Explorers of the fourth notebook: what every anchor is told to learn, and the curve of the box loss."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou, centers_and_sizes, clip, decode, encode
from rcnn_tutorial.config import AnchorTargetConfig, Config
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import ROOMY, Canvas, Handle
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.explorers.own import Own, OwnError, like_the_package_s
from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.figures.rpn_loss import BEST, TYPE_A, TYPE_B
from rcnn_tutorial.guarded import same
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points, not_empty
from rcnn_tutorial.stages import anchor_target
from rcnn_tutorial.stages.anchor_target import AnchorAssignment, assign_anchors, sample_labels
from rcnn_tutorial.stages.anchors import anchor_sizes, generate_anchors, inside_image
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.rpn_loss import smooth_l1
from rcnn_tutorial.stages.sampling import random_keys

MOVABLE, BOTH, NONE = "movable box", "all objects", "none"
SAMPLED, ALL = "sampled anchors", "all anchors inside"
_LEFT_OUT = Role(roles.PALETTE[1], name="foreground, left out")
_UNDECIDED = Role(roles.PALETTE[9], name="don't care, inside")
_UNTYPED = Role(roles.PALETTE[6], name="foreground, of no type")
_AIMED = Role(roles.PALETTE[6], "dotted", "where encode leads it")
_RIGHT = Role(roles.PALETTE[6], "dashed", "the package's")
_SMALLEST = 8  # pixels: the least side of the movable object
_FEW = 4  # anchors of one object that are drawn whole
_STEP = 1e-5  # of the difference quotient that is the slope
_ARRIVED = 0.999  # the IoU from which an anchor counts as moved onto its object


def label_anchors(anchors: Tensor, objects: Tensor, positive: float, negative: float) -> Tensor:
    """The labels of anchors (N, 4) that all lie inside the image, for G >= 1 objects (G, 4): (N,)."""
    truth = GroundTruth(objects[None], torch.ones(1, len(objects), dtype=torch.long))
    config = AnchorTargetConfig(positive_overlap=positive, negative_overlap=negative)
    return assign_anchors(anchors, truth, torch.ones(1, len(anchors), dtype=torch.bool), config).labels[0]


def _only_labels(result, right: Tensor, arguments: tuple) -> Tensor:
    """The labels (N,) of a reader's `label_anchors`. Raises OwnError for another number than the three."""
    labels = like_the_package_s(result, right.double(), arguments)
    others = labels[(labels != 1) & (labels != 0) & (labels != -1)]
    if len(others):
        raise OwnError(f"returns {float(others[0]):g}; a label is 1, 0 or -1")
    return labels.long()


def _counted(labels: Tensor) -> str:
    foreground, background, _ = _counts(labels)
    return f"{foreground:,} foreground, {background:,} background"


class AnchorLabelExplorer(Explorer):
    """Type A, type B, background and don't care, for an object that the reader moves over the photo.

    image: (3, H, W) in [0, 1], as the network sees it (after preprocessing). objects: (G, 4) in its pixels, or None.
    The movable object starts as a square of 256 pixels in the middle, which makes 18 anchors type B at 600x800.
    """

    fields: ClassVar = {
        "positive_overlap": "positive",
        "negative_overlap": "negative",
        "batch_size": "batch",
        "foreground_fraction": "fraction",
    }

    replaceable: ClassVar = {"encode": Own(encode), "label_anchors": Own(label_anchors, _only_labels, _counted)}

    def __init__(self, image: Tensor, objects: Tensor | None = None, config: Config | None = None, stride: int = 16):
        config = config or Config()
        height, width = image.shape[-2:]
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        self.size = torch.tensor([height, width])
        self.objects = torch.zeros(0, 4) if objects is None else to_cpu(torch.as_tensor(objects), single=True)
        self.anchors = generate_anchors(rows, columns, stride, config.anchors)  # (N, 4)
        self.inside = inside_image(self.anchors, self.size[None], config.anchor_targets.border)  # (1, N)
        self.centers = spread_centers(self.anchors, config, stride)  # (N, 2)
        self.names = [f"{width:g}×{height:g}" for width, height in anchor_sizes(config.anchors).tolist()]
        self.defaults, self.stride = config, stride
        side = max(_SMALLEST, min(256, height, width))
        controls = {
            **target_controls(config.anchor_targets),
            "show": choice("Show", (SAMPLED, ALL), SAMPLED),
            "seed": integer("Random draw", 0, 0, 20),
            "negative": number("Negative IoU", config.anchor_targets.negative_overlap, 0.1, 0.5, 0.05),
            "objects_counted": choice("Ground truth", (MOVABLE, BOTH, NONE), MOVABLE),
            "center_x": integer("Object center x", width // 2, 0, width),
            "center_y": integer("Object center y", height // 2, 0, height),
            "object_width": integer("Object width", side, _SMALLEST, max(width, _SMALLEST + 1)),
            "object_height": integer("Object height", side, _SMALLEST, max(height, _SMALLEST + 1)),
        }
        box = box_around(width // 2, height // 2, side, side)
        handle = Handle(roles.GROUND_TRUTH, box, name="movable object")
        self._seen = list(box)
        super().__init__(controls, Canvas(image, handles={"object": handle}), presets=self._questions())

    def tensors(self) -> dict:
        """What the twin draws from; it makes the anchors itself."""
        config = {"anchors": to_dict(self.defaults.anchors), "anchor_targets": to_dict(self.defaults.anchor_targets)}
        return config | {"size": self.size, "stride": self.stride, "objects": self.objects}

    def _questions(self) -> dict:
        height, width = self.size.tolist()
        sizes = {"64 px object": 64, "181 px": 181, "256 px": 256}
        questions = {name: _placed(box_around(width // 2, height // 2, side, side)) for name, side in sizes.items()}
        questions["Positive 0.5"] = {"positive": 0.5}
        questions["Left out"] = {"positive": 0.5, "batch": 32, "fraction": 0.25}
        questions["Negative 0.1"] = {"negative": 0.1, "show": ALL}
        if len(self.objects):  # the movable one lies on the last, so that it adds nothing
            questions["On the scene"] = _placed(self.objects[-1].tolist()) | {"objects_counted": BOTH}
        return questions

    def draw(self) -> str:
        """Draw the labels of the anchors; count them."""
        self._agree()
        truth, config = self._ground_truth(), self.adjusted(self.defaults.anchor_targets)
        Config(anchor_targets=config)  # raises ConfigError where the values contradict each other
        assignment = self._labeled(assign_anchors(self.anchors, truth, self.inside, config), truth, config)
        generator = torch.Generator().manual_seed(self.seed.value)
        keys = random_keys(torch.ones_like(self.inside), generator)  # (1, N) one for each anchor, as in the layer
        sampled = sample_labels(assignment.labels, keys, config)  # (1, N)
        self._rest(assignment)
        self.canvas.draw(self._layers(assignment, sampled[0], truth))
        return _sentence(assignment, sampled[0], self.show.value == ALL, int(self.inside.sum()))

    def _labeled(self, assignment: AnchorAssignment, truth: GroundTruth, config: AnchorTargetConfig):
        """The assignment with the labels that the reader's function gives the anchors inside, where there is one."""
        objects, inside = truth.boxes[truth.valid], self.inside[0]  # (G, 4), (N,)
        if "label_anchors" not in self.own or not len(objects) or not bool(inside.any()):
            return assignment
        labels = assignment.labels.clone()  # (1, N)
        thresholds = config.positive_overlap, config.negative_overlap
        labels[0, inside] = self.own["label_anchors"](self.anchors[inside], objects, *thresholds)
        foreground = labels == anchor_target.FOREGROUND  # (1, N)
        type_a, type_b = assignment.type_a & foreground, assignment.type_b & foreground
        return assignment._replace(labels=labels, type_a=type_a, type_b=type_b)

    def _rest(self, assignment: AnchorAssignment) -> None:
        """Which controls can do nothing now."""
        if self.show.value == ALL:
            self.rest(**dict.fromkeys(("batch", "fraction", "seed"), "all anchors are shown"))
        elif not bool((assignment.labels == anchor_target.FOREGROUND).any()):
            self.rest(fraction="there is no foreground")
        if float(assignment.max_overlaps.max()) < self.positive.min:
            self.rest(positive=f"no anchor reaches IoU {self.positive.min:g}")

    def _agree(self) -> None:
        """Sliders and picture show the same object: whichever the reader moved last wins."""
        sliders = [self.center_x, self.center_y, self.object_width, self.object_height]
        center, size = centers_and_sizes(self.canvas.box("object"))  # (2,) each
        place = [round(value) for value in (*center.tolist(), *size.tolist())]
        if self.canvas.handles["object"] != self._seen:
            for slider, value in zip(sliders, place, strict=True):
                slider.value = value
        told = [slider.value for slider in sliders]
        if told != place:  # the reader moved a slider, or made the box smaller than the sliders can tell, say
            self.canvas.move(object=box_around(*told))
        self._seen = self.canvas.handles["object"]

    def _ground_truth(self) -> GroundTruth:
        """The objects that count, cut off at the image's border as an annotator would."""
        movable = clip(self.canvas.box("object"), self.size)[None]  # (1, 4)
        chosen = {MOVABLE: movable, BOTH: torch.cat([movable, self.objects]), NONE: movable[:0]}
        boxes = chosen[self.objects_counted.value]
        labels = torch.ones(1, len(boxes), dtype=torch.long)
        return GroundTruth(F.pad(boxes[None], (0, 0, 0, 1)), F.pad(labels, (0, 1)))  # room for one object at least

    def _layers(self, assignment: AnchorAssignment, sampled: Tensor, truth: GroundTruth) -> list[Layer]:
        """Those that hold something. sampled: (N,)."""
        every, labels = self.show.value == ALL, assignment.labels[0]  # (N,)
        foreground, drawn = labels == anchor_target.FOREGROUND, sampled == anchor_target.FOREGROUND  # (N,) each
        background = self.centers[(labels if every else sampled) == anchor_target.BACKGROUND]
        undecided = self.centers[(labels == anchor_target.DONT_CARE) & self.inside[0] & every]
        left_out = self.centers[foreground & ~drawn & (not every)]
        chosen = foreground if every else drawn
        type_b, type_a = (self.centers[chosen & kind[0]] for kind in (assignment.type_b, assignment.type_a))
        untyped = self.centers[chosen & ~assignment.type_a[0] & ~assignment.type_b[0]]
        # 5 000 crosses would hide the photo
        shape, radius = ("dot", 1.2) if every else ("cross", 2.5)
        layers: list[Layer] = [
            Points(background, roles.BACKGROUND, shape=shape, radius=radius),
            Points(undecided, _UNDECIDED, shape="ring", radius=2, width=1),
            Boxes(self.objects[: len(self.objects) * (self.objects_counted.value == BOTH)], roles.GROUND_TRUTH),
            *self._few(assignment, foreground, truth),
            Points(left_out, _LEFT_OUT, shape="ring", radius=2, width=1.5),
            Points(type_b, TYPE_B, radius=3.5),
            Points(type_a, TYPE_A, shape="ring", radius=5.5),
            Points(untyped, _UNTYPED, shape="cross", radius=4.5),
        ]
        return not_empty(layers)

    def _few(self, assignment: AnchorAssignment, foreground: Tensor, truth: GroundTruth) -> list[Boxes]:
        """Of all foreground anchors (N,) the best one of each object, with how many it stands for.

        Of a single object the best one of each shape, of those four that have most.
        """
        rows = torch.nonzero(foreground).flatten()  # (F,)
        overlaps, shapes, alone = assignment.max_overlaps[0], len(self.names), int(truth.valid.sum()) == 1
        group = rows % shapes if alone else assignment.object_indices[0, rows]  # (F,)
        sizes = {key: int((group == key).sum()) for key in group.unique().tolist()}
        largest = sorted(sizes, key=lambda key: -sizes[key])[: _FEW if alone else None]
        members = [rows[group == key] for key in largest]
        best = torch.tensor([int(those[overlaps[those].argmax()]) for those in members], dtype=torch.long)  # (K,)
        texts = [f"{sizes[key]}" for key in largest]
        if alone:
            texts = [f"{size} of {self.names[b % shapes]}" for size, b in zip(texts, best.tolist(), strict=True)]
        targets, aimed = self._targets(best, truth.boxes[0, assignment.object_indices[0, best]])
        layers = [Boxes(aimed, _AIMED)]
        for role, mine in ((TYPE_B, assignment.type_b[0, best]), (BEST, ~assignment.type_b[0, best])):
            labels, hover = ([one for one, it in zip(all_, mine, strict=True) if it] for all_ in (texts, targets))
            layers.append(Boxes(self.anchors[best[mine]], role, labels=labels, hover=hover, name=""))
        return layers

    def _targets(self, rows: Tensor, objects: Tensor) -> tuple[list[str], Tensor]:
        """What these anchors (K,) are to predict for their objects (K, 4), and where that leads those that miss."""
        if not len(rows):
            return [], objects
        anchors = self.anchors[rows]  # (K, 4)
        targets = self.own["encode"](objects, anchors)  # (K, 4)
        aimed = decode(targets, anchors)  # (K, 4)
        misses = box_iou(aimed, objects).diagonal() < _ARRIVED  # (K,)
        texts = [f"targets {x:.2f}, {y:.2f}, {w:.2f}, {h:.2f}" for x, y, w, h in targets.tolist()]
        return texts, aimed[misses]


def target_controls(config: AnchorTargetConfig) -> dict:
    """Sliders of the anchor target layer that the lesson asks about, starting at the config's values."""
    return {
        "positive": number("Positive IoU", config.positive_overlap, 0.5, 0.9, 0.05),
        "batch": integer("Sampled anchors", config.batch_size, 32, 512, 32),
        "fraction": number("Foreground share", config.foreground_fraction, 0.0, 1.0, 0.05),
    }


def _placed(box: list[float]) -> dict:
    """The movable object at a box, for handle and sliders."""
    center, size = centers_and_sizes(torch.tensor(box))
    values = [round(value) for value in (*center.tolist(), *size.tolist())]
    names = ("center_x", "center_y", "object_width", "object_height")
    return {"object": box} | dict(zip(names, values, strict=True))


def box_around(x: float, y: float, width: float, height: float) -> list[float]:
    """Corners of a box given by its center and size."""
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def spread_centers(anchors: Tensor, config: Config, stride: int) -> Tensor:
    """The anchors' centers (N, 2), those of one cell moved apart into a small grid: ratios down, scales across.

    All anchors of a cell share one center; marks drawn there would cover each other.
    """
    ratios, scales = len(config.anchors.ratios), len(config.anchors.scales)
    row, column = torch.meshgrid(torch.arange(ratios), torch.arange(scales), indexing="ij")
    offsets = torch.stack([column - (scales - 1) / 2, row - (ratios - 1) / 2], dim=-1).view(-1, 2)  # (A, 2)
    offsets = offsets * stride / (max(ratios, scales) + 1)
    centers, _ = centers_and_sizes(anchors)  # (N, 2)
    return centers + offsets.repeat(len(anchors) // len(offsets), 1)


def _sentence(assignment: AnchorAssignment, sampled: Tensor, every: bool, inside: int) -> str:
    """sampled: (N,) labels that the loss uses. every: all anchors are shown."""
    found, low, outside = _counts(assignment.labels[0])
    foreground, background, _ = _counts(sampled)
    if not inside:
        return "No anchor lies inside the image, so nothing can be learned from it."
    a, b, both = (int(k.sum()) for k in (assignment.type_a, assignment.type_b, assignment.type_a & assignment.type_b))
    types = f"{found:,} foreground ({a} type A, {b} type B" + (f", {both} both)" if both else ")")
    best = f"best IoU {float(assignment.max_overlaps.max()):.4f}."
    if every:
        return f"{types}, {low:,} background, {outside:,} don't care; {best}"
    return f"{types}, {best} In the loss: {foreground:,} foreground, {background:,} background."


def _counts(labels: Tensor) -> tuple[int, int, int]:
    """Foreground, background, don't care among labels (N,)."""
    kinds = anchor_target.FOREGROUND, anchor_target.BACKGROUND, anchor_target.DONT_CARE
    return tuple(int((labels == kind).sum()) for kind in kinds)


class SmoothL1Explorer(Explorer):
    """The loss of one coefficient, as a curve over the difference between prediction and target, and its slope.

    Click the picture to move the point.
    """

    replaceable: ClassVar = {"smooth_l1": Own(smooth_l1)}
    REACH, TOP = 2.5, 2.5  # the largest difference and the largest loss on the picture
    SIZE = (416, 560)  # (H, W) of the drawing, units of its own
    LEFT, RIGHT, UP, DOWN = 44, 16, 36, 92  # margins around the curve

    def __init__(self, sigma: float = 3.0, difference: float = 1.0, anchor_width: int = 128):
        controls = {
            "sigma": number("Sigma", sigma, 0.5, 5.0, 0.1, digits=1),
            "difference": number("Difference", difference, -self.REACH, self.REACH, 0.01),
            "anchor_width": integer("Anchor width (pixels)", anchor_width, 16, 736, 8),
        }
        self.differences = torch.linspace(-self.REACH, self.REACH, 201)  # (K,)
        presets = {"Sigma 3": {"sigma": 3.0}, "Sigma 1": {"sigma": 1.0}}
        super().__init__(controls, Canvas(size=self.SIZE, roomy=ROOMY), presets=presets)
        self.canvas.observe(self._choose_difference, "clicked")

    def tensors(self) -> dict:
        """What the twin draws from."""
        margins = {"left": self.LEFT, "right": self.RIGHT, "up": self.UP, "down": self.DOWN}
        sides = {"size": self.SIZE, "margins": margins, "reach": self.REACH, "top": self.TOP}
        return sides | {"differences": self.differences}

    def draw(self) -> str:
        """Draw the curve, the point on it and its tangent; say in which part it lies."""
        sigma, width = self.sigma.value, self.anchor_width.value
        difference, bend, loss_of = self.difference.value, 1 / sigma**2, self.own["smooth_l1"]
        around = torch.tensor([difference - _STEP, difference, difference + _STEP], dtype=torch.float64)
        before, loss, after = loss_of(around, sigma).tolist()
        slope = (after - before) / (2 * _STEP)
        pixels = difference * width
        self.canvas.draw([*self._axes(), *self._curves(sigma, bend), *self._point(difference, loss, slope, pixels)])
        part = "Quadratic" if abs(difference) < bend else "Linear"
        text = f"{part} part, loss {loss:.4f}, slope {slope:.4f}, {pixels:.1f} pixels. "
        return text + f"Bend at 1 / sigma² = {bend:.4f}, {bend * width:.1f} pixels."

    def _axes(self) -> list[Layer]:
        """Two axes with titles."""
        axis, steps = self.SIZE[0] - self.DOWN, range(-2, 3)
        texts = {f"{step}".replace("-", "−"): (self._across(step) - 14 + 4 * (step >= 0), axis + 27) for step in steps}
        heights = {f"{step} ": (self.LEFT - 26, axis - self._up(step) + 9) for step in range(3)}
        texts |= heights | {"loss": (self.LEFT - 32, self.UP - 8), "difference (anchor widths)": (180, axis + 88)}
        grid = [[(-self.REACH, step), (self.REACH, step)] for step in range(1, 3)]
        grid += [[(step, 0), (step, self.TOP)] for step in steps]
        corner = [[(-self.REACH, self.TOP), (-self.REACH, 0), (self.REACH, 0)]]
        return [
            Lines(self._place(grid), Role(roles.PALETTE[9]), width=1, opacity=0.4),
            Lines(self._place(corner), width=2),
            Points(torch.tensor(list(texts.values())), Role(roles.GROUND), radius=0, labels=list(texts)),
        ]

    def _curves(self, sigma: float, bend: float) -> list[Layer]:
        d = self.differences
        bends = [[(place, 0), (place, self.TOP)] for place in (-bend, bend) if abs(place) <= self.REACH]
        layers = [Lines(self._place(bends), Role(roles.PALETTE[1], "dotted", "1 / sigma²"), width=2)] if bends else []
        losses, right = self.own["smooth_l1"](d, sigma), smooth_l1(d, sigma)  # (K,) each
        if not same(losses, right):
            layers.append(Lines(self._curve(right), _RIGHT, width=4))
        return [
            *layers,
            Lines(self._curve(d.abs()), Role(roles.WHITE, "dashed", "|Δ|"), width=2),
            Lines(self._curve(sigma**2 * d**2 / 2), Role(roles.RED, "dashdot", "sigma² Δ² / 2"), width=2),
            Lines(self._curve(losses), roles.AFTER, width=4, name="smooth L1"),
        ]

    def _point(self, x: float, loss: float, slope: float, pixels: float) -> list[Layer]:
        """The point, the line that only touches the curve there, and how many pixels from 0 it is."""
        ends = [(x + step, loss + step * slope) for step in (-0.5, 0.5)]
        places = self._place([(x, 0), (x, loss)])  # (2, 2)
        under = places[:1] + torch.tensor([-30.0, 51])  # between the axis and its title
        texts = [f"{pixels:.1f} px".replace("-", "−"), f"slope {slope:.2f}".replace("-", "−")]
        return [
            Lines(places[None], Role(roles.YELLOW, "dotted"), width=2),
            Lines(self._place([ends]), Role(roles.YELLOW, name="tangent"), width=3),
            Points(under, Role(roles.YELLOW), radius=0, labels=texts[:1]),
            Points(places[1:], Role(roles.YELLOW), radius=7, labels=texts[1:]),
        ]

    def _curve(self, losses: Tensor) -> Tensor:
        """One line (1, K', 2) through those of the losses (K,) that are on the picture."""
        points = torch.stack([self.differences, losses], dim=-1)[losses <= self.TOP]
        return self._place(points)[None]

    def _across(self, difference: float) -> float:
        return self.LEFT + (difference / self.REACH + 1) / 2 * (self.SIZE[1] - self.LEFT - self.RIGHT)

    def _up(self, loss: float) -> float:
        return loss / self.TOP * (self.SIZE[0] - self.UP - self.DOWN)

    def _place(self, points: Tensor | list) -> Tensor:
        """(difference, loss) (..., 2) in the pixels of the drawing, the loss upward."""
        points = torch.as_tensor(points, dtype=torch.float32)
        x, y = self._across(points[..., 0]), self.SIZE[0] - self.DOWN - self._up(points[..., 1])
        return torch.stack([x, y], dim=-1)

    def _choose_difference(self, change) -> None:
        share = (change["new"][0] - self.LEFT) / (self.SIZE[1] - self.LEFT - self.RIGHT)
        self.difference.value = (2 * share - 1) * self.REACH
