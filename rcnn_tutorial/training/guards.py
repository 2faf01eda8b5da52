"""What a training refuses: a request that cannot work, and weights that are not finite."""

from __future__ import annotations

import warnings
from pathlib import Path

from torch import nn

from rcnn_tutorial import distributed
from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.data.records import check_objects
from rcnn_tutorial.errors import ConfigError, DataError, TutorialError
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.targets import classes_of
from rcnn_tutorial.training.optimizers import BATCH_NORMS


def check_request(model: FasterRCNN, dataset, training: TrainingConfig, folder: Path | None, resume: bool) -> None:
    """Raise ConfigError or DataError for a training that cannot work, before anything is touched."""
    if classes_of(dataset) != tuple(model.config.classes):
        raise ConfigError(f"the data has classes {dataset.classes}, the model {model.config.classes}; use the same")
    if len(dataset) == 0:
        raise DataError("the training data holds no images; check its folder and split")
    check_objects(dataset)
    if resume and folder is None:
        raise ConfigError("resume needs the folder of the run to go on from; pass --out")
    _check_parts(model, training.batch_size, distributed.size())


def _check_parts(model: FasterRCNN, batch_size: int, parts: int) -> None:
    """Refuse a batch that cannot be shared out evenly; warn of batch norm that sees only its own part."""
    if batch_size % parts:
        fitting = batch_size // parts * parts
        remedy = " or ".join(str(size) for size in (fitting, fitting + parts) if size)
        raise ConfigError(f"batch_size = {batch_size}: cannot be shared evenly by {parts} processes; use {remedy}")
    adapting = any(isinstance(module, BATCH_NORMS) for module in model.modules())
    if parts > 1 and adapting and distributed.is_writer():
        warnings.warn(
            f"batch norm is not frozen: each process normalizes with its own {batch_size // parts} of the images, and "
            "the running statistics are averaged; use --frozen-batch-norm, or a larger --batch-size",
            stacklevel=4,
        )


def check_weights(model: nn.Module, step: int) -> None:
    """Raise TutorialError unless all weights are finite: an update may overflow after a loss that was finite."""
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise TutorialError(f"step {step}: the weights are no longer finite ({name}); lower the learning rate")
