"""Explorer of the seventh notebook: one ROI, the box that each class makes of it, and what it adds to the loss."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou, clip, decode, encode
from rcnn_tutorial.config import Config, ProposalTargetConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.bars import SIZE, TOP, Bar, bars, level
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, number
from rcnn_tutorial.explorers.own import Own
from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.model import Trace
from rcnn_tutorial.scene import Boxes, Layer
from rcnn_tutorial.stages.classification import RoiOutputs, classification_loss
from rcnn_tutorial.stages.inference import class_boxes
from rcnn_tutorial.stages.proposal_target import ProposalTargets, assign_rois, normalize_coefficients

LIKELIEST = "the likeliest class"
MOST_OF_A_CLASS = 12  # ROIs in the list
LEAST = 0.01  # a probability from which a class has a bar of its own
ROWS, LARGEST_LOSS = 9, 4.0  # of the bars: 5 for probabilities, 2 for losses, 2 for IoUs; the loss of a full bar


def class_box(rois: Tensor, coefficients: Tensor, labels: Tensor, stds: Tensor) -> Tensor:
    """The box (S, 4) that class labels[s] makes of each ROI, not clipped, in the pixels of the ROIs.

    rois: (S, 4). coefficients: (S, C + 1, 4), normalized. labels: (S,). stds: (4,).
    """
    return decode(coefficients[torch.arange(len(labels)), labels] * stds, rois)


class ClassificationExplorer(Explorer):
    """One proposal in orange, the chosen class's box in blue, the other classes' in white; beside it what it gives.

    image: (3, H, W) in [0, 1]. trace: of this image alone, in eval mode; with targets it shows the loss too.
    Proposals are listed by their likeliest class, the surest first. It starts where the box fits its object best.
    """

    replaceable: ClassVar = {"class_box": Own(class_box)}

    def __init__(self, image: Tensor, trace: Trace, config: Config):
        trace = to_cpu(trace, single=True)
        self.trace, self.config, self.classes = trace, config, ("background", *config.classes)
        self._assign()
        start = self._best_fit()
        self.names = self._listed(start)  # {row: its name in the list}
        std = config.proposal_targets.target_stds[0]
        controls = {
            "roi": choice("ROI", [(name, row) for row, name in self.names.items()], start),
            "class_name": choice("Class in blue", (LIKELIEST, *config.classes), LIKELIEST),
            "target_std": number("Target std of centers", std, 0.02, 0.5, 0.01),
            "box_weight": number("Box-loss weight", config.classification.box_loss_weight, 0.0, 10.0, 0.25),
        }
        canvases = [Canvas(image, width=640, title="Boxes"), Canvas(size=SIZE, width=360, title="Bars")]
        canvases[1].add_class("rcnn-aside")
        super().__init__(controls, canvases, self._presets(std))

    def _best_fit(self) -> int | None:
        """The proposal whose own class's box fits its object best; without objects the surest of an object."""
        valid = self.trace.proposals.valid[0]  # (R,)
        if not valid.any():
            return None
        value = self.trace.proposed.probabilities[0, :, 1:].amax(dim=1)  # (R,)
        if self.labels is not None and bool((self.labels[valid] > 0).any()):
            every = class_boxes(self.trace.proposed, self.trace.preprocessed, self.config.proposal_targets)[0]
            own = every[torch.arange(len(every)), self.labels]  # (R, 4) pixels of the photo
            objects = self.matched / self.trace.preprocessed.scales[0]
            value = pairwise_iou(own, objects).masked_fill(self.labels == 0, -1.0)
        return int(value.masked_fill(~valid, -2.0).argmax())

    def _listed(self, start: int | None) -> dict[int, str]:
        """The surest few proposals of each class, and `start`: the class that has the surest comes first."""
        surest, likeliest = self.trace.proposed.probabilities[0].max(dim=1)  # (R,) each
        surest = surest.masked_fill(~self.trace.proposals.valid[0], -1.0)
        groups: dict[int, list[int]] = {}
        for row in surest.argsort(descending=True, stable=True).tolist():
            group = groups.setdefault(int(likeliest[row]), [])
            if surest[row] >= 0 and (len(group) < MOST_OF_A_CLASS or row == start):
                group.append(row)
        groups[0] = groups.pop(0, [])  # background comes last
        names = {
            row: f"{self.classes[label]} {number} ({float(surest[row]):.2f})"
            for label, rows in groups.items()
            for number, row in enumerate(rows, start=1)
        }
        return names or {None: "none"}

    def _presets(self, std: float) -> dict[str, dict]:
        presets = {"Std doubled": {"target_std": min(2 * std, 0.5)}, "Std halved": {"target_std": max(std / 2, 0.02)}}
        if self.labels is not None:
            background = next((row for row in self.names if row is not None and self.labels[row] == 0), None)
            presets |= {"Background": {"roi": background}} if background is not None else {}
        return presets

    def _assign(self) -> None:
        """Every proposal's label and object, as the proposal target layer would give them: (R,) and (R, 4)."""
        truth, self.objects = self.trace.ground_truth, torch.zeros(0, 4)
        self.labels = self.matched = None
        if truth is not None:
            rois = self.trace.proposals.boxes
            assignment = assign_rois(rois, self.trace.proposals.valid, truth, self.config.proposal_targets)
            index = assignment.object_indices[0]  # (R,)
            self.labels = truth.labels[0, index] * assignment.foreground[0]  # (R,)
            self.matched = truth.boxes[0, index]  # (R, 4)
            self.objects = truth.boxes[0, truth.valid[0]] / self.trace.preprocessed.scales[0]  # (G, 4)

    def tensors(self) -> dict:
        """What the twin draws from: what the classifier says of every ROI, the objects, and what decodes the boxes."""
        said, photo, truth = self.trace.proposed, self.trace.preprocessed, self.trace.ground_truth
        outputs = {"rois": said.rois[0], "scores": said.scores[0], "coefficients": said.coefficients[0]}  # (R, ...)
        sizes = {"size": photo.original_sizes[0], "scale": float(photo.scales[0])}
        objects = truth and {"boxes": truth.boxes[0, truth.valid[0]], "labels": truth.labels[0, truth.valid[0]]}
        config = {name: to_dict(getattr(self.config, name)) for name in ("proposal_targets", "classification")}
        return outputs | sizes | config | {"truth": objects, "classes": self.classes}

    def draw(self) -> str:
        """Draw the ROI, its boxes and the likeliest classes; say what it adds to the loss."""
        row = self.roi.value
        if row is None:
            raise ConfigError("the RPN proposes no region on this image; take another one")
        outputs = one_roi(self.trace.proposed, row)
        probabilities = outputs.probabilities[0, 0]  # (C + 1,)
        chosen = self._chosen(probabilities)
        boxes = self._boxes(outputs)  # (C + 1, 4)
        roi = outputs.rois[0] / self.trace.preprocessed.scales[0]  # (1, 4)
        self.canvases[0].draw(self._box_layers(roi, boxes, chosen))
        rows = _probability_bars(probabilities, chosen, self.classes)
        text = f"Blue: {self.classes[chosen]}, probability {float(probabilities[chosen]):.3f}"
        if self.labels is None:
            self.rest(box_weight="without targets there is no loss")
            sentence = f"{text}. Without targets there is no loss."
        else:
            more, words = self._loss(outputs, row, boxes[chosen], roi)
            rows, sentence = rows + more, f"{text}; target {self.classes[int(self.labels[row])]}. {words}"
        self._draw_bars(rows)
        return sentence + self._warning()

    def _boxes(self, outputs: RoiOutputs) -> Tensor:
        """The ROI's box as every class would have it, in pixels of the photo: (C + 1, 4)."""
        config, photo = self._normalization(), self.trace.preprocessed
        if "class_box" not in self.own:
            return class_boxes(outputs, photo, config)[0, 0]
        labels = torch.arange(outputs.coefficients.shape[2])  # (C + 1,) as if it were a ROI for each class
        rois = outputs.rois[0].expand(len(labels), 4)
        coefficients = outputs.coefficients[0].expand(len(labels), -1, 4)
        boxes = self.own["class_box"](rois, coefficients, labels, torch.tensor(config.target_stds))
        return clip(boxes / photo.scales[0], photo.original_sizes[0])

    def _chosen(self, probabilities: Tensor) -> int:
        if self.class_name.value == LIKELIEST:
            return int(probabilities[1:].argmax()) + 1
        return self.classes.index(self.class_name.value)

    def _factor(self) -> float:
        """How many times as far as trained the slider moves the boxes; it gives the first standard deviation."""
        return self.target_std.value / self.config.proposal_targets.target_stds[0]

    def _normalization(self) -> ProposalTargetConfig:
        """The config with all four standard deviations scaled alike."""
        config = self.config.proposal_targets
        return dataclasses.replace(config, target_stds=tuple(std * self._factor() for std in config.target_stds))

    def _box_layers(self, roi: Tensor, boxes: Tensor, chosen: int) -> list[Layer]:
        others = [c for c in range(1, len(boxes)) if c != chosen]
        names = [self.classes[c] for c in others]
        label = [self.classes[chosen]]
        return [
            Boxes(boxes[others], roles.OTHER, width=1, opacity=0.5, hover=names),
            Boxes(roi, roles.ROI),
            Boxes(boxes[[chosen]], roles.CHOSEN, width=5, labels=label, hover=label),
            Boxes(self.objects, roles.GROUND_TRUTH, width=2),  # on top: a good box hides its object
        ]

    def _draw_bars(self, rows: list[Bar]) -> None:
        height = (SIZE[0] - 2 * TOP) / ROWS
        firsts = [i for i, bar in enumerate(rows) if bar.text.startswith(("class loss", "IoU of the ROI"))]
        lines = [level(TOP + i * height - 4) for i in firsts]
        self.canvases[1].title = "Scores" + ", loss, IoU" * (self.labels is not None)
        self.canvases[1].draw([*sum(lines, []), *bars(rows, height)], size=SIZE)

    def _warning(self) -> str:
        """What a standard deviation other than the trained one does to the boxes."""
        factor = self._factor()
        return "" if abs(factor - 1) < 1e-6 else f" Boxes move {factor:.2f} times as far."

    def _loss(self, outputs: RoiOutputs, row: int, box: Tensor, roi: Tensor) -> tuple[list[Bar], str]:
        """The ROI's own share of the two losses, were it among those sampled, always in units of the trained std."""
        label, target = self.labels[row], encode(self.matched[row], outputs.rois[0, 0])  # (), (4,)
        target = normalize_coefficients(target, self.config.proposal_targets)
        targets = ProposalTargets(outputs.rois, label.view(1, 1), target.view(1, 1, 4), None, None, None)
        moved = outputs._replace(coefficients=outputs.coefficients * self._factor())
        loss = classification_loss(moved, targets, self.config.classification.sigma)
        entropy, distance, weight = float(loss.class_loss), float(loss.box_loss), self.box_weight.value
        rows = [Bar(f"class loss {entropy:.3f}", entropy / LARGEST_LOSS, roles.PLAIN)]
        if label == 0:
            self.rest(box_weight="the target is background, so there is no box loss")
            return rows, f"Class loss {entropy:.3f}, no box loss."
        rows.append(Bar(f"box loss {weight * distance:.3f}", weight * distance / LARGEST_LOSS, roles.PLAIN))
        overlaps = box_iou(torch.stack([roi[0], box]), self.matched[row, None] / self.trace.preprocessed.scales[0])
        before, after = overlaps.flatten().tolist()
        rows += [
            Bar(f"IoU of the ROI {before:.2f}", before, roles.ROI),
            Bar(f"IoU of blue {after:.2f}", after, roles.CHOSEN),
        ]
        shown = round(entropy, 3) + weight * round(distance, 3)  # the sum of what is printed, to the last digit
        words = f"Loss {entropy:.3f} + {weight:.2f} × {distance:.3f} = {shown:.3f}. "
        return rows, f"{words}IoU {before:.2f} as ROI, {after:.2f} as blue box."


def one_roi(outputs: RoiOutputs, row: int) -> RoiOutputs:
    """What the classifier says of one ROI of the first image: S = 1."""
    rois, crops, *rest = outputs
    return RoiOutputs(rois[:1, [row]], crops[[row]], *(part[:1, [row]] for part in rest))


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of a[i] with b[i]: (N, 4) twice -> (N,)."""
    return box_iou(a, b).diagonal()


def _probability_bars(probabilities: Tensor, chosen: int, classes: tuple[str, ...]) -> list[Bar]:
    """A bar each for classes of at least LEAST, three at most, and the chosen one; one for all others."""
    rows = [c for c in probabilities.topk(min(3, len(classes))).indices.tolist() if probabilities[c] >= LEAST]
    rows += [chosen] * (chosen not in rows)
    found = []
    for c in rows:
        role = roles.CHOSEN if c == chosen else roles.OTHER
        found.append(Bar(f"{classes[c]} {float(probabilities[c]):.3f}", float(probabilities[c]), role))
    others = max(0.0, 1 - float(probabilities[rows].sum()))
    if len(rows) < len(classes):
        found.append(Bar(f"{len(classes) - len(rows)} others {others:.3f}", others, roles.OTHER))
    return found
