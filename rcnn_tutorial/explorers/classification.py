"""Explorer of the seventh notebook: one ROI, the box that each class makes of it, and what it adds to the loss."""

import dataclasses

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou, encode
from rcnn_tutorial.config import Config, ProposalTargetConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, number
from rcnn_tutorial.model import Trace
from rcnn_tutorial.scene import Boxes, Layer, Points
from rcnn_tutorial.stages.classification import RoiOutputs, classification_loss
from rcnn_tutorial.stages.inference import class_boxes
from rcnn_tutorial.stages.proposal_target import ProposalTargets, assign_rois, normalize_coefficients

LIKELIEST = "the likeliest class"
_BARS, _BAR, _LONGEST = 8, 40, 300  # how many bars; height of one and length of a certain one, in pixels of the picture


class ClassificationExplorer(Explorer):
    """One proposal in red, the chosen class's box in blue, the other classes' in white; beside it the probabilities.

    image: (3, H, W) in [0, 1]. trace: of this image alone, in eval mode; with targets it shows the loss too.
    Proposals are numbered by how certain their likeliest object class is, 0 first.
    """

    def __init__(self, image: Tensor, trace: Trace, config: Config):
        trace = to_cpu(trace, single=True)
        self.trace, self.config, self.classes = trace, config, ("background", *config.classes)
        valid = trace.proposals.valid[0]  # (R,)
        certainty = trace.proposed.probabilities[0, :, 1:].amax(dim=1).masked_fill(~valid, -1.0)  # (R,)
        self.order = certainty.argsort(descending=True, stable=True)[: int(valid.sum())]  # (R,)
        self._assign()
        std = config.proposal_targets.target_stds[0]
        controls = {
            "roi": integer("ROI", 0, 0, max(len(self.order) - 1, 1)),
            "class_name": choice("Class in blue", (LIKELIEST, *config.classes), LIKELIEST),
            "target_std": number("Target std of centers", std, 0.02, 0.5, 0.01),
            "box_weight": number("Box-loss weight", config.classification.box_loss_weight, 0.0, 10.0, 0.25),
        }
        count = min(_BARS, len(self.classes))
        bars = Canvas(size=(_BAR * count + 10, _LONGEST + 220), title=f"The {count} likeliest classes")
        canvases = [Canvas(image, title="Boxes"), bars]
        super().__init__(controls, canvases)

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

    def draw(self) -> str:
        """Draw the ROI, its boxes and the likeliest classes; say what it adds to the loss."""
        if len(self.order) == 0:
            raise ConfigError("the RPN proposes no region on this image; take another one")
        row = int(self.order[min(self.roi.value, len(self.order) - 1)])
        outputs = one_roi(self.trace.proposed, row)
        probabilities = outputs.probabilities[0, 0]  # (C + 1,)
        chosen = self._chosen(probabilities)
        normalization = self._normalization()
        boxes = class_boxes(outputs, self.trace.preprocessed, normalization)[0, 0]  # (C + 1, 4)
        roi = outputs.rois[0] / self.trace.preprocessed.scales[0]  # (1, 4)
        self.canvases[0].draw(self._box_layers(roi, boxes, chosen))
        self.canvases[1].draw(_bars(probabilities, chosen, self.classes))
        loss = self._loss_in_words(outputs, row, boxes[chosen], roi)
        return self._scores_in_words(probabilities, chosen) + self._warning() + loss

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
            Boxes(boxes[others], roles.OTHER, width=1.5, hover=names),
            Boxes(roi, roles.ROI),
            Boxes(boxes[[chosen]], roles.CHOSEN, width=5, labels=label, hover=label),
            Boxes(self.objects, roles.GROUND_TRUTH, width=2),  # on top: a good box hides its object
        ]

    def _scores_in_words(self, probabilities: Tensor, chosen: int) -> str:
        rank = int((probabilities > probabilities[chosen]).sum()) + 1
        text = f"ROI {self.roi.value}: {self.classes[chosen]} with probability {float(probabilities[chosen]):.3f} "
        return text + f"(rank {rank} of {len(self.classes)}; background {float(probabilities[0]):.3f}). "

    def _warning(self) -> str:
        """What a standard deviation other than the trained one does to the boxes."""
        trained = self.config.proposal_targets.target_stds[0]
        if abs(self._factor() - 1) < 1e-6:
            return ""
        return f"The network was trained with std {trained:g}: its boxes now move {self._factor():.2f} times as far. "

    def _loss_in_words(self, outputs: RoiOutputs, row: int, box: Tensor, roi: Tensor) -> str:
        """The ROI's own share of the two losses, were it among those sampled, always in units of the trained std."""
        if self.labels is None:
            return "Without targets there is no loss."
        label, target = self.labels[row], encode(self.matched[row], outputs.rois[0, 0])  # (), (4,)
        target = normalize_coefficients(target, self.config.proposal_targets)
        targets = ProposalTargets(outputs.rois, label.view(1, 1), target.view(1, 1, 4), None, None, None)
        moved = outputs._replace(coefficients=outputs.coefficients * self._factor())
        loss = classification_loss(moved, targets, self.config.classification.sigma)
        entropy, distance, weight = float(loss.class_loss), float(loss.box_loss), self.box_weight.value
        shown = round(entropy, 3) + weight * round(distance, 3)  # the sum of what is printed, to the last digit
        total = f"total {entropy:.3f} + {weight:.2f} × {distance:.3f} = {shown:.3f}"
        if label == 0:
            return f"Its target is background: class loss {entropy:.3f}, and no box loss; {total}."
        overlaps = box_iou(torch.stack([roi[0], box]), self.matched[row, None] / self.trace.preprocessed.scales[0])
        before, after = overlaps.flatten().tolist()
        text = f"Its target is {self.classes[int(label)]}: class loss {entropy:.3f}, box loss {distance:.3f}; {total}. "
        return text + f"IoU with the object: {before:.2f} as a ROI, {after:.2f} as the blue box."


def one_roi(outputs: RoiOutputs, row: int) -> RoiOutputs:
    """What the classifier says of one ROI of the first image: S = 1."""
    rois, crops, *rest = outputs
    return RoiOutputs(rois[:1, [row]], crops[[row]], *(part[:1, [row]] for part in rest))


def _bars(probabilities: Tensor, chosen: int, classes: tuple[str, ...]) -> list[Layer]:
    """A horizontal bar for each of the likeliest classes, the chosen one always among them, named at its end."""
    rows = probabilities.topk(min(_BARS, len(classes))).indices  # (K,)
    if not bool((rows == chosen).any()):
        rows[-1] = chosen
    top = torch.arange(len(rows)) * float(_BAR) + 14  # (K,)
    right = 6 + probabilities[rows].detach() * _LONGEST  # (K,)
    bars = torch.stack([torch.full_like(top, 4.0), top, right, top + _BAR - 14], dim=1)  # (K, 4)
    ends = torch.stack([right, (bars[:, 1] + bars[:, 3]) / 2], dim=1)  # (K, 2)
    layers: list[Layer] = []
    for mine, role in ((rows != chosen, roles.OTHER), (rows == chosen, roles.CHOSEN)):
        texts = [f"{classes[c]} {float(probabilities[c]):.3f}" for c in rows[mine].tolist()]
        layers.append(Boxes(bars[mine], role, width=1.5, fill=0.6, name=""))
        layers.append(Points(ends[mine], role, radius=1, labels=texts, name=""))
    return layers
