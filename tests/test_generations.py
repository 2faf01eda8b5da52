"""Fast and Faster R-CNN are what the model's trace gives; R-CNN sees pixels; linear layers are fitted to them."""

import math
from functools import partial

import pytest
import torch

from rcnn_tutorial import generations
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.generations import (
    PARTS,
    Stopwatch,
    as_proposals,
    assign,
    fast_rcnn,
    faster_rcnn,
    rcnn,
    refit,
    warped_features,
)
from rcnn_tutorial.stages.preprocessing import preprocess
from rcnn_tutorial.stages.selective_search import selective_search

PROPOSE = partial(selective_search, count=40)


@pytest.fixture(scope="module")
def model():
    return load_model("toy").eval()


@pytest.fixture(scope="module")
def scenes():
    """Three scenes as pairs of plain tensors."""
    items = [ToyScenes("val", length=3)[i] for i in range(3)]
    keys = ("boxes", "labels", "difficult")
    plain = torch.Tensor
    return [(i.as_subclass(plain), {key: t[key].as_subclass(plain) for key in keys}) for i, t in items]


def assert_same(found, expected):
    torch.testing.assert_close(found.boxes, expected.boxes, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-4, rtol=0)
    assert torch.equal(found.labels, expected.labels) and len(found.boxes) > 0


@torch.no_grad()
def test_faster_rcnn_is_the_models_trace(model, scenes):
    image = scenes[0][0]
    trace, run = model.trace([image]), faster_rcnn(model, image)
    assert_same(run.detections, trace.detections[0])
    torch.testing.assert_close(run.proposals, trace.proposals.boxes[0][trace.proposals.valid[0]])  # of scale 1
    assert tuple(run.seconds) == PARTS and min(run.seconds.values()) > 0


@torch.no_grad()
def test_fast_rcnn_is_the_models_trace_with_proposals_given(model, scenes):
    image = scenes[0][0][:, :100]  # another size, so that it is scaled
    preprocessed = preprocess([image], model.config.preprocessing)
    proposals = as_proposals(PROPOSE(image), preprocessed)
    run = fast_rcnn(model, image, PROPOSE)
    assert_same(run.detections, model.trace([image], proposals=proposals).detections[0])
    assert torch.equal(run.proposals, PROPOSE(image)) and tuple(run.seconds) == PARTS


def test_the_fast_copy_finds_the_same(model, scenes):
    image, copy = scenes[1][0], model.for_inference()
    assert_same(fast_rcnn(copy, image, PROPOSE).detections, fast_rcnn(model, image, PROPOSE).detections)
    assert_same(faster_rcnn(copy, image).detections, faster_rcnn(model, image).detections)
    assert_same(rcnn(copy, image, PROPOSE, None).detections, rcnn(model, image, PROPOSE, None).detections)


def test_rcnn_has_no_network_on_the_photo(model, scenes):
    run = rcnn(model, scenes[0][0], PROPOSE, None)
    assert run.seconds["network"] == 0 and run.seconds["per region"] > 0 and len(run.detections.boxes) > 0


@torch.no_grad()
def test_features_do_not_depend_on_how_many_pass_together(model, scenes, monkeypatch):
    image = scenes[0][0]
    rois = PROPOSE(image)[:7]
    expected = warped_features(model, image, rois)
    monkeypatch.setattr(generations, "TOGETHER", 3)
    torch.testing.assert_close(warped_features(model, image, rois), expected, atol=1e-4, rtol=0)
    assert warped_features(model, image, rois[:0]).shape == (0, expected.shape[1])


def test_refitted_layers_know_the_scenes_they_were_fitted_to(model, scenes):
    layers = refit(model, scenes, PROPOSE, penalty=1e-3)
    classes = len(model.classes)
    assert layers.classifier.shape[1] == classes + 1 and layers.regression.shape[1:] == (classes + 1, 4)
    for image, target in scenes:
        found = rcnn(model, image, lambda image, boxes=target["boxes"]: boxes, layers).detections
        best = [int(found.labels[found.roi_indices == roi][0]) for roi in found.roi_indices.unique()]
        right = [int(target["labels"][roi]) for roi in found.roi_indices.unique()]
        assert best == right and len(right) > 0


def test_the_three_agree_on_a_photo_without_proposals(model, scenes):
    image, nothing = scenes[0][0], lambda image: torch.zeros(0, 4)
    layers = refit(model, scenes[:1], PROPOSE)
    for run in (
        rcnn(model, image, nothing, layers),
        rcnn(model, image, nothing, None),
        fast_rcnn(model, image, nothing),
    ):
        assert run.proposals.shape == run.detections.boxes.shape == (0, 4)


def test_one_color_is_one_proposal(model):
    image = torch.full((3, 128, 128), 0.4)
    assert fast_rcnn(model, image, PROPOSE).proposals.tolist() == [[0, 0, 128, 128]]
    assert rcnn(model, image, PROPOSE, None).proposals.tolist() == [[0, 0, 128, 128]]


def test_proposals_learn_from_the_object_that_they_overlap_most():
    """By hand: IoU 1, 0.5 (the left half), 0.25 (a quarter), 0."""
    rois = torch.tensor([[0.0, 0, 20, 20], [0, 0, 10, 20], [0, 0, 10, 10], [50, 50, 60, 60]])
    target = {"boxes": torch.tensor([[0.0, 0, 20, 20], [90, 90, 99, 99]]), "labels": torch.tensor([3, 1])}
    labels, coefficients, overlaps = assign(rois, target)
    assert labels.tolist() == [3, 3, 0, 0] and overlaps.tolist() == [1, 0.5, 0.25, 0]
    torch.testing.assert_close(coefficients[1], torch.tensor([0.5, 0, math.log(2), 0]))


def test_a_scene_without_objects_is_all_background(model, scenes):
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    labels, coefficients, overlaps = assign(torch.rand(5, 4), empty)
    assert labels.tolist() == [0] * 5 and coefficients.shape == (5, 4) and overlaps.tolist() == [0] * 5
    layers = refit(model, [(scenes[0][0], empty)], PROPOSE)
    assert layers.regression.abs().max() == 0
    assert len(rcnn(model, scenes[1][0], PROPOSE, layers).detections.boxes) == 0  # nothing but background is known


def test_refitting_takes_an_image(model):
    with pytest.raises(ConfigError, match="no image"):
        refit(model, [], PROPOSE)


def test_the_stopwatch_adds_up(monkeypatch):
    clock = iter([1.0, 3.0, 10.0, 10.5])
    monkeypatch.setattr(generations.time, "perf_counter", lambda: next(clock))
    watch = Stopwatch()
    for _ in range(2):
        with watch("network"):
            pass
    assert watch.seconds == {"proposals": 0.0, "network": 2.5, "per region": 0.0}
