"""rcnn-tutorial detect."""

from __future__ import annotations

import argparse
import io
import itertools
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rcnn_tutorial.cli.inputs import Input, expand, picture_paths
from rcnn_tutorial.cli.interrupt import postponed_interrupt
from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, add_device, chosen_device, folder, positive, share
from rcnn_tutorial.errors import Interrupted, TutorialError

SCORE = 0.5


def add_options(parser: Parser) -> None:
    """Options of the command."""
    what = "photos, films, folders of photos, patterns such as *.jpg; camera or camera:1 until Ctrl-C"
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help=what)
    parser.add_argument("--weights", default="voc", help="voc, toy, or the path of a checkpoint")
    score_help = f"show detections scored at least this, 0 to 1 (default: {SCORE})"
    parser.add_argument("--score", type=share, help=score_help)
    where = "for the annotated pictures"
    parser.add_argument("--out", type=folder, default=Path("detections"), metavar="DIR", help=where)
    every = "search each N-th frame of a film or camera; its boxes stay until the next"
    parser.add_argument("--every", type=positive, default=1, metavar="N", help=every)
    frames = "end a film or camera after N frames (default: all of them)"
    parser.add_argument("--frames", type=positive, metavar="N", help=frames)
    parser.add_argument("--json", action="store_true", help="print the detections as JSON")
    add_device(parser)


class Search(NamedTuple):
    """What does not change from one image to the next."""

    detect: Callable  # image (3, H, W) -> its detections
    classes: Sequence[str]
    every: int
    frames: int | None


def run(args: argparse.Namespace) -> None:
    """Find the objects in photos and films; writes annotated pictures and prints what was found."""
    inputs = expand(args.images, args.out)
    pictures = picture_paths(inputs, args.out)

    from tqdm import tqdm

    from rcnn_tutorial.checkpoints import load_model

    for each, picture in zip(inputs, pictures, strict=True):  # what cannot be read is reported before all writing
        _check(each, picture)
    model = load_model(args.weights, chosen_device(args.device)).for_inference()
    score = SCORE if args.score is None else args.score
    _warn_of_low_score(args, model.config.inference.score_threshold)
    search = Search(lambda image: _detect_one(model, image, score), model.classes, args.every, args.frames)
    found, ending = [], None
    progress = tqdm(inputs, desc="detect", unit="image", file=sys.stderr, disable=len(inputs) < 2)
    for each, picture in zip(progress, pictures, strict=True):
        entry, ending = (_search_film if each.moves else _search_photo)(each, picture, search)
        found.append(entry)
        if ending:
            break
    text = json.dumps(found, indent=2) if args.json else "\n".join(_as_text(found, pictures))
    emit(text, f"the pictures lie in {args.out}")
    if ending:
        raise ending


def _check(each: Input, picture: Path) -> None:
    """Read a photo, or the first frame, and see whether there is all that writes a film."""
    from rcnn_tutorial.data.films import FilmWriter
    from rcnn_tutorial.data.images import read_image

    if not each.moves:
        read_image(each.path)
        return
    with _opened(each) as source:
        FilmWriter(picture, source.rate, source.tick)
        next(iter(source))


def _opened(each: Input):
    from rcnn_tutorial.data.films import Camera, Film

    return Film(each.path) if each.camera is None else Camera(each.camera)


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


def _search_photo(each: Input, picture: Path, search: Search) -> tuple[dict, None]:
    from rcnn_tutorial.data.images import read_image

    image = read_image(each.path)
    detections = search.detect(image)
    _write_picture(picture, image, detections, search.classes)
    return {"image": str(each.path), "detections": _as_records(detections, search.classes)}, None


def _search_film(each: Input, target: Path, search: Search) -> tuple[dict, TutorialError | None]:
    """What was found in each searched frame, and why the film ended early, if it did; what came before is written."""
    import numpy as np
    from tqdm import tqdm

    from rcnn_tutorial.data.films import FilmWriter
    from rcnn_tutorial.data.images import image_of
    from rcnn_tutorial.figures.detections import draw_detections

    found, ending = [], None
    with postponed_interrupt() as interrupted, _opened(each) as source:
        total = min((number for number in (source.length, search.frames) if number), default=None)
        bar = tqdm(total=total, desc=each.path.name, unit="frame", file=sys.stderr)
        with bar, FilmWriter(target, source.rate, source.tick) as film:
            for frame in itertools.islice(source, search.frames):
                image = image_of(frame.pixels)
                if frame.index % search.every == 0:
                    detections = search.detect(image)
                    records = _as_records(detections, search.classes)
                    found.append({"frame": frame.index, "time": round(float(frame.time), 3), "detections": records})
                film.add(np.asarray(draw_detections(image, detections, search.classes)), frame.time)
                bar.update()
                if interrupted.is_set():
                    words = f"interrupted after frame {frame.index}; what came before is in {target}"
                    ending = None if source.endless else Interrupted(f"{each.path}: {words}")
                    break
        return {"film": str(each.path), "frames": found}, ending or source.damage


def _as_records(detections: dict, classes: Sequence[str]) -> list[dict]:
    rows = zip(*(detections[name].tolist() for name in ("labels", "scores", "boxes")), strict=True)
    return [
        {"label": classes[label - 1], "score": round(score, 4), "box": [round(corner, 2) for corner in box]}
        for label, score, box in rows
    ]


def _as_text(found: list[dict], pictures: list[Path]) -> Iterable[str]:
    for entry, picture in zip(found, pictures[: len(found)], strict=True):
        frames = entry.get("frames", [entry])
        objects = _counted(sum(len(frame["detections"]) for frame in frames), "object")
        name = entry.get("image") or f"{entry['film']}: {_counted(len(frames), 'frame')} searched"
        yield f"{name}: {objects}, drawn in {picture}"
        for frame in frames:
            when = f"frame {frame['frame']}, {frame['time']:.2f} s: " if "frame" in frame else ""
            for item in frame["detections"]:
                corners = ", ".join(f"{corner:.1f}" for corner in item["box"])
                yield f"  {when}{item['label']} {item['score']:.2f} [{corners}]"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _write_picture(path: Path, image, detections: dict, classes: Sequence[str]) -> None:
    from rcnn_tutorial.atomic import write_atomically
    from rcnn_tutorial.figures.detections import draw_detections

    data = io.BytesIO()
    picture = draw_detections(image, detections, classes)
    picture.save(data, **({"format": "JPEG", "quality": 95} if path.suffix == ".jpg" else {"format": "PNG"}))
    write_atomically(path, data.getvalue())
