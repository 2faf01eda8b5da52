"""One training step of either side, with everything that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.training import build_optimizers, joint_phases, learning_rate, set_rate, train_step

Batch = tuple[list[Tensor], list[dict]]  # images and targets
Step = Callable[[list[Tensor], list[dict], int], object]  # images, targets, number of the step from 1 on


def our_step(model: FasterRCNN, training: TrainingConfig) -> Step:
    """A step of our training, with everything that `train` does in it."""
    model = model.train().to(memory_format=torch.channels_last)
    optimizers, [phase] = build_optimizers(model, training), joint_phases(model, training.steps)
    return lambda images, targets, number: train_step(phase, optimizers, images, targets, training, number)


def peer_step(peer: nn.Module, training: TrainingConfig, weights: Mapping[str, float] | None = None) -> Step:
    """The same step as torchvision's users write it, with the same optimizer and clipping.

    weights: of the losses, under torchvision's names; 1 for those that are not named.
    """
    optimizers = build_optimizers(peer.train(), training)

    def step(images: list[Tensor], targets: list[dict], number: int) -> None:
        set_rate(optimizers, learning_rate(training, number - 1, training.steps))
        peer.zero_grad()
        losses = peer(images, targets)
        sum(loss * (weights or {}).get(name, 1.0) for name, loss in losses.items()).backward()
        if training.clip_norm:
            nn.utils.clip_grad_norm_(peer.parameters(), training.clip_norm)
        for optimizer in optimizers:
            optimizer.step()

    return step
