"""A detector's networks for inference alone: batch norm folded, the tail begun before the crop, weights laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models.resnet import Bottleneck
from torchvision.ops import FrozenBatchNorm2d

if TYPE_CHECKING:
    from rcnn_tutorial.model import FasterRCNN


def shorten(detector: FasterRCNN) -> None:
    """Equals the detector in eval mode: fold its batch norms, and begin the tail before the crop where it can.

    The detector is changed, and no longer fit for training or saving.
    """
    fold_batch_norm(detector.head)
    fold_batch_norm(detector.tail)
    first, *others = blocks_of(detector.tail)
    if detector.config.crop_pooling.is_linear and can_begin_before_crop(first):
        detector.before_crop, detector.tail = BeforeCrop(first), AfterCrop(first, *others)


def fold_batch_norm(block: nn.Module) -> None:
    """Equals the block in eval mode: merge each batch norm into the convolution before it, with its present statistics.

    Convolution and fixed affine map are one linear map, and large feature maps are written once instead of twice. The
    block is no longer fit for training. Which convolution comes before a batch norm is told by the order in which the
    block names its parts, as in all backbones here; a block that runs them in another order cannot be folded.
    """
    for child in block.children():
        fold_batch_norm(child)
    children = list(block.named_children())
    for (_, conv), (name, norm) in zip(children, children[1:], strict=False):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, FrozenBatchNorm2d | nn.BatchNorm2d):
            mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")  # (D,) each
            affine = norm.eps, norm.weight, norm.bias
            conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, mean, variance, *affine)
            setattr(block, name, nn.Identity())


class BeforeCrop(nn.Module):
    """The 1x1 convolutions that a bottleneck begins with, on the whole feature map; without their biases.

    A crop mixes cells, a 1x1 convolution mixes channels, and both are linear: their order does not matter. In front of
    the crop, such a convolution visits every cell of the feature map once, and behind it once for every ROI that covers
    the cell.
    """

    def __init__(self, first: Bottleneck):
        super().__init__()
        self.main, self.shortcut = first.conv1, first.downsample[0]

    def forward(self, features: Tensor) -> Tensor:
        """features: (B, C, H, W). Returns (B, D + E, H, W): D channels for the main path, E for the shortcut."""
        return torch.cat([F.conv2d(features, conv.weight) for conv in (self.main, self.shortcut)], dim=1)


class AfterCrop(nn.Module):
    """The rest of such a tail: `after(crop(before(features)))` equals `tail(crop(features))`."""

    def __init__(self, first: Bottleneck, *others: nn.Module):
        super().__init__()
        self.first, self.others = first, nn.Sequential(*others)

    def forward(self, crops: Tensor) -> Tensor:
        """crops: (N, D + E, size, size). Returns fc7 (N, features)."""
        first = self.first
        convs = first.conv1, first.downsample[0]
        main, shortcut = (
            # The bias stays behind the crop, which fades to 0 where a ROI leaves the feature map.
            crop if conv.bias is None else crop + conv.bias[:, None, None]
            for crop, conv in zip(crops.split([conv.out_channels for conv in convs], dim=1), convs, strict=True)
        )
        main = F.relu(first.bn1(main))
        main = F.relu(first.bn2(first.conv2(main)))
        return self.others(F.relu(first.bn3(first.conv3(main)) + first.downsample[1](shortcut)))


def blocks_of(tail: nn.Module) -> list[nn.Module]:
    """The parts that a tail runs one after the other; those of a layer one by one."""
    parts = [part.children() if isinstance(part, nn.Sequential) else [part] for part in tail.children()]
    return [block for part in parts for block in part]


def can_begin_before_crop(first: nn.Module) -> bool:
    """Whether the first block of a tail is a bottleneck whose first convolutions look at one cell each."""
    return isinstance(first, Bottleneck) and first.conv1.stride == first.downsample[0].stride == (1, 1)
