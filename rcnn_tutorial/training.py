"""Training: an iterator of step reports. The post's section "Implementation Details: Training".

`train` runs no loop of its own: whoever iterates over it sets the pace. A notebook plots the reports, the command line
draws a progress bar over them, a test stops after three.

Everything random in step n is a function of (seed, n) alone. Sampling of anchors and ROIs and dropout draw from
generators that are seeded anew in every step, and the data loader's order and augmentation are functions of
(seed, epoch, index). So the position in training is one number, and a resumed run needs no saved random state to
reach the very same weights as one that never stopped.

Processes that belong together (see `distributed`) run the same loop, each on its slice of every batch. Gradients,
statistics of batch norm and figures are averaged in every step, so all hold the same weights; the first one writes.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from rcnn_tutorial import distributed, runs
from rcnn_tutorial.checkpoints import load_optimizer, load_training, load_weights, save_training
from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.data.batching import mixed_seed, training_loader
from rcnn_tutorial.data.records import check_objects
from rcnn_tutorial.devices import place, upload
from rcnn_tutorial.errors import ConfigError, DataError, TutorialError
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.muon import Muon
from rcnn_tutorial.runs import CHECKPOINT
from rcnn_tutorial.stages.sampling import Generators
from rcnn_tutorial.targets import classes_of

RPN_LOSSES = ("rpn_cross_entropy", "rpn_loss_box")
DETECTOR_LOSSES = ("cross_entropy", "loss_box")
KERNEL_RATE = 4  # an orthogonal step is longer than one of AdamW's at the same rate, and may be
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NORMS = (*BATCH_NORMS, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm)


class StepReport(NamedTuple):
    """What one training step did."""

    step: int  # 1 for the first
    phase: str  # "joint", or the name of the step of alternating training
    losses: dict[str, float]  # the losses that were minimized, under the post's names
    total: float  # their sum
    learning_rate: float
    gradient_norm: float  # before clipping
    seconds: float  # loading of the data and validation included
    examples: int  # images in the step
    validation: float | None = None  # VOC07 mAP on the validation set, where one was measured


@dataclass(frozen=True)
class Phase:
    """A stretch of training: which network, which of its losses, what stays fixed, and whose proposals."""

    name: str
    start: int  # steps done before it
    end: int  # steps done after it
    model: FasterRCNN
    losses: tuple[str, ...] = RPN_LOSSES + DETECTOR_LOSSES
    fixed: tuple[str, ...] = ()  # submodules that are not trained
    proposer: FasterRCNN | None = None  # whose proposals the detector sees; None: the model's own
    inherit_rpn: FasterRCNN | None = None  # whose RPN the model starts the phase with; None: its own


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
    run = Path(run) if run is not None else None
    _check_request(model, dataset, training, run, resume)
    claim = runs.claim(run, resume)
    try:
        has_checkpoint = resume and (run / CHECKPOINT).exists()
        checkpoint = load_training(run / CHECKPOINT, model.config, training) if has_checkpoint else None
    except BaseException:
        claim.release()
        raise
    if checkpoint is not None:
        runs.warn_of_other_data(checkpoint, dataset)
    if training.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    run = run if distributed.is_writer() else None
    place(model, torch.device(device))
    make_phases = alternating_phases if training.alternating else joint_phases
    return _Run(make_phases(model, training.steps), training, run, checkpoint, validation, claim).reports(dataset)


def train_alternating(model: FasterRCNN, dataset, training: TrainingConfig, **options) -> Iterator[StepReport]:
    """`train` with the paper's 4-step alternating training (section 3.2), whatever `training.alternating` says."""
    return train(model, dataset, replace(training, alternating=True), **options)


def joint_phases(model: FasterRCNN, steps: int) -> list[Phase]:
    """Approximate joint training: one phase, all four losses, every module. What the reference code does."""
    return [Phase("joint", 0, steps, model)]


def alternating_phases(model: FasterRCNN, steps: int) -> list[Phase]:
    """The paper's 4-step alternating training (section 3.2), a quarter of the steps each.

    Two networks start from the same pretrained head and part ways. From the third phase on there is only one: the
    RPN is tuned to the head that the detector has learned, then the detector to the proposals of that RPN.
    """
    first = copy.deepcopy(model)
    a, b, c, d, e = (round(steps * quarter / 4) for quarter in range(5))
    output = ("tail", "classification")  # what the detector has of its own, after the head
    return [
        Phase("1: RPN", a, b, first, RPN_LOSSES, fixed=output),
        Phase("2: detector", b, c, model, DETECTOR_LOSSES, fixed=("rpn",), proposer=first),
        Phase("3: RPN on fixed head", c, d, model, RPN_LOSSES, fixed=("head", *output), inherit_rpn=first),
        Phase("4: detector on fixed head", d, e, model, DETECTOR_LOSSES, fixed=("head", "rpn")),
    ]


