"""The anchor label and smooth L1 explorers: known counts, slider and box agree."""

import pytest
import torch

from rcnn_tutorial.config import AnchorConfig, AnchorTargetConfig, Config
from rcnn_tutorial.explorers.rpn_loss import (
    ALL,
    BOTH,
    MOVABLE,
    NONE,
    SAMPLED,
    AnchorLabelExplorer,
    SmoothL1Explorer,
)
from rcnn_tutorial.scene import Boxes
from rcnn_tutorial.stages.anchor_target import assign_anchors
from rcnn_tutorial.stages.anchors import generate_anchors, inside_image
from rcnn_tutorial.stages.preprocessing import GroundTruth

IMAGE = torch.full((3, 600, 800), 0.5)
OBJECTS = torch.tensor([[100.0, 100, 300, 400], [500, 50, 560, 110]])


def layer(explorer, name):
    return next(one for one in explorer.canvas.layers if one.legend == name)


PRESSED = {  # button -> foreground, its types, best IoU, foreground and background in the loss
    "64 px object": (14, "14 type A, 0 type B", "0.2645", "14 foreground, 242 background"),
    "181 px": (12, "12 type A, 0 type B", "0.5001", "12 foreground, 244 background"),
    "256 px": (18, "2 type A, 18 type B, 2 both", "0.9113", "18 foreground, 238 background"),
    "Positive 0.5": (168, "2 type A, 168 type B, 2 both", "0.9113", "128 foreground, 128 background"),
    "Left out": (168, "2 type A, 168 type B, 2 both", "0.9113", "8 foreground, 24 background"),
    "Reset": (18, "2 type A, 18 type B, 2 both", "0.9113", "18 foreground, 238 background"),
}


@pytest.mark.parametrize("before", ["64 px object", "On the scene", "Negative 0.1"])
@pytest.mark.parametrize("name", PRESSED)
def test_each_button_shows_what_its_question_asks(name, before):
    explorer = AnchorLabelExplorer(IMAGE, OBJECTS)
    foreground, types, best, loss = PRESSED[name]
    for pressed in (before, name, name):
        explorer.press(pressed)
    assert explorer.summary == f"{foreground} foreground ({types}), best IoU {best}. In the loss: {loss}."
    assert len(explorer.summary) <= 150


def test_on_the_scene_the_movable_object_lies_on_the_last_and_adds_nothing():
    explorer = AnchorLabelExplorer(IMAGE, OBJECTS)
    explorer.press("On the scene")
    assert explorer.canvas.handles["object"] == OBJECTS[-1].tolist()
    size = torch.tensor([IMAGE.shape[1:]])
    truth = GroundTruth(OBJECTS[None], torch.ones(1, 2, dtype=torch.long))
    found = assign_anchors(explorer.anchors, truth, inside_image(explorer.anchors, size), AnchorTargetConfig())
    assert explorer.summary.startswith(f"{int((found.labels == 1).sum())} foreground (")
    assert "On the scene" not in AnchorLabelExplorer(IMAGE).presets


def test_picture_shows_what_the_sentence_counts():
    explorer = AnchorLabelExplorer(IMAGE)
    assert len(layer(explorer, "type B").points) == 18
    assert len(layer(explorer, "type A").points) == 2
    assert len(layer(explorer, "background").points) == 238
    explorer.press("Left out")
    assert len(layer(explorer, "foreground, left out").points) == 160 and len(layer(explorer, "type B").points) == 8
    explorer.press("Reset")
    explorer.show.value = ALL
    assert explorer.summary == (
        "18 foreground (2 type A, 18 type B, 2 both), 5,400 background, 11,682 don't care; best IoU 0.9113."
    )
    assert len(layer(explorer, "background").points) == 5400
    assert len(layer(explorer, "don't care, inside").points) == 5944 - 5400 - 18
    explorer.press("Negative 0.1")
    assert len(layer(explorer, "background").points) == 3658


def boxes_of(explorer) -> list:
    return [(label, one.role.dash) for one in explorer.canvas.layers if isinstance(one, Boxes) for label in one.labels]


