"""How long each side trains, from random weights, until it finds the objects of gentle scenes: mAP50 of 0.90."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from dataclasses import replace

import torch
from torch import nn

from rcnn_tutorial.benchmark.measure import Row
from rcnn_tutorial.benchmark.peer import build_peer, tune
from rcnn_tutorial.benchmark.steps import Step, our_step, peer_step
from rcnn_tutorial.config import TOY_TRAINING, Config, TrainingConfig, toy_config
from rcnn_tutorial.data import CachedDataset, training_loader
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.evaluation import voc_ap
from rcnn_tutorial.model import FasterRCNN, build_model

GOAL = 0.9  # mAP50: area under the curve, IoU 0.5
CLASSES = ("circle", "square", "triangle", "cross")
LOOKS = 14  # a side is evaluated after every 14th part of its schedule, from the middle on; that is no training
LOSS_WEIGHTS = {"loss_classifier": 6.0, "loss_box_reg": 2.0}  # torchvision's names; see `learning_config`

MUON = replace(TOY_TRAINING, steps=340, batch_size=4, warmup=0.1)
ADAMW = replace(TOY_TRAINING, steps=900, batch_size=4, optimizer="adamw", learning_rate=6e-3)


def scenes(split: str, length: int) -> CachedDataset:
    """Scenes of four classes that stand upright, at most five objects each; drawn once, then kept."""
    return CachedDataset(ToyScenes(split, length, max_objects=5, classes=CLASSES, turn=0))


def learning_config() -> Config:
    """The toy detector for these scenes. Its anchors may leave the image, as torchvision's may; 48 ROIs per image."""
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

    def __init__(self, model: nn.Module, training: TrainingConfig, step: Step, data, validation):
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
            self.take(images, targets, self.steps + 1)
            self.seconds += time.perf_counter() - started
            self.steps += 1
        if 2 * self.steps >= self.training.steps:
            self.reached = mean_ap(self.model.eval(), self.validation)


def our_learner(training: TrainingConfig, data, validation) -> Learner:
    """Ours with a recipe."""
    torch.manual_seed(training.seed)
    model = build_model(learning_config())
    return Learner(model, training, our_step(model, training), data, validation)


def peer_learner(training: TrainingConfig, data, validation, tuned: bool = False) -> Learner:
    """Torchvision's detector with a recipe, from the same random weights. tuned: see `peer.tune`."""
    torch.manual_seed(training.seed)
    peer = build_peer(build_model(learning_config()))
    if tuned:
        tune(peer)
    return Learner(peer, training, peer_step(peer, training, LOSS_WEIGHTS), data, validation)


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


def learning(repeats: int = 3) -> list[Row]:
    """Seconds of training to mAP50 0.90, medians of as many seeds; torchvision with AdamW, and with our optimizer."""
    data, validation = scenes("train", 2000), scenes("val", 200)
    times = []
    for seed in range(repeats):
        muon, adamw = replace(MUON, seed=seed), replace(ADAMW, seed=seed)
        sides = {
            "ours": our_learner(muon, data, validation),
            "adamw": peer_learner(adamw, data, validation),
            "adamw tuned": peer_learner(adamw, data, validation, tuned=True),
            "muon": peer_learner(muon, data, validation),
            "muon tuned": peer_learner(muon, data, validation, tuned=True),
        }
        times.append(race(sides))
    median = {side: statistics.median(one[side] for one in times) for side in times[0]}
    name, ours = "toy, training to mAP50 0.90", median["ours"]
    return [
        Row(name, ours, median["adamw"], median["adamw tuned"], unit="s"),
        Row(f"{name}, peer with our optimizer", ours, median["muon"], median["muon tuned"], unit="s"),
    ]
