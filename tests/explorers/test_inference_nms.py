"""The explorer of the final detections: what is drawn is what the stage detects; nothing to show."""

import pytest
import torch

from rcnn_tutorial.config import BackboneConfig, Config, InferenceConfig, PreprocessingConfig
from rcnn_tutorial.explorers.inference_nms import DetectionExplorer
from rcnn_tutorial.model import build_model
from rcnn_tutorial.stages.inference import detect

IMAGE = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def detections():
    torch.manual_seed(0)
    config = Config(
        classes=("cat", "dog", "bird"),
        preprocessing=PreprocessingConfig(target_size=96, max_size=128),
        backbone=BackboneConfig(name="small"),
    )
    model = build_model(config).eval()
    with torch.no_grad():
        return DetectionExplorer(IMAGE, model.trace([IMAGE]), config, torch.tensor([[20.0, 15, 70, 80]]))


def test_what_is_drawn_is_what_the_stage_detects(detections):
    detections.set(score_threshold=0.1, threshold=0.3, most=20, class_name=detections.ALL)
    found = detect(detections.boxes, detections.probabilities, InferenceConfig(0.1, 0.3, 20), detections.valid)
    drawn = {layer.legend: layer.boxes for layer in detections.canvas.layers[1:]}
    assert sum(map(len, drawn.values())) == len(found.labels) > 0
    for label in found.labels.unique().tolist():
        assert torch.equal(drawn[detections.classes[label - 1]], found.boxes[found.labels == label])


def test_one_class_alone_can_be_shown(detections):
    for name in detections.classes:
        detections.set(score_threshold=0.0, threshold=1.0, most=2, class_name=name)  # nothing is suppressed
        assert detections.summary.endswith(f"2 are left: 2 {name}.")


def test_no_detection_gives_a_sentence(detections):
    detections.set(score_threshold=1.0, class_name=detections.ALL)
    assert detections.summary == "No box of any class shown scores above 1.00: nothing detected."
    detections.figure()


def test_the_buttons_ask_the_lessons_questions(detections, press):
    detections.set(score_threshold=0.9, threshold=0.5, class_name="cat")
    press(detections, "NMS 1")
    assert (detections.score_threshold.value, detections.threshold.value) == (0.3, 1.0)
    assert detections.class_name.value == detections.ALL
    press(detections, "NMS 0")
    assert detections.threshold.value == 0.0
    press(detections, "Score 0")
    assert detections.score_threshold.value == 0.0 and "are left" in detections.summary
