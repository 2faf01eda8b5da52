"""The trainings of lesson 08 as its page replays them; `python -m rcnn_tutorial.course.recording` makes them anew.

They lie in the assets, because a site that is written trains nothing.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.benchmark.learning import CLASSES, MUON, learning_config
from rcnn_tutorial.config import Config
from rcnn_tutorial.data import CachedDataset, ToyScenes
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.explorers.curves import LossCurves, Run
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.replay import CurvesReplay
from rcnn_tutorial.explorers.training import TrainingMonitor
from rcnn_tutorial.explorers.twin import Pack, exported
from rcnn_tutorial.model import FasterRCNN, build_model
from rcnn_tutorial.training import StepReport, train, train_alternating

FILE = "training_replay.json"
STEPS, BETWEEN = 300, 10  # of the long run, as in the lesson; from one look at the scene to the next
SHORT = 60  # steps of the runs that are compared


class Recording(NamedTuple):
    """What a page needs of the trainings."""

    # What the lesson stores in its place, and the explorer as `exported` gives it.
    explorers: Sequence[tuple[str, dict]]
    arrays: str  # that they point into, as `Pack.text` gives them


class Lesson(NamedTuple):
    """What the trainings of the lesson have in common."""

    scenes: CachedDataset
    validation: CachedDataset
    config: Config

    def new_model(self, config: Config | None = None) -> FasterRCNN:
        """Every run starts from the same random weights."""
        torch.manual_seed(0)
        return build_model(config or self.config)

    def judged(self, model: FasterRCNN, reports: Iterable[StepReport], steps: int) -> Run:
        """Train to the end; measured after half of the steps and after all."""
        run = Run([], {})
        for report in reports:
            run.reports.append(report)
            if report.step in (steps // 2, steps):
                run.moments[report.step] = evaluate(model, self.validation, "voc", progress=False)
        return run


def lesson() -> Lesson:
    """Lesson 08's scenes and its detector."""
    gentle = {"max_objects": 5, "classes": CLASSES, "turn": 0}
    scenes, validation = ToyScenes("train", 2000, **gentle), ToyScenes("val", 40, **gentle)
    return Lesson(CachedDataset(scenes), CachedDataset(validation), learning_config())


def long_run(one: Lesson, steps: int = STEPS) -> TrainingMonitor:
    """The monitor after its training."""
    recipe = replace(MUON, steps=steps)
    monitor = TrainingMonitor(one.new_model(), one.scenes, one.validation, recipe, scene=1, metric="voc")
    for _ in range(0, steps, BETWEEN):
        monitor.advance(BETWEEN)
    return monitor


def comparisons(one: Lesson, steps: int = SHORT) -> list[CurvesReplay]:
    """Three optimizers, then four ways to train; the first run of each group is the one to move."""
    muon = replace(MUON, steps=steps)
    adamw = replace(muon, optimizer="adamw", learning_rate=0.006)
    sgd = replace(muon, optimizer="sgd", learning_rate=0.001, schedule="constant", warmup=0.0)
    pooling = replace(one.config.crop_pooling, detach_rois=False)
    loose, frozen, stepwise = one.new_model(replace(one.config, crop_pooling=pooling)), one.new_model(), one.new_model()
    frozen.head.requires_grad_(False)

    def joint(model, recipe=muon):
        return one.judged(model, train(model, one.scenes, recipe), steps)

    optimizers = {"Muon": joint(one.new_model()), "AdamW": joint(one.new_model(), adamw)}
    optimizers["SGD"] = joint(one.new_model(), sgd)
    ways = {"joint": optimizers["Muon"], "not detached": joint(loose), "frozen head": joint(frozen)}
    ways["alternating"] = one.judged(stepwise, train_alternating(stepwise, one.scenes, muon), steps)
    return [CurvesReplay(runs, steps) for runs in (optimizers, ways)]


def write_recording(explorers: Iterable[tuple[str, Explorer]], path: Path) -> None:
    """Keep trainings as a page has them: what the lesson stores in the place of each, and the explorer."""
    pack = Pack()
    kept = [(says, exported(explorer, pack)) for says, explorer in explorers]
    text = json.dumps({"explorers": kept, "arrays": pack.text()}, allow_nan=False)
    write_atomically(path, text.encode())


def read_recording() -> Recording:
    """The trainings that come with the package."""
    kept = json.loads(asset_path(FILE).read_text(encoding="utf-8"))
    return Recording([(says, explorer) for says, explorer in kept["explorers"]], kept["arrays"])


if __name__ == "__main__":
    path, one = asset_path("voc.json").with_name(FILE), lesson()
    monitor, curves = long_run(one), repr(LossCurves(SHORT))
    write_recording([(repr(monitor), monitor), *((curves, replay) for replay in comparisons(one))], path)
    print(path, file=sys.stderr)
