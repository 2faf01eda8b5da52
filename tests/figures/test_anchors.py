"""Notebook 02's figures: what they draw, read back from the axes."""

import pytest
import torch

from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.figures import anchors as figures
from rcnn_tutorial.stages.anchors import base_anchors, generate_anchors, inside_image

CONFIG = AnchorConfig()


def test_every_shape_of_the_cell_is_drawn_with_a_color_and_a_dash_a_scale():
    figure = figures.shapes_figure(torch.rand(3, 60, 80), base_anchors(CONFIG) + 40, CONFIG)
    scales = figure.axes[0].collections[:3]
    assert len({str(boxes.get_linestyle()) for boxes in scales}) == 3
    assert len({str(boxes.get_edgecolor()) for boxes in scales}) == 3
    sizes = [path.get_extents().size.tolist() for boxes in scales for path in boxes.get_paths()]
    assert len(sizes) == 9 and sizes[:4] == [[184, 96], [128, 128], [88, 176], [368, 192]]
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names[2] == "scale 32: 736 × 384, 512 × 512, 352 × 704"


def test_around_the_image_is_room_for_the_shapes_that_leave():
    """Pixel 0 reaches from 0 to 1, as in all figures."""
    anchors = generate_anchors(38, 50, 16, CONFIG).view(38, 50, 9, 4)[19, 25]  # the tallest leaves by 64 pixels
    figure = figures.shapes_figure(torch.rand(3, 600, 800), anchors, CONFIG)
    assert figure.axes[0].images[0].get_extent() == [0, 944, 744, 0]
    assert figure.axes[0].get_xlim() == (0, 944) and figure.axes[0].get_ylim() == (744, 0)
    padded = figures.with_room(torch.ones(3, 2, 2), 3)
    assert padded.shape == (3, 8, 8) and padded.sum() == pytest.approx(12 + 3 * 60 * 0x40 / 255)


def test_each_panel_tells_how_many_cells_its_shape_fits():
    size = (600, 800)
    inside = inside_image(generate_anchors(38, 50, 16, CONFIG), torch.tensor([size]))[0].view(38, 50, 9)
    figure = figures.inside_figure(inside, CONFIG, 16, size)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[8] == "352 × 704: 0 fit"
    assert sum(int(title.split(": ")[1].removesuffix(" fit").replace(",", "")) for title in titles) == 5944


def test_the_intersection_is_drawn_only_where_there_is_one():
    first, second = torch.tensor([0.0, 0, 10, 10]), torch.tensor([5.0, 5, 15, 15])
    assert len(figures.iou_figure(first, second, 25 / 175).axes[0].collections) == 4  # its inside too
    assert len(figures.iou_figure(first, second + 20, 0.0).axes[0].collections) == 2


def test_the_closest_anchor_is_drawn_on_the_part_of_the_image_around_the_objects():
    objects = torch.tensor([[300.0, 200, 310, 206], [420, 250, 424, 254]])
    anchors = generate_anchors(38, 50, 16, CONFIG)
    figure = figures.closest_figure(torch.rand(3, 600, 800), objects, anchors)
    shown, anchor = (boxes.get_paths() for boxes in figure.axes[0].collections)
    assert [path.get_extents().size.tolist() for path in shown] == [[10, 6], [4, 4]]
    assert anchor[0].get_extents().size.tolist() == [88, 176]  # the smallest area
    (label,) = [one.get_text() for one in figure.axes[0].texts]
    assert label == f"IoU {60 / (88 * 176):.4f}"
    height, width = figure.axes[0].images[0].get_array().shape[:2]
    assert width < 800 and height < 600


def test_a_curve_for_every_set_of_anchors():
    sides = torch.tensor([16.0, 64, 256])
    figure = figures.reach_figure(sides, {"three scales": sides / 300, "four scales": sides / 260})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["three scales", "four scales"]
