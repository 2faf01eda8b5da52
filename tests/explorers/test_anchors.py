"""The anchor explorers: what they say agrees with the stage, at every setting."""

import pytest
import torch

from rcnn_tutorial.boxes import box_iou, encode
from rcnn_tutorial.config import AnchorConfig
from rcnn_tutorial.explorers.anchors import AnchorExplorer, IoUExplorer

IMAGE = torch.zeros(3, 600, 800)


@pytest.fixture
def anchors() -> AnchorExplorer:
    return AnchorExplorer(IMAGE)


@pytest.fixture
def iou() -> IoUExplorer:
    return IoUExplorer(IMAGE)


def test_the_post_s_numbers(anchors):
    assert anchors.summary == (
        "Cell (column 25, row 19): 8 of 9 shapes inside the image, 1 leaves it. "
        "Whole grid: 38 × 50 cells × 9 = 17,100 anchors, 5,944 inside. Inside nowhere: 352×704."
    )
    labels = [label for layer in anchors.canvas.layers for label in layer.labels]
    assert sorted(labels) == sorted("184×96 368×192 736×384 128×128 256×256 512×512 88×176 176×352 352×704".split())


def test_without_scales_or_ratios_it_says_what_to_do(anchors):
    anchors.scales.value = ()
    assert anchors.summary == (
        "Not possible: without a scale and a ratio there is no anchor; tick at least one of each."
    )
    anchors.scales.boxes[0].value = True
    assert "3 of 3 shapes inside" in anchors.summary


def test_a_border_lets_every_anchor_in(anchors):
    anchors.border.value = 400
    assert "17,100 anchors, 17,100 inside" in anchors.summary
    assert "Inside nowhere" not in anchors.summary and "9 of 9 shapes" in anchors.summary


def test_a_coarser_stride_keeps_the_cell_on_the_grid(anchors):
    anchors.set(column=49, row=37)
    anchors.stride.value = 32
    assert (anchors.column.max, anchors.row.max) == (24, 18)
    assert anchors.summary.startswith("Cell (column 24, row 18)") and "19 × 25 cells" in anchors.summary
    anchors.stride.value = 8
    assert (anchors.column.max, anchors.column.value) == (99, 24)


def test_a_click_chooses_the_cell(anchors):
    anchors.canvas.set_state({"clicked": [100.5, 310.0]})
    assert (anchors.column.value, anchors.row.value) == (6, 19)
    anchors.canvas.set_state({"clicked": [800.0, 600.0]})
    assert (anchors.column.value, anchors.row.value) == (49, 37)


def test_own_config_and_tiny_image():
    explorer = AnchorExplorer(
        torch.rand(3, 20, 30), AnchorConfig(base_size=9, scales=(0.5, 3), ratios=(1.5,)), stride=5
    )
    assert explorer.scales.value == (0.5, 3) and explorer.ratios.value == (1.5,) and explorer.stride.value == 5
    assert "4 × 6 cells × 2 = 48 anchors" in explorer.summary


OBJECTS = torch.tensor([[272.0, 172, 528, 428], [368, 268, 432, 332]])  # 256 and 64 pixels, in the middle


def drawn(explorer, name) -> list:
    return [layer.boxes.tolist() for layer in explorer.canvas.layers if layer.legend == name]


def test_an_object_that_no_anchor_inside_reaches_is_missed():
    explorer = AnchorExplorer(IMAGE, objects=OBJECTS)
    said = "Objects: 1 of 2 overlap some anchor inside by IoU 0.3 or more"
    assert explorer.summary.endswith(f"{said}; the best of the missed reaches 0.2645.")
    assert drawn(explorer, "object that is missed") == [OBJECTS[1:].tolist()]
    assert drawn(explorer, "object, IoU 0.3 or more") == [OBJECTS[:1].tolist()]
    explorer.scales.value = (4,)
    assert drawn(explorer, "object that is missed") == [OBJECTS[:1].tolist()]
    explorer.scales.value = (4, 16)
    assert explorer.summary.endswith("Objects: 2 of 2 overlap some anchor inside by IoU 0.3 or more.")
    assert drawn(explorer, "object that is missed") == []


def test_where_no_anchor_lies_inside_every_object_is_missed():
    explorer = AnchorExplorer(torch.zeros(3, 20, 30), objects=torch.tensor([[0.0, 0, 20, 20]]))
    assert explorer.summary.endswith(
        "Objects: 0 of 1 overlap some anchor inside by IoU 0.3 or more; the best of the missed reaches 0.0000."
    )


def test_small_shapes_have_no_text_beside_them_but_tell_their_size(anchors):
    anchors.scales.value = (2, 8)
    (inside,) = [layer for layer in anchors.canvas.layers if layer.legend == "inside the image"]
    assert list(inside.labels) == ["", "184×96", "", "128×128", "", "88×176"]
    assert inside.hover_text(0) == "46×24"


def test_the_legend_names_what_is_there(anchors):
    anchors.set(row=0, column=0)
    assert [layer.legend for layer in anchors.canvas.layers][1:] == ["leaves the image", "the cell"]


def test_iou_and_coefficients_are_the_package_s_own(iou):
    iou.canvas.set_state({"handles": {"first": [100, 100, 200, 200], "second": [110, 115, 210, 215]}})
    first, second = iou.canvas.box("first"), iou.canvas.box("second")
    assert f"IoU {box_iou(first[None], second[None]).item():.4f}" in iou.summary and "IoU 0.6194" in iou.summary
    assert "Intersection 7,650 / union 12,350" in iou.summary
    for name, value in zip(("t_x", "t_y", "t_w", "t_h"), encode(second, first).tolist(), strict=True):
        assert f"{name} = {value:.4f}" in iou.summary
    assert iou.canvas.layers[0].boxes.tolist() == [[110, 115, 200, 200]]


def test_iou_examples(iou):
    values = {}
    for name in iou.example.options:
        iou.example.value = name
        values[name] = iou.summary.split("IoU ")[1][:6]
    assert values["equal"] == "1.0000" and values["apart"] == values["touching"] == "0.0000"
    assert values["one inside the other"] == "0.2500"


def test_boxes_apart_have_no_intersection_to_show(iou):
    iou.canvas.move(first=(0, 0, 10, 10), second=(100, 100, 101, 101))
    assert len(iou.canvas.layers[0].boxes) == 0
    assert iou.summary.startswith("Intersection 0 / union 101 square pixels = IoU 0.0000.")
    assert "move its center right by 9.55 of its width" in iou.summary
