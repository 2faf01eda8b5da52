"""rcnn-tutorial train."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import warnings
from collections.abc import Generator
from pathlib import Path

from rcnn_tutorial import spec as specs
from rcnn_tutorial.cli.idle import check_idle
from rcnn_tutorial.cli.interrupt import postponed_interrupt
from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, add_data, add_device, chosen_device, folder
from rcnn_tutorial.config import Config, TrainingConfig
from rcnn_tutorial.errors import ConfigError, DataError, Interrupted
from rcnn_tutorial.fields import flags_of, from_dict
from rcnn_tutorial.options import add_flags, request_fields
from rcnn_tutorial.request import SOURCES, put_together, read_request


def add_options(parser: Parser) -> None:
    """Options of the command."""
    add_data(parser, split="train", required=False, otherwise="those of --config or of the run to --resume")
    validation_help = "measure the mAP on it at checkpoints: a split, or coco:IMAGES:ANNOTATIONS.json (default: none)"
    parser.add_argument("--validation", metavar="SPLIT", help=validation_help)
    parser.add_argument("--out", type=folder, required=True, metavar="RUN", help="folder of the run")
    resume_help = "go on from the checkpoint in RUN, with its data and settings"
    parser.add_argument("--resume", action="store_true", help=resume_help)
    parser.add_argument(
        "--pretrained", metavar="NAME|PATH", help="torchvision's weights, such as DEFAULT, or a file (default: none)"
    )
    config_help = "JSON of a request or a part of it, such as RUN/config.json (default: none)"
    parser.add_argument("--config", type=Path, metavar="FILE", help=config_help)
    add_device(parser)
    add_flags(parser)


def run(args: argparse.Namespace) -> None:
    """Train a detector; prints the path of its checkpoint."""
    from rcnn_tutorial.distributed import process_group

    with process_group(chosen_device(args.device)) as device:
        _train_on(device, args)


def _train_on(device: str, args: argparse.Namespace) -> None:
    import torch

    from rcnn_tutorial import training
    from rcnn_tutorial.atomic import write_atomically
    from rcnn_tutorial.checkpoints import save_model
    from rcnn_tutorial.distributed import is_writer
    from rcnn_tutorial.model import build_model
    from rcnn_tutorial.training import runs

    kept = _request_of(args.out) if args.resume else {}
    request = requested(args, kept)
    dataset, validation = _datasets(request)
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
    check_idle({name: flags_of(field)[0] for name, field in request_fields() if name in given}, request)
    return request


def _request_of(run: Path) -> dict:
    """What a run was asked for: its config.json, or of an older one or without that file what the checkpoint knows."""
    from rcnn_tutorial.checkpoints import read_checkpoint
    from rcnn_tutorial.training.runs import CHECKPOINT, CONFIG

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


def _datasets(request: dict) -> tuple:
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
    with postponed_interrupt() as interrupted, bar:
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
