"""What tests of the whole detector share: the toy detector, fresh from its seed, and its scenes."""

from dataclasses import replace

import torch

from rcnn_tutorial.config import Config, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import FasterRCNN, build_model

SCENES = ToyScenes(length=5)
LOSSES = ["rpn_cross_entropy", "rpn_loss_box", "cross_entropy", "loss_box"]


def configured(**sections) -> Config:
    """The toy detector with some fields changed: configured(crop_pooling={"size": 3})."""
    config = toy_config(SCENES.classes)
    return replace(config, **{name: replace(getattr(config, name), **fields) for name, fields in sections.items()})


def new_model(**sections) -> FasterRCNN:
    torch.manual_seed(0)
    return build_model(configured(**sections))


def target(boxes, labels) -> dict:
    return {"boxes": torch.tensor(boxes).reshape(-1, 4).float(), "labels": torch.tensor(labels).long()}


def seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)
