"""Every explorer on a small photo, and how far its controls go: what the sweeps of the tests set."""

import dataclasses

import ipywidgets as widgets
import torch

from rcnn_tutorial.config import TOY_TRAINING, AnchorConfig, BackboneConfig, Config, PreprocessingConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.anchors import AnchorExplorer, IoUExplorer
from rcnn_tutorial.explorers.classification import ClassificationExplorer
from rcnn_tutorial.explorers.crop_pooling import CELLS, FEATURES, PHOTO, CropPoolingExplorer
from rcnn_tutorial.explorers.errors import ConfusionExplorer, CurveExplorer, ErrorExplorer, ReliabilityExplorer
from rcnn_tutorial.explorers.explorer import Several
from rcnn_tutorial.explorers.inference_nms import DetectionExplorer
from rcnn_tutorial.explorers.preprocessing import PreprocessingExplorer
from rcnn_tutorial.explorers.proposal_target import HEAT, ROIS, ProposalTargetExplorer
from rcnn_tutorial.explorers.rpn_loss import ALL, BOTH, NONE, AnchorLabelExplorer, SmoothL1Explorer
from rcnn_tutorial.explorers.sliders import nearest_step
from rcnn_tutorial.explorers.suppression import NMSExplorer
from rcnn_tutorial.explorers.three_generations import BOXES, REGIONS, GenerationsExplorer, SelectiveSearchExplorer
from rcnn_tutorial.explorers.tour import StoryExplorer, TourExplorer
from rcnn_tutorial.explorers.training import TrainingMonitor
from rcnn_tutorial.figures.tour import Tour
from rcnn_tutorial.model import build_model

IMAGE = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))
TARGET = {"boxes": torch.tensor([[20.0, 15, 70, 80], [60, 40, 120, 90]]), "labels": torch.tensor([2, 1])}
TINY = AnchorConfig(base_size=9, scales=(0.5, 3), ratios=(1.5,))
CONFIG = Config(
    classes=("cat", "dog", "bird"),
    preprocessing=PreprocessingConfig(target_size=96, max_size=128),
    backbone=BackboneConfig(name="small"),
)
STRIDE = 8  # of the small backbone


class OnAnotherDevice(torch.nn.Module):
    """A detector whose parameters are on no CPU; what it computes is given."""

    def __init__(self, trace):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))
        self.config, self.stride, self.given = CONFIG, STRIDE, trace

    def trace(self, images):
        assert [image.device.type for image in images] == ["meta"]  # the photo has followed the model
        return self.given


class Scenes(list):
    classes = CONFIG.classes


def labels(image, _trace, target):
    return AnchorLabelExplorer(image, target["boxes"], CONFIG)


def proposals(image, trace, _target):
    return ProposalTargetExplorer(image, trace, CONFIG)


def crops(image, trace, target):
    return CropPoolingExplorer(image, trace.features[0], target["boxes"][0])


def preprocessing(size=(96, 128)):
    return lambda image, _trace, target: PreprocessingExplorer(image[:, : size[0], : size[1]], target["boxes"])


def classification_alone(image, trace, _target):
    return ClassificationExplorer(image, dataclasses.replace(trace, ground_truth=None), CONFIG)


def found_in(target):
    """Detections: the objects, and each once more as the other class; scores below 1."""
    boxes, labels = target["boxes"], target["labels"]
    return {"boxes": boxes.repeat(2, 1), "labels": torch.cat([labels, 3 - labels]), "scores": boxes.flatten()[:4] / 128}


def monitor(image, _trace, target):
    torch.manual_seed(0)
    return TrainingMonitor(build_model(CONFIG), Scenes(), Scenes([(image, target)]), TOY_TRAINING)


def searched(image, _trace, target):
    names = [CONFIG.classes[label - 1] for label in target["labels"].tolist()]
    return SelectiveSearchExplorer(image, target["boxes"], names, scale=400)


