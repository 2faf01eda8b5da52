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
from rcnn_tutorial.explorers.bars import SIZE, TOP, Bar, bars, level, mark
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.figures.proposal_target import gray
from rcnn_tutorial.figures.rpn_loss import best_of_cells
from rcnn_tutorial.model import Trace
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Lines, Points, heat_colors
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.proposal import Proposals, proposal_layer
from rcnn_tutorial.stages.proposal_target import ProposalTargets, append_ground_truth, proposal_target_layer

MOVES, ROIS, HEAT = "proposals", "sampled ROIs", "scores"
MOST = 2000  # proposals: what the reference keeps in training; to look for more would make the sliders slow
COVERED = 0.5  # the IoU from which a proposal counts as covering an object
BINS = 10  # of the ROIs' IoU with their object
THRESHOLDS = ("fg_thresh", "bg_hi", "bg_lo")  # controls that may contradict each other
MOST_BARS = 16  # objects; more bars could not be told apart
PRESETS = {
    "300 boxes": {"post_nms": 300},
    "NMS 0.30": {"post_nms": 300, "nms": 0.3},
    "NMS 0.95": {"post_nms": 300, "nms": 0.95},
    "FG ≥ 0.90": {"view": ROIS, "fg_thresh": 0.9},
    "BG ≥ 0": {"view": ROIS, "bg_lo": 0.0},
    "BG ≥ 0.30": {"view": ROIS, "bg_lo": 0.3},
    "Scores": {"view": HEAT, "post_nms": 300},
}


