"""The anchor explorers: what they say agrees with the stage, at every setting."""

import pytest
import torch

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.explorers.anchors import AnchorExplorer, IoUExplorer

IMAGE = torch.zeros(3, 600, 800)
OBJECTS = torch.tensor([[272.0, 172, 528, 428], [368, 268, 432, 332]])  # 256 and 64 pixels, in the middle


def drawn(explorer, name) -> list:
    return [layer.boxes.tolist() for layer in explorer.canvas.layers if layer.legend == name]


@pytest.fixture
def anchors() -> AnchorExplorer:
    return AnchorExplorer(IMAGE)


@pytest.fixture
def iou() -> IoUExplorer:
    return IoUExplorer(IMAGE)


def test_the_post_s_numbers(anchors):
    assert anchors.summary == ("Here 8 of 9 shapes are inside. 38 × 50 cells × 9 = 17,100 anchors, 5,944 inside.")
    shapes = {one.legend: list(one.hover) for one in anchors.canvas.layers if one.legend.startswith("scale")}
    assert shapes == {
        "scale 32, leaves": ["352×704, 64 pixels outside"],
        "scale 32": ["736×384", "512×512"],
        "scale 16": ["368×192", "256×256", "176×352"],
        "scale 8": ["184×96", "128×128", "88×176"],
    }


PRESSED = {  # button -> shapes inside at the cell, anchors, those inside, objects reached
    "Corner": ("0 of 9", "17,100", "5,944", "1 of 2"),
    "Corner, border 48": ("0 of 9", "17,100", "8,758", "1 of 2"),
    "Stride 8": ("8 of 9", "67,500", "23,954", "1 of 2"),
    "Stride 32": ("8 of 9", "4,275", "1,475", "1 of 2"),
    "Scales 1, 2, 4": ("9 of 9", "17,100", "15,202", "1 of 2"),
    "Ratio 1": ("3 of 3", "5,700", "2,116", "1 of 2"),
    "Reset": ("8 of 9", "17,100", "5,944", "1 of 2"),
}


@pytest.mark.parametrize("name", PRESSED)
def test_each_button_shows_what_its_question_asks(name):
    explorer = AnchorExplorer(IMAGE, objects=OBJECTS)
    explorer.press("Stride 32")
    explorer.press(name)
    here, anchors, inside, reached = PRESSED[name]
    assert f"Here {here} shapes are inside. " in explorer.summary
    assert f" = {anchors} anchors, {inside} inside. {reached} objects" in explorer.summary
    assert len(explorer.summary) <= 150


def test_without_scales_or_ratios_it_says_what_to_do(anchors):
    anchors.scales.value = ()
    assert anchors.summary == (
        "Not possible: without a scale and a ratio there is no anchor; tick at least one of each."
    )
    anchors.scales.boxes[0].value = True
    assert "3 of 3 shapes are inside" in anchors.summary


def test_the_border_is_drawn_and_counted(anchors):
    anchors.set(row=0, column=0, border=48)
    assert "Here 0 of 9" in anchors.summary
    anchors.border.value = 56
    assert "Here 1 of 9" in anchors.summary
    room = anchors.room
    assert drawn(anchors, "border, 56 pixels") == [[[room - 56, room - 56, room + 856, room + 656]]]


def test_another_stride_keeps_the_place_of_the_cell(anchors):
    anchors.set(column=40, row=10)
    anchors.stride.value = 32
    assert (anchors.column.value, anchors.row.value) == (20, 5) and "19 × 25 cells" in anchors.summary
    anchors.stride.value = 8
    assert (anchors.column.max, anchors.row.max) == (99, 74)
    assert (anchors.column.value, anchors.row.value) == (80, 20)


def test_a_coarser_stride_keeps_the_cell_on_the_grid(anchors):
    anchors.set(column=49, row=37)
    anchors.stride.value = 32
    assert (anchors.column.max, anchors.row.max) == (24, 18) == (anchors.column.value, anchors.row.value)


def test_a_stride_is_drawn_once(anchors, monkeypatch):
    drawings = []
    monkeypatch.setattr(anchors, "draw", lambda: drawings.append(anchors.column.value) or "")
    anchors.stride.value = 32
    assert drawings == [12]


def test_a_click_chooses_the_cell(anchors):
    room = anchors.room
    assert room == 128
    anchors.canvas.set_state({"clicked": [room + 100.5, room + 310.0]})
    assert (anchors.column.value, anchors.row.value) == (6, 19)
    anchors.canvas.set_state({"clicked": [room + 800.0, room + 600.0]})
    assert (anchors.column.value, anchors.row.value) == (49, 37)
    anchors.canvas.set_state({"clicked": [3.0, room + 16.0]})  # beside the photo: the nearest cell
    assert (anchors.column.value, anchors.row.value) == (0, 1)


