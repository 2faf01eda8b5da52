"""Explorer of the ninth notebook: a detector that learns while one watches, with every knob of training in reach."""

import asyncio
import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import TOY_TRAINING, Config, TrainingConfig
from rcnn_tutorial.data.batching import training_loader
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError, TutorialError
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, button, choice, flag, integer, number
from rcnn_tutorial.figures import training as figures
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.roles import GROUND, Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points
from rcnn_tutorial.training import Phase, StepReport, build_optimizers, fixed_parameters, train_step

LEARNING_RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
BREATH = 0.02  # seconds between two steps in which the kernel answers the reader
FOOT = 24  # pixels of the canvas under the axis, for the numbers of the steps


class LossCurves(Canvas):
    """The four losses of a run while it goes on, and so its progress bar: the axis is as long as the run.

    curves = LossCurves(steps)
    display(curves)
    for report in train(...):
        reports.append(report)
        curves.show(reports)
    """

    def __init__(self, steps: int, height: int = 400, width: int = 420):
        self.steps = steps
        super().__init__(size=(height, width), width=round(1.5 * width), title="Losses")
        self.show([])

    def show(self, reports: Sequence[StepReport]) -> None:
        """Draw the losses of all steps so far."""
        (height, width), steps = (self.size[0] - FOOT, self.size[1]), self.steps
        top = _round_up(max((loss for report in reports for loss in report.losses.values()), default=2.0))
        layers = self._axes(top)
        for name in figures.LOSSES:
            known = [(report.step, report.losses[name]) for report in reports if name in report.losses]
            x = torch.tensor([step for step, _ in known]) * (width / steps)  # (K,)
            values = [value for _, value in known]
            role = figures.LOSS_LOOKS[name]
            y = height - torch.tensor([values, figures.moving_average(values)]) * (height / top)  # (2, K)
            thin, thick = torch.stack([x.expand(2, -1), y], dim=-1)[:, None]  # (1, K, 2) each
            layers.append(Lines(thin, Role(role.color), width=1.0, opacity=0.5))
            layers.append(Lines(thick, role, width=4.0))
        self.draw(layers)
        self.summary = f"Losses of {len(reports)} of {steps} steps."
        if len(reports) == steps:
            self.renew_still()

    def __repr__(self) -> str:
        return f"LossCurves: The losses of a training, step by step, {self.steps} steps."

    def _axes(self, top: float) -> list[Layer]:
        """Faint lines at quarters of both axes and at zero, with the numbers that belong to them."""
        height, width = self.size[0] - FOOT, self.size[1]
        quarters = (0.25, 0.5, 0.75)
        across = [[(0, height * q), (width, height * q)] for q in (*quarters, 1)]
        down = [[(width * q, 0), (width * q, height)] for q in quarters]
        left, bottom = [(0, height * q) for q in quarters], [(width * q, self.size[0]) for q in quarters]
        losses = [f"{top * (1 - q):g}" for q in quarters]
        counts = [f"step {round(self.steps * q)}" for q in quarters]
        return [
            Lines(torch.tensor(across + down), roles.PLAIN, width=1.0, opacity=0.25),
            Points(left, Role(GROUND), radius=0.0, labels=losses),
            Points(bottom, Role(GROUND), radius=0.0, labels=counts),
        ]


