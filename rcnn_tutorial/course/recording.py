"""The training of lesson 08 as its page replays it: `python -m rcnn_tutorial.course.recording` trains and writes it.

It lies in the assets, because a site that is written trains nothing.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.benchmark.learning import CLASSES, MUON, learning_config
from rcnn_tutorial.data import CachedDataset, ToyScenes
from rcnn_tutorial.explorers.training import TrainingMonitor
from rcnn_tutorial.explorers.twin import Pack, exported
from rcnn_tutorial.model import build_model

FILE = "training_replay.json"
STEPS, BETWEEN = 300, 10  # as in the lesson; from one look at the scene to the next


class Recording(NamedTuple):
    """What a page needs of a training."""

    says: str  # `repr` of the monitor, under which the lesson stores it
    explorer: dict  # as `exported` gives it
    arrays: str  # that it points into, as `Pack.text` gives them


def train_as_the_lesson(steps: int = STEPS) -> TrainingMonitor:
    """Lesson 08's monitor after its training: the same scenes, the same first weights, the same recipe."""
    gentle = {"max_objects": 5, "classes": CLASSES, "turn": 0}
    scenes = CachedDataset(ToyScenes("train", 2000, **gentle))
    validation = CachedDataset(ToyScenes("val", 40, **gentle))
    torch.manual_seed(0)
    model = build_model(learning_config())
    monitor = TrainingMonitor(model, scenes, validation, replace(MUON, steps=steps), scene=1, metric="voc")
    for _ in range(0, steps, BETWEEN):
        monitor.advance(BETWEEN)
    return monitor


def write_recording(monitor: TrainingMonitor, path: Path) -> None:
    """Keep a training as a page has it."""
    pack = Pack()
    explorer = exported(monitor, pack)
    text = json.dumps({"says": repr(monitor), "explorer": explorer, "arrays": pack.text()}, allow_nan=False)
    write_atomically(path, text.encode())


def read_recording() -> Recording:
    """The training that comes with the package."""
    kept = json.loads(asset_path(FILE).read_text(encoding="utf-8"))
    return Recording(**kept)


if __name__ == "__main__":
    path = asset_path("voc.json").with_name(FILE)
    write_recording(train_as_the_lesson(), path)
    print(path, file=sys.stderr)
