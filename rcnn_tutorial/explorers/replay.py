"""A training to look through, step by step, where none can run: what a page shows in place of the monitor."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from rcnn_tutorial.evaluation import Evaluation
from rcnn_tutorial.explorers.curves import MAP, PANELS, PROPOSALS, RECALL, SIDES, LossCurves, Run
from rcnn_tutorial.explorers.explorer import Explorer, integer, named
from rcnn_tutorial.explorers.film import FRAMES, Film
from rcnn_tutorial.figures import training as figures

MEASURED = 6  # times in a run: mAP, recall, a picture of the film


class Record(NamedTuple):
    """What a training has left behind."""

    steps: int  # in all, also those that were not trained
    run: Run
    looks: Mapping[int, Mapping[str, Tensor]]  # step -> what was detected in the scene after it; 0 is among them
    scene: int  # which image of the moments of `run` the scene is
    earlier: Mapping[str, Run] = {}
    name: str = "this run"

    def film(self, step: int) -> dict[int, Mapping[str, Tensor] | None]:
        """The first steps after which is measured -> what was found in the scene then; None: after `step`."""
        moments = until(step, self.run).moments
        return {
            at: moments[at].detections[self.scene] if at in moments else None for at in due_steps(self.steps)[:FRAMES]
        }


class TrainingReplay(Explorer):
    """A training as its monitor showed it: losses, recall, mAP and one scene at every step it looked at.

    Nothing is trained here. image: (3, H, W) in [0, 1], the scene. target: boxes (G, 4) in its pixels, labels (G,).
    """

    def __init__(self, image: Tensor, target: Mapping[str, Tensor], classes: Sequence[str], record: Record):
        self.target, self.record = target, record
        self.looked = sorted(record.looks)  # steps
        curves = LossCurves(record.steps, tall=True, title=SIDES)
        film = Film(image, target, classes, title="A new scene")
        controls = {"step": named("Step", [str(step) for step in self.looked], len(self.looked) - 1)}
        presets = {
            f"Step {step}": {"step": self.looked.index(step)} for step in record.run.moments if step in self.looked
        }
        super().__init__(controls, [curves, film], presets)

    def tensors(self) -> dict:
        """What the twin draws from: the series of all panels, what was measured, and what was found in the scene."""
        record, film = self.record, self.canvases[1]
        curves = _curves(record.run, record.earlier, record.name, record.steps)
        scene = {"objects": self.target["boxes"], "labels": self.target["labels"], "classes": film.classes}
        frames = {"frame": film.frame_size, "corners": film.corners, "due": due_steps(record.steps)[:FRAMES]}
        moments = [
            {"step": step, "mAP": _finite(one.mAP), "recall": _finite(one.recall[PROPOSALS])}
            | {"found": dict(one.detections[record.scene])}
            for step, one in sorted(record.run.moments.items())
        ]
        looks = [{"step": step, "found": dict(record.looks[step])} for step in self.looked]
        return curves | scene | frames | {"moments": moments, "looks": looks, "proposals": PROPOSALS}

    def draw(self) -> str:
        """Draw the curves and the scene as they were after the step; say how far the training was."""
        record, (curves, film) = self.record, self.canvases
        step = self.looked[self.step.value]
        run = until(step, record.run)
        curves.show(run.reports, run.moments, record.earlier, record.name)
        verdicts = film.show(record.looks[step], step, record.film(step))
        objects = len(self.target["labels"])
        return f"{progress(step, record.steps)} {judged(step, objects, verdicts)}{measured(run.moments)}"


class CurvesReplay(Explorer):
    """The curves of a run to look through, over the whole curves of at most three others.

    runs: name -> run; the first is the one that goes on. steps: how long the axes are.
    The panels stand in two columns: in three a phone has no room for their numbers.
    """

    def __init__(self, runs: Mapping[str, Run], steps: int):
        (self.name, self.run), *earlier = runs.items()
        self.earlier, self.steps = dict(earlier), steps
        done = len(self.run.reports)
        super().__init__({"step": integer("Step", done, 0, done)}, LossCurves(steps, tall=True, title=SIDES))

    def tensors(self) -> dict:
        """What the twin draws from: the series of all panels."""
        return _curves(self.run, self.earlier, self.name, self.steps)

    def draw(self) -> str:
        """Draw the curves as they were after the step."""
        run = until(self.step.value, self.run)
        self.canvas.show(run.reports, run.moments, self.earlier, self.name)
        return f"Losses of {len(run.reports)} of {self.steps} steps."


def until(step: int, run: Run) -> Run:
    """A run as it was after so many steps."""
    return Run(run.reports[:step], {at: one for at, one in run.moments.items() if at <= step})


def _curves(run: Run, earlier: Mapping[str, Run], name: str, steps: int) -> dict:
    """What the twin draws curves from."""
    panels = {"panels": PANELS, "measures": (RECALL, MAP), "steps": steps, "name": name}
    return panels | {"series": _series(run), "earlier": {name: _series(one) for name, one in earlier.items()}}


def _series(run: Run) -> dict[str, list[tuple[int, float]]]:
    return {panel: run.series(panel) for names in PANELS for panel in names}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def due_steps(steps: int) -> list[int]:
    """The steps of a run after which to measure."""
    return [round(steps * i / MEASURED) for i in range(1, MEASURED + 1)]


# ---- in words


def progress(done: int, steps: int, running: bool = False) -> str:
    """How far a training is."""
    state = "training" if running else "finished" if done >= steps else "paused" if done else "not started"
    return f"Step {done} of {steps}, {state}."


def judged(done: int, objects: int, verdicts: Sequence[str]) -> str:
    """What the detections in the scene are worth. objects: how many there are."""
    if not done:
        return f"{objects} objects in the scene."
    kinds = (figures.RIGHT, figures.OTHER_CLASS, figures.ELSEWHERE)
    right, other, elsewhere = (verdicts.count(kind) for kind in kinds)
    return f"{right} of {objects} objects right; misnamed: {other}, elsewhere: {elsewhere}."


def measured(moments: Mapping[int, Evaluation]) -> str:
    """The last measurement; empty before the first, and where there is nothing to find."""
    step = max(moments, default=None)
    if step is None or math.isnan(moments[step].mAP):
        return ""
    last = moments[step]
    return f" After step {step}: mAP {last.mAP:.2f}, recall at {PROPOSALS} {last.recall[PROPOSALS]:.2f}."
