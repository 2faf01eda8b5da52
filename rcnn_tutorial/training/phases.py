"""Which network a training moves, when, and by which losses: all at once, or the paper's four steps in turn."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rcnn_tutorial.model import FasterRCNN

RPN_LOSSES = ("rpn_cross_entropy", "rpn_loss_box")
DETECTOR_LOSSES = ("cross_entropy", "loss_box")


@dataclass(frozen=True)
class Phase:
    """A stretch of training: which network, which of its losses, what stays fixed, and whose proposals."""

    name: str
    start: int  # steps done before it
    end: int  # steps done after it
    model: FasterRCNN
    losses: tuple[str, ...] = RPN_LOSSES + DETECTOR_LOSSES
    fixed: tuple[str, ...] = ()  # submodules that are not trained
    proposer: FasterRCNN | None = None  # whose proposals the detector sees; None: the model's own
    inherit_rpn: FasterRCNN | None = None  # whose RPN the model starts the phase with; None: its own


def joint_phases(model: FasterRCNN, steps: int) -> list[Phase]:
    """Approximate joint training: one phase, all four losses, every module. What the reference code does."""
    return [Phase("joint", 0, steps, model)]


def alternating_phases(model: FasterRCNN, steps: int) -> list[Phase]:
    """The paper's 4-step alternating training (section 3.2), a quarter of the steps each.

    Two networks start from the same pretrained head and part ways. From the third phase on there is only one: the
    RPN is tuned to the head that the detector has learned, then the detector to the proposals of that RPN.
    """
    first = copy.deepcopy(model)
    a, b, c, d, e = (round(steps * quarter / 4) for quarter in range(5))
    output = ("tail", "classification")  # what the detector has of its own, after the head
    return [
        Phase("1: RPN", a, b, first, RPN_LOSSES, fixed=output),
        Phase("2: detector", b, c, model, DETECTOR_LOSSES, fixed=("rpn",), proposer=first),
        Phase("3: RPN on fixed head", c, d, model, RPN_LOSSES, fixed=("head", *output), inherit_rpn=first),
        Phase("4: detector on fixed head", d, e, model, DETECTOR_LOSSES, fixed=("head", "rpn")),
    ]


class PhaseLosses(nn.Module):
    """The losses that a phase minimizes; a module, because that is what DistributedDataParallel takes."""

    def __init__(self, phase: Phase, amp: bool):
        super().__init__()
        self.phase, self.amp = phase, amp
        self.model = phase.model  # registered here, because its gradients are to be averaged

    def forward(self, images: list, targets: list, generators: Sequence[torch.Generator]) -> dict[str, Tensor]:
        """{name: scalar tensor, float32} for a batch. generators: one per image."""
        model, proposer = self.phase.model, self.phase.proposer
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.amp):
            if proposer is None:
                losses = model(images, targets, generators)
            else:
                with torch.no_grad():
                    proposals = proposer.trace(images).proposals
                losses = model.trace(images, targets, generators, proposals=proposals).losses
        return {name: losses[name].float() for name in self.phase.losses}


def set_modes(phase: Phase) -> None:
    """Training mode, but for what is fixed: batch norm would go on adapting its statistics there.

    Done in every step, because between two reports the caller may have looked at the model's detections.
    """
    phase.model.train()
    for name in phase.fixed:
        getattr(phase.model, name).eval()
    if phase.proposer is not None:
        phase.proposer.train()  # as many proposals as training uses ...
        for module in phase.proposer.children():
            module.eval()  # ... from layers that stay as they are


@contextlib.contextmanager
def fixed_parameters(phase: Phase) -> Iterator[None]:
    """Within the context the phase's fixed modules take no gradient; what was frozen before stays so after it."""
    fixed = [p for name in phase.fixed for p in getattr(phase.model, name).parameters() if p.requires_grad]
    for parameter in fixed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in fixed:
            parameter.requires_grad_(True)