def test_own_config_and_tiny_image():
    explorer = AnchorExplorer(
        torch.rand(3, 20, 30), AnchorConfig(base_size=9, scales=(0.5, 3), ratios=(1.5,)), stride=5
    )
    assert explorer.scales.value == (0.5, 3) and explorer.ratios.value == (1.5,) and explorer.stride.value == 5
    assert "4 × 6 cells × 2 = 48 anchors" in explorer.summary


def test_an_object_that_no_anchor_inside_reaches_is_missed():
    explorer = AnchorExplorer(IMAGE, objects=OBJECTS)
    reached, missed = "object, best IoU", "missed, below 0.3"
    boxes = (OBJECTS + explorer.room).tolist()
    assert explorer.summary.endswith("1 of 2 objects reach IoU 0.3.")
    assert drawn(explorer, missed) == [boxes[1:]] and drawn(explorer, reached) == [boxes[:1]]
    labels = [label for layer in explorer.canvas.layers for label in getattr(layer, "labels", ())]
    assert labels == ["0.91", "0.26"]
    explorer.scales.value = (4,)
    assert drawn(explorer, missed) == [boxes[:1]]
    explorer.scales.value = (4, 16)
    assert explorer.summary.endswith("2 of 2 objects reach IoU 0.3.")
    assert drawn(explorer, missed) == []


def test_where_no_anchor_lies_inside_every_object_is_missed():
    explorer = AnchorExplorer(torch.zeros(3, 20, 30), objects=torch.tensor([[0.0, 0, 20, 20]]))
    assert explorer.summary.endswith("0 of 1 objects reach IoU 0.3.")


def test_every_scale_has_a_color_of_its_own_that_is_no_role_s(anchors):
    anchors.scales.value = anchors.scales.options
    layers = [one for one in anchors.canvas.layers if one.legend.startswith("scale")]
    colors = {one.legend.removesuffix(", leaves"): one.role.color for one in layers}
    assert len(colors) == len(set(colors.values())) == 6
    assert not set(colors.values()) & {roles.RED, roles.GREEN, roles.BLUE, roles.YELLOW, roles.WHITE}
    assert {one.role.dash for one in layers if one.legend.endswith("leaves")} == {"dashed"}


def test_around_the_photo_is_room_for_boxes_that_leave(anchors):
    assert anchors.canvas.size == (600 + 2 * 128, 800 + 2 * 128)
    anchors.set(row=0, column=0)
    (smallest,) = drawn(anchors, "scale 8, leaves")
    assert min(min(box) for box in smallest) > 0  # none is cut off


def test_the_legend_names_what_is_there(anchors):
    anchors.set(row=0, column=0)
    leaving = [f"scale {scale}, leaves" for scale in (32, 16, 8)]
    named = [layer.legend for layer in anchors.canvas.layers]
    assert named == ["grid", *leaving, "cell"]


def test_iou_is_the_package_s_own(iou):
    iou.canvas.set_state({"handles": {"first": [100, 100, 200, 200], "second": [110, 115, 210, 215]}})
    first, second = iou.canvas.box("first"), iou.canvas.box("second")
    value = box_iou(first[None], second[None]).item()
    assert iou.summary == (
        f"IoU = 7,650 / 12,350 square pixels = {value:.4f}. "
        "From first to second box: 0.10 widths right, 0.15 heights down."
    )
    assert drawn(iou, "intersection") == [[[110, 115, 200, 200]]]


def test_the_bar_is_as_long_as_the_iou(iou):
    iou.canvas.move(first=(100, 100, 200, 200), second=(110, 115, 210, 215))
    bar, frame = (layer.boxes[0].tolist() for layer in iou.canvas.layers[1:3])
    assert (bar[2] - bar[0]) / (frame[2] - frame[0]) == pytest.approx(7650 / 12350, abs=1e-4)
    labels = [label for layer in iou.canvas.layers for label in getattr(layer, "labels", ())]
    assert labels == ["0.3", "0.7", "IoU 0.6194"]


def test_examples_are_buttons(iou):
    values = {}
    for name in iou.presets:
        iou.press(name)
        values[name] = iou.summary.split(" = ")[2][:6]
    assert values == {
        "Inside": "0.2500", "Other shape": "0.2174", "0.1 apart": "0.8182",
        "0.2 apart": "0.6667", "0.2 apart, small": "0.6667", "Touching": "0.0000",
    }  # fmt: skip


@pytest.mark.parametrize("size", [(1000, 17), (17, 1000), (1, 1)])
def test_examples_fit_on_any_image(size):
    explorer = IoUExplorer(torch.zeros(3, *size))
    for name in explorer.presets:
        explorer.press(name)
        assert explorer.summary.startswith("IoU = ")


def test_boxes_apart_have_no_intersection_to_show(iou):
    iou.canvas.move(first=(0, 0, 10, 10), second=(100, 100, 101, 101))
    assert drawn(iou, "intersection") == [[]]
    assert iou.summary.startswith("IoU = 0 / 101 square pixels = 0.0000.")
    assert "9.55 widths right" in iou.summary
