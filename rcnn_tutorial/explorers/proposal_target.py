"""The explorer of the fifth notebook: scored anchors become proposals, proposals become the ROIs of a training step."""

import functools
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou, centers_and_sizes
from rcnn_tutorial.config import Config
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.figures.rpn_loss import best_of_cells
from rcnn_tutorial.model import Trace
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Lines, Points
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.proposal import Proposals, proposal_layer
from rcnn_tutorial.stages.proposal_target import ProposalTargets, append_ground_truth, proposal_target_layer

MOVES, ROIS, HEAT = "anchors to proposals", "foreground and background ROIs", "RPN scores (heat map)"
RECALL_COUNTS = (50, 300, 2000)
MOST = 2000  # proposals: what the reference keeps in training; to look for more would make the sliders slow
COVERED = 0.5  # the IoU from which a proposal counts as covering an object


class ProposalTargetExplorer(Explorer):
    """The proposal layer and the proposal target layer on the RPN's outputs for one photo.

    image: (3, H, W) in [0, 1], the photo that was traced. trace: of that photo alone; without ground truth every ROI is
    background. config: where the sliders start, the classes' names and all that has no slider. Boxes count the scaled
    pixels of the trace.
    """

    fields: ClassVar = {
        "train_pre_nms_top_n": "pre_nms",
        "foreground_threshold": "fg_thresh",
        "background_high": "bg_hi",
        "background_low": "bg_lo",
        "batch_size": "batch",
        "foreground_fraction": "fraction",
    }

    def __init__(self, image: Tensor, trace: Trace, config: Config | None = None, stride: int = 16):
        if len(trace.preprocessed.images) != 1:
            raise ConfigError(f"a trace of {len(trace.preprocessed.images)} images: trace one photo at a time")
        trace, self.config = to_cpu(trace, single=True), config or Config()
        self.trace, self.stride, self.names = trace, stride, self.config.classes
        self.truth = trace.ground_truth or GroundTruth(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.long))
        self.objects = self.truth.boxes[self.truth.valid]  # (G, 4)
        self.heat = best_of_cells(trace.rpn.foreground[0], trace.features.shape[-2:])  # (rows, columns)
        self.ranked = functools.lru_cache(maxsize=4)(self._ranked)  # NMS takes a while, and most sliders leave it alone
        size = tuple(trace.preprocessed.sizes[0].tolist())
        super().__init__(_controls(self.config), Canvas(image, size=size))

    def draw(self) -> str:
        """Draw what `view` asks for; count boxes, objects covered, and the sample."""
        ranked = self.ranked(self.pre_nms.value, self.nms.value)
        proposals = Proposals(*(field[:, : self.post_nms.value] for field in ranked))
        targets = self._targets(proposals)
        layers, view = {HEAT: self._heat, MOVES: self._moves, ROIS: self._rois}[self.view.value](proposals, targets)
        names = [self.names[label - 1] for label in self.truth.labels[self.truth.valid].tolist()]
        truth = Boxes(self.objects, roles.GROUND_TRUTH, labels=names)
        self.canvas.draw([*layers, truth])
        return f"{view} {self._funnel(ranked, proposals)} {_sample(targets)}"

    def _ranked(self, pre_nms: int, threshold: float) -> Proposals:
        """What NMS leaves, at most MOST, best first; keeping fewer of them is a matter of cutting the list."""
        limits = {"test_pre_nms_top_n": pre_nms, "test_post_nms_top_n": MOST, "nms_threshold": threshold}
        trace, config = self.trace, replace(self.config.proposals, **limits)
        return proposal_layer(trace.rpn, trace.anchors, trace.available, trace.preprocessed.sizes, config, False)

    def _targets(self, proposals: Proposals) -> ProposalTargets:
        config = self.adjusted(self.config.proposal_targets)
        Config(proposal_targets=config)  # raises ConfigError where the thresholds contradict each other
        if config.append_ground_truth:
            proposals = append_ground_truth(proposals, self.truth)
        generator = torch.Generator().manual_seed(self.seed.value)
        return proposal_target_layer(proposals, self.truth, config, generator)

    # ---- views: layers, and what they show in words

    def _heat(self, proposals: Proposals, _targets: ProposalTargets) -> tuple[list[Layer], str]:
        rows, columns = self.heat.shape
        centers, _ = centers_and_sizes(self.trace.anchors)  # (N, 2)
        left, top = (centers[0] - self.stride / 2).tolist()
        extent = (left, top, left + columns * self.stride, top + rows * self.stride)
        source = centers[proposals.anchor_indices[0]].unique(dim=0)  # (M, 2) the nine or so of a cell share a center
        layers = [
            Heatmap(self.heat, low=0.0, high=1.0, extent=extent, opacity=0.65, name="best foreground probability"),
            Points(source, roles.PLAIN, shape="ring", radius=3, name="cell that a proposal came from"),
        ]
        high = int((self.heat >= 0.5).sum())
        cells = f"{high:,} of {rows} × {columns} cells hold an anchor with foreground probability 0.5 or more"
        return layers, f"{cells}; the proposals come from {len(source):,} cells."

    def _moves(self, proposals: Proposals, _targets: ProposalTargets) -> tuple[list[Layer], str]:
        boxes = proposals.boxes[0, : self.shown.value]  # (K, 4)
        anchors = self.trace.anchors[proposals.anchor_indices[0, : len(boxes)]]  # (K, 4)
        (start, before), (end, after) = centers_and_sizes(anchors), centers_and_sizes(boxes)  # (K, 2) each
        rows = zip(proposals.scores[0].tolist(), before.tolist(), after.tolist(), strict=False)
        hover = [
            f"proposal {i}: foreground probability {score:.3f}, {w:.0f}×{h:.0f} became {u:.0f}×{v:.0f}"
            for i, (score, (w, h), (u, v)) in enumerate(rows, start=1)
        ]
        moves = torch.stack([start, end], dim=1)  # (K, 2, 2)
        layers = [
            Boxes(anchors, roles.ANCHOR, width=2, name="anchor, before", hover=hover),
            Boxes(boxes, roles.PROPOSAL, width=3, name="proposal, after", hover=hover),
            Lines(moves, roles.CHOSEN._replace(dash="dotted"), arrow=True, name="how the center moves"),
        ]
        return layers, f"Drawn: the best {len(boxes)} proposals and the anchors they started as."

    def _rois(self, _proposals: Proposals, targets: ProposalTargets) -> tuple[list[Layer], str]:
        places = first_draws(targets.roi_indices[0])  # (K,) a box drawn twice would only look thicker
        foreground = targets.labels[0, places] > 0  # (K,)
        below = self._roi_layer(targets, places[~foreground], roles.BACKGROUND)
        above = self._roi_layer(targets, places[foreground], roles.FOREGROUND)
        return [below, above], f"Drawn: {len(above.boxes)} foreground and {len(below.boxes)} background ROIs."

    def _roi_layer(self, targets: ProposalTargets, places: Tensor, role: Role) -> Boxes:
        """The first few of the ROIs at these places (M,) of the sample."""
        places = places[: self.shown.value]
        hover = [self._hover(targets, place) for place in places.tolist()]
        return Boxes(targets.rois[0, places], role, width=2, name=f"{role.name} ROI", hover=hover)

    def _hover(self, targets: ProposalTargets, place: int) -> str:
        label, overlap = int(targets.labels[0, place]), float(targets.max_overlaps[0, place])
        if label:
            wanted = ", ".join(f"{value:.2f}" for value in targets.coefficients[0, place].tolist())
            return f"{self.names[label - 1]}: IoU {overlap:.3f}, normalized targets {wanted}"
        times = int((targets.roi_indices[0] == targets.roi_indices[0, place]).sum())
        return f"background: IoU {overlap:.3f}, drawn {times} time{'s' if times > 1 else ''}"

    def _funnel(self, ranked: Proposals, proposals: Proposals) -> str:
        """How many boxes are left after each step, and how many objects they cover."""
        anchors, boxes, left = len(self.trace.anchors), proposals.boxes[0], ranked.boxes.shape[1]  # boxes: (R, 4)
        text = f"{anchors:,} anchors, {min(self.pre_nms.value, anchors):,} best by score, "
        text += f"{left:,}{' or more' * (left == MOST)} after NMS, {len(boxes):,} proposals kept. "
        if not len(self.objects):
            return text + "No objects: nothing to cover, and nothing to be foreground."
        hits = box_iou(self.objects, boxes) >= COVERED  # (G, R)
        counts = sorted({min(count, len(boxes)) for count in RECALL_COUNTS})
        covered = [f"{int(hits[:, :count].any(dim=1).sum())} by the best {count:,}" for count in counts]
        return text + f"Of {len(self.objects)} objects, covered with IoU {COVERED:.2f} or more: {', '.join(covered)}."


