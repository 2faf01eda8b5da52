"""The loop: step, average, log, checkpoint, validation.

`train` runs no loop of its own: whoever iterates over it sets the pace. A notebook plots the reports, the command line
draws a progress bar over them, a test stops after three.

Processes that belong together (see `distributed`) run the same loop, each on its slice of every batch. Gradients,
statistics of batch norm and figures are averaged in every step, so all hold the same weights; the first one writes.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.parallel import DistributedDataParallel

from rcnn_tutorial import distributed
from rcnn_tutorial.checkpoints import load_optimizers, load_weights
from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.data.batching import training_loader
from rcnn_tutorial.devices import place, upload
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.training.guards import check_request, check_weights
from rcnn_tutorial.training.optimizers import build_optimizers, update_average
from rcnn_tutorial.training.phases import Phase, PhaseLosses, alternating_phases, fixed_parameters, joint_phases
from rcnn_tutorial.training.runs import Run
from rcnn_tutorial.training.step import StepReport, train_step


def train(
    model: FasterRCNN,
    dataset,
    training: TrainingConfig,
    run: str | Path | None = None,
    resume: bool = False,
    device: str | torch.device = "cpu",
    validation=None,
) -> Iterator[StepReport]:
    """Train `model` in place; yield a report after every step.

    dataset: map-style, gives (image, target); see `rcnn_tutorial.data`.
    run: folder for `checkpoint.safetensors` (every `checkpoint_every` steps and after the last) and `log.jsonl`, one
        line a step. It belongs to this training until the iterator ends or is closed. None keeps nothing.
    resume: go on from the checkpoint in `run`, to exactly the weights of a run that was never interrupted; a run that
        ended before its first one starts anew. Closing the iterator early (`reports.close()`) writes a checkpoint too.
    validation: a data set to measure the VOC07 mAP on whenever a checkpoint is due, after it is written: should that
        fail, no step is lost, and a resumed run measures first what is missing.

    With `average_decay` the model holds its averaged weights after the last step.
    Processes that belong together call this alike; all must see the same `run`. They share the `batch_size` images of
    a step, and the weights come out as those of one process but for rounding, and for two things that depend on which
    images are together: batch norm that is not frozen, and dropout.
    Raises ConfigError and DataError at once for what cannot work, and TutorialError from the step whose loss or
    gradient is not finite: before it reaches the weights, the last checkpoint intact. Weights that are not finite are
    never saved either.
    """
    folder = None if run is None else Path(run)
    check_request(model, dataset, training, folder, resume)
    if training.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    opened = Run(folder, resume, model.config, training, dataset)
    place(model, torch.device(device))
    phases = (alternating_phases if training.alternating else joint_phases)(model, training.steps)
    for prefix, network in networks_of(phases).items():
        if opened.checkpoint is not None:
            load_weights(network, opened.checkpoint, prefix)
    return _steps(phases, dataset, training, opened, validation)


def train_alternating(model: FasterRCNN, dataset, training: TrainingConfig, **options) -> Iterator[StepReport]:
    """`train` with the paper's 4-step alternating training (section 3.2), whatever `training.alternating` says."""
    return train(model, dataset, replace(training, alternating=True), **options)


def _steps(phases: list[Phase], dataset, training: TrainingConfig, run: Run, validation) -> Iterator[StepReport]:
    """All steps that are left."""
    batches = iter(training_loader(dataset, training, run.step, distributed.rank(), distributed.size()))
    with run:
        yield from _missing_validation(phases[-1].model, training, run, validation)
        for phase in [phase for phase in phases if run.step < phase.end]:
            with fixed_parameters(phase):
                active = ActivePhase(phase, networks_of(phases), training, run)
                for step in range(max(run.step, phase.start) + 1, phase.end + 1):
                    started = time.perf_counter()
                    images, targets = next(batches)
                    images = [upload(image, phase.model.device) for image in images]
                    report = train_step(phase, active.optimizers, images, targets, training, step, active.parallel)
                    active.update_average(step)
                    report = report._replace(seconds=time.perf_counter() - started)
                    run.log.append(report._asdict())
                    if _is_due(training, step):
                        active.save(step)
                        report = _validated(report, active.result, training, run, validation)
                    try:
                        yield report
                    except GeneratorExit:  # whoever follows the training stops here
                        if not _is_due(training, step):
                            active.save(step)
                        raise