class TrainingMonitor(Explorer):
    """A detector in training: its losses step by step, and what it detects in one scene.

    Trains `model` in place. Every control works at once.

    `start`, `pause` and `start_over` are the buttons; `advance(n)` does the same n steps at once and waits for them.
    Training runs between the kernel's other work, so that cells and sliders still answer.

    dataset: what to train on. scene: (image, target) of a validation set, whose detections are shown. training: where
    the controls start, and everything that has no control.
    """

    def __init__(
        self,
        model: FasterRCNN,
        dataset,
        scene: tuple[Tensor, dict],
        training: TrainingConfig = TOY_TRAINING,
        device: str | torch.device = "cpu",
    ):
        self.model = model.to(device=device, memory_format=torch.channels_last)
        self.dataset, self.training, self.device = dataset, training, device
        self.image, self.target = to_cpu(scene, single=True)
        self._start = copy.deepcopy(model.state_dict()), model.config
        self.running, self._task = False, None  # running: whether it trains on by itself
        self._forget()
        self.buttons = [button(text) for text in ("Start", "Pause", "One step", "Start over")]
        actions = (self.start, self.pause, self.advance, self.start_over)
        for one, act in zip(self.buttons, actions, strict=True):
            one.on_click(lambda _button, act=act: act())
        pictures = [LossCurves(training.steps), Canvas(self.image, width=630, title="A scene of the validation set")]
        super().__init__(self._make_controls(), pictures)

    def _make_controls(self) -> dict[str, widgets.Widget]:
        config, training = self.model.config, self.training
        rates = sorted({*LEARNING_RATES, training.learning_rate})
        rpn, rois = config.rpn, config.classification
        weights = rpn.class_loss_weight, rpn.box_loss_weight, rois.class_loss_weight, rois.box_loss_weight
        return {
            "transport": widgets.HBox(self.buttons).add_class("rcnn-several"),
            "steps": integer("Steps in all", training.steps, 20, max(1200, training.steps), 20),
            "learning_rate": choice("Learning rate", [(f"{rate:g}", rate) for rate in rates], training.learning_rate),
            "freeze_head": flag("Freeze the head", False),
            "detach_rois": flag("Detach the ROIs (as the reference does)", config.crop_pooling.detach_rois),
            "weights": widgets.Label("Weight of each loss in the sum:"),
            **{
                name: number(name, weight, 0.0, 4.0, 0.25) for name, weight in zip(figures.LOSSES, weights, strict=True)
            },
            "shown": integer("Detections shown", 6, 1, 20),
        }

    # ---- what the buttons do

    @property
    def done(self) -> int:
        """Steps trained so far."""
        return len(self.reports)

    def start(self) -> None:
        """Train on until the last step or `pause`, between the kernel's other work. Needs a running event loop."""
        loop = asyncio.get_running_loop()
        self.running = True
        if self._task is None or self._task.done():  # one that was paused a moment ago may still be there
            self._task = loop.create_task(self._keep_going())
        self.update()

    def pause(self) -> None:
        """Stop after the present step; `start` goes on from there."""
        self.running = False
        self.update()

    def start_over(self) -> None:
        """Forget everything learned: the weights of the beginning, step 0. The controls stay."""
        self.running = False
        weights, config = self._start
        self.model.load_state_dict(weights)
        self.model.config = config
        self._forget()
        self.update()

    def advance(self, steps: int = 1) -> None:
        """Train `steps` steps, fewer where the run ends before, then look at the scene.

        An interrupt (Ctrl-C, "Interrupt the kernel") in between loses no more than the step that it hits.
        """
        self._trouble = ""
        try:
            self._train(steps)
        except ConfigError:
            pass  # `draw` meets the same impossible setting and says so
        except TutorialError as error:
            self._trouble = str(error)
        finally:
            self._look()
            self.update()

    async def _keep_going(self) -> None:
        try:
            while self.running:
                before = self.done
                self.advance()
                if self.done == before or self.done >= self.steps.value:
                    break
                await asyncio.sleep(BREATH)
        finally:
            self.running = False
            self.update()

    # ---- training

    def settings(self) -> tuple[Config, TrainingConfig]:
        """What the controls say, as configs. Raises ConfigError where there is nothing to train."""
        config, weights = self.model.config, [self.controls[name].value for name in figures.LOSSES]
        if not any(weights):
            raise ConfigError("the weights of all four losses are 0: raise one of them")
        config = replace(
            config,
            rpn=replace(config.rpn, class_loss_weight=weights[0], box_loss_weight=weights[1]),
            classification=replace(config.classification, class_loss_weight=weights[2], box_loss_weight=weights[3]),
            crop_pooling=replace(config.crop_pooling, detach_rois=self.detach_rois.value),
        )
        return config, replace(self.training, steps=self.steps.value, learning_rate=self.learning_rate.value)

    def _train(self, steps: int) -> None:
        self.model.config, training = self.settings()
        phase = Phase("joint", 0, training.steps, self.model, fixed=("head",) if self.freeze_head.value else ())
        # The order of the data is a function of the step alone, so a new loader goes on where the last one stopped.
        batches = training_loader(self.dataset, training, start_step=self.done)
        with fixed_parameters(phase):
            for images, targets in islice(batches, min(steps, max(training.steps - self.done, 0))):
                images = [image.to(self.device) for image in images]
                self.reports.append(train_step(phase, self.optimizers, images, targets, training, self.done + 1))

    def _forget(self) -> None:
        self.reports: list[StepReport] = []
        self.optimizers = build_optimizers(self.model, self.training)
        self.found = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)}
        self._trouble = ""

    @torch.no_grad()
    def _look(self) -> None:
        """Detect on the scene with the weights of now."""
        found = self.model.eval()([self.image.to(self.device)])[0]
        self.found = to_cpu(found, single=True)

    # ---- the picture

    def figure(self, width: float = 13.0) -> Figure:
        """As every explorer's, but wide enough for the names of four losses under one of two pictures."""
        return super().figure(width)

    def draw(self) -> str:
        """Draw the losses and the scene; say how far the training is."""
        self._name_buttons()
        self.settings()
        if self._trouble:
            raise TutorialError(self._trouble)
        self.canvas.steps = self.steps.value
        self.canvas.show(self.reports)
        best = figures.best_places(self.found, self.shown.value)
        verdicts = figures.judge(best, self.target)
        self.canvases[1].draw(self._scene_layers(best, verdicts))
        return f"{self._progress()} {self._losses()} {self._detections(verdicts)}"

    def _name_buttons(self) -> None:
        start, pause, step, _ = self.buttons
        finished = self.done >= self.steps.value
        start.description = "Resume" if self.done else "Start"
        start.disabled = step.disabled = self.running or finished
        pause.disabled = not self.running

    def _scene_layers(self, best: Mapping[str, Tensor], verdicts: Sequence[str]) -> list[Layer]:
        layers: list[Layer] = [Boxes(self.target["boxes"], roles.GROUND_TRUTH._replace(dash="dotted"), width=2.0)]
        for verdict, role in figures.VERDICT_LOOKS.items():
            rows = [i for i, one in enumerate(verdicts) if one == verdict]
            names = [f"{self.dataset.classes[best['labels'][i] - 1]} {best['scores'][i]:.2f}" for i in rows]
            layers.append(Boxes(best["boxes"][rows], role, labels=names))
        return layers

    def _progress(self) -> str:
        done, steps = self.done, self.steps.value
        state = "training" if self.running else "finished" if done >= steps else "paused" if done else "not started"
        return f"Step {done} of {steps}, {state}."

    def _losses(self) -> str:
        if not self.reports:
            return "No losses yet."
        last = self.reports[-1]
        return f"Losses: {', '.join(f'{n} {v:.3f}' for n, v in last.losses.items())}; their sum {last.total:.3f}."

    def _detections(self, verdicts: Sequence[str]) -> str:
        right, other, elsewhere = (
            verdicts.count(verdict) for verdict in (figures.RIGHT, figures.OTHER_CLASS, figures.ELSEWHERE)
        )
        text = f"Best detections shown: {len(verdicts)}; right: {right}, misnamed: {other}, elsewhere: {elsewhere}. "
        return text + f"Objects in the scene: {len(self.target['labels'])}."


def _round_up(value: float) -> float:
    """The smallest of 1, 2, 4, 8, 16, ... and 0.5, 0.25 that is not below `value`."""
    return 2.0 ** math.ceil(math.log2(max(value, 0.25)))