def learning_rate(training: TrainingConfig, step: int, steps: int) -> float:
    """The rate of step `step` (0-based) of a phase of `steps`: a function of the position alone."""
    warmup = round(training.warmup * steps)
    if step < warmup:
        return training.learning_rate * (0.01 + 0.99 * step / warmup)
    if training.schedule == "cosine":
        return training.learning_rate * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
    if training.schedule == "step" and step >= round(training.step_at * steps):
        return training.learning_rate / 10
    return training.learning_rate


def build_optimizer(model: nn.Module, training: TrainingConfig) -> torch.optim.Optimizer:
    """SGD, AdamW or Muon over the parameters that are not frozen, in groups as in the reference.

    Weight decay spares biases and norms; with SGD and `double_bias`, biases learn at twice the rate. Muon moves the
    kernels of hidden convolutions (see `_is_hidden`) and leaves the rest to AdamW.
    """
    kinds = {"kernels": [], "weights": [], "biases": [], "norms": []}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            kind = "norms" if isinstance(module, NORMS) else "biases" if name == "bias" else "weights"
            if kind == "weights" and training.optimizer == "muon" and _is_hidden(path, module):
                kind = "kernels"
            if parameter.requires_grad:
                kinds[kind].append(parameter)
    sgd, decay = training.optimizer == "sgd", training.weight_decay
    groups = [
        {"params": kinds["weights"], "rate": 1, "weight_decay": decay},
        {"params": kinds["biases"], "rate": 2 if sgd and training.double_bias else 1, "weight_decay": 0},
        {"params": kinds["norms"], "rate": 1, "weight_decay": 0},
    ]
    if sgd:
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=training.momentum, fused=True)
    if training.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)
    kernels = {"params": kinds["kernels"], "rate": KERNEL_RATE, "weight_decay": decay, "momentum": training.momentum}
    return Muon([*groups, kernels | {"orthogonal": True}], lr=training.learning_rate)