CASES = {  # name -> what builds the explorer of (image, trace, target), and where its controls start
    "anchors": (lambda image, _trace, target: AnchorExplorer(image, objects=target["boxes"]), {}),
    "anchors of a tiny image": (lambda image, *_: AnchorExplorer(image[:, :20, :30], TINY, stride=5), {}),
    "iou": (lambda image, *_: IoUExplorer(image), {}),
    "preprocessing": (preprocessing(), {}),
    "preprocessing of a column": (preprocessing((96, 1)), {}),
    "preprocessing of a row": (preprocessing((1, 128)), {}),
    "labels": (labels, {}),
    "labels of all objects": (labels, {"objects_counted": BOTH, "show": ALL}),
    "labels without objects": (labels, {"objects_counted": NONE}),
    "labels where no anchor fits": (lambda image, *_: AnchorLabelExplorer(image[:, :20, :30]), {}),
    "smooth L1": (lambda *_: SmoothL1Explorer(), {}),
    "proposals": (proposals, {}),
    "ROIs": (proposals, {"view": ROIS}),
    "scores": (proposals, {"view": HEAT}),
    "crops": (crops, {"map": FEATURES}),
    "crops of the photo": (crops, {"map": PHOTO, "method": "align"}),
    "crops of its cells": (crops, {"map": CELLS, "method": "pool"}),
    "classification": (lambda image, trace, _: ClassificationExplorer(image, trace, CONFIG), {}),
    "classification without targets": (classification_alone, {}),
    "NMS": (lambda image, trace, _: NMSExplorer(image, trace.proposals.boxes[0], trace.proposals.scores[0]), {}),
    "detections": (lambda image, trace, target: DetectionExplorer(image, trace, CONFIG, target["boxes"]), {}),
    "errors": (lambda image, _, target: ErrorExplorer([image] * 2, [found_in(target)] * 2, [target] * 2, "abc"), {}),
    "confusion": (lambda image, _, target: ConfusionExplorer(image, found_in(target), target, CONFIG.classes), {}),
    "reliability": (lambda _image, _, target: ReliabilityExplorer(found_in(target), target, CONFIG.classes), {}),
    "curve": (lambda image, _, target: CurveExplorer([image] * 2, [found_in(target)] * 2, [target] * 2), {}),
    "merges": (searched, {"view": REGIONS}),
    "boxes of merges": (searched, {"view": BOXES}),
    "merges of one color": (lambda image, *_: SelectiveSearchExplorer(image * 0 + 0.5), {"view": REGIONS}),
    "two generations": (lambda image, trace, _: GenerationsExplorer(image, trace.features[0]), {}),
    "tour": (lambda image, trace, _: TourExplorer(OnAnotherDevice(trace), {"photo": to_cpu(image)}), {}),
    "story": (lambda image, trace, _: StoryExplorer(Tour(image, trace, CONFIG, STRIDE)), {}),
    "monitor": (monitor, {}),
}
THRESHOLDS = {"fg_thresh", "bg_hi"}
REFUSED = {  # the controls that can be set to what cannot be
    "anchors": {"scales", "ratios"},
    "anchors of a tiny image": {"scales", "ratios"},
    "preprocessing": {"max_size"},
    "preprocessing of a column": {"max_size"},
    "preprocessing of a row": {"max_size"},
    "ROIs": THRESHOLDS,
    "errors": {"foreground", "background"},
}


def values_of(control) -> list:
    """Both ends, the neighbors of the ends and five values between; for choices all of them."""
    match control:
        case widgets.IntSlider() | widgets.FloatSlider() | widgets.Play():
            low, high, step = control.min, control.max, control.step
            steps = round((high - low) / step)
            stops = sorted({0, 1, *(steps * i // 6 for i in range(7)), max(steps - 1, 0), steps})
            return [nearest_step(low + step * stop, low, high, step) for stop in stops]
        case widgets.Checkbox():
            return [True, False]
        case Several():
            return [(), control.options, *((option,) for option in control.options)]
        case _:
            return [option[1] if isinstance(option, tuple) else option for option in control.options]


def small_trace():
    """What an untrained detector makes of IMAGE, in eval mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        return build_model(CONFIG).eval().trace([IMAGE], [TARGET], torch.Generator().manual_seed(0))
