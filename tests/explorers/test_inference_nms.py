"""The explorers of inference: each step of the game, nothing to show."""

import pytest
import torch

from rcnn_tutorial.config import BackboneConfig, Config, InferenceConfig, PreprocessingConfig
from rcnn_tutorial.explorers.inference_nms import LOWEST, DetectionExplorer, NMSExplorer, replay
from rcnn_tutorial.model import build_model
from rcnn_tutorial.stages.inference import detect
from rcnn_tutorial.stages.nms import bottom_y, nms, nms_steps

IMAGE = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))
PAIR = torch.tensor([[10.0, 10, 60, 60], [15, 17.5, 65, 67.5]])  # the post's two boxes, IoU 0.6194


def some_boxes(count=24):
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(count, 2, generator=generator) * 50
    boxes = torch.cat([corners, corners + 20 + torch.rand(count, 2, generator=generator) * 20], dim=1)
    return boxes, torch.rand(count, generator=generator)


@pytest.fixture
def explorer():
    return NMSExplorer(IMAGE, *some_boxes(), threshold=0.4)


def kept(canvas):
    return next(layer for layer in canvas.layers if layer.legend == "kept").boxes


def test_the_end_of_the_game_is_what_the_stage_keeps(explorer):
    boxes, scores = explorer.boxes, explorer.scores
    explorer.top.value = len(boxes)
    explorer.step.value = explorer.step.max
    for canvas, ranks in zip(explorer.canvases, (scores, bottom_y(boxes)), strict=True):
        assert torch.equal(kept(canvas), boxes[nms(boxes, ranks, 0.4)])


def test_a_step_keeps_one_box_and_every_box_is_in_one_group():
    boxes, scores = some_boxes()
    game = list(nms_steps(boxes, scores, 0.4))
    for step in range(len(game) + 3):
        state = replay(game, step, len(boxes))
        assert sorted([*state.kept, *state.now, *state.removed, *state.undecided]) == list(range(len(boxes)))
        assert len(state.kept) + len(state.now) == min(step, len(game))
        assert len(state.now) == (0 < step < len(game))


def test_the_button_goes_one_step_further_and_from_the_end_to_the_start(explorer):
    explorer.step.value = explorer.step.max
    explorer.next.click()
    assert explorer.step.value == 0 and "0 kept, 0 removed" in explorer.summary
    explorer.next.click()
    assert explorer.step.value == 1 and "1 kept" in explorer.summary


def test_a_finished_game_stays_finished_and_an_open_one_where_it_was(explorer):
    for threshold in (0.9, 0.1, 0.6):
        explorer.threshold.value = threshold
        assert explorer.step.value == explorer.step.max
    explorer.step.value = 1
    explorer.threshold.value = 0.9
    assert explorer.step.value == 1


def test_score_order_keeps_the_better_box_and_y_order_the_lower():
    explorer = NMSExplorer(IMAGE, PAIR, torch.tensor([0.9, 0.8]), threshold=0.5)
    assert explorer.order.value == LOWEST
    assert torch.equal(kept(explorer.canvases[0]), PAIR[:1])
    assert torch.equal(kept(explorer.canvases[1]), PAIR[1:])
    explorer.threshold.value = 0.65
    assert all(len(kept(canvas)) == 2 for canvas in explorer.canvases)


def test_no_boxes_and_no_scores_give_a_sentence(explorer):
    explorer.score_threshold.value = 1.0
    assert explorer.summary == "No box scores above 1.00: nothing to suppress."
    empty = NMSExplorer(IMAGE, torch.zeros(0, 4), torch.zeros(0))
    assert "nothing to suppress" in empty.summary
    empty.next.click()
    empty.figure()


# ---- final detections


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
        assert detections.summary.endswith(f"leave 2: 2 {name}.")


def test_no_detection_gives_a_sentence(detections):
    detections.set(score_threshold=1.0, class_name=detections.ALL)
    assert detections.summary == "No box of any class shown scores above 1.00: nothing detected."
    detections.figure()
