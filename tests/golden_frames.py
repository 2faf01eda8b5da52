"""Golden frames: what explorers draw and say over their sweeps; `explorers/replay.mjs` compares the twins with it."""

import base64
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from explorer_cases import values_of

from rcnn_tutorial.explorers.canvas import Canvas, message
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.suppression import NMSExplorer
from rcnn_tutorial.explorers.twin import Pack, exported, module_of
from rcnn_tutorial.scene import Boxes, to_uint8

COMBINATIONS = 12  # of random values for all controls and handles
TURNS = (-45, -1, 20)  # degrees, by the round grip of a handle
HOVERED = 12  # boxes of a layer, at most, whose hover texts are compared
CLICKED = (0.03, 0.27, 0.52, 0.77, 0.96)  # where pictures are clicked, in shares of their sides


def golden(explorer: Explorer, asked: Sequence[dict] | None = None) -> dict[str, Any]:
    """An explorer and its frames as JSON holds them. It is moved over its sweep and left where it began.

    Of one that another stands for on a page, that other. asked: these frames alone, in place of the whole sweep.
    """
    explorer = explorer.for_page()
    pack = Pack()
    sent = exported(explorer, pack)
    frames = [frame_of(explorer, one) for one in (sweep_of(explorer) if asked is None else asked)]
    starts = [{}, *explorer.presets.values()] if asked is None else []
    frames += [frame_of(explorer, start, clicked=click) for start in starts for click in clicks_of(explorer)]
    frames += [frame_of(explorer, start, heard=words) for start in starts for words in words_of(explorer)]
    explorer.press("Reset")
    forget_still_images(frames)
    names = {"kind": type(explorer).__name__, "module": module_of(explorer), "explorer": sent}
    return names | {"pack": base64.b64encode(pack.bytes).decode("ascii"), "frames": frames}


def forget_still_images(frames: list[dict]) -> None:
    """A picture whose image nothing changes goes without it: thousands of equal pixels need not be compared."""
    for number, first in enumerate(frames[0]["scenes"]):
        scenes = [frame["scenes"][number] for frame in frames]
        if all(scene["image"]["file"] == first["image"]["file"] for scene in scenes):
            for scene in scenes:
                scene["image"] = None


def sweep_of(explorer: Explorer) -> Iterator[dict]:
    """What is asked of it, from its first state each time: every control over its range, presets, handles, mixtures."""
    yield {}
    yield from explorer.presets.values()
    controls = {name: control for name, control in explorer.controls.items() if name not in explorer.notebook_only}
    choices = {name: values_of(control) for name, control in controls.items() if can_be_set(control)}
    choices |= {name: boxes_for(canvas, name) for canvas in explorer.canvases for name in canvas.handles}
    for name, values in choices.items():
        yield from ({name: value} for value in values)
    yield from ({"angles": {name: angle}} for canvas in explorer.canvases for name in canvas.angles for angle in TURNS)
    chance = random.Random(0)
    for _ in range(COMBINATIONS * (len(choices) > 1)):
        yield {name: chance.choice(values) for name, values in choices.items()}


def can_be_set(control: widgets.Widget) -> bool:
    """Whether it is something with a value; what rests as the explorer begins cannot be moved."""
    return hasattr(control, "value") and not isinstance(control, widgets.Label) and not control.disabled


