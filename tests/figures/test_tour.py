"""The tour's pictures: all stages on one sheet, and a network map whose shapes are the model's own."""

import pytest
import torch

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import AnchorConfig, BackboneConfig, Config, toy_config
from rcnn_tutorial.figures.network import network_figure, network_rows
from rcnn_tutorial.figures.tour import (
    STAGES,
    Tour,
    projection_figure,
    to_photo,
    tour_figure,
)
from rcnn_tutorial.model import build_model


@pytest.fixture(scope="module")
def tour():
    torch.manual_seed(0)
    model = build_model(toy_config(("disk", "square"))).eval()
    image = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return Tour(image, model.trace([image]), model.config, model.stride)


def meta_model(config):
    with torch.device("meta"):
        return build_model(config)


def test_shapes_of_the_reference_at_600_by_800():
    shapes = {(row.part, row.step): row.shape for row in network_rows(meta_model(Config()), 600, 800)}
    assert shapes["head", "layer3"] == (1, 1024, 38, 50)
    assert shapes["RPN", "1×1 conv to scores"] == (1, 18, 38, 50)
    assert shapes["RPN", "anchor by anchor: coefficients"] == (1, 17_100, 4)
    assert shapes["crop pooling", "crops"] == (300, 1024, 7, 7)
    assert shapes["tail", "fc7"] == (300, 2048)
    assert shapes["classification layer", "linear to scores"] == (300, 21)
    assert shapes["classification layer", "linear to coefficients"] == (300, 84)


def test_shapes_of_the_bundled_detector_are_the_post_s_but_for_the_channels():
    voc = network_rows(load_model("voc"), 600, 800)
    reference = [row for row in network_rows(meta_model(Config()), 600, 800) if row.part != "head"]
    other = {("RPN", "3×3 conv, ReLU"): 256, ("crop pooling", "crops"): 96, ("tail", "fc7"): 1280}  # channels
    for row, theirs in zip([row for row in voc if row.part != "head"], reference, strict=True):
        channels = other.get((row.part, row.step), theirs.shape[1])
        assert row.shape == (theirs.shape[0], channels, *theirs.shape[2:])


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "mobilenet_v2", "small"])
def test_every_backbone_has_a_map_with_its_own_shapes(name):
    model = meta_model(Config(classes=("a", "b"), backbone=BackboneConfig(name), anchors=AnchorConfig(scales=(8,))))
    rows = network_rows(model, 200, 300)
    assert rows[-2].shape == (300, 3)
    texts = [text.get_text() for text in network_figure(rows).axes[0].texts]
    for row in rows:
        assert " × ".join(f"{side:,}" for side in row.shape) in texts


def test_shapes_are_those_of_a_real_trace(tour):
    model = meta_model(tour.config)
    shapes = {
        (row.part, row.step): row.shape for row in network_rows(model, *tour.trace.preprocessed.sizes[0].tolist())
    }
    assert shapes["head", "layer2"] == tour.trace.features.shape
    assert shapes["RPN", "anchor by anchor: scores"] == tour.trace.rpn.scores.shape
    assert shapes["tail", "fc7"][1:] == tour.trace.proposed.fc7.shape[2:]


def test_one_panel_a_stage_with_its_shape(tour):
    figure = tour_figure(tour)
    assert [axes.get_title() for axes in figure.axes] == [f"{k} {title}" for k, (title, *_) in enumerate(STAGES)]
    rows, columns = tour.trace.features.shape[-2:]
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels[0] == "3 × 64 × 96" and labels[2] == f"64 × {rows} × {columns}"
    assert labels[3] == f"{len(tour.trace.anchors):,} × 4"
    figure.canvas.draw()


def test_projection_divides_by_the_scale():
    figure = projection_figure(torch.rand(3, 50, 80), torch.tensor([[16.0, 32, 48, 64], [0, 0, 80, 80]]), 1.6)
    wrong, right = (axes.collections[0].get_paths()[0].get_extents().bounds for axes in figure.axes)
    assert wrong == pytest.approx((16, 32, 32, 32)) and right == pytest.approx((10, 20, 20, 20))
    assert figure.axes[0].get_xlim() == (0, 128) and figure.axes[1].get_xlim() == (0, 80)


def test_boxes_come_back_to_the_photo_and_stay_on_it(tour):
    boxes = torch.tensor([[0.0, 0, 20, 30], [100, 100, 500, 500]])
    found = to_photo(tour, boxes)
    torch.testing.assert_close(found[0], boxes[0] / tour.scale)
    assert found[1].tolist()[2:] == [96, 64]
