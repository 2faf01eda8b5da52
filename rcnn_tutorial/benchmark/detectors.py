"""The bundled detector `voc` beside what one would pick from torchvision for a CPU, on the same photo.

Times and sizes do not depend on what a network has learned, so torchvision's have random weights, and as many classes.
Their photos are scaled as ours are; SSDlite knows one size only, 320 x 320.
"""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models import detection

from rcnn_tutorial.benchmark.measure import Row, Work, compare_memory, compare_times
from rcnn_tutorial.benchmark.peer import tune
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.data import load_sample

RIVALS = ("fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_resnet50_fpn", "ssdlite320_mobilenet_v3_large")


def detectors(repeats: int = 9) -> list[Row]:
    """Time, peak memory and size of weights of `voc`, beside each of torchvision's."""
    rows = []
    for name in RIVALS:
        rows.append(compare_times(f"voc beside {name}", detection_in_photo, repeats, name))
        rows.append(compare_memory(f"voc beside {name}, peak memory", detection_in_photo, name))
        sizes = megabytes(load_model("voc")), megabytes(rival(name))
        rows.append(Row(f"voc beside {name}, weights", *sizes, unit="MB"))
    return rows


def detection_in_photo(side: str, name: str) -> Work:
    """Detecting in the sample scene, 600 x 800 pixels, with `voc` or with the detector of that name."""
    image = load_sample("scene")[0].as_subclass(torch.Tensor)
    detector = load_model("voc").for_inference() if side == "ours" else rival(name)
    if side == "tuned":
        tune(detector, detector)
    return torch.no_grad()(lambda: detector([image]))


def rival(name: str) -> nn.Module:
    """One of torchvision's detectors in eval mode, with random weights and the classes and threshold of `voc`."""
    torch.manual_seed(0)
    config = load_model("voc").config
    scaling = {"min_size": config.preprocessing.target_size, "max_size": config.preprocessing.max_size}
    threshold = config.inference.score_threshold
    options = {"score_thresh": threshold} if name.startswith("ssd") else {"box_score_thresh": threshold, **scaling}
    build = getattr(detection, name)
    return build(weights=None, weights_backbone=None, num_classes=len(config.classes) + 1, **options).eval()


def megabytes(model: nn.Module) -> float:
    """Size of the weights in memory, in float32."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values()) / 1e6
