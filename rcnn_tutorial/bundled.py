"""The detectors that come with the course beside the reference's, in one table: `python -m rcnn_tutorial.bundled`."""

from __future__ import annotations

import torch

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.config import Config, TrainingConfig
from rcnn_tutorial.fields import from_dict, to_dict
from rcnn_tutorial.model import build_model
from rcnn_tutorial.options import USUAL, request_fields, shown
from rcnn_tutorial.request import get, merge, read_request
from rcnn_tutorial.stages.preprocessing import scale_for

DETECTORS = ("voc", "toy")
PHOTO = (600, 800)  # height and width of the photo whose anchors are counted
LEFT_OUT = ("model.classes", "training.workers", "training.checkpoint_every")  # the detector is the same with others


def comparison() -> list[tuple[str, ...]]:
    """Rows (what, the reference's value, that of each of DETECTORS): sizes, and the options that are not all alike."""
    requests = [USUAL, *(recipe(name) for name in DETECTORS)]
    rows = [("classes", *(str(len(request["model"]["classes"] or Config().classes)) for request in requests))]
    sizes = zip(*(_sizes(request["model"]) for request in requests), strict=True)
    rows += [(what, *values) for what, values in zip(("pixels per cell", "anchors at 600 x 800"), sizes, strict=True)]
    for name, field in request_fields():
        values = tuple(shown(get(request, name)) for request in requests)
        if len(set(values)) > 1 and name not in LEFT_OUT:
            rows.append((field.metadata["meaning"], *values))
    return rows


def recipe(name: str) -> dict:
    """What a bundled detector is and was trained with: assets/NAME.json, its missing fields as `train` fills them."""
    request = merge(USUAL, read_request(asset_path(f"{name}.json")))
    trees = {"model": Config, "training": TrainingConfig}
    return {tree: to_dict(from_dict(kind, request[tree])) for tree, kind in trees.items()}


def _sizes(model: dict) -> tuple[str, str]:
    """Pixels per cell of the feature map, and the anchors that a photo of PHOTO's size gets."""
    config = from_dict(Config, model | {"classes": Config().classes})
    with torch.device("meta"):  # the shapes alone
        stride = build_model(config).stride
    scale = scale_for(*PHOTO, config.preprocessing.target_size, config.preprocessing.max_size)
    rows, columns = (-(-round(side * scale) // stride) for side in PHOTO)
    return str(stride), str(rows * columns * len(config.anchors.scales) * len(config.anchors.ratios))


def table() -> str:
    """`comparison` in Markdown."""
    head = ("", "reference", *(f"`{name}`" for name in DETECTORS))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *comparison()))


if __name__ == "__main__":
    print(table())
