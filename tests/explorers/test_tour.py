"""The tour on a small detector with random weights: every stage of every photo, with and without detections."""

import pytest
import torch

from rcnn_tutorial.config import toy_config
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.tour import StoryExplorer, TourExplorer
from rcnn_tutorial.figures.tour import STAGES
from rcnn_tutorial.model import build_model

CLASSES = ("disk", "square", "star")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_model(toy_config(CLASSES)).eval()


def photos():
    draw = torch.Generator().manual_seed(0)
    return {"wide": torch.rand(3, 60, 90, generator=draw), "tall": torch.rand(3, 120, 40, generator=draw)}


def test_every_stage_of_every_photo_has_a_sentence(model):
    explorer = TourExplorer(model, photos())
    for number, (title, notebook, _) in enumerate(STAGES):
        explorer.set(stage=number, photo="tall")
        assert explorer.summary.startswith(f"Stage {number}, {title} (notebook {notebook}): ")


def test_pixels_of_the_photo_except_where_the_scaled_image_is_shown(model):
    explorer = TourExplorer(model, photos())
    for stage in range(len(STAGES)):
        explorer.stage.value = stage
        assert explorer.canvas.size == ((128, 192) if stage == 1 else (60, 90))
        for layer in explorer.canvas.layers:
            if hasattr(layer, "boxes") and stage not in (7, 8):
                assert layer.boxes.min() >= 0 and (layer.boxes.amax(dim=0) <= torch.tensor([90.0, 60, 90, 60])).all()


def test_no_detection_is_said_in_words(model):
    explorer = TourExplorer(model, photos(), stage=8, shown=1.0)
    assert explorer.summary.endswith("none is scored 1 or more.")
    assert len(explorer.canvas.layers[-1].boxes) == 0


def test_all_detections_are_drawn_and_counted(model):
    explorer = TourExplorer(model, photos(), stage=8, shown=0.0)
    detections = explorer.tour("wide").trace.detections[0]
    assert len(detections.boxes) > 0 and len(explorer.canvas.layers[-1].boxes) == len(detections.boxes)
    assert f"{len(detections.boxes)} boxes are left" in explorer.summary


def test_a_photo_runs_through_the_model_once(model, monkeypatch):
    calls = []
    trace = model.trace
    monkeypatch.setattr(model, "trace", lambda images: calls.append(1) or trace(images))
    explorer = TourExplorer(model, photos())
    for stage in (3, 8, 0):
        explorer.stage.value = stage
    explorer.photo.value = "tall"
    explorer.photo.value = "wide"
    assert len(calls) == 2


def test_the_followed_box_is_the_same_at_every_stage(model):
    tour = TourExplorer(model, photos()).tour("wide")
    detections, proposals = tour.trace.detections[0], tour.trace.proposals
    assert tour.roi == detections.roi_indices[0]
    assert tour.anchor == proposals.anchor_indices[0, tour.roi]


def test_without_a_photo_there_is_nothing_to_explore(model):
    with pytest.raises(ConfigError, match="at least one photo"):
        TourExplorer(model, {})


def test_the_story_is_played_stepped_and_opened_at_a_chapter(model):
    explorer = StoryExplorer(TourExplorer(model, photos()).tour("wide"))
    assert explorer.summary.startswith("A cell. ")
    explorer.play.value = 3  # as the player does in the browser
    assert explorer.moment.value == 3 and explorer.summary.startswith("Its anchors. ")
    explorer.moment.value = explorer.moment.max
    assert explorer.play.value == explorer.moment.max and explorer.summary.startswith("A detection. ")
    for chapter, start in explorer.presets.items():
        explorer.set(**start)
        assert explorer.summary.startswith(f"{chapter}. ")
        assert explorer.moment.value == 0 or explorer.moments[explorer.moment.value - 1].chapter != chapter
