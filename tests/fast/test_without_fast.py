"""The detector without `fast`: the library's operators in its place, and every golden value is met all the same."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from stages.test_crop_pooling import (  # noqa: F401  collected here a second time, without `fast`
    test_alternatives_are_torchvision_s_image_by_image,
    test_alternatives_of_the_reference,
    test_crops_of_the_reference,
    test_gradients_in_the_roi_s_corners_and_in_the_features,
)
from stages.test_proposal import test_rois_of_the_reference  # noqa: F401
from torchvision import ops

from rcnn_tutorial import backbones, model
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.data import load_sample
from rcnn_tutorial.model import FasterRCNN, Trace
from rcnn_tutorial.stages import crop_pooling, proposal

LIBRARY = {
    (proposal, "nms"): lambda boxes, scores, iou_threshold, count: ops.nms(boxes, scores, iou_threshold)[:count],
    (crop_pooling, "grid_sample"): lambda features, grid, align_corners: F.grid_sample(
        features, grid, align_corners=align_corners
    ),
    (crop_pooling, "roi_align"): ops.roi_align,
    (backbones, "fold_batch_norm"): lambda block: None,
    (model, "shorten"): lambda detector: None,
}


class WithFast(NamedTuple):
    """What there is before `fast` is replaced."""

    names: set  # (module, name) where the detector uses it
    detector: FasterRCNN
    image: torch.Tensor
    target: dict
    traces: list[Trace]  # of the detector, and of its copy for inference


@pytest.fixture(scope="module")
def with_fast():
    detector, (image, target) = load_model("voc"), load_sample("scene")
    return WithFast(names_of_fast(), detector, image, target, traces(detector, image, target))


def names_of_fast() -> set[tuple[ModuleType, str]]:
    """Every name of `fast` in the other modules of the package, but for the benchmark, which tunes its peer by one."""
    return {
        (module, key)
        for name, module in sys.modules.items()
        if name.startswith("rcnn_tutorial.") and not name.startswith(("rcnn_tutorial.fast", "rcnn_tutorial.benchmark"))
        for key, value in vars(module).items()
        if getattr(value, "__module__", "").startswith("rcnn_tutorial.fast")
    }


@pytest.fixture(autouse=True)
def without_fast(with_fast, monkeypatch):
    """From here on the libraries' operators alone."""
    for (module, name), plain in LIBRARY.items():
        monkeypatch.setattr(module, name, plain)


@torch.no_grad()
def traces(detector, image, target) -> list[Trace]:
    """Those of the detector and of its copy for inference."""
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    return [
        one.trace([image], [target], seed)
        for one, seed in zip((detector, detector.for_inference()), generators, strict=True)
    ]


def tensors(value, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of everything in a record."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from tensors(item, f"{name}.{key}")
    elif hasattr(value, "_asdict"):
        yield from tensors(value._asdict(), name)
    elif value is not None:
        yield from tensors(vars(value), name)


def test_every_name_of_fast_is_replaced_here(with_fast):
    assert with_fast.names == set(LIBRARY)
    assert not names_of_fast()


@pytest.mark.parametrize("which", [0, 1], ids=["detector", "copy for inference"])
def test_a_whole_trace_is_the_same(with_fast, which):
    found = traces(with_fast.detector, with_fast.image, with_fast.target)[which]
    names = dict(tensors(found, "trace"))
    assert len(names) > 40
    for name, tensor in tensors(with_fast.traces[which], "trace"):
        torch.testing.assert_close(
            names[name], tensor, rtol=1e-3, atol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
        )