class ActivePhase:
    """A phase while it is trained: its optimizers, the average of its weights, its losses on all processes.

    Everything is fresh where the phase starts, and as it was where the run was stopped in its middle.
    """

    def __init__(self, phase: Phase, networks: dict[str, FasterRCNN], training: TrainingConfig, run: Run):
        """networks: those of the training, under the names that they have in a checkpoint."""
        self.phase, self.training, self.run = phase, training, run
        if run.step <= phase.start and phase.inherit_rpn is not None:
            phase.model.rpn.load_state_dict(phase.inherit_rpn.rpn.state_dict())
        several = distributed.size() > 1  # makes their weights those of the first process
        self.parallel = DistributedDataParallel(PhaseLosses(phase, training.amp)) if several else None
        self.optimizers = build_optimizers(phase.model, training)
        self.average = copy.deepcopy(phase.model) if training.average_decay else None
        self.networks = networks if self.average is None else networks | {"average.": self.average}
        if run.checkpoint is not None and run.step > phase.start:
            load_optimizers(self.optimizers, run.checkpoint)
            if self.average is not None:
                load_weights(self.average, run.checkpoint, "average.")
        run.checkpoint = None  # all read; let go of its memory
        # Not an average of the helper of alternating training, whose detections nobody asks for:
        averaged = self.average is not None and phase.model is networks["model."]
        self.detect_with = "average." if averaged else "model."

    @property
    def result(self) -> FasterRCNN:
        """The network that the training is for, as it would be if it ended now."""
        return self.networks[self.detect_with]

    def update_average(self, step: int) -> None:
        """After step `step`; the last step of the phase makes the average its result."""
        if self.average is not None:
            update_average(self.average, self.phase.model, self.training.average_decay, step - self.phase.start)
            if step == self.phase.end:
                self.phase.model.load_state_dict(self.average.state_dict())

    def save(self, step: int) -> None:
        """Write the checkpoint. Raises TutorialError, the last one intact, where weights are not finite."""
        check_weights(self.phase.model, step)
        self.run.save(step, self.networks, self.optimizers, self.detect_with)


def networks_of(phases: list[Phase]) -> dict[str, FasterRCNN]:
    """The networks of a training under the names that they have in a checkpoint; the result is "model."."""
    first, model = phases[0].model, phases[-1].model
    return {"model.": model} if first is model else {"model.": model, "first.": first}


def _is_due(training: TrainingConfig, step: int) -> bool:
    """Whether a checkpoint and a validation are."""
    return step % training.checkpoint_every == 0 or step == training.steps


def _validated(report: StepReport, model: FasterRCNN, training: TrainingConfig, run: Run, validation) -> StepReport:
    """The report with the validation of `model`, in the log too; as it is where there is nothing to validate on."""
    if validation is None:
        return report
    started = time.perf_counter()
    share, on_bad_file = training.batch_size // distributed.size(), training.on_bad_file
    measured = evaluate(model, validation, "voc07", model.device, False, share, on_bad_file)
    report = report._replace(validation=measured.mAP, seconds=report.seconds + time.perf_counter() - started)
    run.log.amend(report._asdict())
    return report


def _missing_validation(model: FasterRCNN, training: TrainingConfig, run: Run, validation) -> Iterator[StepReport]:
    """The report of the checkpoint's step, if the run ended before its validation was measured."""
    (last, *_) = distributed.gather(run.log.last)
    if run.checkpoint is None or validation is None or last is None or set(last) != set(StepReport._fields):
        return
    if last["step"] == run.step and last["validation"] is None and _is_due(training, run.step):
        model = copy.deepcopy(model)
        load_weights(model, run.checkpoint, str(run.checkpoint.info.get("detect_with", "model.")))
        yield _validated(StepReport(**last), model, training, run, validation)
