"""The toy detector: a training step beside torchvision's, and how it grows with batch, image and objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from rcnn_tutorial.benchmark.measure import Row, Work, compare_memory, compare_times, median_times, peak_memory
from rcnn_tutorial.benchmark.peer import build_peer, tune
from rcnn_tutorial.benchmark.steps import Batch, our_step, peer_step
from rcnn_tutorial.config import TOY_TRAINING, toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import build_model

TOY_STEP = replace(TOY_TRAINING, optimizer="adamw")  # torch's own optimizer, on either side
GROWTH: dict[str, Sequence[int]] = {
    "batch": (1, 2, 4, 8, 16), "side": (300, 600, 900, 1200), "objects": (1, 10, 50, 100, 200),
}  # fmt: skip


def toy(repeats: int = 15) -> list[Row]:
    """Training the toy detector: a step of 8 scenes of 128 pixels."""
    return [
        compare_times("toy training step", toy_step, repeats),
        compare_memory("toy training step, peak memory", toy_step),
    ]


def toy_step(side: str) -> Work:
    """A toy training step of one side, all of them from the same random weights."""
    torch.manual_seed(0)
    model, batch = build_model(toy_config(ToyScenes().classes)), toy_batch()
    if side == "ours":
        return partial(our_step(model, TOY_STEP), *batch, 1)
    peer = build_peer(model)
    return partial(peer_step(tune(peer) if side == "tuned" else peer, TOY_STEP), *batch, 1)


def toy_batch() -> Batch:
    """As many scenes as a step of the toy recipe takes."""
    scenes = [ToyScenes()[i] for i in range(TOY_TRAINING.batch_size)]
    return [image for image, _ in scenes], [target for _, target in scenes]


def growth(repeats: int = 9) -> list[Row]:
    """Time and memory of a step with one size after the other grown, the others as they are by default."""
    # Until it has freed something large, as a detector soon has, the C library gives back the memory of every step.
    torch.empty(64, 300, 400)
    rows = []
    for name, values in GROWTH.items():
        for value in values:
            sized = partial(growing_step, **{name: value})
            rows.append(Row(f"toy step, {name} {value}", median_times({"": sized()}, repeats)[""]))
            rows.append(Row(f"toy step, {name} {value}, memory", peak_memory(sized), unit="MB"))
    return rows


def growing_step(batch: int = 1, side: int = 300, objects: int = 8) -> Work:
    """A step of our training of the toy detector, on images of side x 4/3 side that are not scaled."""
    config = toy_config(("thing",))
    config = replace(config, preprocessing=replace(config.preprocessing, target_size=side, max_size=2 * side))
    boxes = random_boxes(batch, objects, side, side * 4 // 3)
    targets = [{"boxes": some, "labels": torch.ones(objects, dtype=torch.long)} for some in boxes]
    torch.manual_seed(0)
    images = list(torch.rand(batch, 3, side, side * 4 // 3))
    return partial(our_step(build_model(config), TOY_STEP), images, targets, 1)


def random_boxes(batch: int, count: int, height: int, width: int) -> torch.Tensor:
    """`count` boxes per image, (batch, count, 4), between 32 pixels and a third of the image wide and high."""
    generator = torch.Generator().manual_seed(0)
    limits = torch.tensor([width, height])
    size = 32 + torch.rand(batch, count, 2, generator=generator) * (limits / 3 - 32)  # (B, G, 2)
    corner = torch.rand(batch, count, 2, generator=generator) * (limits - size)  # (B, G, 2)
    return torch.cat([corner, corner + size], dim=-1)
