"""Explorers of the fourth notebook: what every anchor is told to learn, and the curve of the box loss."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import centers_and_sizes, clip
from rcnn_tutorial.config import AnchorTargetConfig, Config
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points
from rcnn_tutorial.stages import anchor_target
from rcnn_tutorial.stages.anchor_target import AnchorAssignment, assign_anchors, sample_labels
from rcnn_tutorial.stages.anchors import anchor_sizes, generate_anchors, inside_image
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.rpn_loss import smooth_l1
from rcnn_tutorial.stages.sampling import random_keys

MOVABLE, BOTH, NONE = "movable box", "photo's objects and movable box", "none"
SAMPLED, ALL = "sampled anchors", "all anchors inside"
_TYPE_A = Role(roles.WHITE, "dashed", "foreground, type A")
_TYPE_B = roles.AFTER._replace(name="foreground, type B")
_UNDECIDED = Role(roles.PALETTE[9], name="don't care, inside")
_SMALLEST = 8  # pixels: the least side of the movable object


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
        self.defaults = config
        side = max(_SMALLEST, min(256, height, width))
        controls = {
            "objects_counted": choice("Ground truth", (MOVABLE, BOTH, NONE), MOVABLE),
            "center_x": integer("Object center x", width // 2, 0, width),
            "center_y": integer("Object center y", height // 2, 0, height),
            "object_width": integer("Object width", side, _SMALLEST, max(width, _SMALLEST + 1)),
            "object_height": integer("Object height", side, _SMALLEST, max(height, _SMALLEST + 1)),
            **target_controls(config.anchor_targets),
            "show": choice("Show", (SAMPLED, ALL), SAMPLED),
        }
        box = box_around(width // 2, height // 2, side, side)
        handle = Handle(roles.GROUND_TRUTH, box, name="movable object")
        self._seen = list(box)
        super().__init__(controls, Canvas(image, handles={"object": handle}))

    def draw(self) -> str:
        """Draw the labels of the anchors; count them."""
        self._agree()
        truth, config = self._ground_truth(), self.adjusted(self.defaults.anchor_targets)
        Config(anchor_targets=config)  # raises ConfigError where the values contradict each other
        assignment = assign_anchors(self.anchors, truth, self.inside, config)
        generator = torch.Generator().manual_seed(self.seed.value)
        keys = random_keys(torch.ones_like(self.inside), generator)  # (1, N) one for each anchor, as in the layer
        sampled = sample_labels(assignment.labels, keys, config)  # (1, N)
        self.canvas.draw(self._layers(assignment, sampled[0]))
        return _sentence(assignment, sampled[0], truth, int(self.inside.sum()))

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

    def _layers(self, assignment: AnchorAssignment, sampled: Tensor) -> list[Layer]:
        """Those that hold something. sampled: (N,)."""
        every = self.show.value == ALL
        labels = assignment.labels[0] if every else sampled  # (N,)
        background = self.centers[labels == anchor_target.BACKGROUND]
        # 5 000 crosses would hide the photo
        shape, radius = ("dot", 1.2) if every else ("cross", 2.5)
        layers: list[Layer] = [Points(background, roles.BACKGROUND, shape=shape, radius=radius)]
        if every:
            undecided = self.centers[(labels == anchor_target.DONT_CARE) & self.inside[0]]
            layers.append(Points(undecided, _UNDECIDED, shape="ring", radius=2.5))
        if self.objects_counted.value == BOTH:
            layers.append(Boxes(self.objects, roles.GROUND_TRUTH, name="photo's objects"))
        overlaps = assignment.max_overlaps[0]  # (N,)
        for role, members, line in ((_TYPE_B, assignment.type_b[0], 5), (_TYPE_A, assignment.type_a[0], 3)):
            rows = torch.nonzero((labels == anchor_target.FOREGROUND) & members).flatten()  # (F,)
            hover = [
                f"anchor {row:,}: {self.names[row % len(self.names)]}, IoU {overlaps[row]:.4f}" for row in rows.tolist()
            ]
            layers.append(Boxes(self.anchors[rows], role, width=line, hover=hover))
        return [layer for layer in layers if len(layer.data)]  # the legend names what is there


def target_controls(config: AnchorTargetConfig) -> dict:
    """Sliders of the anchor target layer, starting at the config's values."""
    return {
        "positive": number("Positive IoU", config.positive_overlap, 0.5, 0.9, 0.05),
        "negative": number("Negative IoU", config.negative_overlap, 0.1, 0.5, 0.05),
        "batch": integer("Sampled anchors", config.batch_size, 32, 512, 32),
        "fraction": number("Foreground share", config.foreground_fraction, 0.0, 1.0, 0.05),
        "seed": integer("Random draw", 0, 0, 20),
    }


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


