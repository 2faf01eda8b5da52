"""The anchor label and smooth L1 explorers: known counts, slider and box agree."""

import pytest
import torch

from rcnn_tutorial.config import AnchorConfig, AnchorTargetConfig, Config
from rcnn_tutorial.explorers.rpn_loss import ALL, BOTH, MOVABLE, NONE, AnchorLabelExplorer, SmoothL1Explorer
from rcnn_tutorial.scene import Boxes, Points
from rcnn_tutorial.stages.anchors import generate_anchors, inside_image

IMAGE = torch.full((3, 600, 800), 0.5)
OBJECTS = torch.tensor([[100.0, 100, 300, 400], [500, 50, 560, 110]])


def layer(explorer, name):
    return next(one for one in explorer.canvas.layers if one.legend == name)


@pytest.mark.parametrize(
    "side, counts, types, best",
    [
        (64, "14 foreground, 242 background", "14 type A, 0 type B", "0.2645"),
        (181, "12 foreground, 244 background", "12 type A, 0 type B", "0.5001"),
        (256, "18 foreground, 238 background", "2 type A, 18 type B", "0.9113"),
    ],
)
def test_counts_of_centered_squares(side, counts, types, best):
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.set(object_width=side, object_height=side)
    assert f"In the loss: {counts}, 16,844 don't care." in explorer.summary
    assert types in explorer.summary
    assert f"Largest IoU of any anchor: {best}." in explorer.summary


def test_picture_shows_what_the_sentence_counts():
    explorer = AnchorLabelExplorer(IMAGE)
    assert len(layer(explorer, "foreground, type B").boxes) == 18
    assert len(layer(explorer, "foreground, type A").boxes) == 2
    assert len(layer(explorer, "background").points) == 238
    explorer.show.value = ALL
    assert len(layer(explorer, "background").points) == 5400
    assert len(layer(explorer, "don't care, inside").points) == 5944 - 5400 - 18
    hover = layer(explorer, "foreground, type A").hover
    assert all("256×256, IoU 0.9113" in text for text in hover)


def test_the_legend_names_what_is_there():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.set(object_width=64, object_height=64)
    assert [one.legend for one in explorer.canvas.layers] == ["background", "foreground, type A"]
    explorer.objects_counted.value = NONE
    assert [one.legend for one in explorer.canvas.layers] == ["background"]


def test_no_object_makes_everything_inside_background():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.objects_counted.value = NONE
    assert "0 foreground, 256 background" in explorer.summary
    assert "Without an object" in explorer.summary


def test_dragged_box_moves_the_sliders_and_sliders_move_the_box():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.canvas.move(object=(100, 120, 300, 220))
    place = (explorer.center_x, explorer.center_y, explorer.object_width, explorer.object_height)
    assert tuple(slider.value for slider in place) == (200, 170, 200, 100)
    explorer.object_width.value = 100
    assert explorer.canvas.handles["object"] == [150, 120, 250, 220]
    explorer.canvas.move(object=(101, 120, 300, 220))  # a center on half a pixel stays where the reader put it
    explorer.positive.value = 0.8
    assert explorer.canvas.handles["object"] == [101, 120, 300, 220]


def test_object_is_cut_off_at_the_border():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.set(center_x=0, center_y=0, object_width=512, object_height=512)
    cut = explorer.summary
    explorer.set(center_x=128, center_y=128, object_width=256, object_height=256)
    assert explorer.summary == cut


def test_share_limits_the_foreground_and_the_batch_limits_all():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.set(batch=32, fraction=0.25)
    assert "In the loss: 8 foreground, 24 background" in explorer.summary
    explorer.set(fraction=0.0)
    assert "In the loss: 0 foreground, 32 background" in explorer.summary


