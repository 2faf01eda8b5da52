"""rcnn-tutorial anchors."""

from __future__ import annotations

import argparse
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, add_data, folder, positive
from rcnn_tutorial.config import Config
from rcnn_tutorial.fields import from_dict, to_dict
from rcnn_tutorial.options import add_flags, shown
from rcnn_tutorial.request import put_together, read_request

FIELDS = (
    "model.preprocessing.target_size",
    "model.preprocessing.max_size",
    "model.backbone.name",
    "model.anchors.scales",
    "model.anchors.ratios",
)  # what decides about reach, but for base_size and border, which only --config sets
EXAMPLES = 5  # objects named for each threshold
CHANGES = {"at_0.5": "reached at 0.5:", "at_0.7": "at 0.7:", "mean_best_IoU": "mean of the best IoU"}
PICTURE, WORDS = "anchors.png", "anchors.txt"


def add_options(parser: Parser) -> None:
    """Options of the command."""
    add_data(parser, split="train; toy: val", required=False)
    sources = parser.add_mutually_exclusive_group()
    weights_help = "take the settings of a detector: voc, toy, or the path of a checkpoint (default: none)"
    sources.add_argument("--weights", help=weights_help)
    config_help = "take the settings of a JSON file, such as RUN/config.json (default: none)"
    sources.add_argument("--config", type=Path, metavar="FILE", help=config_help)
    suggest_help = "find scales and ratios for at most K anchors a cell; without K for as many as now (default: none)"
    parser.add_argument("--suggest", type=positive, nargs="?", const=0, metavar="K", help=suggest_help)
    bad_help = "what an unreadable file does: it ends the command, or is left out with a warning"
    parser.add_argument("--on-bad-file", choices=("fail", "skip"), default="fail", help=bad_help)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, every object below 0.7 named")
    out_help = f"write a picture there, {PICTURE}, and what it shows in words, {WORDS} (default: none)"
    parser.add_argument("--out", type=folder, metavar="DIR", help=out_help)
    add_flags(parser, FIELDS)


def run(args: argparse.Namespace) -> None:
    """Tell which objects of a data set no anchor reaches, before anything is trained."""
    from rcnn_tutorial.data import open_dataset
    from rcnn_tutorial.evaluation import anchor_reach, anchor_shapes

    request = requested(args)
    data, split, classes = request["data"], request["split"], request["model"]["classes"] or None
    dataset = open_dataset(data, split, classes=classes, on_bad_file=args.on_bad_file)
    config = from_dict(Config, request["model"] | {"classes": tuple(dataset.classes)})
    grid = anchor_reach.grid_of(config)
    found = anchor_reach.find_objects(dataset, config.preprocessing, args.on_bad_file)
    best = anchor_reach.best_overlap(found, config.anchors, grid)  # (M,)
    suggestion = None
    if args.suggest is not None:
        count = args.suggest or len(config.anchors.scales) * len(config.anchors.ratios)
        suggestion = anchor_shapes.suggest_anchors(found, config.anchors, grid, count)
    report = {"data": data, "split": split, **_settings(config, grid.stride), **_counts(found, best, grid)}
    report["below_0.7"] = _unreached(found, best, dataset.classes)
    report["suggestion"] = None if suggestion is None else _as_record(suggestion)
    if args.out:
        report["picture"] = _draw(args.out, found, best, config.anchors, suggestion)
    where = f"the picture lies in {args.out}" if args.out else "send it to a file that has room"
    emit(json.dumps(report, indent=2) if args.json else "\n".join(_as_text(report)), where)


def requested(args: argparse.Namespace) -> dict:
    """The request of the command, as `train` would put it together; data and settings are all that counts of it."""
    given = {field: value for field, value in vars(args).items() if field.startswith("model.")}
    given |= {name: getattr(args, name) for name in ("data", "split") if getattr(args, name) is not None}
    file = read_request(args.config) if args.config else {}
    if args.weights:
        from rcnn_tutorial.checkpoints import load_model

        settings = to_dict(load_model(args.weights).config)
        file = {"model": {name: value for name, value in settings.items() if name != "classes"}}
    request = put_together(given, file, {})
    if request["data"] == "toy" and "split" not in given | file:
        request["split"] = "val"  # the shapes of `train`, in a fortieth of the time
    return request


def _settings(config: Config, stride: int) -> dict:
    sizes = {name: getattr(config.preprocessing, name) for name in ("target_size", "max_size")}
    return sizes | {"stride": stride, "anchors": to_dict(config.anchors)}


def _counts(found, best, grid) -> dict:
    from rcnn_tutorial.evaluation import anchor_reach

    groups = anchor_reach.reach_by_group(found, best)
    return {
        "images": len(found.names),
        "difficult": found.difficult,
        "all": _reach_record(anchor_reach.reach(best)),
        "own_shape": _reach_record(anchor_reach.reach(anchor_reach.own_overlap(found, grid))),
    } | {f"by_{kind}": {name: _reach_record(row) for name, row in rows.items()} for kind, rows in groups.items()}


def _reach_record(reach) -> dict:
    below = round(reach.objects * (1 - reach.low))
    shares = {"at_0.5": reach.low, "at_0.7": reach.high, "mean_best_IoU": reach.mean}
    return {"objects": reach.objects, "below_0.5": below, **shares}


