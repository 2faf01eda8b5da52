"""Explorer of the ninth notebook: a detector that learns while one watches, with every knob of training in reach."""

import asyncio
import copy
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial.config import TOY_TRAINING, Config, TrainingConfig
from rcnn_tutorial.data.batching import training_loader
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError, TutorialError
from rcnn_tutorial.evaluation import Evaluation, evaluate
from rcnn_tutorial.explorers.curves import EARLIER, SIDES, LossCurves, Run
from rcnn_tutorial.explorers.explorer import Explorer, button, choice, flag, integer, number
from rcnn_tutorial.explorers.film import Film
from rcnn_tutorial.explorers.replay import Record, TrainingReplay, due_steps, judged, measured, progress
from rcnn_tutorial.figures import training as figures
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.training import Phase, StepReport, build_optimizers, fixed_parameters, train_step

LEARNING_RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
BREATH = 0.02  # seconds between two steps in which the kernel answers the reader
PRESETS = {
    "RPN scores untaught": {"rpn_cross_entropy": 0.0},
    "Head frozen": {"freeze_head": True},
    "Rate 0.05": {"learning_rate": 0.05},
    "Not detached": {"detach_rois": False},
}


class TrainingMonitor(Explorer):
    """A detector in training: its losses step by step, its mAP and recall, and what it detects in one scene.

    Trains `model` in place. Every control works at once. `start`, `pause` and `start_over` are the buttons;
    `advance(n)` does the same n steps at once and waits for them. Training runs between the kernel's other work, so
    that cells and sliders still answer. A run that is started over stays as pale curves.

    dataset: what to train on. validation: what is measured on, MEASURED times a run. scene: the item of it that is
    shown. training: where the controls start, and everything that has no control. earlier: runs to compare with.
    metric: how `evaluate` counts mAP.
    """

    def __init__(
        self,
        model: FasterRCNN,
        dataset,
        validation,
        training: TrainingConfig = TOY_TRAINING,
        device: str | torch.device = "cpu",
        scene: int = 0,
        earlier: Mapping[str, Run] | None = None,
        metric: str = "voc07",
    ):
        self.metric = metric
        self.model = model.to(device=device, memory_format=torch.channels_last)
        self.dataset, self.training, self.device = dataset, training, device
        self.validation, self.scene = validation, scene
        self._given = dict(earlier or {})
        self.earlier = dict(self._given)
        self.image, self.target = to_cpu(validation[scene], single=True)
        self._start = copy.deepcopy(model.state_dict()), model.config
        self.running, self._task = False, None  # running: whether it trains on by itself
        self._forget()
        self.buttons = [button(text) for text in ("Start", "Pause", "One step", "Start over")]
        self.buttons[3].tooltip = "Back to the first weights; the controls stay, and this run as pale curves"
        actions = (self.start, self.pause, self.advance, self.start_over)
        for one, act in zip(self.buttons, actions, strict=True):
            one.on_click(lambda _button, act=act: act())
        curves = LossCurves(training.steps, tall=True, title=SIDES)
        film = Film(self.image, self.target, dataset.classes, title="A new scene")
        curves.layout.flex, film.layout.flex = "9 1 305px", "5 1 170px"  # beside each other, equally high
        super().__init__(self._make_controls(), [curves, film], PRESETS)
        self.children[1].layout.flex = "3 1 510px"  # and both of them beside the controls, on a projector too

    def _make_controls(self) -> dict[str, widgets.Widget]:
        config, training = self.model.config, self.training
        rates = sorted({*LEARNING_RATES, training.learning_rate})
        rpn, rois = config.rpn, config.classification
        weights = rpn.class_loss_weight, rpn.box_loss_weight, rois.class_loss_weight, rois.box_loss_weight
        return {
            "transport": widgets.HBox(self.buttons).add_class("rcnn-several"),
            "learning_rate": choice("Learning rate", [(f"{rate:g}", rate) for rate in rates], training.learning_rate),
            "freeze_head": flag("Freeze the head", False),
            "detach_rois": flag("Detach the ROIs", config.crop_pooling.detach_rois),
            "weights": widgets.Label("Weight of each loss in the sum:"),
            **{
                name: number(name, weight, 0.0, max(4.0, weight), 0.25)
                for name, weight in zip(figures.LOSSES, weights, strict=True)
            },
            "steps": integer("Steps in all", training.steps, 20, max(1200, training.steps), 20),
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
        """Forget everything learned: first weights, step 0. The controls stay, and the run as pale curves."""
        self.running = False
        self._keep_run()
        weights, config = self._start
        self.model.load_state_dict(weights)
        self.model.config = config
        self._forget()
        self.update()

    def press(self, name: str) -> None:
        """A new run with a preset's settings. *Reset* forgets the runs made here, too."""
        self.start_over()
        if name == "Reset":
            self.earlier = dict(self._given)
        super().press(name)

    def _keep_run(self) -> None:
        """Put the run among the earlier ones, for one of the same settings or else for the oldest made here."""
        if self.done > 1:
            name = self._named()
            kept = {key: run for key, run in self.earlier.items() if key != name}
            made = [key for key in kept if key not in self._given]
            if len(kept) >= len(EARLIER):
                del kept[[*made, *kept][0]]
            self.earlier = kept | {name: Run(self.reports, self.moments)}

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
            if self.done >= self.steps.value:
                self.renew_still()

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
                self._names += [self._said()] * (self._said() not in self._names[-1:])
                if self.done in due_steps(self.steps.value):
                    self.moments[self.done] = self._measure()

    def _measure(self) -> Evaluation:
        return evaluate(self.model, self.validation, self.metric, self.device, progress=False)

    def _said(self) -> str:
        """What the controls say otherwise than at the start."""
        changed = {name for name, value in self._state().items() if value != self._first[name]}
        texts = {
            "learning_rate": f"rate {self.learning_rate.value:g}",
            "freeze_head": "head frozen",
            "detach_rois": "detached" if self.detach_rois.value else "not detached",
            **{name: f"{name} × {self.controls[name].value:g}" for name in figures.LOSSES},
        }
        return ", ".join(text for name, text in texts.items() if name in changed) or "defaults"

    def _named(self) -> str:
        """The settings of the run, one after the other; before its first step those of the controls."""
        return " then ".join(self._names) or self._said()

    def _forget(self) -> None:
        self.reports: list[StepReport] = []
        self.moments: dict[int, Evaluation] = {}
        self._names: list[str] = []  # what the controls said in the course of the run, each time that it changed
        self.optimizers = build_optimizers(self.model, self.training)
        self.found = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)}
        self.looks: dict[int, Mapping[str, Tensor]] = {0: self.found}
        self._trouble = ""

    @torch.no_grad()
    def _look(self) -> None:
        """Detect on the scene with the weights of now."""
        if self.done in self.moments:
            self.found = self.moments[self.done].detections[self.scene]
        else:
            self.found = to_cpu(self.model.eval()([self.image.to(self.device)])[0], single=True)
        self.looks[self.done] = self.found

    # ---- the picture

    def record(self) -> Record:
        """The training so far."""
        run, name = Run(self.reports, self.moments), f"this run: {self._named()}"
        return Record(self.steps.value, run, self.looks, self.scene, self.earlier, name)

    def for_page(self) -> Explorer:
        """On a page nothing can be trained: there the training so far can be looked through."""
        return TrainingReplay(self.image, self.target, self.dataset.classes, self.record())

    def __repr__(self) -> str:
        """The same before, during and after a run: what a notebook stores of it is compared."""
        return f"TrainingMonitor: A training of {self.training.steps} steps: losses, recall, mAP, a scene."

    def figure(self, width: float = 13.0) -> Figure:
        """As every explorer's, but wide enough for six panels and a film."""
        return super().figure(width)

    def draw(self) -> str:
        """Draw the curves and the scene; say how far the training is."""
        self._name_buttons()
        self.settings()
        if self._trouble:
            raise TutorialError(self._trouble)
        if not (self.cross_entropy.value or self.loss_box.value):
            self.rest(detach_rois="no loss of the detector has a weight")
        curves, film = self.canvases
        curves.steps = self.steps.value
        curves.show(self.reports, self.moments, self.earlier, self.record().name)
        verdicts = film.show(self.found, self.done, self.record().film(self.done))
        said = judged(self.done, len(self.target["labels"]), verdicts)
        return f"{progress(self.done, self.steps.value, self.running)} {said}{measured(self.moments)}"

    def _name_buttons(self) -> None:
        start, pause, step, _ = self.buttons
        finished = self.done >= self.steps.value
        start.description = "Resume" if self.done else "Start"
        start.disabled = step.disabled = self.running or finished
        pause.disabled = not self.running