def _sentence(assignment: AnchorAssignment, sampled: Tensor, truth: GroundTruth, inside: int) -> str:
    """sampled: (N,) labels that the loss uses."""
    foreground, background, rest = _counts(sampled)
    text = f"In the loss: {foreground:,} foreground, {background:,} background, {rest:,} don't care. "
    if not inside:
        return text + "No anchor lies inside the image, so nothing can be learned from it."
    if not bool(truth.valid.any()):
        return text + "Without an object every anchor inside the image is background."
    found, low, outside = _counts(assignment.labels[0])
    type_a, type_b = assignment.type_a, assignment.type_b
    text += f"Before sampling: {found:,} foreground ({int(type_a.sum())} type A, {int(type_b.sum())} type B, "
    text += f"{int((type_a & type_b).sum())} of them both), {low:,} background, {outside:,} don't care. "
    return text + f"Largest IoU of any anchor: {float(assignment.max_overlaps.max()):.4f}."


def _counts(labels: Tensor) -> tuple[int, int, int]:
    """Foreground, background, don't care among labels (N,)."""
    kinds = anchor_target.FOREGROUND, anchor_target.BACKGROUND, anchor_target.DONT_CARE
    return tuple(int((labels == kind).sum()) for kind in kinds)


class SmoothL1Explorer(Explorer):
    """The loss of one coefficient, as a curve over the difference between prediction and target."""

    REACH, TOP = 2.5, 2.5  # the largest difference and the largest loss on the picture
    SIZE = (420, 840)  # (H, W) of the drawing, units of its own

    def __init__(self, sigma: float = 3.0, difference: float = 0.5, anchor_width: int = 128):
        controls = {
            "sigma": number("Sigma", sigma, 0.5, 5.0, 0.1, digits=1),
            "difference": number("Difference", difference, -self.REACH, self.REACH, 0.05),
            "anchor_width": integer("Anchor width (pixels)", anchor_width, 16, 736, 8),
        }
        self.differences = torch.linspace(-self.REACH, self.REACH, 201)  # (K,)
        super().__init__(controls, Canvas(size=self.SIZE))

    def draw(self) -> str:
        """Draw the curve and the point on it; say in which part it lies."""
        sigma = self.sigma.value
        x = torch.tensor(self.difference.value, requires_grad=True)
        y = smooth_l1(x, sigma)
        y.backward()
        difference, slope, loss = x.item(), x.grad.item(), y.item()
        bend = 1 / sigma**2
        self.canvas.draw(self._layers(sigma, bend, difference, loss))
        part = "quadratic" if abs(difference) < bend else "linear"
        pixels = bend * self.anchor_width.value
        text = (
            f"Sigma {sigma:.1f}: quadratic up to 1 / sigma² = {bend:.4f}, linear beyond. Difference {difference:.2f} "
        )
        text += f"lies on the {part} part: loss {loss:.4f}, slope {slope:.4f}. For a center, {bend:.4f} is "
        return text + f"{pixels:,.1f} pixels on an anchor {self.anchor_width.value} pixels wide."

    def _layers(self, sigma: float, bend: float, x: float, loss: float) -> list[Layer]:
        d = self.differences
        bends = [[(place, 0), (place, self.TOP)] for place in (-bend, bend)]
        return [
            Lines(self._place([[(-self.REACH, 0), (self.REACH, 0)]]), width=1),
            Points(self._place([(tick, 0) for tick in range(-2, 3)]), labels=[str(tick) for tick in range(-2, 3)]),
            Points(self._place([(0, 1), (0, 2)]), labels=["loss 1", "loss 2"]),
            Lines(self._place(bends), Role(roles.PALETTE[1], "dotted", "where it turns linear")),
            Lines(self._curve(d.abs()), Role(roles.WHITE, "dashed", "|x|"), width=2),
            Lines(self._curve(sigma**2 * d**2 / 2), Role(roles.RED, "dashdot", "sigma² x² / 2"), width=2),
            Lines(self._curve(smooth_l1(d, sigma)), roles.AFTER, width=4, name="smooth L1"),
            Points(self._place([(x, loss)]), Role(roles.YELLOW), radius=7, labels=[f"loss {loss:.2f}"]),
        ]

    def _curve(self, losses: Tensor) -> Tensor:
        """One line (1, K, 2) through the losses (K,); what lies above the picture is left to the canvas to cut."""
        return self._place(torch.stack([self.differences, losses], dim=-1))[None]

    def _place(self, points: Tensor | list) -> Tensor:
        """(difference, loss) (..., 2) in the pixels of the drawing, the loss upward, with a margin for the axis."""
        (height, width), points = self.SIZE, torch.as_tensor(points, dtype=torch.float32)
        x = (points[..., 0] / self.REACH + 1) / 2 * width
        y = height - 30 - points[..., 1] / self.TOP * (height - 40)
        return torch.stack([x, y], dim=-1)