def _is_hidden(path: str, module: nn.Module) -> bool:
    """A convolution that Muon is made for: not the one that sees the image, not the RPN's outputs, none in groups."""
    last = path.rpartition(".")[2] in ("scores", "coefficients")
    return isinstance(module, nn.Conv2d) and module.in_channels != 3 and module.groups == 1 and not last


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights towards those of `model` after step `step` (1-based) of the phase.

    The decay grows into its value, so that the random weights of the start are soon forgotten.
    """
    decay = min(decay, (1 + step) / (10 + step))
    current = model.state_dict()
    for name, tensor in average.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(current[name], 1 - decay)
        else:
            tensor.copy_(current[name])  # batch norm's count of batches


class _Run:
    """The state of a training run between two steps."""

    def __init__(
        self, phases: list[Phase], training: TrainingConfig, folder: Path | None, checkpoint, validation, claim
    ):
        self.phases, self.training, self.folder, self.validation = phases, training, folder, validation
        self.claim = claim
        self.model = phases[-1].model
        self.networks = {"model.": self.model}
        if phases[0].model is not self.model:
            self.networks["first."] = phases[0].model
        self.checkpoint = checkpoint
        self.step = checkpoint.info["step"] if checkpoint is not None else 0
        for prefix, network in self.networks.items():
            if checkpoint is not None:
                load_weights(network, checkpoint, prefix)

    def reports(self, dataset) -> Iterator[StepReport]:
        self.data = runs.fingerprint(dataset)
        part, parts = distributed.rank(), distributed.size()
        batches = iter(training_loader(dataset, self.training, self.step, part, parts))
        with self.claim, runs.Log(self.folder, self.step) as log:
            yield from self._complete(log)
            for phase in self.phases:
                if self.step >= phase.end:
                    continue
                with fixed_parameters(phase):
                    self._enter(phase)
                    while self.step < phase.end:
                        report = self._advance(phase, batches)
                        log.append(report._asdict())
                        if self._due():
                            self._save(phase)
                            report = self._validated(report, self._result(phase), log)
                        try:
                            yield report
                        except GeneratorExit:  # whoever follows the training stops here
                            if not self._due():
                                self._save(phase)
                            raise

    def _complete(self, log: runs.Log) -> Iterator[StepReport]:
        """The report of the checkpoint's step, if the run ended before its validation was measured."""
        (last, *_) = distributed.gather(log.last)
        reached = self.checkpoint is not None and self._due() and last is not None and last["step"] == self.step
        if reached and self.validation is not None and set(last) == set(StepReport._fields):
            if last["validation"] is None:
                model = copy.deepcopy(self.model)
                load_weights(model, self.checkpoint, str(self.checkpoint.info.get("detect_with", "model.")))
                yield self._validated(StepReport(**last), model, log)

    def _validated(self, report: StepReport, model: FasterRCNN, log: runs.Log) -> StepReport:
        """The report with the validation of `model`, in the log too; as it is where there is nothing to validate on."""
        if self.validation is None:
            return report
        started = time.perf_counter()
        options = {"progress": False, "on_bad_file": self.training.on_bad_file}
        options |= {"device": _device(model), "batch_size": self.training.batch_size // distributed.size()}
        measured = evaluate(model, self.validation, **options)
        seconds = report.seconds + time.perf_counter() - started
        report = report._replace(validation=measured.mAP, seconds=seconds)
        log.amend(report._asdict())
        return report

    def _enter(self, phase: Phase) -> None:
        """Prepare optimizer and average for a phase, fresh at its start or as they were where training stopped."""
        if self.step == phase.start and phase.inherit_rpn is not None:
            phase.model.rpn.load_state_dict(phase.inherit_rpn.rpn.state_dict())
        self.parallel = _Losses(phase, self.training.amp).in_parallel() if distributed.size() > 1 else None
        self.optimizer = build_optimizer(phase.model, self.training)
        self.average = copy.deepcopy(phase.model) if self.training.average_decay else None
        if self.step > phase.start:
            load_optimizer(self.optimizer, self.checkpoint)
            if self.average is not None:
                load_weights(self.average, self.checkpoint, "average.")
        self.checkpoint = None  # all read; let go of its memory

    def _advance(self, phase: Phase, batches) -> StepReport:
        """One step and the average."""
        started = time.perf_counter()
        images, targets = next(batches)
        images = [upload(image, _device(self.model)) for image in images]  # targets: see pad_ground_truth
        report = train_step(phase, self.optimizer, images, targets, self.training, self.step + 1, self.parallel)
        self.step += 1
        if self.average is not None:
            update_average(self.average, phase.model, self.training.average_decay, self.step - phase.start)
            if self.step == phase.end:
                phase.model.load_state_dict(self.average.state_dict())
        return report._replace(seconds=time.perf_counter() - started)

    def _due(self) -> bool:
        return self.step % self.training.checkpoint_every == 0 or self.step == self.training.steps

    def _averages_result(self, phase: Phase) -> bool:
        """Whether the average is one of the network that the training is for, not of the alternating helper."""
        return self.average is not None and phase.model is self.model

    def _result(self, phase: Phase) -> FasterRCNN:
        """The network that the training is for, as it would be after this step."""
        return self.average if self._averages_result(phase) else self.model

    def _save(self, phase: Phase) -> None:
        _check_weights(phase.model, self.step)
        if self.folder is None:
            return
        networks = self.networks if self.average is None else self.networks | {"average.": self.average}
        detect_with = "average." if self._averages_result(phase) else "model."
        path, config = self.folder / CHECKPOINT, self.model.config
        save_training(path, config, self.training, self.step, networks, self.optimizer, detect_with, self.data)


def train_step(
    phase: Phase,
    optimizer: torch.optim.Optimizer,
    images: list,
    targets: list,
    training: TrainingConfig,
    step: int,
    parallel: DistributedDataParallel | None = None,
) -> StepReport:
    """Forward, backward and update: step `step` (1-based), on one batch.

    parallel: the phase's `_Losses` on all processes, where the images are this process's slice of the batch.
    Raises TutorialError, the model as it was before the step, when a loss or the gradient is not finite.
    """
    started = time.perf_counter()
    rate = learning_rate(training, step - 1 - phase.start, phase.end - phase.start)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate"]
    _set_modes(phase)
    statistics = _batch_norm_statistics(phase.model)
    optimizer.zero_grad()
    losses, total, examples = _backward(phase, images, targets, training, step, parallel)
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = get_total_norm([p.grad for p in parameters])
    averages = [buffer for buffer, _ in statistics if buffer.is_floating_point()]
    # A variance may overflow before any loss does.
    largest = get_total_norm(averages, math.inf) if averages else torch.zeros_like(total)
    # One transfer for all figures: every read of a number from a GPU waits for it to finish its work.
    measured = torch.stack([*losses.values(), total, norm, largest]).detach()
    distributed.average([measured])
    *figures, total_figure, norm_figure, largest_figure = measured.tolist()
    figures = dict(zip(losses, figures, strict=True))
    if not all(map(math.isfinite, [*figures.values(), norm_figure, largest_figure])):
        _restore(statistics)
        raise TutorialError(_not_finite(step, figures, norm_figure, targets))
    if training.clip_norm:
        clip_grads_with_norm_(parameters, training.clip_norm, norm)
    distributed.average(averages)
    optimizer.step()
    seconds = time.perf_counter() - started
    return StepReport(step, phase.name, figures, total_figure, rate, norm_figure, seconds, examples)


def _backward(phase: Phase, images: list, targets: list, training: TrainingConfig, step: int, parallel):
    """Forward and backward: ({name: loss}, their sum, number of images in the step)."""
    examples = len(images) * distributed.size()
    with _random_state_of(step, training.seed, len(images), _device(phase.model)) as generators:
        with _algorithms(training.deterministic):
            losses = (parallel or _Losses(phase, training.amp))(images, targets, generators)
        total = torch.stack(list(losses.values())).sum()
        total.backward()
    return losses, total, examples


class _Losses(nn.Module):
    """`phase_losses` as a module, which is what DistributedDataParallel takes."""

    def __init__(self, phase: Phase, amp: bool):
        super().__init__()
        self.phase, self.amp = phase, amp
        self.model = phase.model  # registered here, because its gradients are to be averaged

    def in_parallel(self) -> DistributedDataParallel:
        """These losses on all processes; makes the weights those of the first process."""
        return DistributedDataParallel(self)

    def forward(self, images: list, targets: list, generators: list) -> dict[str, Tensor]:
        """{name: loss}."""
        return phase_losses(self.phase, images, targets, generators, self.amp)


def phase_losses(phase: Phase, images: list, targets: list, generator: Generators, amp: bool) -> dict:
    """The losses that the phase minimizes: {name: scalar tensor, float32}."""
    with torch.autocast(_device(phase.model).type, torch.bfloat16, enabled=amp):
        if phase.proposer is None:
            losses = phase.model(images, targets, generator)
        else:
            with torch.no_grad():
                proposals = phase.proposer.trace(images).proposals
            losses = phase.model.trace(images, targets, generator, proposals=proposals).losses
    return {name: losses[name].float() for name in phase.losses}


def _check_request(model: FasterRCNN, dataset, training: TrainingConfig, run: Path | None, resume: bool) -> None:
    if classes_of(dataset) != tuple(model.config.classes):
        raise ConfigError(f"the data has classes {dataset.classes}, the model {model.config.classes}; use the same")
    if len(dataset) == 0:
        raise DataError("the training data holds no images; check its folder and split")
    check_objects(dataset)
    if resume and run is None:
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
            stacklevel=3,
        )


