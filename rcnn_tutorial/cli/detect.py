"""rcnn-tutorial detect."""

from __future__ import annotations

import argparse
import io
import json
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from rcnn_tutorial.cli.inputs import expand, picture_paths
from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, add_device, chosen_device, folder, share

SCORE = 0.5


def add_options(parser: Parser) -> None:
    """Options of the command."""
    what = "photos, folders of photos, or patterns such as *.jpg"
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help=what)
    parser.add_argument("--weights", default="voc", help="voc, toy, or the path of a checkpoint")
    score_help = f"show detections scored at least this, 0 to 1 (default: {SCORE})"
    parser.add_argument("--score", type=share, help=score_help)
    where = "for the annotated pictures"
    parser.add_argument("--out", type=folder, default=Path("detections"), metavar="DIR", help=where)
    parser.add_argument("--json", action="store_true", help="print the detections as JSON")
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Find the objects in photos; writes annotated pictures and prints what was found."""
    inputs = expand(args.images, args.out)
    photos, pictures = [each.path for each in inputs], picture_paths(inputs, args.out)

    from tqdm import tqdm

    from rcnn_tutorial.checkpoints import load_model
    from rcnn_tutorial.data.images import read_image

    for path in photos:  # a file that cannot be read is reported before anything is written
        read_image(path)
    model = load_model(args.weights, chosen_device(args.device)).for_inference()
    score = SCORE if args.score is None else args.score
    _warn_of_low_score(args, model.config.inference.score_threshold)
    found, progress = [], tqdm(photos, desc="detect", unit="image", file=sys.stderr, disable=len(photos) < 2)
    for path, picture in zip(progress, pictures, strict=True):
        image = read_image(path)
        detections = _detect_one(model, image, score)
        _write_picture(picture, image, detections, model.classes)
        found.append({"image": str(path), "detections": _as_records(detections, model.classes)})
    text = json.dumps(found, indent=2) if args.json else "\n".join(_as_text(found, pictures))
    emit(text, f"the pictures lie in {args.out}")


def _warn_of_low_score(args: argparse.Namespace, threshold: float) -> None:
    if args.score is not None and args.score < threshold:
        warnings.warn(
            f"--score {args.score:g}: the detector itself keeps only what is scored above {threshold:g}", stacklevel=2
        )


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


def _write_picture(path: Path, image, detections: dict, classes: Sequence[str]) -> None:
    from rcnn_tutorial.atomic import write_atomically
    from rcnn_tutorial.figures.detections import draw_detections

    data = io.BytesIO()
    picture = draw_detections(image, detections, classes)
    picture.save(data, **({"format": "JPEG", "quality": 95} if path.suffix == ".jpg" else {"format": "PNG"}))
    write_atomically(path, data.getvalue())