class ProposalTargetExplorer(Explorer):
    """The proposal layer and the proposal target layer on the RPN's outputs for one photo; bars beside it.

    image: (3, H, W) in [0, 1], the photo that was traced. trace: of that photo alone; without ground truth every ROI is
    background. config: where the sliders start, the classes' names and all that has no slider. Boxes count the scaled
    pixels of the trace.
    """

    fields: ClassVar = {
        "foreground_threshold": "fg_thresh",
        "background_high": "bg_hi",
        "background_low": "bg_lo",
        "foreground_fraction": "fraction",
    }

    def __init__(self, image: Tensor, trace: Trace, config: Config | None = None, stride: int = 16):
        if len(trace.preprocessed.images) != 1:
            raise ConfigError(f"a trace of {len(trace.preprocessed.images)} images: trace one photo at a time")
        trace, self.config = to_cpu(trace, single=True), config or Config()
        self.trace, self.stride, self.names = trace, stride, self.config.classes
        self.truth = trace.ground_truth or GroundTruth(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.long))
        self.objects = self.truth.boxes[self.truth.valid]  # (G, 4)
        self.called = [self.names[label - 1] for label in self.truth.labels[self.truth.valid].tolist()]
        self.heat = best_of_cells(trace.rpn.foreground[0], trace.features.shape[-2:])  # (rows, columns)
        self.ranked = functools.lru_cache(maxsize=4)(self._ranked)  # NMS takes a while, and most sliders leave it alone
        size = tuple(trace.preprocessed.sizes[0].tolist())
        pictures = [
            Canvas(gray(image), size=size, width=640, title="Boxes"),
            Canvas(size=SIZE, width=360, title="Bars"),
        ]
        pictures[1].add_class("rcnn-aside")
        super().__init__(_controls(self.config), pictures, PRESETS)

    def tensors(self) -> dict:
        """What the twin draws from: anchors and RPN's outputs, of which it makes the proposals, and the objects."""
        trace, truth = self.trace, self.truth
        rpn = {"foreground": trace.rpn.foreground[0], "coefficients": trace.rpn.coefficients[0]}  # (N,), (N, 4)
        grid = {"anchors": trace.anchors, "available": trace.available[0]}  # (N, 4), (N,)
        sizes = {"grid": self.heat.shape, "stride": self.stride, "size": trace.preprocessed.sizes[0]}
        config = {part: to_dict(getattr(self.config, part)) for part in ("proposals", "proposal_targets")}
        words = {"classes": self.names, "labels": {name: self.controls[name].description for name in THRESHOLDS}}
        objects = {"truth": {"boxes": truth.boxes[0], "labels": truth.labels[0]}}
        return rpn | grid | {"viridis": heat_colors()} | sizes | config | words | objects

    def draw(self) -> str:
        """Draw what `view` asks for, tick the objects that are covered, and say how many boxes there are."""
        ranked = self.ranked(self.nms.value)
        proposals = Proposals(*(field[:, : self.post_nms.value] for field in ranked))
        if self.view.value == ROIS:
            return self._rois(self._targets(proposals))
        self.rest(**dict.fromkeys(("fg_thresh", "bg_lo", "bg_hi", "fraction", "seed"), "this view shows no ROIs"))
        reached = box_iou(self.objects, proposals.boxes[0])  # (G, R)
        best = reached.amax(dim=1) if reached.numel() else torch.zeros(len(self.objects))  # (G,)
        self._bar_objects(best)
        layers, sentence = (self._heat if self.view.value == HEAT else self._moves)(proposals, ranked)
        self.canvas.draw([*layers, *self._ticked(best >= COVERED, "covered", "missed")])
        if not len(self.objects):
            return f"{sentence} No objects: nothing to cover."
        covered = f"{int((best >= COVERED).sum())} of {len(self.objects)} objects (IoU {COVERED:.2f} or more)"
        return f"{len(proposals.boxes[0]):,} proposals cover {covered}. {sentence}"

    def _ranked(self, threshold: float) -> Proposals:
        """What NMS leaves, at most MOST, best first; keeping fewer of them is a matter of cutting the list."""
        trace = self.trace
        config = replace(self.config.proposals, train_post_nms_top_n=MOST, nms_threshold=threshold)
        return proposal_layer(trace.rpn, trace.anchors, trace.available, trace.preprocessed.sizes, config, True)

    def _targets(self, proposals: Proposals) -> ProposalTargets:
        config = self.adjusted(self.config.proposal_targets)
        Config(proposal_targets=config)  # raises ConfigError where the thresholds contradict each other
        if config.append_ground_truth:
            proposals = append_ground_truth(proposals, self.truth)
        generator = torch.Generator().manual_seed(self.seed.value)
        return proposal_target_layer(proposals, self.truth, config, generator)

    def _ticked(self, yes: Tensor, what: str, what_not: str) -> list[Layer]:
        """The objects, ticked where yes (G,), and crossed where not."""
        layers = []
        for mine, sign, words, dash in ((~yes, "✗", what_not, "dotted"), (yes, "✓", what, roles.GROUND_TRUTH.dash)):
            labels = [f"{sign} {name}" for name, it in zip(self.called, mine.tolist(), strict=True) if it]
            role = roles.GROUND_TRUTH._replace(dash=dash)
            layers.append(Boxes(self.objects[mine], role, labels=labels, name=f"object, {words}"))
        return layers

    # ---- bars

    def _bar_objects(self, best: Tensor) -> None:
        """How well the best proposal fits each object: best (G,)."""
        rows = [
            Bar(f"{'✓' if fit >= COVERED else '✗'} {name} {fit:.2f}", fit, roles.GROUND_TRUTH, hollow=fit < COVERED)
            for name, fit in zip(self.called, best.tolist(), strict=True)
        ][:MOST_BARS]
        height = min(76.0, (SIZE[0] - 40.0) / max(len(rows), 1))
        self.canvases[1].title = "Best IoU"
        self.canvases[1].draw([*bars(rows, height), *mark(COVERED, f"{COVERED:.2f}")], size=SIZE)

    def _bar_rois(self, targets: ProposalTargets) -> None:
        """How many of the sampled ROIs have which IoU with their object, the highest on top."""
        foreground, bins = targets.labels[0] > 0, (targets.max_overlaps[0] * BINS).long().clamp(max=BINS - 1)  # (S,)
        counts = torch.stack([bins[mine].bincount(minlength=BINS) for mine in (foreground, ~foreground)])  # (2, BINS)
        longest, rows = int(counts.sum(dim=0).max()), []
        for place in reversed(range(BINS)):
            some = {name: n for name, n in zip(("FG", "BG"), counts[:, place].tolist(), strict=True) if n}
            text = " + ".join(f"{n} {name}" if len(some) > 1 else f"{n}" for name, n in some.items())
            role = roles.BACKGROUND if counts[1, place] > counts[0, place] else roles.FOREGROUND
            rows.append(Bar(text, sum(some.values()) / longest, role))
        height = (SIZE[0] - 2 * TOP) / BINS
        thresholds = dict.fromkeys(self.controls[name].value for name in THRESHOLDS)  # each once
        levels = [level(TOP + (1 - at) * BINS * height - height / 8, f"IoU {at:.2f}") for at in thresholds if at]
        self.canvases[1].title = "ROIs by IoU"
        self.canvases[1].draw([*sum(levels, []), *bars(rows, height)], size=SIZE)

    # ---- views: layers, and what they show in words

    def _heat(self, proposals: Proposals, _ranked: Proposals) -> tuple[list[Layer], str]:
        rows, columns = self.heat.shape
        centers, _ = centers_and_sizes(self.trace.anchors)  # (N, 2)
        left, top = (centers[0] - self.stride / 2).tolist()
        extent = (left, top, left + columns * self.stride, top + rows * self.stride)
        source = centers[proposals.anchor_indices[0]].unique(dim=0)  # (M, 2) the nine or so of a cell share a center
        layers = [
            Heatmap(self.heat, low=0.0, high=1.0, extent=extent, opacity=0.65, name="best foreground probability"),
            Points(source, roles.PLAIN, shape="ring", radius=3, name="cell of a proposal"),
        ]
        self.rest(shown="this view shows cells")
        return layers, f"They come from {len(source):,} of {rows} × {columns} cells."

    def _moves(self, proposals: Proposals, ranked: Proposals) -> tuple[list[Layer], str]:
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
            Boxes(anchors, roles.ANCHOR, width=2, name="anchor", hover=hover),
            Boxes(boxes, roles.PROPOSAL, width=3, name="proposal", hover=hover),
            Lines(moves, roles.CHOSEN._replace(dash="dotted"), arrow=True, name="center moves"),
        ]
        return layers, f"NMS left {ranked.boxes.shape[1]:,} boxes; the best {len(boxes)} are drawn."

    def _rois(self, targets: ProposalTargets) -> str:
        """Draw a few of the sample, tick the objects that it practices on, and count."""
        labels, kinds = targets.labels[0], targets.assignment  # labels: (S,)
        places = first_draws(targets.roi_indices[0])  # (K,) a box drawn twice would only look thicker
        foreground = labels[places] > 0  # (K,)
        below = self._roi_layer(targets, places[~foreground], roles.BACKGROUND)
        above = self._roi_layer(targets, places[foreground], roles.FOREGROUND)
        practiced = torch.zeros(self.truth.labels.shape[1], dtype=torch.bool)
        practiced[kinds.object_indices[0, targets.roi_indices[0, labels > 0]]] = True
        ticked = self._ticked(practiced[self.truth.valid[0]], "with foreground", "without")
        self.canvas.draw([below, above, *ticked])
        self._bar_rois(targets)
        sampled, repeated = int((labels > 0).sum()), len(labels) - len(places)
        text = f"{len(labels)} ROIs: {sampled} foreground and {len(labels) - sampled} background"
        text += f", {repeated} of them repeated. " if repeated else ". "
        counts = int(kinds.foreground.sum()), int(kinds.background.sum())
        neither = kinds.foreground.shape[1] - int((kinds.foreground | kinds.background).sum())
        text += (
            f"Among {kinds.foreground.shape[1]:,} proposals {counts[0]:,} are foreground, {counts[1]:,} background, "
        )
        return text + f"{neither:,} neither."

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


