"""An explorer as a page without a kernel takes it: its controls, its pictures, and what its twin draws from.

The twin is the JavaScript beside the class (`anchors.js` beside `anchors.py`, which says how one is made).
"""

import base64
import inspect
import pathlib
import zlib
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch

from rcnn_tutorial.explorers.canvas import Canvas, message
from rcnn_tutorial.explorers.explorer import MAIN, Explorer, Several

_DTYPES = {np.dtype(name) for name in ("float32", "int32", "uint8", "bool")}
LARGE = 10_000  # numbers from which on an array goes in half precision, or as differences: neither loses anything


class Pack:
    """Arrays and files of many explorers in one row of bytes; what is given twice is kept once.

    A value becomes what JSON can hold; in place of an array or of bytes stands where they begin and how they are read.
    """

    def __init__(self):
        self.bytes = bytearray()
        self._known: dict[tuple, dict] = {}

    def add(self, value: Any) -> Any:
        """`value` with all tensors and bytes in it kept here. Raises TypeError for what a page cannot take."""
        match value:
            case torch.Tensor() | np.ndarray():
                return self._array(np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value))
            case bytes():
                return self._keep(value, "file", [len(value)])
            case dict():
                return {str(key): self.add(item) for key, item in value.items()}
            case list() | tuple():
                return [self.add(item) for item in value]
            case None | bool() | int() | float() | str():
                return value
        raise TypeError(f"a {type(value).__name__} cannot go to a page: {value!r:.60}")

    def text(self) -> str:
        """All arrays and files as a page holds them: deflated, in base64."""
        return base64.b64encode(zlib.compress(bytes(self.bytes), 9)).decode("ascii")

    def _array(self, array: np.ndarray) -> dict:
        wanted = {"i": "int32", "u": "uint8", "f": "float32"}.get(array.dtype.kind, array.dtype.name)
        fitting = array.astype(wanted)
        if fitting.dtype not in _DTYPES or (array.dtype.kind in "iu" and not np.array_equal(fitting, array)):
            raise TypeError(f"an array of {array.dtype} cannot go to a page")
        if fitting.dtype == "uint8" and fitting.ndim > 1 and fitting.size >= LARGE:
            return self._keep(differences(fitting).tobytes(), "differences", list(array.shape))
        half = fitting.astype("float16") if fitting.dtype == "float32" and fitting.size >= LARGE else None
        if half is not None and np.array_equal(half.astype("float32"), fitting):
            fitting = half
        return self._keep(fitting.tobytes(), fitting.dtype.name, list(array.shape))

    def _keep(self, content: bytes, kind: str, shape: list[int]) -> dict:
        key = (content, kind, tuple(shape))
        if key not in self._known:
            self.bytes += bytes(-len(self.bytes) % 4)  # where a typed array may begin
            self._known[key] = {"$": kind, "shape": shape, "at": len(self.bytes)}
            self.bytes += content
        return self._known[key]


def differences(photo: np.ndarray) -> np.ndarray:
    """Bytes less those before them, along each axis in turn, modulo 256: deflated, a photo is a third smaller.

    photo: (..., H, W) uint8. `summed` of state.js undoes it.
    """
    for axis in range(photo.ndim):
        photo = np.diff(photo, axis=axis, prepend=np.uint8(0))
    return photo


def exported(explorer: Explorer, pack: Pack) -> dict:
    """All that a page needs of an explorer, or of the one in its place there; its arrays go into `pack`.

    Controls that pages do not have stay behind.
    """
    explorer = explorer.for_page()
    controls = {name: control for name, control in explorer.controls.items() if name not in explorer.notebook_only}
    left_out = {explorer.controls[name].description: reason for name, reason in explorer.notebook_only.items()}
    return {
        "kind": type(explorer).__name__,
        "module": module_of(explorer),
        "summary": explorer.summary,
        "controls": [control_of(name, control) for name, control in controls.items()],
        "left_out": left_out,
        "main": MAIN,
        "presets": pack.add({name: dict(changes) for name, changes in explorer.presets.items()}),
        "canvases": [canvas_of(canvas, pack) for canvas in explorer.canvases],
        "tensors": pack.add(explorer.tensors()),
    }


def module_of(explorer: Explorer) -> str:
    """The file of the twin: "anchors.js"."""
    return pathlib.Path(inspect.getfile(type(explorer))).with_suffix(".js").name


def control_of(name: str, control: widgets.Widget) -> dict:
    """A control's kind, label, value and range. Raises TypeError for a kind that pages do not have."""
    known = {"name": name, "label": getattr(control, "description", ""), "value": getattr(control, "value", None)}
    match control:
        case widgets.IntSlider():
            return known | {"kind": "slider", "digits": 0} | _range_of(control)
        case widgets.FloatSlider():
            digits = int(control.readout_format.strip(".f"))
            return known | {"kind": "slider", "digits": digits} | _range_of(control)
        case widgets.Play():
            return known | {"kind": "play", "interval": control.interval} | _range_of(control)
        case widgets.SelectionSlider():
            return known | {"kind": "named", "options": [list(option) for option in control.options]}
        case widgets.Dropdown():
            options = [option if isinstance(option, tuple) else (str(option), option) for option in control.options]
            return known | {"kind": "choice", "options": [list(option) for option in options]}
        case widgets.Checkbox():
            return known | {"kind": "flag"}
        case Several():
            label = control.children[0].value
            options = [(f"{option:g}", option) for option in control.options]
            return known | {"kind": "several", "label": label, "value": list(control.value), "options": options}
        case widgets.Button():
            return known | {"kind": "button"}
    raise TypeError(f"a page has no {type(control).__name__} ({name})")


def _range_of(slider: widgets.IntSlider | widgets.FloatSlider | widgets.Play) -> dict:
    return {"min": slider.min, "max": slider.max, "step": slider.step}


def canvas_of(canvas: Canvas, pack: Pack) -> dict:
    """A picture with its handles, without its layers, which the twin draws."""
    handles = [
        message(handle) | {"key": key, "name": handle.name or key} for key, handle in canvas.handle_styles.items()
    ]
    return {
        "image": pack.add(canvas.image) if canvas.image else None,
        "size": list(canvas.size),
        "width": canvas.width,
        "title": canvas.title,
        "roomy": canvas.roomy,
        "classes": list(canvas._dom_classes),
        "flex": canvas.layout.flex or "",  # its share of the room beside other pictures
        "styles": handles,
        "handles": canvas.handles,
        "angles": canvas.angles,
    }
