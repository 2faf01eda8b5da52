"""Figures and the numbers behind them take tensors from a (pretended) GPU and show what they show of the CPU's."""

import copy
import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from rcnn_tutorial import figures
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import ProposalTargetConfig
from rcnn_tutorial.data import TOY_CLASSES, ToyScenes
from rcnn_tutorial.figures import anchors, classification, crop_pooling, proposal_target, rpn_loss, tour, training

MODULES = [importlib.import_module(f"rcnn_tutorial.figures.{m.name}") for m in pkgutil.iter_modules(figures.__path__)]
FIGURES = [
    (module.__name__.rpartition(".")[2], name)
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if name.endswith("_figure") and function.__module__ == module.__name__
]


@pytest.mark.parametrize(("module", "name"), FIGURES)
def test_every_figure_takes_tensors_from_any_device_and_says_what_it_shows(module, name):
    """As `from_any_device` makes it do. What it says is for readers: no name of a parameter in it."""
    function = getattr(importlib.import_module(f"rcnn_tutorial.figures.{module}"), name)
    assert hasattr(function, "__wrapped__")
    first = inspect.getdoc(function).partition("\n\n")[0]
    assert not re.search("[`{]", re.split(r"(?<=[.!?])\s", first)[0])


def pixels(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def draw_all(image, trace, model):
    """One figure of each kind of input."""
    boxes, labels, scores, _ = trace.detections[0]
    objects = {"boxes": boxes[:2], "labels": labels[:2]}
    yield anchors.iou_figure(boxes[0], boxes[0] + 10, 0.5)
    yield classification.scores_figure(trace.proposed.probabilities[0, :3], TOY_CLASSES)
    yield crop_pooling.methods_figure(trace.features[0, 0], trace.proposals.boxes[0, 0], model.stride, 3)
    yield rpn_loss.rpn_figure(model.rpn, trace.features)
    yield rpn_loss.coefficients_figure(boxes[0], boxes[1])
    yield proposal_target.overlaps_figure(trace.proposal_targets.max_overlaps[0], ProposalTargetConfig())
    yield training.progress_figure(
        image, objects, {"now": {"boxes": boxes, "labels": labels, "scores": scores}}, TOY_CLASSES
    )
    followed = tour.Tour(image, trace, model.config, model.stride)
    yield tour.tour_figure(followed)
    yield tour.projection_figure(image, trace.proposals.boxes[0, :5], followed.scale)


def test_figures_look_the_same(gpu):
    image, target = ToyScenes()[0]
    image, model = image.as_subclass(torch.Tensor), load_model("toy")
    there, moved = copy.deepcopy(model).to(gpu.device), image.to(gpu.device)
    one, other = (
        (picture, detector.trace([picture], [target], torch.Generator().manual_seed(0)), detector)
        for picture, detector in ((image, model), (moved, there))
    )
    assert other[1].features.device == gpu.device
    for expected, found in zip(draw_all(*one), draw_all(*other), strict=True):
        assert np.abs(pixels(found).astype(int) - pixels(expected)).mean() < 0.5


def test_every_view_of_the_tour_stays_on_the_device(gpu):
    model = load_model("toy").to(gpu.device)
    image = ToyScenes()[0][0].as_subclass(torch.Tensor).to(gpu.device)
    followed = tour.Tour(image, model.trace([image]), model.config, model.stride)
    for _, _, view in tour.STAGES:
        assert view(followed).scene.image.device == gpu.device


def test_verdicts_compare_what_lives_apart(gpu):
    boxes, labels = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([1])
    found = {"boxes": boxes.to(gpu.device), "labels": labels.to(gpu.device)}
    assert training.judge(found, {"boxes": boxes, "labels": labels}) == [training.RIGHT]


def test_gradient_norms_moves_the_images(gpu):
    image, target = ToyScenes()[0]
    here = training.gradient_norms(load_model("toy"), [image], [target])
    there = training.gradient_norms(load_model("toy").to(gpu.device), [image.as_subclass(torch.Tensor)], [target])
    for loss, parts in here.items():
        for part, norm in parts.items():
            assert there[loss][part] == (norm if norm is None else pytest.approx(norm, rel=1e-2))


def test_align_bins_stay_on_the_device(gpu):
    roi = torch.tensor([0.0, 0, 32, 16]).to(gpu.device)
    assert crop_pooling.align_bins(roi, 2, 8).device == gpu.device