def _unreached(found, best, classes: Sequence[str]) -> list[dict]:
    """Every object whose best IoU is below 0.7, the worst first, in the photo's own pixels."""
    from rcnn_tutorial.evaluation.anchor_reach import HIGH

    order = best.argsort(stable=True)[: int((best < HIGH).sum())]
    boxes = found.boxes[order] / found.scales[order, None]  # (m, 4)
    sizes = found.boxes[order, 2:] - found.boxes[order, :2]  # (m, 2)
    columns = found.images[order], found.labels[order], boxes, sizes, best[order]
    return [
        {
            "image": found.names[image],
            "label": classes[label - 1],
            "box": [round(corner, 2) for corner in box],
            "scaled_size": [round(side, 1) for side in size],
            "best_IoU": math.floor(overlap * 10_000) / 10_000,  # 0.49999 is not yet 0.5
        }
        for image, label, box, size, overlap in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _as_record(suggestion) -> dict:
    return {
        "better": suggestion.is_better,
        "anchors": to_dict(suggestion.anchors),
        "before": _reach_record(suggestion.before),
        "after": _reach_record(suggestion.after),
        "k_means": [[round(side, 1) for side in shape] for shape in suggestion.clusters.tolist()],
    }


def _as_text(report: dict) -> Iterator[str]:
    split = f" ({report['split']})" if report["split"] else ""
    difficult = f"; {report['difficult']} difficult ones are not learned" if report["difficult"] else ""
    counts = f"{_count('object', report['all']['objects'])} on {_count('image', report['images'])}{difficult}"
    yield f"{report['data']}{split}: {counts}"
    scaled = f"photos of {report['target_size']} / {report['max_size']} pixels, cells of {report['stride']}"
    yield f"{scaled}, {_cell_words(report['anchors'])}"
    yield ""
    yield from _table(report)
    groups = {
        "no anchor reaches 0.5": [row for row in report["below_0.7"] if row["best_IoU"] < 0.5],
        "an anchor reaches 0.5, none 0.7": [row for row in report["below_0.7"] if row["best_IoU"] >= 0.5],
    }
    for words, rows in groups.items():
        yield from _examples(words, rows)
    if hopeless := report["own_shape"]["below_0.5"]:
        why = f"as anchors stand {report['stride']} pixels apart and inside the photo; a larger --target-size helps"
        yield f"\neven an anchor of their own shape stays below 0.5 for {_count('object', hopeless)}, {why}"
    if report["suggestion"]:
        yield from _suggestion_text(report["suggestion"], report["anchors"])
    if "picture" in report:
        yield f"\ndrawn in {report['picture']}"


def _cell_words(anchors: dict) -> str:
    scales, ratios = anchors["scales"], anchors["ratios"]
    count = len(scales) * len(ratios)
    return f"{_count('anchor', count)} a cell: scales {shown(scales)}, ratios {shown(ratios)}"


def _table(report: dict) -> Iterator[str]:
    """A row for each group: objects, the shares that an anchor reaches, the mean of the best IoU."""
    rows = {"all": report["all"], "all, each by an anchor of its own shape": report["own_shape"]}
    rows |= {f"{name}, as COCO counts": row for name, row in report["by_size"].items()}
    rows |= {f"side after scaling {name}": row for name, row in report["by_side"].items()}
    rows |= {f"height / width {name}": row for name, row in report["by_shape"].items()}
    width = max(map(len, rows))
    yield f"{'':{width}}  objects  IoU 0.5  IoU 0.7  mean"
    for name, row in rows.items():
        shares = f"{row['at_0.5']:7.3f}  {row['at_0.7']:7.3f}  {row['mean_best_IoU']:.3f}"
        yield f"{name:{width}}  {row['objects']:7}  {shares}"


def _examples(words: str, rows: list[dict]) -> Iterator[str]:
    yield f"\n{words}: {_count('object', len(rows))}{', such as' if len(rows) > EXAMPLES else ''}"
    for row in rows[:EXAMPLES]:
        corners = ", ".join(f"{corner:.1f}" for corner in row["box"])
        width, height = row["scaled_size"]
        after = f"{width:.0f} x {height:.0f} after scaling, best IoU {row['best_IoU']:.2f}"
        yield f"  {row['image']}: {row['label']} [{corners}], {after}"


def _count(noun: str, count: int) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _suggestion_text(suggestion: dict, now: dict) -> Iterator[str]:
    anchors, before, after = (suggestion[name] for name in ("anchors", "before", "after"))
    if anchors == now:
        yield "\nno better scales and ratios were found: keep those that are there"
        return
    flags = f"--anchor-scales {shown(anchors['scales'])} --anchor-ratios {shown(anchors['ratios'])}"
    if suggestion["better"]:
        yield f"\nsuggestion: {flags}"
    else:
        yield f"\nno better scales and ratios were found: keep those that are there; the best were {flags}"
    count = len(anchors["scales"]) * len(anchors["ratios"])
    changes = (f"{name} {before[key]:.3f} -> {after[key]:.3f}" for key, name in CHANGES.items())
    yield f"  {count} a cell; {', '.join(changes)}"


def _draw(folder: Path, found, best, now, suggestion) -> str:
    """Write picture and words; returns the picture's path."""
    from rcnn_tutorial.atomic import write_atomically
    from rcnn_tutorial.boxes import centers_and_sizes
    from rcnn_tutorial.figures.anchors import shapes_figure
    from rcnn_tutorial.figures.style import style, words_of
    from rcnn_tutorial.stages.anchors import anchor_sizes

    anchors = {"anchor": anchor_sizes(now)}
    if suggestion is not None and suggestion.is_better:
        anchors["suggested anchor"] = anchor_sizes(suggestion.anchors)
    figure = shapes_figure(centers_and_sizes(found.boxes)[1], best, anchors)
    data = io.BytesIO()
    with style():
        figure.savefig(data, format="png")
    write_atomically(folder / PICTURE, data.getvalue())
    write_atomically(folder / WORDS, f"{words_of(figure)}\n".encode())
    return str(folder / PICTURE)
