"""Options of `train` that would silently do nothing beside others.

The rule: an option that was given and that another choice makes void is an error where the result would be taken for
what it is not, and a warning where it only comes to nothing. A value that says what happens anyway
(`--no-double-bias` with AdamW, `--deterministic` on a CPU) is neither, and defaults never are.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.request import get


def check_idle(given: dict[str, str], request: dict) -> None:
    """Raise ConfigError, or warn, for an option without effect. given: {field: its flag} of the command line."""
    shown = {field: f"--no-{flag[2:]}" if get(request, field) is False else flag for field, flag in given.items()}
    for field, why in _void(request):
        if field in given:
            raise ConfigError(f"{shown[field]} has no effect: {why}; leave it away")
    for field, why in _comes_to_nothing(request):
        if field in given:
            warnings.warn(f"{shown[field]} has no effect: {why}", stacklevel=2)


def _void(request: dict) -> Iterator[tuple[str, str]]:
    """Yield (field, why) of each value that another choice makes void."""
    training, crops, backbone = request["training"], request["model"]["crop_pooling"], request["model"]["backbone"]
    if training["optimizer"] == "adamw":
        yield "training.momentum", "--optimizer adamw has betas of its own"
    if training["optimizer"] != "sgd" and training["double_bias"]:
        yield "training.double_bias", "only --optimizer sgd doubles it"
    if training["schedule"] != "step":
        yield "training.step_at", "only --schedule step has a step"
    if crops["method"] != "crop" and crops["max_pool"]:
        yield "model.crop_pooling.max_pool", "only --pooling crop has that step"
    if crops["method"] != "crop" and not crops["detach_rois"]:
        yield "model.crop_pooling.detach_rois", "only --pooling crop has a gradient there"
    if training["alternating"] and not crops["detach_rois"]:
        yield "model.crop_pooling.detach_rois", "--alternating fixes the RPN there"
    if backbone["name"] == "vgg16" and not backbone["frozen_batch_norm"]:
        yield "model.backbone.frozen_batch_norm", "vgg16 has no batch norm"


def _comes_to_nothing(request: dict) -> Iterator[tuple[str, str]]:
    """Yield (field, why) of each value without which the result is the same."""
    training = request["training"]
    steps = training["steps"] / (4 if training["alternating"] else 1)
    if training["warmup"] > 0 and round(training["warmup"] * steps) == 0:
        yield "training.warmup", "it is less than half a step of this training"
    if request["data"] == "toy":
        yield "training.on_bad_file", "drawn scenes are no files"