def boxes_for(canvas: Canvas, name: str) -> list[list[float]]:
    """Where a handle may go: into two corners, over the whole picture, and to a pixel in the middle."""
    height, width = canvas.size
    x1, y1, x2, y2 = canvas.handles[name]
    w, h = x2 - x1, y2 - y1
    middle = [width // 2, height // 2, width // 2 + 1, height // 2 + 1]
    return [
        [0, 0, w, h],
        [width - w, height - h, width, height],
        [0, 0, width, height],
        middle,
        [x1, y1, x2 - w / 4, y2],
    ]


def clicks_of(explorer: Explorer) -> Iterator[dict]:
    """Clicks on its pictures, as far as it listens to them: which picture, and where."""
    for number, canvas in enumerate(explorer.canvases):
        if canvas._trait_notifiers.get("clicked"):
            height, width = canvas.size
            places = itertools.product(CLICKED, CLICKED)
            yield from ({"picture": number, "at": [round(x * width, 1), round(y * height, 1)]} for x, y in places)


def words_of(explorer: Explorer) -> Iterator[list[dict]]:
    """What the list of suppression says: steps, each box picked, and picks one after the other."""
    if isinstance(explorer, NMSExplorer):
        rows = range(len(explorer.ranking.frame["rows"]) + 1)  # and one that is not there
        yield from ([word, {"go": -1}] for word in [{"go": 1}, *({"pick": row} for row in rows)])
        yield from ([{"go": 1}, *({"pick": row} for row in rows if row != left), {"go": -1}] for left in rows)


def frame_of(explorer: Explorer, asked: dict, clicked: dict | None = None, heard: Sequence[dict] = ()) -> dict:
    """What the explorer draws and says when `asked` is set from its first state, and then the reader does this."""
    explorer.press("Reset")
    explorer.set(**{name: value for name, value in asked.items() if name != "angles"})
    explorer.canvas.turn(**asked.get("angles", {}))
    if clicked:
        explorer.canvases[clicked["picture"]].clicked = clicked["at"]
    for word in heard:
        explorer.ranking._handle_custom_msg(word, [])
    return {"asked": plain(asked), "clicked": clicked, "heard": list(heard)} | seen(explorer)


def seen(explorer: Explorer) -> dict[str, Any]:
    """What the explorer draws and says now."""
    sliders = {n: c for n, c in explorer.controls.items() if isinstance(c, widgets.IntSlider | widgets.FloatSlider)}
    angles = {name: angle for canvas in explorer.canvases for name, angle in canvas.angles.items()}
    state = explorer._state() | {"angles": angles}
    return {
        "summary": explorer.summary,
        "state": plain({name: value for name, value in state.items() if name not in explorer.notebook_only}),
        "ranges": {
            name: {"min": slider.min, "max": slider.max, "step": slider.step} for name, slider in sliders.items()
        },
        "rest": explorer._idle,
        "aside": plain(explorer.ranking.frame) if isinstance(explorer, NMSExplorer) else None,
        "scenes": [scene_of(canvas) for canvas in explorer.canvases],
    }


def scene_of(canvas: Canvas) -> dict[str, Any]:
    """The layers as they go to the browser, with numbers in place of buffers, and some of their hover texts."""
    layers = [message(layer) for layer in canvas.layers]
    hovers = [
        [layer.hover_text(i) for i in range(min(len(layer.boxes), HOVERED))] if isinstance(layer, Boxes) else []
        for layer in canvas.layers
    ]
    turnable = {key: style.turnable for key, style in canvas.handle_styles.items()}
    look = {"size": list(canvas.size), "title": canvas.title, "turnable": turnable}
    return look | {"layers": plain(layers), "hovers": hovers, "image": image_of(canvas)}


def image_of(canvas: Canvas) -> dict[str, Any]:
    """The image under the layers: as the file that goes to the browser, and its pixels."""
    pixels = np.zeros((0, 0, 3), np.uint8) if canvas.picture is None else to_uint8(canvas.picture)
    texts = {"file": canvas.image, "data": pixels.tobytes()}
    return {"shape": pixels.shape} | {name: base64.b64encode(data).decode("ascii") for name, data in texts.items()}


def plain(value: Any) -> Any:
    """Buffers and tuples as lists of numbers, pixels as base64."""
    match value:
        case memoryview(format="B"):
            return base64.b64encode(value).decode("ascii")
        case memoryview():
            return np.asarray(value).flatten().tolist()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value
