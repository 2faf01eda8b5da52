"""The canvas: what goes to the browser, what comes back, and the same picture without a browser."""

import io
from typing import ClassVar

import numpy as np
import pytest
import torch
import traitlets
from matplotlib.patches import Rectangle
from PIL import Image

from rcnn_tutorial import roles
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.explorers.canvas import Canvas, Handle, encode_image, message
from rcnn_tutorial.explorers.explorer import Explorer, Several, flag, integer, number
from rcnn_tutorial.explorers.shown import WAKE
from rcnn_tutorial.roles import DASHES, ink_on
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Lines, Picture, Points, Words, to_uint8

LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
PHOTO = torch.rand(3, 300, 400, generator=torch.Generator().manual_seed(0))
BOXES = torch.tensor([[10.0, 20.0, 110.0, 220.0], [50.0, 60.0, 70.0, 80.0]])


class Counter(Explorer):
    """Shows `count` equal boxes; refuses 7; its second handle follows the first."""

    def __init__(self, **handles):
        self.draws = 0
        super().__init__({"count": integer("Number of boxes", 2, 0, 10)}, Canvas(PHOTO, handles=handles))

    def draw(self) -> str:
        self.draws += 1
        if self.count.value == 7:
            raise DataError("seven boxes: this file has none")
        self.canvas.draw([Boxes(BOXES[:1].expand(self.count.value, 4), roles.BEFORE, name="boxes")])
        return f"{self.count.value} boxes."


@pytest.fixture
def outputs_of(monkeypatch):
    """outputs_of(widget): the data of the outputs of a cell that ends in it."""

    def show(widget) -> list[dict]:
        outputs = []
        monkeypatch.setattr("rcnn_tutorial.explorers.shown.display", lambda data, **_: outputs.append(data))
        widget._ipython_display_()
        return outputs

    return show


def floats_of(layer: dict) -> list[float]:
    return np.frombuffer(layer["data"], np.float32).tolist()


# ---- layers


def test_boxes_travel_as_one_float32_buffer():
    sent = message(Boxes(BOXES.double(), roles.BEFORE, labels=["a", "b"]))
    assert floats_of(sent) == BOXES.flatten().tolist()
    assert sent["labels"] == "a\nb" and sent["dash"] == DASHES["dashed"] and sent["ink"] == ink_on(roles.RED)
    assert sent["name"] == "before" and message(Boxes(BOXES, roles.BEFORE, name=""))["name"] == ""
    assert sent["rim"] and not message(Boxes(BOXES.repeat(200, 1)))["rim"]


@pytest.mark.parametrize("layer", [Boxes(torch.zeros(0, 4)), Points([]), Lines(torch.zeros(0, 5, 2)), Words([])])
def test_a_layer_may_be_empty(layer: Layer):
    assert message(layer)["data"].nbytes == 0


def test_words_travel_with_their_places():
    sent = message(Words([[1, 2], [3, 4]], ["12", "a b"], roles.AFTER, letter=9.0, align="right", turned=True))
    assert floats_of(sent) == [1, 2, 3, 4] and sent["words"] == "12\na b" and sent["kind"] == "words"
    assert (sent["letter"], sent["align"], sent["turned"], sent["color"]) == (9.0, "right", True, roles.GREEN)
    assert "labels" not in sent  # those look for a place
    with pytest.raises(ConfigError, match="align = 'middle': use one of left, center, right"):
        Words([[1, 2]], ["a"], align="middle")


def test_a_picture_keeps_every_pixel():
    sent = message(Picture(PHOTO[:, :7, :7], extent=(0, 0, 70, 70)))
    pixels = np.frombuffer(sent["data"], np.uint8).reshape(7, 7, 4)
    assert (pixels[..., :3] == to_uint8(PHOTO)[:7, :7]).all() and (pixels[..., 3] == 255).all()
    assert sent["extent"] == [0.0, 0.0, 70.0, 70.0] and sent["shape"] == (7, 7)


# ---- the picture below


def test_small_images_are_exact_and_large_ones_small():
    crop, photo = to_uint8(PHOTO[:, :14, :14]), np.zeros((3000, 2000, 3), np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(encode_image(crop)))) == crop).all()
    encoded = encode_image(photo)
    assert Image.open(io.BytesIO(encoded)).size == (1067, 1600) and len(encoded) < photo.nbytes / 10


def test_coordinates_stay_those_of_the_image_that_was_given():
    assert Canvas(np.zeros((3000, 2000, 3), np.uint8)).frame["size"] == (3000, 2000)
    assert Canvas(size=(30, 50)).frame["size"] == (30, 50)


def test_an_image_is_sent_only_when_it_is_another_one(messages):
    canvas = Canvas(PHOTO)
    assert canvas.model_id  # it is shown
    messages.clear()
    canvas.draw([Boxes(BOXES)], image=PHOTO)
    assert [keys for keys, _ in messages] == [["frame"]]
    canvas.draw([Boxes(BOXES)], image=PHOTO[:, :100].contiguous())
    assert messages[-1][0] == ["frame", "image"] and canvas.frame["size"] == (100, 400)


