"""The networks of `for_inference` against those that they stand for."""

import pytest
import torch
import torchvision
from torch import nn

from rcnn_tutorial.backbones import FrozenBatchNorm2d, build_backbone, split_resnet
from rcnn_tutorial.config import BackboneConfig, Config, CropPoolingConfig
from rcnn_tutorial.fast.inference import AfterCrop, BeforeCrop, blocks_of, can_begin_before_crop, fold_batch_norm
from rcnn_tutorial.model import FasterRCNN


def test_folding_keeps_the_function():
    torch.manual_seed(0)
    block = build_backbone(BackboneConfig("resnet50", frozen_blocks=0)).head.layer2
    for norm in (module for module in block.modules() if isinstance(module, FrozenBatchNorm2d)):
        for buffer in norm.buffers():
            buffer.uniform_(0.5, 1.5)
    x = torch.rand(1, 256, 8, 8)
    expected = block(x)
    fold_batch_norm(block)
    assert not any(isinstance(module, FrozenBatchNorm2d) for module in block.modules())
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("norm", [FrozenBatchNorm2d, nn.BatchNorm2d])
@torch.no_grad()
def test_a_bottleneck_tail_may_begin_before_the_crop(norm, folded):
    """A shift with zeros beyond the map stands for the crop: linear, and the same for all channels."""
    torch.manual_seed(0)
    tail = split_resnet(torchvision.models.resnet50(weights=None, norm_layer=norm), tail_stride=1).tail.eval()
    first, *others = blocks_of(tail)
    assert can_begin_before_crop(first)
    for module in (module for module in tail.modules() if isinstance(module, norm)):
        module.bias.normal_(std=0.1)
        module.running_mean.normal_(std=0.1)
    if folded:
        fold_batch_norm(tail)

    def crop(features):
        moved = nn.functional.pad(features, (2, 0))[..., :-1]
        return (moved[..., :-1] + moved[..., 1:]) / 2

    features = torch.rand(1, 1024, 6, 7)
    expected = tail(crop(features))
    before, after = BeforeCrop(first), AfterCrop(first, *others)
    torch.testing.assert_close(after(crop(before(features))), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name, stride, expected",
    [
        ("resnet50", 1, True),
        ("resnet50", 2, False),
        ("resnet18", 1, False),
        ("vgg16", 1, False),
        ("mobilenet_v2", 1, False),
        ("small", 1, False),
    ],
)
def test_only_a_bottleneck_without_stride_begins_before_the_crop(name, stride, expected):
    with torch.device("meta"):
        assert can_begin_before_crop(blocks_of(build_backbone(BackboneConfig(name, stride)).tail)[0]) == expected


@pytest.mark.parametrize(
    "method, max_pool, begins",
    [("crop", False, True), ("align", False, True), ("pool", False, False), ("crop", True, False)],
)
@torch.no_grad()
def test_the_fast_copy_classifies_as_the_detector(method, max_pool, begins):
    torch.manual_seed(0)
    pooling = CropPoolingConfig(method=method, max_pool=max_pool)
    config = Config(classes=("a", "b"), crop_pooling=pooling)
    model = FasterRCNN(config, build_backbone(config.backbone)).eval()
    fast = model.for_inference()
    assert isinstance(fast.before_crop, BeforeCrop) == begins
    features = torch.rand(1, 1024, 6, 7)
    rois = torch.tensor([[[0.0, 0, 60, 60], [-20, 10, 120, 90], [30, 30, 31, 31]]])
    expected, found = model.classify(features, rois), fast.classify(features, rois)
    torch.testing.assert_close(found.fc7, expected.fc7, rtol=1e-3, atol=1e-3 * expected.fc7.abs().max().item())
