"""What is measured: each case returns the rows of one report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from rcnn_tutorial.backbones import split_resnet
from rcnn_tutorial.benchmark import reference
from rcnn_tutorial.benchmark.learning import learning
from rcnn_tutorial.benchmark.measure import Row, median_times, peak_memory
from rcnn_tutorial.benchmark.peer import build_peer
from rcnn_tutorial.config import (
    BENCHMARKS,
    TOY_TRAINING,
    Config,
    ProposalConfig,
    TrainingConfig,
    reference_config,
    toy_config,
)
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.model import FasterRCNN, build_model
from rcnn_tutorial.stages.anchor_target import anchor_target_layer
from rcnn_tutorial.stages.anchors import generate_anchors
from rcnn_tutorial.stages.preprocessing import GroundTruth
from rcnn_tutorial.stages.proposal import Proposals
from rcnn_tutorial.stages.proposal_target import append_ground_truth, proposal_target_layer
from rcnn_tutorial.training import build_optimizers, joint_phases, train_step

PHOTO_SIZE = (600, 800)  # pixels: what the reference makes of a VOC photo
TOY_STEP = replace(TOY_TRAINING, optimizer="adamw")  # torch's own optimizer, on either side

Batch = tuple[list[Tensor], list[dict]]


# ---- one training step of either side, as a function without arguments


def our_step(model: FasterRCNN, training: TrainingConfig, batch: Batch) -> Callable[[], object]:
    """A step of our training, with everything that `train` does in it."""
    model = model.train().to(memory_format=torch.channels_last)
    optimizers, [phase] = build_optimizers(model, training), joint_phases(model, training.steps)
    return lambda: train_step(phase, optimizers, *batch, training, step=1)


def peer_step(peer: nn.Module, training: TrainingConfig, batch: Batch) -> Callable[[], object]:
    """The same step as torchvision's users write it, with the same optimizer and clipping."""
    peer.train()
    optimizers = build_optimizers(peer, training)

    def step() -> None:
        peer.zero_grad()
        torch.stack(list(peer(*batch).values())).sum().backward()
        if training.clip_norm:
            nn.utils.clip_grad_norm_(peer.parameters(), training.clip_norm)
        for optimizer in optimizers:
            optimizer.step()

    return step


def toy_pair() -> tuple[FasterRCNN, nn.Module]:
    """Our toy detector with random weights, and torchvision's with the same ones."""
    torch.manual_seed(0)
    model = build_model(toy_config(ToyScenes().classes))
    return model, build_peer(model)


def toy_batch() -> Batch:
    """As many scenes as a step of the toy recipe takes."""
    scenes = [ToyScenes()[i] for i in range(TOY_TRAINING.batch_size)]
    return [image for image, _ in scenes], [target for _, target in scenes]


def toy_step(side: str) -> Callable[[], object]:
    """A toy training step of one side, "ours" or "peer"."""
    model, peer = toy_pair()
    return our_step(model, TOY_STEP, toy_batch()) if side == "ours" else peer_step(peer, TOY_STEP, toy_batch())


def toy(repeats: int = 15) -> list[Row]:
    """Training the toy detector: a step of 8 scenes of 128 pixels."""
    times = median_times({side: toy_step(side) for side in ("ours", "peer")}, repeats)
    memory = {side: peak_memory(toy_step, side) for side in ("ours", "peer")}
    return [Row("toy training step", **times), Row("toy training step, peak memory", **memory, unit="MB")]


# ---- the reference's size: ResNet-50 cut after layer3 ("C4"), one photo of 600x800


def photo_config(method: str = "align") -> Config:
    """The reference's detector with the same pooling as torchvision's; 300 proposals at test time."""
    config = reference_config("resnet50")
    return replace(
        config,
        proposals=ProposalConfig(test_pre_nms_top_n=6000, test_post_nms_top_n=300),
        crop_pooling=replace(config.crop_pooling, method=method),
    )


def photo_pair(method: str = "align") -> tuple[FasterRCNN, nn.Module]:
    """Our ResNet-50 detector, and torchvision's around torchvision's own unchanged ResNet-50 with the same weights."""
    torch.manual_seed(0)
    network = torchvision.models.resnet50(weights=None, norm_layer=torchvision.ops.FrozenBatchNorm2d)
    config = photo_config(method)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "resnet50.pth"
        torch.save(network.state_dict(), weights)
        model = build_model(config, pretrained=str(weights))
    calibrate(model)
    backbone = split_resnet(network, config.backbone.tail_stride)
    for block in list(backbone.head)[: config.backbone.frozen_blocks]:
        block.requires_grad_(False)
    return model, build_peer(model, backbone)


