"""The detector on a (pretended) GPU: it finds and learns there what it does on the CPU, and waits for it rarely."""

import copy
import dataclasses

import pytest
import torch

from rcnn_tutorial.backbones import build_backbone
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import TOY_TRAINING, BackboneConfig, Config
from rcnn_tutorial.data import ToyScenes
from rcnn_tutorial.devices import place
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import evaluate
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.training import build_optimizers, joint_phases, train_step


def toy_model(method: str = "crop") -> FasterRCNN:
    model = load_model("toy")
    pooling = dataclasses.replace(model.config.crop_pooling, method=method)
    model.config = dataclasses.replace(model.config, crop_pooling=pooling)
    return model


def scenes(*sizes):
    samples = [ToyScenes(size=size)[i] for i, size in enumerate(sizes)]
    return [image.as_subclass(torch.Tensor) for image, _ in samples], [target for _, target in samples]


@pytest.mark.parametrize("method", ["crop", "align", "pool"])
def test_a_gpu_finds_and_learns_the_same(method, gpu):
    model, (images, targets) = toy_model(method), scenes((96, 128), (128, 96))
    there = copy.deepcopy(model).to(gpu.device)
    moved = [image.to(gpu.device) for image in images]
    for ours, theirs in zip(there.eval()(moved), model.eval()(images), strict=True):
        assert len(theirs["scores"]) > 2
        for name, value in ours.items():
            assert value.device == gpu.device
            torch.testing.assert_close(value.cpu(), theirs[name], rtol=1e-3, atol=1e-3)
    found = there.train()(moved, targets, torch.Generator().manual_seed(1))
    expected = model.train()(images, targets, torch.Generator().manual_seed(1))
    for name, loss in found.items():
        torch.testing.assert_close(loss.cpu(), expected[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("gpu", ["cuda"], indirect=True)
@pytest.mark.parametrize(
    ("method", "optimizer"), [("crop", "sgd"), ("align", "sgd"), ("pool", "sgd"), ("crop", "adamw"), ("crop", "muon")]
)
def test_a_training_step_waits_for_suppression_and_for_its_figures(method, optimizer, gpu):
    # Clipping is left out: torch asks for the device of gradients where this GPU cannot answer.
    training = dataclasses.replace(TOY_TRAINING, optimizer=optimizer, learning_rate=1e-4, clip_norm=0.0)
    model, (images, targets) = toy_model(method).to(gpu.device), scenes((96, 128), (128, 96), (128, 96))
    moved = [image.to(gpu.device, non_blocking=True) for image in images]
    [phase] = joint_phases(model, training.steps)
    optimizers = build_optimizers(model, training)
    for step in (1, 2):  # the first also makes the constants
        gpu.waits.clear()
        report = train_step(phase, optimizers, moved, targets, training, step)
    assert report.total > 0
    assert gpu.waits == ["nms"] * len(images) + ["tolist"]


@pytest.mark.parametrize("gpu", ["cuda"], indirect=True)
def test_frozen_batch_norm_needs_no_number_of_its_own(gpu):
    """Where no statistics are watched, none are brought to the GPU."""
    model, (images, targets) = toy_model(), scenes((96, 128))
    for block in (model.head, model.tail):
        for module in block.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.track_running_stats, module.running_mean, module.running_var = False, None, None
                module.num_batches_tracked = None
    model.to(gpu.device)
    training = dataclasses.replace(TOY_TRAINING, learning_rate=1e-4, clip_norm=0.0)
    [phase], optimizers = joint_phases(model, training.steps), build_optimizers(model, training)
    for step in (1, 2):
        gpu.waits.clear()
        train_step(phase, optimizers, [images[0].to(gpu.device, non_blocking=True)], targets, training, step)
    assert gpu.waits == ["nms", "tolist"]


def test_an_image_left_on_the_cpu_is_named(gpu):
    model, (images, _) = toy_model().to(gpu.device), scenes((96, 128))
    with pytest.raises(ConfigError, match=f"an image on cpu, the model on {gpu.device}: move one"):
        model.eval()(images)


def test_evaluation_moves_what_it_needs(gpu):
    data = ToyScenes("val", length=3, size=(96, 128))
    expected = evaluate(load_model("toy"), data, progress=False)
    found = evaluate(load_model("toy"), data, device=gpu.device, progress=False)
    assert found.recall == expected.recall and found.mAP == pytest.approx(expected.mAP, abs=1e-3)


@pytest.mark.parametrize("gpu", ["cuda"], indirect=True)
def test_depthwise_convolutions_stay_away_from_cudnn(gpu):
    """torch takes cuDNN for them only where input or weights lie channels last."""
    backbone = build_backbone(BackboneConfig("mobilenet_v2", frozen_blocks=0))
    model = FasterRCNN(Config(classes=("a",)), backbone).eval()
    place(model, gpu.device)
    depthwise = [module for module in model.modules() if isinstance(module, torch.nn.Conv2d) and module.groups > 1]
    assert len(depthwise) == 17 and all(module._forward_pre_hooks for module in depthwise)
    with torch.no_grad():
        model.head(torch.rand(2, 3, 64, 96).contiguous(memory_format=torch.channels_last).to(gpu.device))
    assert len(gpu.convolutions) == 13
    for x, weight in gpu.convolutions:
        for tensor in (x, weight):
            assert tensor.stride(1) == tensor.shape[2] * tensor.shape[3], "channels last"
    pointwise = model.head[1].conv[1].weight
    assert pointwise.is_contiguous(memory_format=torch.channels_last)
