"""Backbones, each split into a head (image to features) and a tail (crop to fc7) (post: "Network Architecture")."""

from collections import OrderedDict
from typing import NamedTuple

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from rcnn_tutorial.config import BACKBONES, BackboneConfig
from rcnn_tutorial.devices import without_cudnn_plan
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.fast.inference import fold_batch_norm
from rcnn_tutorial.pretrained import load_pretrained


class Backbone(NamedTuple):
    """A network cut in two. The RPN and crop pooling work between the halves."""

    head: nn.Sequential  # (B, 3, H, W) -> (B, channels, ceil(H / stride), ceil(W / stride)); vgg16 rounds down
    tail: nn.Module  # (N, channels, size, size) -> fc7 (N, features)
    stride: int  # pixels per cell of the feature map
    channels: int  # of the feature map
    features: int  # of fc7


class FrozenBatchNorm2d(torchvision.ops.FrozenBatchNorm2d):
    """Batch norm with fixed statistics and fixed affine parameters: one linear map, computed in one pass.

    torchvision's takes two, and under autocast returns float32, which the convolutions behind it would convert back.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W). Returns the same shape and type."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()  # (C,)
        bias = self.bias - self.running_mean * scale  # (C,)
        return torch.addcmul(bias[:, None, None].to(x.dtype), x, scale[:, None, None].to(x.dtype))


class SpatialMean(nn.Module):
    """Average over rows and columns: (N, D, h, w) -> (N, D)."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, D, h, w). Returns (N, D)."""
        return x.mean(dim=(2, 3))


def build_backbone(config: BackboneConfig, pretrained: str | None = None) -> Backbone:
    """Build the named backbone, load weights into it, and freeze what the config says.

    pretrained: one of torchvision's names ("DEFAULT", "IMAGENET1K_V1"), downloaded with a progress bar; or a local
    .pth or .safetensors file with torchvision's keys; or None for random weights. See `pretrained`.
    """
    if config.name not in BACKBONES:
        raise ConfigError(f"backbone {config.name!r}: unknown; choose one of {', '.join(BACKBONES)}")
    norm = FrozenBatchNorm2d if config.frozen_batch_norm else nn.BatchNorm2d
    if config.name == "small":
        if pretrained is not None:
            raise ConfigError(f"pretrained {pretrained!r}: backbone 'small' has no pretrained weights; leave it out")
        backbone = split_small(norm, config.tail_stride)
    else:
        options = {} if config.name == "vgg16" else {"norm_layer": norm}
        network = torchvision.models.get_model(config.name, weights=None, **options)
        if pretrained is not None:
            load_pretrained(network, config.name, pretrained)
        split = {"vgg16": split_vgg, "mobilenet_v2": split_mobilenet}.get(config.name, split_resnet)
        backbone = split(network, config.tail_stride)
    for block in frozen_blocks(backbone.head, config.frozen_blocks):
        if config.frozen_batch_norm:
            fold_batch_norm(block)
        block.requires_grad_(False)
    return backbone


def frozen_blocks(head: nn.Sequential, count: int) -> list[nn.Module]:
    """The first `count` blocks of a head, which training leaves alone."""
    if not 0 <= count <= len(head):
        raise ConfigError(f"backbone.frozen_blocks = {count}: this head has {len(head)} blocks")
    return list(head)[:count]


def split_resnet(network: nn.Module, tail_stride: int) -> Backbone:
    """conv1 to layer3 as head, layer4 and the spatial mean as tail."""
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    layers = OrderedDict(stem=stem, layer1=network.layer1, layer2=network.layer2, layer3=network.layer3)
    first = network.layer4[0]
    strided = first.conv1 if isinstance(first, BasicBlock) else first.conv2
    strided.stride = first.downsample[0].stride = (tail_stride, tail_stride)
    channels, features = first.conv1.in_channels, network.fc.in_features
    return Backbone(nn.Sequential(layers), nn.Sequential(network.layer4, SpatialMean()), 16, channels, features)


def split_vgg(network: nn.Module, tail_stride: int) -> Backbone:
    """conv1_1 to conv5_3 in five blocks as head (without the last pooling), fc6 and fc7 on 7x7 crops as tail."""
    if tail_stride != 1:
        raise ConfigError(f"backbone.tail_stride = {tail_stride}: vgg16's tail has no convolution to stride; use 1")
    ends = (5, 10, 17, 24, 30)  # each block ends behind its pooling; the fifth before it
    blocks = [network.features[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    tail = nn.Sequential(nn.Flatten(), *list(network.classifier)[:-1])
    return Backbone(nn.Sequential(*blocks), tail, 16, 512, 4096)


def split_mobilenet(network: nn.Module, tail_stride: int) -> Backbone:
    """Blocks 0 to 13 as head, 14 to 18 and the spatial mean as tail."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.register_forward_pre_hook(without_cudnn_plan)
    strided = network.features[14].conv[1][0]
    strided.stride = (tail_stride, tail_stride)
    tail = nn.Sequential(network.features[14:], SpatialMean())
    return Backbone(network.features[:14], tail, 16, network.features[14].conv[0][0].in_channels, network.last_channel)


def split_small(norm: type[nn.Module], tail_stride: int) -> Backbone:
    """A stem and two stages of two residual blocks at stride 8, with one more block as tail: learns on a CPU."""

    def block(in_channels: int, out_channels: int, stride: int) -> BasicBlock:
        shortcut = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), norm(out_channels))
        same = stride == 1 and in_channels == out_channels
        return BasicBlock(in_channels, out_channels, stride, None if same else shortcut, norm_layer=norm)

    stem = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), norm(16), nn.ReLU(inplace=True))
    layer1 = nn.Sequential(block(16, 32, 2), block(32, 32, 1))
    layer2 = nn.Sequential(block(32, 64, 2), block(64, 64, 1))
    head = nn.Sequential(OrderedDict(stem=stem, layer1=layer1, layer2=layer2))
    tail = nn.Sequential(block(64, 128, tail_stride), SpatialMean())
    for module in (*head.modules(), *tail.modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return Backbone(head, tail, 8, 64, 128)