@torch.no_grad()
def calibrate(model: FasterRCNN) -> None:
    """Scale the output layers of a random model so that scores spread by 3 and coefficients by 0.1, as trained ones do.

    Otherwise scores would tie, and boxes would be so wild that most have no area.
    """
    trace = model.eval().trace(photo_batch()[0])
    rpn, roi, layers = trace.rpn, trace.proposed, model.classification
    for layer, outputs, spread in (
        (model.rpn.scores, rpn.scores, 3.0),
        (model.rpn.coefficients, rpn.coefficients, 0.1),
        (layers.cls_score_net, roi.scores, 3.0),
        (layers.bbox_pred_net, roi.coefficients, 1.0),  # normalized: the standard deviations make 0.1 of it
    ):
        layer.weight.mul_(spread / outputs.std())


def photo_batch(objects: int = 8) -> Batch:
    """One generated scene of 600x800 pixels."""
    image, target = ToyScenes(size=PHOTO_SIZE, max_objects=objects)[0]
    return [image], [target]


def photo_inference(side: str, method: str = "align") -> Callable[[], object]:
    """Detecting in one photo with one side."""
    model, peer = photo_pair(method)
    images, _ = photo_batch()
    detector = model.for_inference() if side == "ours" else peer.eval()
    return torch.no_grad()(lambda: detector(images))


def photo_step(side: str, method: str = "align") -> Callable[[], object]:
    """A training step on one photo with one side."""
    model, peer = photo_pair(method)
    training = replace(TrainingConfig(), batch_size=1, learning_rate=1e-6)  # random weights must not run away
    return our_step(model, training, photo_batch()) if side == "ours" else peer_step(peer, training, photo_batch())


def infer(repeats: int = 5) -> list[Row]:
    """The reference's size: ResNet-50 C4 on a photo of 600x800, detecting and training."""
    sides = ("ours", "peer")
    detecting = {side: photo_inference(side) for side in sides} | {"crop": photo_inference("ours", method="crop")}
    times = median_times(detecting, repeats, warmup=1)
    crop = times.pop("crop")
    rows = [Row("R50-C4 inference", **times), Row("R50-C4 inference, crop pooling", crop, times["peer"])]
    del detecting
    steps = {side: photo_step(side) for side in sides} | {"crop": photo_step("ours", method="crop")}
    times = median_times(steps, repeats, warmup=1)
    crop = times.pop("crop")
    rows += [Row("R50-C4 training step", **times), Row("R50-C4 training step, crop pooling", crop, times["peer"])]
    del steps
    memory = {side: peak_memory(photo_step, side) for side in sides}
    return [*rows, Row("R50-C4 training step, peak memory", **memory, unit="MB")]


# ---- the two target layers, and how they grow


def random_objects(batch: int, objects: int, height: int, width: int) -> GroundTruth:
    """`objects` boxes an image between 32 pixels and a third of the image wide."""
    generator = torch.Generator().manual_seed(0)
    limits = torch.tensor([width, height])
    size = 32 + torch.rand(batch, objects, 2, generator=generator) * (limits / 3 - 32)  # (B, G, 2)
    corner = torch.rand(batch, objects, 2, generator=generator) * (limits - size)  # (B, G, 2)
    labels = torch.ones(batch, objects, dtype=torch.long)
    return GroundTruth(torch.cat([corner, corner + size], dim=-1), labels)


class TargetInput(NamedTuple):
    """What both target layers work on."""

    anchors: Tensor  # (N, 4)
    sizes: Tensor  # (B, 2)
    truth: GroundTruth
    proposals: Proposals