def _not_finite(step: int, losses: dict[str, float], gradient_norm: float, targets: list[dict]) -> str:
    figures = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
    names = distributed.gather([str(target["image_id"]) for target in targets])
    images = ", ".join(name for part in names for name in part)
    return (
        f"step {step}: a value is not finite ({figures}, gradient norm {gradient_norm:.4g}) on images {images}; "
        "lower the learning rate or check the boxes of these images"
    )


def _check_weights(model: nn.Module, step: int) -> None:
    """Raise TutorialError unless all weights are finite: an update may overflow after a loss that was finite."""
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise TutorialError(f"step {step}: the weights are no longer finite ({name}); lower the learning rate")


def _batch_norm_statistics(model: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """(buffer, copy of it) of every statistic that a forward pass in training mode changes."""
    norms = [module for module in model.modules() if isinstance(module, NORMS) and module.training]
    return [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]


def _restore(statistics: list[tuple[Tensor, Tensor]]) -> None:
    for buffer, value in statistics:
        buffer.copy_(value)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _set_modes(phase: Phase) -> None:
    """Training mode, but for what is fixed: batch norm would go on adapting its statistics there.

    Done in every step, because between two reports the caller may have looked at the model's detections.
    """
    phase.model.train()
    for name in phase.fixed:
        getattr(phase.model, name).eval()
    if phase.proposer is not None:
        phase.proposer.train()  # as many proposals as training uses ...
        for module in phase.proposer.children():
            module.eval()  # ... from layers that stay as they are


@contextlib.contextmanager
def fixed_parameters(phase: Phase):
    """Within the context the phase's fixed modules take no gradient."""
    fixed = [p for name in phase.fixed for p in getattr(phase.model, name).parameters() if p.requires_grad]
    for parameter in fixed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in fixed:
            parameter.requires_grad_(True)


@contextlib.contextmanager
def _random_state_of(step: int, seed: int, images: int, device: torch.device):
    """Yield a sampling generator for each image here; dropout's global one is seeded too, and put back afterwards."""
    first = distributed.rank() * images  # the number of the first image here in the batch of all processes
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(mixed_seed(seed, step) + distributed.rank())  # dropout differs where the images do
        yield [torch.Generator().manual_seed(mixed_seed(seed, step, first + index)) for index in range(images)]


@contextlib.contextmanager
def _algorithms(deterministic: bool):
    """Within the context, deterministic algorithms alone where they are asked for. The GPU's fastest often are not.

    Raises ConfigError for an operation that has none.
    """
    if not deterministic:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        operation = str(error).split(" does not have")[0]
        raise ConfigError(
            f"--deterministic: {operation} has no deterministic algorithm on this device; use --pooling align, or "
            "leave --deterministic away"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
