"""OpenCV's selective search, to stand beside ours where `opencv-contrib-python` is installed."""

from __future__ import annotations

import importlib

import torch
from torch import Tensor


def is_installed() -> bool:
    """Whether there is an OpenCV with its extra modules; the plain package is without them."""
    try:
        return hasattr(importlib.import_module("cv2.ximgproc"), "segmentation")
    except ImportError:
        return False


def opencv_search(image: Tensor, count: int) -> Tensor:
    """The first `count` boxes (R, 4) of its fast mode, in an order that is partly random.

    image: (3, H, W), RGB in [0, 1].
    """
    segmentation = importlib.import_module("cv2.ximgproc").segmentation
    search = segmentation.createSelectiveSearchSegmentation()
    pixels = (image.clamp(0, 1) * 255).round().byte().flip(0)  # OpenCV has blue first
    search.setBaseImage(pixels.permute(1, 2, 0).contiguous().numpy())
    search.switchToSelectiveSearchFast()
    found = torch.from_numpy(search.process()).float()[:count]  # (R, 4) left, top, width, height
    return torch.cat([found[:, :2], found[:, :2] + found[:, 2:]], dim=1)