def _controls(config: Config) -> dict:
    """Sliders that start at the config's values, in the order of the data."""
    (pre_nms, post_nms), targets = config.proposals.top_n(training=True), config.proposal_targets
    return {
        "view": choice("View", (MOVES, ROIS, HEAT), MOVES),
        "pre_nms": integer("Boxes before NMS", pre_nms, 100, 12_000, 100),
        "nms": number("NMS IoU", config.proposals.nms_threshold, 0.3, 0.95, 0.05),
        "post_nms": integer("Boxes after NMS", post_nms, 10, MOST, 10),
        "fg_thresh": number("Foreground from IoU", targets.foreground_threshold, 0.3, 0.9, 0.05),
        "bg_hi": number("Background below IoU", targets.background_high, 0.1, 0.7, 0.05),
        "bg_lo": number("Background from IoU", targets.background_low, 0.0, 0.5, 0.05),
        "batch": integer("Sampled ROIs", targets.batch_size, 8, 512, 8),
        "fraction": number("Foreground share", targets.foreground_fraction, 0.0, 1.0, 0.05),
        "seed": integer("Random draw", 0, 0, 20),
        "shown": integer("Boxes drawn, each kind", 10, 1, 300),
    }


def first_draws(indices: Tensor) -> Tensor:
    """Where in a sample (S,) an index occurs for the first time: (K,), ascending."""
    again = (indices[:, None] == indices).tril(-1).any(dim=1)  # (S,) an earlier place holds the same
    return torch.nonzero(~again).flatten()


def _sample(targets: ProposalTargets) -> str:
    """What kinds the proposals are of, and how the sample is made up."""
    kinds, labels = targets.assignment, targets.labels[0]  # (S,)
    foreground, background = int(kinds.foreground.sum()), int(kinds.background.sum())
    neither = kinds.foreground.shape[1] - int((kinds.foreground | kinds.background).sum())
    text = f"Kinds: {foreground:,} foreground, {background:,} background, {neither:,} neither. "
    sampled, empty = int((labels > 0).sum()), int((labels == 0).sum())
    text += f"Sample: {sampled} foreground + {empty} background = {len(labels)} ROIs"
    repeated = len(labels) - len(first_draws(targets.roi_indices[0]))
    return text + (f", {repeated} of them repeated." if repeated else ", all different.")