def test_one_message_a_draw_with_binary_boxes(messages):
    canvas = Canvas(PHOTO)
    assert canvas.model_id  # it is shown
    messages.clear()
    canvas.draw([Boxes(BOXES), Points([[1, 2]])])
    ((keys, buffers),) = messages
    assert keys == ["frame"] and [memoryview(b).nbytes for b in buffers] == [BOXES.nbytes, 8]


# ---- what the reader does


def test_handles_come_back_as_the_browser_sends_them():
    canvas = Canvas(PHOTO, handles={"roi": Handle(roles.CHOSEN, box=(10, 10, 90, 90))})
    canvas.set_state({"handles": {"roi": [11, 10, 91, 90]}})
    assert canvas.box("roi").tolist() == [11, 10, 91, 90]
    canvas.move(roi=torch.tensor([0.0, 0.0, 5.0, 5.0]))
    assert canvas.handles == {"roi": [0.0, 0.0, 5.0, 5.0]}


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 5, 5, 9), (0, 0, float("nan"), 5), (1, 2, 3)])
def test_handles_refuse_what_is_no_box(box):
    canvas = Canvas(PHOTO, handles={"roi": Handle(box=(10, 10, 90, 90))})
    with pytest.raises(traitlets.TraitError, match="x1 < x2"):
        canvas.move(roi=box)
    with pytest.raises(traitlets.TraitError, match="known are roi"):
        canvas.move(row=(1, 1, 2, 2))
    assert canvas.handles == {"roi": [10.0, 10.0, 90.0, 90.0]}


def test_a_handle_turns_no_further_than_it_may():
    canvas = Canvas(PHOTO, handles={"roi": Handle(box=(10, 10, 90, 50), turnable=45), "other": Handle()})
    assert canvas.angles == {"roi": 0}
    canvas.set_state({"angles": {"roi": 30}})
    assert canvas.angles == {"roi": 30} and [layer.name for layer in canvas.scene.layers] == ["", ""]
    corners = canvas.scene.layers[0].lines[0]  # the still picture draws the four sides
    assert corners[0].tolist() == pytest.approx([50 - 40 * 0.75**0.5 + 10, 30 - 20 - 20 * 0.75**0.5], abs=1e-4)
    canvas.turn(roi=-60, other=5)
    assert canvas.angles == {"roi": -45, "other": 0}
    with pytest.raises(traitlets.TraitError, match="known are roi, other"):
        canvas.turn(row=1)
    with pytest.raises(traitlets.TraitError, match="give degrees"):
        canvas.turn(roi=float("nan"))


def test_hover_texts_are_made_only_when_asked_for(monkeypatch):
    asked, answers = [], []
    canvas = Canvas(PHOTO)
    monkeypatch.setattr(canvas, "send", answers.append)
    canvas.draw(
        [Points([[1, 2]]), Boxes(BOXES, hover=lambda i: asked.append(i) or f"box {i}"), Boxes(BOXES, hover=["x"])]
    )
    assert asked == [] and [layer.get("hover") for layer in canvas.frame["layers"]] == [None, True, True]
    for place in ([1, 1], [1, 2], [2, 0], [2, 1], [0, 0], [9, 0]):
        canvas._handle_custom_msg({"hover": place}, [])
    assert [answer["text"] for answer in answers] == ["box 1", "", "x", "", "", ""]
    assert asked == [1]


# ---- the explorer around it


def test_explorer_redraws_on_every_change_and_says_what_it_shows():
    explorer = Counter()
    explorer.count.value = 3
    assert repr(explorer) == "Counter: 3 boxes." and explorer.canvas.summary == "3 boxes."
    assert explorer._line.possible and len(explorer.canvas.layers[0].boxes) == 3


def test_an_impossible_choice_becomes_a_sentence_and_the_next_one_recovers():
    explorer = Counter()
    explorer.count.value = 7
    assert explorer.summary == "Not possible: seven boxes: this file has none."
    assert len(explorer.canvas.layers[0].boxes) == 2 and not explorer.canvas.possible  # the last picture, dimmed
    assert sum(isinstance(patch, Rectangle) for patch in explorer.figure().axes[0].patches) == 1
    explorer.count.value = 8
    assert explorer.summary == "8 boxes." and explorer.canvas.possible
    assert not explorer.figure().axes[0].patches


def test_a_refusal_speaks_of_labels_not_of_fields():
    class Limits(Counter):
        fields: ClassVar = {"count_limit": "count", "count": "count"}

        def draw(self):
            raise ConfigError("boxes.count_limit = 2: use at least count, not account")

    assert Limits().summary == "Not possible: Number of boxes = 2: use at least Number of boxes, not account."


