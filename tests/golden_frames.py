"""Golden frames: what explorers draw and say over their sweeps; `explorers/replay.mjs` compares the twins with it."""

import base64
import random
from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets
import numpy as np
from explorer_cases import values_of

from rcnn_tutorial.explorers.canvas import Canvas, message
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.twin import Pack, exported, module_of
from rcnn_tutorial.scene import Boxes

COMBINATIONS = 12  # of random values for all controls and handles
HOVERED = 12  # boxes of a layer, at most, whose hover texts are compared


def golden(explorer: Explorer) -> dict[str, Any]:
    """An explorer and its frames as JSON holds them. It is moved over its sweep and left where it began."""
    pack = Pack()
    sent = exported(explorer, pack)
    frames = [frame_of(explorer, asked) for asked in sweep_of(explorer)]
    explorer.press("Reset")
    names = {"kind": type(explorer).__name__, "module": module_of(explorer), "explorer": sent}
    return names | {"pack": base64.b64encode(pack.bytes).decode("ascii"), "frames": frames}


def sweep_of(explorer: Explorer) -> Iterator[dict]:
    """What is asked of it, from its first state each time: every control over its range, presets, handles, mixtures."""
    yield {}
    yield from explorer.presets.values()
    choices = {name: values_of(control) for name, control in explorer.controls.items() if can_be_set(control)}
    choices |= {name: boxes_for(canvas, name) for canvas in explorer.canvases for name in canvas.handles}
    for name, values in choices.items():
        yield from ({name: value} for value in values)
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


def frame_of(explorer: Explorer, asked: dict) -> dict[str, Any]:
    """What the explorer draws and says when `asked` is set from its first state."""
    explorer.press("Reset")
    explorer.set(**asked)
    return {"asked": plain(asked)} | seen(explorer)


def seen(explorer: Explorer) -> dict[str, Any]:
    """What the explorer draws and says now."""
    sliders = {n: c for n, c in explorer.controls.items() if isinstance(c, widgets.IntSlider | widgets.FloatSlider)}
    angles = {name: angle for canvas in explorer.canvases for name, angle in canvas.angles.items()}
    return {
        "summary": explorer.summary,
        "state": plain(explorer._state() | {"angles": angles}),
        "ranges": {
            name: {"min": slider.min, "max": slider.max, "step": slider.step} for name, slider in sliders.items()
        },
        "rest": explorer._idle,
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
    return look | {"layers": plain(layers), "hovers": hovers}


def plain(value: Any) -> Any:
    """Buffers and tuples as lists of numbers."""
    match value:
        case memoryview():
            return np.asarray(value).flatten().tolist()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value