def target_input(batch: int = 1, side: int = PHOTO_SIZE[0], objects: int = 20) -> TargetInput:
    """Images of side x 4/3 side with the reference's anchors and 2000 proposals, a quarter of them near an object."""
    height, width = side, side * 4 // 3
    truth = random_objects(batch, objects, height, width)
    anchors = generate_anchors(-(-height // 16), -(-width // 16), 16, Config().anchors)  # (N, 4)
    boxes = random_objects(batch, 2000, height, width).boxes  # (B, R, 4)
    boxes[:, :500] = truth.boxes[:, torch.arange(500) % objects] + 4  # (B, 500, 4)
    flags = torch.ones(boxes.shape[:2])  # (B, R)
    proposals = Proposals(boxes, flags, flags.long(), flags.bool())
    return TargetInput(anchors, torch.tensor([[height, width]] * batch), truth, proposals)


def target_layers(**sizes: int) -> Callable[[], object]:
    """Anchor targets and proposal targets with the reference's settings; sizes: see `target_input`."""
    config, (anchors, image_sizes, truth, proposals) = Config(), target_input(**sizes)

    def assign() -> tuple:
        return (
            anchor_target_layer(anchors, truth, image_sizes, config.anchor_targets),
            proposal_target_layer(append_ground_truth(proposals, truth), truth, config.proposal_targets),
        )

    return assign


def peer_target_layers() -> Callable[[], object]:
    """torchvision's, which also label the anchors that leave the image."""
    config, (anchors, _, truth, proposals) = Config(), target_input()
    parts = toy_config(("thing",))
    parts = replace(parts, anchor_targets=config.anchor_targets, proposal_targets=config.proposal_targets)
    peer = build_peer(build_model(parts)).train()
    targets = [{"boxes": truth.boxes[0], "labels": truth.labels[0]}]

    def assign() -> tuple:
        labels, matched = peer.rpn.assign_targets_to_anchors([anchors], targets)
        sampled = peer.rpn.fg_bg_sampler(labels)
        coefficients = peer.rpn.box_coder.encode(matched, [anchors])
        return labels, sampled, coefficients, peer.roi_heads.select_training_samples([proposals.boxes[0]], targets)

    return assign


def numpy_target_layers() -> Callable[[], object]:
    """The reference's way, in NumPy."""
    config, (anchors, _, truth, proposals) = Config(), target_input()
    boxes, objects = anchors.numpy(), truth.boxes[0].numpy()
    rois, rng = torch.cat([proposals.boxes[0], truth.boxes[0]]).numpy(), np.random.default_rng(0)

    def assign() -> tuple:
        return (
            reference.anchor_targets(boxes, objects, PHOTO_SIZE, config.anchor_targets, rng),
            reference.proposal_targets(rois, objects, truth.labels[0].numpy(), config.proposal_targets, rng),
        )

    return assign


def growing_step(batch: int = 1, side: int = 300, objects: int = 8) -> Callable[[], object]:
    """A step of our training of the toy detector, on images of side x 4/3 side that are not scaled."""
    config = toy_config(("thing",))
    config = replace(config, preprocessing=replace(config.preprocessing, target_size=side, max_size=2 * side))
    truth = random_objects(batch, objects, side, side * 4 // 3)
    targets = [{"boxes": boxes, "labels": labels} for boxes, labels in zip(truth.boxes, truth.labels, strict=True)]
    torch.manual_seed(0)
    return our_step(build_model(config), TOY_STEP, (list(torch.rand(batch, 3, side, side * 4 // 3)), targets))


GROWTH: dict[str, Sequence[int]] = {
    "batch": (1, 2, 4, 8, 16), "side": (300, 600, 900, 1200), "objects": (1, 10, 50, 100, 200),
}  # fmt: skip


def stages(repeats: int = 15) -> list[Row]:
    """Both target layers at 600x800 with 20 objects; how they and a whole step grow with batch, image and objects."""
    # Until it has freed something large, as a detector soon has, the C library gives back the memory of every step.
    torch.empty(64, 300, 400)
    sides = {"ours": target_layers(), "peer": peer_target_layers(), "numpy": numpy_target_layers()}
    times = median_times(sides, repeats)
    rows = [Row("target layers", times["ours"], times["peer"])]
    rows += [Row("target layers, beside NumPy instead", times["ours"], times["numpy"])]
    return [*rows, *growth("target layers", target_layers, repeats), *growth("toy step", growing_step, repeats)]


def growth(label: str, prepare: Callable, repeats: int) -> list[Row]:
    """Time and memory of work with one size after the other grown, the others as they are by default."""
    rows = []
    for name, values in GROWTH.items():
        for value in values:
            sized = partial(prepare, **{name: value})
            rows.append(Row(f"{label}, {name} {value}", median_times({"": sized()}, repeats)[""], None))
            rows.append(Row(f"{label}, {name} {value}, memory", peak_memory(sized), None, unit="MB"))
    return rows


# ---- one step of a slider


def slider_explorer():
    """An explorer that moves 2000 boxes over a picture of 600x800 pixels with one slider, and computes nothing."""
    from rcnn_tutorial import roles
    from rcnn_tutorial.explorers.canvas import Canvas
    from rcnn_tutorial.explorers.explorer import Explorer, integer
    from rcnn_tutorial.scene import Boxes

    boxes = random_objects(1, 2000, *PHOTO_SIZE).boxes[0]  # (2000, 4)

    class Plain(Explorer):
        def draw(self) -> str:
            self.canvas.draw([Boxes(boxes + self.shift.value, roles.BEFORE, name="boxes")])
            return f"{len(boxes)} boxes, moved by {self.shift.value}."

    return Plain({"shift": integer("Shift", 0, 0, 100)}, Canvas(torch.rand(3, *PHOTO_SIZE)))


def explorer(repeats: int = 15) -> list[Row]:
    """What the kernel does for one slider step over 2000 boxes, besides the stage's own computation."""
    shown = slider_explorer()

    def slide() -> None:
        shown.shift.value = (shown.shift.value + 1) % 100

    return [Row("explorer update, 2000 boxes", median_times({"ours": slide}, repeats)["ours"], None)]


CASES = dict(zip(BENCHMARKS, (toy, learning, infer, stages, explorer), strict=True))