def test_few_anchors_are_drawn_whole_and_say_for_how_many_they_stand():
    explorer = AnchorLabelExplorer(IMAGE, OBJECTS)
    assert boxes_of(explorer) == [("18 of 256×256", "solid")]
    explorer.press("64 px object")
    assert boxes_of(explorer) == [("14 of 88×176", "dashed")]
    explorer.press("Positive 0.5")
    assert boxes_of(explorer) == [("64 of 256×256", "solid"), ("56 of 368×192", "solid"), ("48 of 176×352", "solid")]
    explorer.set(object_height=500, object_width=500)
    assert len(boxes_of(explorer)) <= 4
    explorer.press("On the scene")  # one an object
    counts = [int(label) for label, _ in boxes_of(explorer)]
    assert len(counts) == 2 and explorer.summary.startswith(f"{sum(counts)} foreground")


def test_the_legend_names_what_is_there():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.set(object_width=64, object_height=64)
    assert [one.legend for one in explorer.canvas.layers if one.legend] == ["background", "type A"]
    explorer.objects_counted.value = NONE
    assert [one.legend for one in explorer.canvas.layers] == ["background"]


def test_controls_that_can_do_nothing_rest():
    explorer = AnchorLabelExplorer(IMAGE)

    def resting() -> set:
        return {name for name, control in explorer.controls.items() if control.disabled}

    assert resting() == set()
    explorer.press("64 px object")
    assert resting() == {"positive"}
    explorer.press("Negative 0.1")
    assert resting() == {"batch", "fraction", "seed"}
    explorer.set(show=SAMPLED, objects_counted=NONE)
    assert resting() == {"positive", "fraction"}


def test_no_object_makes_everything_inside_background():
    explorer = AnchorLabelExplorer(IMAGE)
    explorer.objects_counted.value = NONE
    assert "0 foreground, 256 background" in explorer.summary
    assert explorer.summary.startswith("0 foreground (0 type A, 0 type B), best IoU 0.0000.")


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
    assert explorer.summary == (
        "Linear part, loss 0.9444, slope 1.0000, 184.0 pixels. Bend at 1 / sigma² = 0.1111, 20.4 pixels."
    )
    explorer.set(sigma=1.0, difference=-0.5)
    assert "Quadratic part, loss 0.1250, slope -0.5000" in explorer.summary
    point, (start, end) = explorer.canvas.layers[-1].points[0], layer(explorer, "tangent").lines[0]
    assert torch.allclose(point, explorer._place([-0.5, 0.125])) and torch.allclose(point, (start + end) / 2)
    across, up = (end - start).tolist()
    slope = -up / explorer._up(1.0) / (across / (explorer._across(1.0) - explorer._across(0.0)))
    assert slope == pytest.approx(-0.5, abs=1e-4)
    assert explorer.canvas.layers[-1].labels == ["slope −0.50"]
    assert explorer.canvas.layers[-2].labels == ["−92.0 px"]


def test_the_curve_s_axes_have_titles_and_the_point_its_pixels():
    explorer = SmoothL1Explorer(anchor_width=200)
    texts = [label for one in explorer.canvas.layers for label in getattr(one, "labels", ())]
    assert {"loss", "difference (anchor widths)", "−2", "0", "2", "200.0 px", "slope 1.00"} <= set(texts)


def test_a_click_moves_the_point():
    explorer = SmoothL1Explorer()
    explorer.canvas.set_state({"clicked": explorer._place([0.5, 1.0]).tolist()})
    assert explorer.difference.value == 0.5
    explorer.canvas.set_state({"clicked": [0.0, 0.0]})
    assert explorer.difference.value == -2.5


@pytest.mark.parametrize("name, sigma", [("Sigma 3", 3.0), ("Sigma 1", 1.0)])
def test_the_curve_s_buttons(name, sigma):
    explorer = SmoothL1Explorer()
    explorer.press(name)
    assert (explorer.sigma.value, explorer.difference.value) == (sigma, 1.0) and "slope 1.0000" in explorer.summary


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
    assert "object" not in names
    explorer.objects_counted.value = BOTH
    drawn = layer(explorer, "object")
    assert isinstance(drawn, Boxes) and torch.equal(drawn.boxes, OBJECTS)
