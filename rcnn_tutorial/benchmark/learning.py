"""How long each side trains, from random weights, until it finds the objects of gentle scenes: mAP50 of 0.90."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from rcnn_tutorial.benchmark.measure import Row
from rcnn_tutorial.benchmark.peer import build_peer
from rcnn_tutorial.config import TOY_TRAINING, Config, TrainingConfig, toy_config
from rcnn_tutorial.data import CachedDataset, training_loader
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.evaluation import voc_ap
from rcnn_tutorial.model import FasterRCNN, build_model
from rcnn_tutorial.training import build_optimizers, joint_phases, learning_rate, set_rate, train_step

GOAL = 0.9  # mAP50: area under the curve, IoU 0.5
SEEDS = (0, 1, 2)
CLASSES = ("circle", "square", "triangle", "cross")
LOOKS = 14  # a side is evaluated after every 14th part of its schedule, from the middle on; that is no training
LOSS_WEIGHTS = {"loss_classifier": 6.0, "loss_box_reg": 2.0}  # torchvision's names; see `learning_config`

MUON = replace(TOY_TRAINING, steps=340, batch_size=4, warmup=0.1)
ADAMW = replace(TOY_TRAINING, steps=900, batch_size=4, optimizer="adamw", learning_rate=6e-3)


def scenes(split: str, length: int) -> CachedDataset:
    """Scenes of four classes that stand upright, at most five objects each; drawn once, then kept."""
    return CachedDataset(ToyScenes(split, length, max_objects=5, classes=CLASSES, turn=0))


def learning_config() -> Config:
    """The toy detector for these scenes. Its anchors may leave the image, as torchvision's may; 48 ROIs an image."""
    config = toy_config(CLASSES)
    return replace(
        config,
        anchor_targets=replace(config.anchor_targets, border=1000.0),
        proposal_targets=replace(config.proposal_targets, batch_size=48),
        # What is where is soon learned; what it is takes most of the steps, so it gets most of the gradient.
        classification=replace(config.classification, class_loss_weight=6.0, box_loss_weight=2.0),
        inference=replace(config.inference, nms_threshold=0.45),
    )


class Learner:
    """One side while it trains: its steps so far, the seconds that they took, and the mAP50 it has reached."""

    def __init__(self, model: nn.Module, training: TrainingConfig, step: Callable, data, validation):
        self.model, self.training, self.take, self.validation = model, training, step, validation
        self.batches = iter(training_loader(data, training))
        self.steps, self.seconds, self.reached = 0, 0.0, 0.0

    @property
    def done(self) -> bool:
        """Whether it has reached the goal, or its schedule has ended."""
        return self.reached >= GOAL or self.steps + self.training.steps // LOOKS > self.training.steps

    def advance(self) -> None:
        """Train for one part of the schedule and, from its middle on, evaluate."""
        self.model.train()
        for images, targets in itertools.islice(self.batches, self.training.steps // LOOKS):
            started = time.perf_counter()
            self.take(self.steps, images, targets)
            self.seconds += time.perf_counter() - started
            self.steps += 1
        if 2 * self.steps >= self.training.steps:
            self.reached = mean_ap(self.model.eval(), self.validation)


def our_learner(training: TrainingConfig, data, validation) -> Learner:
    """This package with a recipe."""
    torch.manual_seed(training.seed)
    model = build_model(learning_config()).to(memory_format=torch.channels_last)
    optimizers, [phase] = build_optimizers(model, training), joint_phases(model, training.steps)

    def step(number: int, images: list, targets: list) -> None:
        train_step(phase, optimizers, images, targets, training, number + 1)

    return Learner(model, training, step, data, validation)


def peer_learner(training: TrainingConfig, data, validation) -> Learner:
    """torchvision's detector with a recipe, from the same random weights."""
    torch.manual_seed(training.seed)
    peer = build_peer(build_model(learning_config()))
    optimizers = build_optimizers(peer, training)

    def step(number: int, images: list, targets: list) -> None:
        set_rate(optimizers, learning_rate(training, number, training.steps))
        peer.zero_grad()
        losses = peer(images, targets)
        sum(loss * LOSS_WEIGHTS.get(name, 1.0) for name, loss in losses.items()).backward()
        nn.utils.clip_grad_norm_(peer.parameters(), training.clip_norm)
        for optimizer in optimizers:
            optimizer.step()

    return Learner(peer, training, step, data, validation)


@torch.no_grad()
def mean_ap(model: FasterRCNN | nn.Module, validation) -> float:
    """mAP50 of either side on all images of a data set."""
    images, targets = zip(*(validation[i] for i in range(len(validation))), strict=True)
    found = []
    for start in range(0, len(images), 20):
        found += model(list(images[start : start + 20]))
    return voc_ap(found, targets, CLASSES, "voc").mean


def race(learners: dict[str, Learner]) -> dict[str, float]:
    """Seconds of training until each reaches the goal, all of them in turn; infinite for one that does not."""
    while not all(learner.done for learner in learners.values()):
        for learner in learners.values():
            if not learner.done:
                learner.advance()
    return {name: one.seconds if one.reached >= GOAL else math.inf for name, one in learners.items()}


def learning(repeats: int = len(SEEDS)) -> list[Row]:
    """Seconds of training to mAP50 0.90, medians of three seeds; torchvision with AdamW, and with our optimizer."""
    data, validation = scenes("train", 2000), scenes("val", 200)
    times = []
    for seed in range(min(repeats, len(SEEDS))):
        sides = {
            "ours": our_learner(replace(MUON, seed=seed), data, validation),
            "peer": peer_learner(replace(ADAMW, seed=seed), data, validation),
            "muon": peer_learner(replace(MUON, seed=seed), data, validation),
        }
        times.append(race(sides))
    ours, peer, muon = (statistics.median(one[name] for one in times) for name in ("ours", "peer", "muon"))
    return [
        Row("toy, training to mAP50 0.90", ours, peer, unit="s"),
        Row("toy, training to mAP50 0.90, peer with our optimizer", ours, muon, unit="s"),
    ]
