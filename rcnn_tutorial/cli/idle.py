"""Options of `train` that would silently do nothing beside others.

The rule: an option that was given and that another choice makes void is an error where the result would be taken for
what it is not, and a warning where it only comes to nothing. A value that says what happens anyway
(`--no-double-bias` with AdamW, `--deterministic` on a CPU) is neither, and defaults never are.
"""

from __future__ import annotations

import warnings

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.request import get


def check_idle(given: dict[str, str], request: dict) -> None:
    """Raise ConfigError, or warn, for an option without effect. given: {field: its flag} of the command line."""
    for field, idle, why, refused in idle_options(request):
        if idle and field in given:
            flag = f"--no-{given[field][2:]}" if get(request, field) is False else given[field]
            if refused:
                raise ConfigError(f"{flag} has no effect: {why}; leave it away")
            warnings.warn(f"{flag} has no effect: {why}", stacklevel=2)


def idle_options(request: dict) -> tuple:
    """Rows (field, whether its value is without effect in this request, why, whether that is refused)."""
    training, crops, backbone = request["training"], request["model"]["crop_pooling"], request["model"]["backbone"]
    optimizer, attached, is_crop = training["optimizer"], not crops["detach_rois"], crops["method"] == "crop"
    steps = training["steps"] / (4 if training["alternating"] else 1)
    rises_nowhere = training["warmup"] > 0 and round(training["warmup"] * steps) == 0
    trains_norm = not backbone["frozen_batch_norm"]
    return (
        ("training.momentum", optimizer == "adamw", "--optimizer adamw has betas of its own", True),
        (
            "training.double_bias",
            training["double_bias"] and optimizer != "sgd",
            "only --optimizer sgd doubles it",
            True,
        ),
        ("training.step_at", training["schedule"] != "step", "only --schedule step has a step", True),
        ("training.warmup", rises_nowhere, "it is less than half a step of this training", False),
        ("training.on_bad_file", request["data"] == "toy", "drawn scenes are no files", False),
        ("model.crop_pooling.max_pool", crops["max_pool"] and not is_crop, "only --pooling crop has that step", True),
        ("model.crop_pooling.detach_rois", attached and not is_crop, "only --pooling crop has a gradient there", True),
        (
            "model.crop_pooling.detach_rois",
            attached and training["alternating"],
            "--alternating fixes the RPN there",
            True,
        ),
        (
            "model.backbone.frozen_batch_norm",
            trains_norm and backbone["name"] == "vgg16",
            "vgg16 has no batch norm",
            True,
        ),
    )