def test_the_browser_is_told_once_of_the_whole(messages):
    explorer = Counter()
    assert messages == []  # no update after an opening: JupyterLab may lose it while it sets the page up
    canvas = explorer.canvas
    assert canvas.comm is not None and canvas.get_state()["frame"]["layers"][0]["name"] == "boxes"


def test_a_canvas_may_be_shown_by_itself(outputs_of):
    canvas = Canvas(PHOTO)
    assert canvas.comm is None
    *_, live = outputs_of(canvas)
    assert live[LIVE_VIEW]["model_id"] == canvas.comm.comm_id


def test_set_changes_several_controls_with_one_redraw():
    class Two(Counter):
        def __init__(self):
            super().__init__()
            self.controls["other"] = number("Other", 0.5, 0, 1, 0.1)
            self.controls["other"].observe(self.update, "value")

    explorer = Two()
    explorer.draws = 0
    explorer.set(count=5, other=0.7)
    assert explorer.draws == 1 and explorer.summary == "5 boxes."


def test_dragging_redraws_with_one_message_a_canvas(messages):
    explorer = Counter(roi=Handle(box=(10, 10, 90, 90)))
    explorer.draws = 0
    messages.clear()
    explorer.canvas.set_state({"handles": {"roi": [20, 10, 100, 90]}})
    assert explorer.draws == 1
    assert sum("frame" in keys for keys, _ in messages) == 1


def test_a_control_may_not_hide_the_explorer_s_own_names():
    class Wrong(Explorer):
        def draw(self):
            return ""

    with pytest.raises(TypeError, match="'layout'"):
        Wrong({"layout": flag("Layout", True)}, Canvas(PHOTO))


def test_displayed_it_leaves_a_line_that_wakes_it_a_still_picture_and_the_live_view(outputs_of):
    line, still, live = outputs_of(Counter())
    assert still["text/plain"] == live["text/plain"] == "Counter: 2 boxes."
    assert still["image/jpeg"].startswith("/9j/") and LIVE_VIEW not in still
    assert live.keys() == {LIVE_VIEW, "text/plain"}  # the picture is stored once
    assert line["text/plain"] == WAKE and WAKE in line["text/html"]


def test_several_ticks_boxes_both_ways_and_refuses_what_it_has_not():
    control, changes = Several("Scales", (1, 2, 4), (4, 1)), []
    control.observe(lambda change: changes.append(change["new"]), "value")
    assert control.value == (1, 4) and [box.value for box in control.boxes] == [True, False, True]
    control.boxes[1].value = True
    control.value = ()
    assert changes == [(1, 2, 4), ()] and not any(box.value for box in control.boxes)
    with pytest.raises(traitlets.TraitError, match="3 is not on offer"):
        control.value = (3,)


# ---- the still picture


def test_still_picture_holds_every_layer():
    everything = [
        Heatmap(torch.rand(4, 5), opacity=0.4, name="heat"),
        Picture(PHOTO[:, :7, :7], extent=(0, 0, 70, 70)),
        Boxes(BOXES, roles.AFTER, fill=0.2, labels=["a", "b"], name="boxes"),
        Boxes(BOXES[:0], name="none"),
        Points([[1, 2], [3, 4]], shape="cross", labels=["p", "q"], name="points"),
        Points([[9, 9]], shape="ring"),
        Lines([[[0, 0], [5, 5], [9, 0]]], closed=True, name="line"),
        Lines([[[0, 0], [5, 5]]], arrow=True),
        Words([[200, 150]], ["12"]),
    ]
    explorer = Counter(roi=Handle(roles.CHOSEN._replace(dash="dashed"), box=(10, 10, 90, 90), name="the ROI"))
    explorer.canvas.draw(everything)
    figure = explorer.figure(6.0)
    (axes,) = figure.axes
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 400), (300, 0))
    assert sorted(text.get_text() for text in axes.texts if text.get_text()) == ["12", "a", "b", "p", "q", "the ROI"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "heat",
        "boxes",
        "none",
        "points",
        "line",
        "the ROI",
    ]
    assert figure.get_supxlabel() == explorer.summary
    figure.canvas.print_figure(io.BytesIO(), format="png")


def test_still_picture_puts_canvases_side_by_side():
    class Pair(Explorer):
        def draw(self):
            return "Two pictures."

    pair = Pair({}, [Canvas(PHOTO, title="left"), Canvas(size=(10, 10), title="right")])
    assert [axes.get_title() for axes in pair.figure().axes] == ["left", "right"]


def test_two_thousand_boxes_travel_as_their_bytes_without_their_texts():
    explorer, asked = Counter(), []
    boxes = torch.rand(2000, 4, generator=torch.Generator().manual_seed(0)) * 100
    explorer.canvas.draw([Boxes(boxes, roles.BEFORE, hover=lambda i: asked.append(i) or "")])
    assert len(explorer.canvas.frame["layers"][0]["data"].cast("B")) == boxes.nbytes and asked == []
