"""The command `rcnn-tutorial`: detect, train, evaluate, lab, handout, benchmark.

Results go to stdout, all else (progress, warnings, errors) to stderr. Exit code 2: the request cannot work; 1: a file
or its content cannot be used. torch is imported by the commands, not here, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import reprlib
import signal
import sys
import threading
import time
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

import rcnn_tutorial
from rcnn_tutorial.config import (
    OPTIMIZERS,
    TOY_TRAINING,
    Config,
    TrainingConfig,
    from_dict,
    reference_config,
    to_dict,
    toy_config,
)
from rcnn_tutorial.errors import ConfigError, DataError, Interrupted, ProcessLost, TutorialError

PROGRAM = "rcnn-tutorial"

BENCHMARKS = ("toy", "learning", "infer", "stages", "explorer")
BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101", "vgg16", "mobilenet_v2", "small")

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
    ("model.crop_pooling.max_pool", "--crop-max-pool", "crop at twice the size, then pool", {}),
    ("model.crop_pooling.detach_rois", "--detach-rois", "no gradient into the RPN through the ROIs", {}),
    ("training.steps", "--steps", "training steps", {}),
    ("training.batch_size", "--batch-size", "images a step", {}),
    ("training.optimizer", "--optimizer", "how the weights are moved", {"choices": OPTIMIZERS}),
    ("training.learning_rate", ("--learning-rate", "--lr"), "highest learning rate", {}),
    ("training.momentum", "--momentum", "momentum of sgd and muon", {}),
    ("training.weight_decay", "--weight-decay", "pull of the weights towards 0", {}),
    ("training.double_bias", "--double-bias", "biases learn twice as fast (sgd)", {}),
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
    ("training.deterministic", "--deterministic", "same weights from every run on a GPU too", {}),
    ("training.checkpoint_every", "--checkpoint-every", "steps between two checkpoints", {}),
    ("training.alternating", "--alternating", "the paper's 4-step training instead of joint training", {}),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = build_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print(f"{PROGRAM}: warning: {message}", file=sys.stderr)
            args.command(args)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except (TutorialError, OSError) as error:
        if args.debug:
            raise
        _let_the_first_speak(error)
        return _fail(str(error), getattr(error, "exit_code", 1))
    except (MemoryError, RuntimeError) as error:
        if args.debug or not _is_out_of_memory(error):
            raise
        return _fail("not enough memory; use smaller images, a smaller batch or a smaller network", 1)
    return 0


class Parser(argparse.ArgumentParser):
    """argparse, with the error alone on one line and every option's default in its help."""

    def __init__(self, **options):
        super().__init__(**options, formatter_class=_HelpFormatter, allow_abbrev=False)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


