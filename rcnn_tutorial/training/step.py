"""One step of training: forward, backward, update, and the report of what it did."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from rcnn_tutorial import distributed
from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.errors import TutorialError
from rcnn_tutorial.training.optimizers import NORMS, learning_rate, set_rate
from rcnn_tutorial.training.phases import Phase, PhaseLosses, set_modes
from rcnn_tutorial.training.reproducible import algorithms, image_generators, seeded_dropout


class StepReport(NamedTuple):
    """What one training step did."""

    step: int  # 1 for the first
    phase: str  # "joint", or the name of the step of alternating training
    losses: dict[str, float]  # the losses that were minimized, under the post's names
    total: float  # their sum
    learning_rate: float
    gradient_norm: float  # before clipping
    seconds: float  # loading of the data and validation included
    examples: int  # images in the step
    validation: float | None = None  # VOC07 mAP on the validation set, where one was measured


def train_step(
    phase: Phase,
    optimizers: Sequence[torch.optim.Optimizer],
    images: list[Tensor],
    targets: list[dict],
    training: TrainingConfig,
    step: int,
    parallel: DistributedDataParallel | None = None,
) -> StepReport:
    """Forward, backward and update: step `step` (1-based), on one batch.

    parallel: the phase's losses on all processes, where the images are this process's slice of the batch.
    Raises TutorialError, the model as it was before the step, when a loss or the gradient is not finite.
    """
    started = time.perf_counter()
    rate = learning_rate(training, step - 1 - phase.start, phase.end - phase.start)
    set_rate(optimizers, rate)
    set_modes(phase)
    statistics = NormStatistics(phase.model)
    for optimizer in optimizers:
        optimizer.zero_grad()
    losses, total = _backward(parallel or PhaseLosses(phase, training.amp), images, targets, training, step)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    parameters = [parameter for group in groups for parameter in group["params"] if parameter.grad is not None]
    norm = get_total_norm([parameter.grad for parameter in parameters])
    figures = _read({**losses, "total": total, "gradient norm": norm, **statistics.largest()})
    if not all(map(math.isfinite, figures.values())):
        statistics.restore()
        raise TutorialError(_not_finite(step, figures, targets))
    if training.clip_norm:
        clip_grads_with_norm_(parameters, training.clip_norm, norm)
    distributed.average(statistics.averages)
    for optimizer in optimizers:
        optimizer.step()
    values, examples = {name: figures[name] for name in losses}, len(images) * distributed.size()
    seconds = time.perf_counter() - started
    return StepReport(step, phase.name, values, figures["total"], rate, figures["gradient norm"], seconds, examples)


def _backward(losses_of: nn.Module, images: list, targets: list, training: TrainingConfig, step: int):
    """Forward and backward: {name: loss} and their sum."""
    device = next(losses_of.parameters()).device
    generators = image_generators(training.seed, step, len(images))
    with seeded_dropout(training.seed, step, device), algorithms(training.deterministic):
        losses = losses_of(images, targets, generators)
        total = torch.stack(list(losses.values())).sum()
        total.backward()
    return losses, total


def _read(figures: dict[str, Tensor]) -> dict[str, float]:
    """The figures of a step as numbers, averaged over the processes: every process has as many images as the others.

    One transfer for all of them: every read of a number from a GPU waits for it to finish its work.
    """
    measured = torch.stack(list(figures.values())).detach()
    distributed.average([measured])
    return dict(zip(figures, measured.tolist(), strict=True))


def _not_finite(step: int, figures: dict[str, float], targets: list[dict]) -> str:
    text = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if name != "total")
    names = distributed.gather([str(target["image_id"]) for target in targets])
    images = ", ".join(name for part in names for name in part)
    return (
        f"step {step}: a value is not finite ({text}) on images {images}; "
        "lower the learning rate or check the boxes of these images"
    )


class NormStatistics:
    """The running statistics that a forward pass in training mode changes, and what they were before it."""

    def __init__(self, model: nn.Module):
        norms = [module for module in model.modules() if isinstance(module, NORMS) and module.training]
        self.buffers = [buffer for norm in norms for buffer in norm.buffers()]
        self.before = [buffer.clone() for buffer in self.buffers]
        self.averages = [buffer for buffer in self.buffers if buffer.is_floating_point()]  # means and variances

    def largest(self) -> dict[str, Tensor]:
        """{name: largest absolute value}, a figure to look at: a variance may overflow before any loss does."""
        return {"largest statistic": get_total_norm(self.averages, math.inf)} if self.averages else {}

    def restore(self) -> None:
        """As they were."""
        for buffer, value in zip(self.buffers, self.before, strict=True):
            buffer.copy_(value)
