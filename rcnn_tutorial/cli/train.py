"""rcnn-tutorial train"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

from rcnn_tutorial import spec as specs
from rcnn_tutorial.cli import options
from rcnn_tutorial.cli.idle import check_idle
from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.config import BACKBONES, OPTIMIZERS, Config, TrainingConfig, from_dict
from rcnn_tutorial.errors import ConfigError, DataError, Interrupted
from rcnn_tutorial.request import SOURCES, defaults, get, put_together, read_request

# Options of `train` that set one field of the configs: (field, flags, meaning, more of argparse's keywords).
# Whatever is not listed here is reached through --config.
FIELDS = (
    ("model.backbone.name", "--backbone", "network to split into head and tail", {"choices": BACKBONES}),
    ("model.backbone.tail_stride", "--tail-stride", "stride of the tail's first block", {"choices": (1, 2)}),
    ("model.backbone.frozen_blocks", "--frozen-blocks", "leading blocks of the head that are never trained", {}),
    ("model.backbone.frozen_batch_norm", "--frozen-batch-norm", "never train batch norm", {}),
    ("model.preprocessing.target_size", "--target-size", "pixels of the image's shorter side", {}),
    ("model.preprocessing.max_size", "--max-size", "most pixels of the longer side", {}),
    (
        "model.preprocessing.pad_to",
        "--pad-to",
        "training only: pad scaled photos to multiples of so many pixels, such as 128, so that few sizes occur and "
        "more photos share a pass; features along padded borders change, and so may the result; 1: no padding",
        {},
    ),
    ("model.anchors.scales", "--anchor-scales", "anchor sizes in multiples of 16 pixels", {"nargs": "+"}),
    ("model.anchors.ratios", "--anchor-ratios", "anchor heights / widths", {"nargs": "+"}),
    ("model.rpn.channels", "--rpn-channels", "width of the region proposal network", {}),
    ("model.anchor_targets.batch_size", "--anchors-per-image", "anchors that enter the RPN's loss", {}),
    ("model.proposal_targets.batch_size", "--rois-per-image", "ROIs that enter the classifier's loss", {}),
    ("model.proposal_targets.foreground_fraction", "--roi-foreground", "largest share of objects among them", {}),
    ("model.proposal_targets.background_low", "--background-low", "least IoU of a background ROI", {}),
    ("model.proposal_targets.append_ground_truth", "--append-ground-truth", "add the objects' boxes to the ROIs", {}),
    ("model.crop_pooling.method", "--pooling", "how a ROI is cropped", {"choices": ("crop", "align", "pool")}),
    ("model.crop_pooling.size", "--crop-size", "rows and columns of a crop", {}),
    ("model.crop_pooling.max_pool", "--crop-max-pool", "crop at twice the size, then pool (crop alone)", {}),
    (
        "model.crop_pooling.detach_rois",
        "--detach-rois",
        "no gradient into the RPN through the ROIs (align and pool have none)",
        {},
    ),
    ("training.steps", "--steps", "training steps", {}),
    ("training.batch_size", "--batch-size", "images per step", {}),
    ("training.optimizer", "--optimizer", "how the weights are moved", {"choices": OPTIMIZERS}),
    ("training.learning_rate", ("--learning-rate", "--lr"), "highest learning rate", {}),
    ("training.momentum", "--momentum", "momentum of sgd, and of muon's kernels", {}),
    ("training.weight_decay", "--weight-decay", "pull of the weights towards 0", {}),
    ("training.double_bias", "--double-bias", "biases learn twice as fast (sgd alone)", {}),
    ("training.schedule", "--schedule", "course of the learning rate", {"choices": ("step", "cosine", "constant")}),
    ("training.step_at", "--step-at", "share of the steps after which `step` divides the rate by ten", {}),
    ("training.warmup", "--warmup", "share of the steps over which the rate rises", {}),
    ("training.clip_norm", "--clip-norm", "largest norm of the gradient; 0: any", {}),
    ("training.average_decay", "--average-decay", "moving average of the weights; 0: none", {}),
    ("training.flip", "--flip", "mirror half of the images", {}),
    ("training.scale_jitter", "--scale-jitter", "range of a random zoom", {"nargs": 2, "metavar": ("LOW", "HIGH")}),
    ("training.color_jitter", "--color-jitter", "strength of random colors; 0: none", {}),
    ("training.seed", "--seed", "of weights, order of the images, augmentation and sampling", {}),
    (
        "training.group_shapes",
        "--group-shapes",
        "batches of photos of like shape, which share a pass; another order of the photos, and so another result",
        {},
    ),
    ("training.workers", "--workers", "processes that load images; the result does not depend on it", {}),
    ("training.on_bad_file", "--on-bad-file", "what an unreadable file does", {"choices": ("fail", "skip")}),
    ("training.amp", "--amp", "compute the networks in bfloat16", {}),
    (
        "training.deterministic",
        "--deterministic",
        "same weights from every run on a GPU too; a CPU gives them anyway",
        {},
    ),
    ("training.checkpoint_every", "--checkpoint-every", "steps between two checkpoints", {}),
    ("training.alternating", "--alternating", "the paper's 4-step training instead of joint training", {}),
)


def add_options(parser: options.Parser) -> None:
    """Options of the command."""
    options.add_data(parser, split="train", required=False)
    validation_help = "measure the mAP on it at checkpoints: a split, or coco:IMAGES:ANNOTATIONS.json (default: none)"
    parser.add_argument("--validation", metavar="SPLIT", help=validation_help)
    parser.add_argument("--out", type=options.folder, required=True, metavar="RUN", help="folder of the run")
    resume_help = "go on from the checkpoint in RUN, with its data and settings"
    parser.add_argument("--resume", action="store_true", help=resume_help)
    parser.add_argument(
        "--pretrained", metavar="NAME|PATH", help="torchvision's weights, such as DEFAULT, or a file (default: none)"
    )
    config_help = "JSON of a request or a part of it, such as RUN/config.json (default: none)"
    parser.add_argument("--config", type=Path, metavar="FILE", help=config_help)
    options.add_device(parser)
    parser.add_argument(
        "--classes",
        dest="model.classes",
        nargs="+",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="names in the order of the labels (default: the data's own)",
    )
    model = parser.add_argument_group("the detector (defaults: the reference's, and those of toy where they differ)")
    training = parser.add_argument_group("training")
    usual, toy = defaults(toy=False), defaults(toy=True)
    for field, flags, meaning, more in FIELDS:
        group = model if field.startswith("model.") else training
        _add_field(group, field, flags, meaning, more, get(usual, field), get(toy, field))


def _add_field(group, field: str, flags, meaning: str, more: dict, default, toy) -> None:
    """One option of FIELDS. Its value is absent when it is not given, so that a default never overrides a file."""
    first = default[0] if isinstance(default, tuple) else default
    if isinstance(first, bool):
        more = {"action": argparse.BooleanOptionalAction}
    else:
        kind = type(first) if field not in ("model.anchors.scales", "model.anchors.ratios") else float
        metavar = {} if "choices" in more else {"metavar": "X" if kind is float else "N"}
        more = {"type": kind, **metavar, **more}
    text = options.shown(default) if default == toy else f"{options.shown(default)}; toy: {options.shown(toy)}"
    flags = (flags,) if isinstance(flags, str) else flags
    group.add_argument(*flags, dest=field, default=argparse.SUPPRESS, help=f"{meaning} (default: {text})", **more)


def run(args: argparse.Namespace) -> None:
    """Train a detector; prints the path of its checkpoint."""
    from rcnn_tutorial.distributed import process_group

    with process_group(options.device(args.device)) as device:
        _train_on(device, args)


def _train_on(device: str, args: argparse.Namespace) -> None:
    import torch

    from rcnn_tutorial import runs, training
    from rcnn_tutorial.atomic import write_atomically
    from rcnn_tutorial.checkpoints import save_model
    from rcnn_tutorial.distributed import is_writer
    from rcnn_tutorial.model import build_model

    kept = _request_of(args.out) if args.resume else {}
    request = requested(args, kept)
    dataset, validation = _open(request)
    request["model"]["classes"] = tuple(dataset.classes)
    config, recipe = from_dict(Config, request["model"]), from_dict(TrainingConfig, request["training"])
    begins = not (args.resume and (args.out / runs.CHECKPOINT).exists())
    torch.manual_seed(recipe.seed)
    model = build_model(config, pretrained=request["pretrained"] if begins else None)
    reports = training.train(model, dataset, recipe, args.out, args.resume, device, validation)
    if "data" not in kept and is_writer():
        write_atomically(args.out / runs.CONFIG, json.dumps(request, indent=2).encode())
    _follow(reports, recipe.steps, resuming(args))
    if is_writer():
        path = args.out / runs.MODEL
        sources = {name: request[name] for name in SOURCES}
        save_model(path, model, extra=sources | {"training": request["training"]})
        emit(str(path), f"the model lies in {path}")


def requested(args: argparse.Namespace, kept: dict) -> dict:
    """The whole request of a command, checked for options without effect. kept: that of the run that it resumes."""
    given = {field: value for field, value in vars(args).items() if field.startswith(("model.", "training."))}
    given |= {name: getattr(args, name) for name in SOURCES if getattr(args, name) is not None}
    request = put_together(given, read_request(args.config) if args.config else {}, kept)
    if kept and "pretrained" in given and "pretrained" not in kept:
        warnings.warn("--pretrained has no effect with --resume: the weights are the checkpoint's", stacklevel=2)
    flags = {field: flags if isinstance(flags, str) else flags[0] for field, flags, _, _ in FIELDS}
    check_idle({flags[field]: field for field in given if field in flags}, request)
    return request


def _request_of(run: Path) -> dict:
    """What a run was asked for: its config.json, or of an older one or without that file what the checkpoint knows."""
    from rcnn_tutorial.checkpoints import read_checkpoint
    from rcnn_tutorial.runs import CHECKPOINT, CONFIG

    if (run / CONFIG).exists():
        return read_request(run / CONFIG)
    path = run / CHECKPOINT
    if not path.exists():
        raise DataError(f"{path}: no such file to resume from; leave --resume away to start anew")
    info = read_checkpoint(path).info
    kept = {"model": info.get("config"), "training": info.get("training")}
    if not all(isinstance(value, dict) for value in kept.values()):
        raise DataError(f"{path}: no training to resume; name the folder of another run")
    return kept


def _open(request: dict) -> tuple:
    """(data set, that of the validation or None)."""
    from rcnn_tutorial.data import open_dataset

    spec, split, validation = request["data"], request["split"], request["validation"]
    bad = request["training"]["on_bad_file"]
    dataset = open_dataset(spec, split, classes=request["model"]["classes"] or None, on_bad_file=bad)
    more = {"classes": dataset.classes, "on_bad_file": bad}
    if validation is None:
        return dataset, None
    if validation in (split, spec):
        warnings.warn(
            "the validation measures on the training images; name others to learn about new ones", stacklevel=2
        )
    if validation.startswith("coco:"):
        return dataset, open_dataset(validation, **more)
    if not specs.has_splits(spec):
        raise ConfigError(
            f"validation {validation!r}: {spec} is one split by itself; give --validation coco:IMAGES:ANNOTATIONS.json"
        )
    return dataset, open_dataset(spec, validation, **more)


def resuming(args: argparse.Namespace) -> str:
    """The command that goes on with this one's run."""
    where = [] if args.device == "auto" else ["--device", args.device]
    return shlex.join(["rcnn-tutorial", "train", "--resume", "--out", str(args.out), *where])


def _follow(reports: Generator, steps: int, resume: str) -> None:
    """Run the training to its end under a progress bar that shows the latest losses.

    Ctrl-C lets the step in progress end and its checkpoint be written; a second one stops at once. Of several
    processes all stop after the same step, whichever heard of it first.
    """
    from tqdm import tqdm

    from rcnn_tutorial.distributed import gather, is_writer

    bar = tqdm(total=steps, desc="train", unit="step", file=sys.stderr, disable=not is_writer())
    with _postponed_interrupt() as interrupted, bar:
        for report in reports:
            bar.set_postfix(loss=f"{report.total:.3f}", lr=f"{report.learning_rate:.2g}", refresh=False)
            bar.update(report.step - bar.n)
            if report.validation is not None and is_writer():
                bar.write(f"step {report.step}: validation mAP {report.validation:.4f}", file=sys.stderr)
            if any(gather(interrupted.is_set())) and report.step < steps:
                reports.close()
                if not is_writer():
                    sys.exit(Interrupted.exit_code)
                raise Interrupted(f"interrupted after step {report.step} of {steps}, all saved; go on with {resume}")


@contextlib.contextmanager
def _postponed_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event to be looked at between two steps."""
    interrupted = threading.Event()

    def note(*_) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)