def test_another_draw_takes_other_anchors():
    explorer = AnchorLabelExplorer(IMAGE)
    first = layer(explorer, "background").points
    explorer.seed.value = 1
    assert not torch.equal(first, layer(explorer, "background").points)
    explorer.seed.value = 0
    assert torch.equal(first, layer(explorer, "background").points)


def test_image_too_small_for_any_anchor():
    explorer = AnchorLabelExplorer(torch.zeros(3, 20, 30))
    assert "No anchor lies inside" in explorer.summary


def test_contradicting_defaults_are_a_sentence():
    config = Config(anchor_targets=AnchorTargetConfig(positive_overlap=0.5, negative_overlap=0.5))
    explorer = AnchorLabelExplorer(IMAGE, config=config)
    assert "In the loss" in explorer.summary  # equal thresholds leave nothing between them, which is allowed
    explorer.negative.min, explorer.negative.max = 0.0, 1.0
    explorer.negative.value = 0.8
    assert explorer.summary.startswith("Not possible: Negative IoU = 0.8")
    assert not explorer.canvas.possible


def test_options_without_a_slider_are_kept():
    config = Config(anchor_targets=AnchorTargetConfig(clobber_positives=True))
    explorer = AnchorLabelExplorer(IMAGE, config=config)
    explorer.set(object_width=64, object_height=64)  # its best anchors lie below the negative threshold
    assert "In the loss: 0 foreground, 256 background" in explorer.summary


def test_marks_of_one_cell_do_not_cover_each_other():
    config = Config(anchors=AnchorConfig(scales=(1, 2, 4, 8)))
    explorer = AnchorLabelExplorer(torch.zeros(3, 120, 160), config=config)
    cell = explorer.centers[:12]
    assert len(cell.unique(dim=0)) == 12
    assert (cell >= 0).all() and (cell <= 16).all()
    assert torch.equal(explorer.anchors, generate_anchors(8, 10, 16, config.anchors))
    assert torch.equal(explorer.inside, inside_image(explorer.anchors, torch.tensor([[120, 160]])))


def test_smooth_l1_sentence_and_curve():
    explorer = SmoothL1Explorer()
    explorer.set(sigma=3.0, difference=1.0, anchor_width=184)
    assert "1 / sigma² = 0.1111" in explorer.summary
    assert "linear part: loss 0.9444, slope 1.0000" in explorer.summary
    assert "20.4 pixels on an anchor 184 pixels wide" in explorer.summary
    explorer.set(sigma=1.0, difference=-0.5)
    assert "quadratic part: loss 0.1250, slope -0.5000" in explorer.summary
    assert isinstance(explorer.canvas.layers[-1], Points)
    x, y = explorer.canvas.layers[-1].points[0].tolist()
    assert x == pytest.approx(840 * (1 - 0.5 / 2.5) / 2)
    assert y == pytest.approx(420 - 30 - 0.125 / 2.5 * 380)


def test_a_box_beyond_the_sliders_is_brought_back_to_them():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.canvas.set_state({"handles": {"object": [100.0, 100.0, 103.0, 150.0]}})  # as if pulled very thin
    assert (explorer.object_width.value, explorer.object_height.value) == (8, 50)
    x1, y1, x2, y2 = explorer.canvas.handles["object"]
    assert (x2 - x1, y2 - y1) == (8, 50)
    explorer.canvas.set_state({"handles": {"object": [100.0, 100.0, 121.0, 151.0]}})
    assert explorer.canvas.handles["object"] == [100.0, 100.0, 121.0, 151.0]  # half pixels of the center stay


def test_photo_objects_are_drawn_when_they_count():
    explorer = AnchorLabelExplorer(IMAGE, OBJECTS)
    assert explorer.objects_counted.value == MOVABLE
    names = [one.legend for one in explorer.canvas.layers]
    assert "photo's objects" not in names
    explorer.objects_counted.value = BOTH
    drawn = layer(explorer, "photo's objects")
    assert isinstance(drawn, Boxes) and torch.equal(drawn.boxes, OBJECTS)
