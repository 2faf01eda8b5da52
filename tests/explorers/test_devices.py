"""Every explorer with tensors that live on another device than the CPU: the same sentences, control by control."""

import pytest
import torch
from devices import Elsewhere, elsewhere

from rcnn_tutorial.config import TOY_TRAINING, BackboneConfig, Config, PreprocessingConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.anchors import AnchorExplorer, IoUExplorer
from rcnn_tutorial.explorers.classification import ClassificationExplorer
from rcnn_tutorial.explorers.crop_pooling import CropPoolingExplorer
from rcnn_tutorial.explorers.inference_nms import DetectionExplorer, NMSExplorer
from rcnn_tutorial.explorers.preprocessing import PreprocessingExplorer
from rcnn_tutorial.explorers.proposal_target import ProposalTargetExplorer
from rcnn_tutorial.explorers.rpn_loss import AnchorLabelExplorer
from rcnn_tutorial.explorers.tour import TourExplorer
from rcnn_tutorial.explorers.training import TrainingMonitor
from rcnn_tutorial.model import build_model

IMAGE = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))
TARGET = {"boxes": torch.tensor([[20.0, 15, 70, 80], [60, 40, 120, 90]]), "labels": torch.tensor([2, 1])}
CONFIG = Config(
    classes=("cat", "dog", "bird"),
    preprocessing=PreprocessingConfig(target_size=96, max_size=128),
    backbone=BackboneConfig(name="small"),
)


@pytest.fixture(scope="module")
def trace():
    torch.manual_seed(0)
    with torch.no_grad():
        return build_model(CONFIG).eval().trace([IMAGE], [TARGET], torch.Generator().manual_seed(0))


class OnAnotherDevice(torch.nn.Module):
    """A detector whose parameters are on no CPU; what it computes is given."""

    def __init__(self, trace):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))
        self.config, self.stride, self.given = CONFIG, 16, trace

    def trace(self, images):
        assert [image.device.type for image in images] == ["meta"]  # the photo has followed the model
        return self.given


EXPLORERS = {
    "anchors": lambda image, trace, target: AnchorExplorer(image),
    "iou": lambda image, trace, target: IoUExplorer(image),
    "preprocessing": lambda image, trace, target: PreprocessingExplorer(image, target["boxes"]),
    "rpn_loss": lambda image, trace, target: AnchorLabelExplorer(image, target["boxes"], CONFIG),
    "proposal_target": lambda image, trace, target: ProposalTargetExplorer(image, trace, CONFIG),
    "crop_pooling": lambda image, trace, target: CropPoolingExplorer(image, trace.features[0], target["boxes"][0]),
    "classification": lambda image, trace, target: ClassificationExplorer(image, trace, CONFIG),
    "nms": lambda image, trace, target: NMSExplorer(
        image, trace.proposals.boxes[0, :20], trace.proposals.scores[0, :20]
    ),
    "detections": lambda image, trace, target: DetectionExplorer(image, trace, CONFIG, target["boxes"]),
    "tour": lambda image, trace, target: TourExplorer(OnAnotherDevice(trace), {"photo": to_cpu(image)}),
}


@pytest.mark.parametrize("name", EXPLORERS)
def test_it_says_the_same_wherever_its_tensors_live(name, trace, sweep):
    here = EXPLORERS[name](IMAGE, trace, TARGET)
    there = EXPLORERS[name](*elsewhere((IMAGE,)), elsewhere(trace), elsewhere(TARGET))
    assert sweep(here) == sweep(there)
    assert there.figure().axes


def test_half_precision_and_double_are_explored_in_single(trace):
    for kind in (torch.bfloat16, torch.float64):
        features, image = trace.features[0].to(kind), IMAGE.to(kind)
        for method in ("crop", "align", "pool"):
            explorer = CropPoolingExplorer(image, features, TARGET["boxes"][0].to(kind))
            explorer.method.value = method
            assert "The ROI at x 20, y 15 is 50 × 65 pixels" in explorer.summary


def test_the_monitor_judges_a_scene_of_another_device():
    class Scenes(torch.utils.data.Dataset):
        classes = CONFIG.classes

    image, target = elsewhere(IMAGE), elsewhere(TARGET)
    monitor = TrainingMonitor(build_model(CONFIG), Scenes(), (image, target), TOY_TRAINING)
    assert "Objects in the scene: 2." in monitor.summary
    assert monitor.figure().axes


def test_the_other_device_is_strict():
    there, here = elsewhere(torch.ones(3)), torch.ones(3)
    with pytest.raises(RuntimeError, match="same device"):
        there + here
    with pytest.raises(RuntimeError, match="same device"):
        torch.cat([here, there])
    with pytest.raises(TypeError, match="cpu"):
        (there * 2).numpy()
    assert type(there * 2) is Elsewhere and type(there[here > 0]) is Elsewhere
    assert type(there.cpu()) is type(there.to("cpu")) is torch.Tensor