def _controls(config: Config) -> dict:
    """Sliders that start at the config's values."""
    (_, post_nms), targets = config.proposals.top_n(training=True), config.proposal_targets
    return {
        "view": choice("View", (MOVES, ROIS, HEAT), MOVES),
        "nms": number("NMS IoU", config.proposals.nms_threshold, 0.3, 0.95, 0.05),
        "post_nms": integer("Boxes after NMS", post_nms, 10, MOST, 10),
        "fg_thresh": number("Foreground from IoU", targets.foreground_threshold, 0.3, 0.9, 0.05),
        "bg_lo": number("Background from IoU", targets.background_low, 0.0, 0.5, 0.05),
        "bg_hi": number("Background below IoU", targets.background_high, 0.1, 0.7, 0.05),
        "fraction": number("Foreground share", targets.foreground_fraction, 0.0, 1.0, 0.05),
        "seed": integer("Random draw", 0, 0, 20),
        "shown": integer("Boxes drawn, each kind", 6, 1, 100),
    }


def first_draws(indices: Tensor) -> Tensor:
    """Where in a sample (S,) an index occurs for the first time: (K,), ascending."""
    again = (indices[:, None] == indices).tril(-1).any(dim=1)  # (S,) an earlier place holds the same
    return torch.nonzero(~again).flatten()
