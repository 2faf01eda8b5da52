"""What a user waits for besides the network: from the command to the picture, and until Python has imported all."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from torchvision.utils import save_image

from rcnn_tutorial.benchmark.detectors import RIVALS, rival
from rcnn_tutorial.benchmark.measure import Row, Work, median_times
from rcnn_tutorial.data import load_sample

# The picture as users of torchvision draw it: photo, weights, picture to write.
THEIR_DETECT = f"""
import sys
import torch
from PIL import Image
from torchvision.models.detection import {RIVALS[0]} as build
from torchvision.transforms.functional import pil_to_tensor, to_pil_image
from torchvision.utils import draw_bounding_boxes

photo, weights, picture = sys.argv[1:]
model = build(weights=None, weights_backbone=None, num_classes=21).eval()
model.load_state_dict(torch.load(weights))
image = pil_to_tensor(Image.open(photo))
with torch.no_grad():
    found = model([image / 255])[0]
chosen = found["scores"] > 0.5
labels = [str(label) for label in found["labels"][chosen].tolist()]
to_pil_image(draw_bounding_boxes(image, found["boxes"][chosen], labels)).save(picture)
"""


def start(repeats: int = 5) -> list[Row]:
    """Whole processes, from the command to its end."""
    with tempfile.TemporaryDirectory() as folder:
        photo, weights, picture = (str(Path(folder) / name) for name in ("photo.png", "weights.pth", "picture.png"))
        save_image(load_sample("scene")[0], photo)
        torch.save(rival(RIVALS[0]).state_dict(), weights)
        detect = python("-m", "rcnn_tutorial", "detect", photo, "--out", folder, "--device", "cpu")
        theirs = python("-c", THEIR_DETECT, photo, weights, picture)
        rows = [seconds("from `detect PHOTO` to the picture", {"ours": detect, "peer": theirs}, repeats)]
    imports = {"ours": "rcnn_tutorial.model", "peer": "torchvision.models.detection"}
    sides = {side: python("-c", f"import {module}") for side, module in imports.items()}
    rows.append(seconds("`import rcnn_tutorial.model`, beside `torchvision.models.detection`", sides, repeats))
    return [*rows, seconds("`rcnn-tutorial --help`", {"ours": python("-m", "rcnn_tutorial", "--help")}, repeats)]


def seconds(name: str, sides: dict[str, Work], repeats: int) -> Row:
    """A row of median times."""
    times = {side: time / 1000 for side, time in median_times(sides, repeats).items()}
    return Row(name, **times, unit="s")


def python(*arguments: str) -> Work:
    """Another Python that runs to its end. Raises CalledProcessError where it fails."""
    return partial(subprocess.run, [sys.executable, *arguments], check=True, capture_output=True)
