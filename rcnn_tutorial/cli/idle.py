"""Options of `train` that would silently do nothing beside others.

The rule: an option that was given and that another choice makes void is an error where the result would be taken for
what it is not, and a warning where it only comes to nothing. A value that says what happens anyway
(`--no-double-bias` with AdamW, `--deterministic` on a CPU) is neither, and defaults never are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.request import get


class Idle(NamedTuple):
    """When an option has no effect, and why."""

    field: str
    when: Callable  # (value, request) -> bool
    why: str
    refused: bool = True


def _is(field: str, *values) -> Callable:
    return lambda request: get(request, field) in values


_SGD, _ADAMW = _is("training.optimizer", "sgd"), _is("training.optimizer", "adamw")
_CROP, _VGG16 = _is("model.crop_pooling.method", "crop"), _is("model.backbone.name", "vgg16")
_ALTERNATING = _is("training.alternating", True)


def _rises_nowhere(warmup: float, request: dict) -> bool:
    steps = request["training"]["steps"] / (4 if _ALTERNATING(request) else 1)
    return warmup > 0 and round(warmup * steps) == 0


IDLE = (
    Idle("training.momentum", lambda v, r: _ADAMW(r), "--optimizer adamw has betas of its own"),
    Idle("training.double_bias", lambda v, r: v and not _SGD(r), "only --optimizer sgd doubles it"),
    Idle("training.step_at", lambda v, r: not _is("training.schedule", "step")(r), "only --schedule step has a step"),
    Idle("training.warmup", _rises_nowhere, "it is less than half a step of this training", refused=False),
    Idle("training.on_bad_file", lambda v, r: _is("data", "toy")(r), "drawn scenes are no files", refused=False),
    Idle("model.crop_pooling.max_pool", lambda v, r: v and not _CROP(r), "only --pooling crop has that step"),
    Idle(
        "model.crop_pooling.detach_rois",
        lambda v, r: not v and not _CROP(r),
        "only --pooling crop has a gradient there",
    ),
    Idle("model.crop_pooling.detach_rois", lambda v, r: not v and _ALTERNATING(r), "--alternating fixes the RPN there"),
    Idle("model.backbone.frozen_batch_norm", lambda v, r: not v and _VGG16(r), "vgg16 has no batch norm"),
)


def check_idle(given: dict[str, str], request: dict) -> None:
    """Raise ConfigError, or warn, for an option without effect. given: {flag: its field} of the command line."""
    for flag, field in given.items():
        value = get(request, field)
        for idle in IDLE:
            if idle.field == field and idle.when(value, request):
                shown = f"--no-{flag[2:]}" if value is False else flag
                message = f"{shown} has no effect: {idle.why}"
                if idle.refused:
                    raise ConfigError(f"{message}; leave it away")
                warnings.warn(message, stacklevel=2)