class _HelpFormatter(argparse.HelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        told = action.required or action.default in (None, argparse.SUPPRESS) or "default:" in action.help
        return action.help if told else f"{action.help} (default: {_shown(action.default)})"


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(prog=PROGRAM, description="Faster R-CNN, stage by stage, on real tensors.")
    parser.add_argument("--version", action="version", version=rcnn_tutorial.__version__, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, add_options, command in (
        ("detect", _add_detect_options, detect),
        ("train", _add_train_options, train),
        ("evaluate", _add_evaluate_options, evaluate),
        ("lab", _add_lab_options, lab),
        ("handout", _add_handout_options, handout),
        ("benchmark", _add_benchmark_options, benchmark),
    ):
        described = command.__doc__.splitlines()[0]
        sub = commands.add_parser(name, help=described, description=described)
        add_options(sub)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.set_defaults(command=command)
    return parser


def _add_detect_options(parser: Parser) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="photos to search")
    parser.add_argument("--weights", default="voc", help="voc, toy, or the path of a checkpoint")
    parser.add_argument("--score", type=_share, default=0.5, help="show detections scored at least this, 0 to 1")
    parser.add_argument(
        "--out", type=Path, default=Path("detections"), metavar="DIR", help="for the annotated pictures"
    )
    parser.add_argument("--json", action="store_true", help="print the detections as JSON")
    _add_device_option(parser)


def _add_train_options(parser: Parser) -> None:
    _add_data_options(parser, split="train")
    parser.add_argument("--validation", metavar="SPLIT", help="measure the mAP on it at checkpoints (default: none)")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in RUN, with its settings")
    parser.add_argument(
        "--pretrained", metavar="NAME|PATH", help="torchvision's weights, such as DEFAULT, or a file (default: none)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help='JSON: {"model": {...}, "training": {...}}, such as RUN/config.json (default: none)',
    )
    _add_device_option(parser)
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
    usual, toy = _defaults(toy=False), _defaults(toy=True)
    for field, flags, meaning, options in FIELDS:
        group = model if field.startswith("model.") else training
        _add_field(group, field, flags, meaning, options, _get(usual, field), _get(toy, field))


def _add_evaluate_options(parser: Parser) -> None:
    _add_data_options(parser, split="val")
    parser.add_argument("--weights", required=True, help="voc, toy, or the path of a checkpoint")
    parser.add_argument(
        "--batch-size",
        type=_positive,
        metavar="N",
        help="images detected in together (default: 8 on a GPU, 1 on a CPU)",
    )
    parser.add_argument("--metric", choices=("voc07", "voc", "coco"), default="voc07", help="how AP is counted")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_device_option(parser)


def _add_handout_options(parser: Parser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the copies go")


def _add_benchmark_options(parser: Parser) -> None:
    cases_help = f"{', '.join(BENCHMARKS)}; default: all"
    parser.add_argument("cases", nargs="*", choices=BENCHMARKS, metavar="CASE", help=cases_help)
    parser.add_argument("--repeats", type=_positive, default=9, help="runs of each side, of which the median counts")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_lab_options(parser: Parser) -> None:
    folder_help = "copy the course there and open it (default: the clone's notebooks; without a clone: rcnn_course)"
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help=folder_help)
    parser.add_argument("--port", type=_port, default=8888, help="of 127.0.0.1; the next free one if it is taken")
    parser.add_argument("--browser", action=argparse.BooleanOptionalAction, default=True, help="open a browser")


def _add_data_options(parser: Parser, split: str) -> None:
    parser.add_argument("--data", required=True, metavar="SPEC", help="toy, voc:DIR or coco:IMAGES:ANNOTATIONS.json")
    parser.add_argument("--split", default=split, help="part of the data")


def _add_device_option(parser: Parser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")


def _add_field(group, field: str, flags, meaning: str, options: dict, default, toy) -> None:
    """One option of FIELDS. Its value is absent when it is not given, so that a default never overrides a file."""
    first = default[0] if isinstance(default, tuple) else default
    if isinstance(first, bool):
        options = {"action": argparse.BooleanOptionalAction}
    else:
        kind = type(first) if field not in ("model.anchors.scales", "model.anchors.ratios") else float
        metavar = {} if "choices" in options else {"metavar": "X" if kind is float else "N"}
        options = {"type": kind, **metavar, **options}
    text = _shown(default) if default == toy else f"{_shown(default)}; toy: {_shown(toy)}"
    flags = (flags,) if isinstance(flags, str) else flags
    group.add_argument(*flags, dest=field, default=argparse.SUPPRESS, help=f"{meaning} (default: {text})", **options)


def detect(args: argparse.Namespace) -> None:
    """Find the objects in photos; writes annotated pictures and prints what was found."""
    pictures = list(_picture_paths(args.images, args.out))
    from rcnn_tutorial.checkpoints import load_model
    from rcnn_tutorial.data.images import read_image

    for path in args.images:  # a file that cannot be read is reported before anything is written
        read_image(path)
    model = load_model(args.weights, _device(args.device)).for_inference()
    found = []
    for path, picture in zip(_progress(args.images, "detect"), pictures, strict=True):
        image = read_image(path)
        detections = _detect_one(model, image, args.score)
        _write_picture(picture, image, detections, model.config.classes)
        found.append({"image": str(path), "detections": _as_records(detections, model.config.classes)})
    print(json.dumps(found, indent=2) if args.json else "\n".join(_as_text(found, pictures)))


def _detect_one(model, image, score: float) -> dict:
    import torch

    with torch.inference_mode():
        detections = model([image.to(next(model.parameters()).device)])[0]
    kept = detections["scores"] >= score
    return {name: values[kept].cpu() for name, values in detections.items()}


def _as_records(detections: dict, classes: Sequence[str]) -> list[dict]:
    rows = zip(*(detections[name].tolist() for name in ("labels", "scores", "boxes")), strict=True)
    return [
        {"label": classes[label - 1], "score": round(score, 4), "box": [round(corner, 2) for corner in box]}
        for label, score, box in rows
    ]


def _as_text(found: list[dict], pictures: list[Path]) -> Iterable[str]:
    for entry, picture in zip(found, pictures, strict=True):
        count = len(entry["detections"])
        yield f"{entry['image']}: {count} object{'' if count == 1 else 's'}, drawn in {picture}"
        for item in entry["detections"]:
            corners = ", ".join(f"{corner:.1f}" for corner in item["box"])
            yield f"  {item['label']} {item['score']:.2f} [{corners}]"


def _picture_paths(images: list[Path], out: Path) -> list[Path]:
    """Where the annotated pictures go. Raises ConfigError where one would replace a photo or another picture."""
    photos, taken = {os.path.realpath(path) for path in images}, set()
    for path in images:
        picture = out / f"{path.stem}_detections{'.jpg' if path.suffix.lower() in ('.jpg', '.jpeg') else '.png'}"
        if os.path.realpath(picture) in photos | taken:
            raise ConfigError(f"{path}: {picture} is taken by another of the images; give them to separate commands")
        taken.add(os.path.realpath(picture))
        yield picture


def _write_picture(path: Path, image, detections: dict, classes: Sequence[str]) -> None:
    import io

    from rcnn_tutorial.checkpoints import write_atomically
    from rcnn_tutorial.figures.detections import draw_detections

    data = io.BytesIO()
    picture = draw_detections(image, detections, classes)
    picture.save(data, **({"format": "JPEG", "quality": 95} if path.suffix == ".jpg" else {"format": "PNG"}))
    write_atomically(path, data.getvalue())


def train(args: argparse.Namespace) -> None:
    """Train a detector; prints the path of its checkpoint."""
    from rcnn_tutorial.distributed import process_group

    with process_group(_device(args.device)) as device:
        _train_on(device, args)


def _train_on(device: str, args: argparse.Namespace) -> None:
    import torch

    from rcnn_tutorial import training
    from rcnn_tutorial.checkpoints import save_model, write_atomically
    from rcnn_tutorial.data import open_dataset
    from rcnn_tutorial.distributed import is_writer
    from rcnn_tutorial.model import build_model

    settings = _settings(args)
    bad = settings["training"]["on_bad_file"]
    dataset = open_dataset(args.data, args.split, classes=settings["model"]["classes"] or None, on_bad_file=bad)
    options = {"classes": dataset.classes, "on_bad_file": bad}
    validation = open_dataset(args.data, args.validation, **options) if args.validation else None
    settings["model"]["classes"] = dataset.classes
    config, recipe = from_dict(Config, settings["model"]), from_dict(TrainingConfig, settings["training"])
    torch.manual_seed(recipe.seed)
    model = build_model(config, pretrained=None if args.resume else args.pretrained)
    reports = training.train(model, dataset, recipe, args.out, args.resume, device, validation)
    if not args.resume and is_writer():
        write_atomically(args.out / "config.json", json.dumps(settings, indent=2).encode())
    _follow(reports, recipe.steps, f"--resume --out {args.out}")
    if is_writer():
        path = args.out / "model.safetensors"
        save_model(path, model, extra={"data": args.data, "split": args.split, "training": settings["training"]})
        print(path)


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


def _settings(args: argparse.Namespace) -> dict:
    """{"model": ..., "training": ...}: the defaults (with --resume the run's own), then --config, then the options."""
    backbone = getattr(args, "model.backbone.name", "resnet50")
    settings = _settings_of(args.out) if args.resume else _defaults(args.data == "toy", backbone)
    if args.config:
        settings = _merge(settings, _read_config(args.config))
    for field, value in vars(args).items():
        if field.startswith(("model.", "training.")):
            settings = _merge(settings, _nest(field, value))
    return settings


def _defaults(toy: bool, backbone: str = "resnet50") -> dict:
    """What `train` starts from. The classes are left to the data."""
    config = toy_config(("any",)) if toy else reference_config(backbone)
    training = to_dict(TOY_TRAINING if toy else TrainingConfig())
    return {"model": to_dict(config) | {"classes": ()}, "training": training}


def _settings_of(run: Path) -> dict:
    from rcnn_tutorial.checkpoints import read_checkpoint
    from rcnn_tutorial.training import CHECKPOINT

    path = run / CHECKPOINT
    if not path.exists():
        raise DataError(f"{path}: no such file to resume from; leave --resume away to start anew")
    info = read_checkpoint(path).info
    try:
        return _merge(_defaults(toy=False), {"model": info.get("config"), "training": info.get("training")})
    except ConfigError as error:
        raise DataError(f"{path}: no training to resume ({error}); name the folder of another run") from error


def _read_config(path: Path) -> dict:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not a JSON file that can be read ({error}); pass one such as RUN/config.json"
        ) from None
    if not isinstance(settings, dict) or not settings.keys() <= {"model", "training"}:
        raise ConfigError(f'{path}: expected {{"model": {{...}}, "training": {{...}}}} with one of them or both')
    return settings


def _merge(settings: dict, changes: dict) -> dict:
    """`settings` with the values of `changes`, which may name any part of the tree (`from_dict` knows what exists)."""
    merged = dict(settings)
    for name, value in changes.items():
        if name in settings and not _fits(value, settings[name]):
            raise ConfigError(f"{name} = {reprlib.repr(value)}: expected the like of {reprlib.repr(settings[name])}")
        merged[name] = _merge(settings[name], value) if isinstance(settings.get(name), dict) else value
    return merged


def _fits(value, known) -> bool:
    """Whether `value`, from JSON, is of the kind of the value `known`."""
    if isinstance(known, list | tuple):
        item = 0.0 if known and not isinstance(known[0], str) else ""
        return isinstance(value, list | tuple) and all(_fits(each, item) for each in value)
    if isinstance(known, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(known)


def _nest(field: str, value) -> dict:
    """{"a": {"b": value}} of the field "a.b"."""
    for name in reversed(field.split(".")):
        value = {name: value}
    return value


def _get(settings: dict, field: str):
    for name in field.split("."):
        settings = settings[name]
    return settings


def evaluate(args: argparse.Namespace) -> None:
    """Measure a detector's average precision on a data set."""
    from rcnn_tutorial import evaluation
    from rcnn_tutorial.checkpoints import load_model
    from rcnn_tutorial.data import open_dataset
    from rcnn_tutorial.distributed import is_writer, process_group

    with process_group(_device(args.device)) as device:
        model = load_model(args.weights, device)
        dataset = open_dataset(args.data, args.split, classes=model.classes)
        result = evaluation.evaluate(model, dataset, args.metric, device, batch_size=args.batch_size)
        if is_writer():
            _print_result(result, args.json)


def _print_result(result, as_json: bool) -> None:
    print(json.dumps(_as_report(result), indent=2) if as_json else _as_table(result))


def _as_report(result) -> dict:
    """The `Evaluation` for JSON, which has no nan: a class without objects has null."""
    per_class = {name: _number_or_none(ap) for name, ap in result.per_class.items()}
    return {
        "metric": result.metric,
        "mAP": _number_or_none(result.mAP),
        "per_class": per_class,
        "images": result.images,
        "proposal_recall": {str(count): _number_or_none(recall) for count, recall in result.recall.items()},
    }


def _number_or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _as_table(result) -> str:
    rows = {f"AP {name}": ap for name, ap in result.per_class.items()}
    rows |= {f"recall of {count} proposals": recall for count, recall in result.recall.items()}
    rows[f"mAP ({result.metric}, {result.images} images)"] = result.mAP
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {'no objects' if math.isnan(v) else f'{v:.4f}'}" for name, v in rows.items())


def lab(args: argparse.Namespace) -> None:
    """Open the course in JupyterLab, on 127.0.0.1 and with Jupyter's token."""
    from jupyterlab.labapp import LabApp

    folder = _folder_to_work_in(args.folder)
    options = [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={args.port}"]
    if not args.browser:
        options.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")  # in a bare container root is the only user
    LabApp.launch_instance(options)


def _folder_to_work_in(folder: Path | None) -> Path:
    """The clone's own notebooks, or a copy of the course where the reader wants it."""
    from rcnn_tutorial.assets import course_folder, installed

    if folder is None and not installed():
        return course_folder()
    from rcnn_tutorial.handout import copy_course

    folder = (folder or Path("rcnn_course")).resolve()
    copied = copy_course(folder)
    print(f"{folder}: {len(copied.written)} files written", file=sys.stderr)
    for path in copied.kept:
        print(f"{path}: kept as it is; it differs from the course's", file=sys.stderr)
    return folder


def handout(args: argparse.Namespace) -> None:
    """Write copies of the lessons for students: nothing run, no solutions."""
    from rcnn_tutorial.handout import write_handout

    for path in write_handout(args.folder).written:
        print(path)


def benchmark(args: argparse.Namespace) -> None:
    """Measure this package beside torchvision's Faster R-CNN, both in one run."""
    from rcnn_tutorial.benchmark.cases import CASES
    from rcnn_tutorial.benchmark.measure import as_table, machine

    rows = [row for name in args.cases or CASES for row in CASES[name](args.repeats)]
    if args.json:
        figures = [row._asdict() | {"ratio": row.ratio} for row in rows]
        print(json.dumps({"machine": machine(), "rows": figures}, indent=2))
    else:
        print(f"{as_table(rows)}\n\n{machine()}")


def _device(name: str) -> str:
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no GPU; use --device cpu, or install a CUDA build of torch")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def _progress(items: Sequence, description: str) -> Iterable:
    from tqdm import tqdm

    return tqdm(items, desc=description, unit="image", file=sys.stderr, disable=len(items) < 2)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 1")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, which is a number from 1 to 65535")
    return int(text)


def _is_out_of_memory(error: Exception) -> bool:
    """torch's errors about memory have no type of their own on a CPU."""
    words = ("tried to allocate", "storage size calculation overflowed")
    return isinstance(error, MemoryError) or any(part in str(error).lower() for part in words)


def _shown(value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(_shown(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _let_the_first_speak(error: Exception) -> None:
    """What ends all processes of torchrun alike is reported once: torchrun ends the others while they wait here."""
    follows = "TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0"
    if follows and not isinstance(error, ProcessLost):
        time.sleep(2)


def _fail(message: str, code: int) -> int:
    print(f"{PROGRAM}: error: {' '.join(message.split())}", file=sys.stderr)
    return code
