"""The one picture widget of all explorers: Python computes, the browser only draws.

`Canvas.draw(layers)` is one message: a `frame` of styles with one binary buffer a layer. The image travels apart, and
only when it is another one. What the reader does comes back in three traits, `handles` (boxes moved by mouse or
keyboard), `angles` (how far they are turned) and `clicked`; the widget machinery keeps at most one such message under
way and merges the rest, so that a slow kernel gets the newest position and never a queue.
"""

import io
import math
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anywidget
import matplotlib
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.explorers.shown import Shown
from rcnn_tutorial.figures.crop_pooling import roi_corners
from rcnn_tutorial.roles import DASHES, Role, ink_on
from rcnn_tutorial.scene import MANY, Boxes, Heatmap, Layer, Lines, Picture, Points, Scene, Words, to_uint8

_HERE = pathlib.Path(__file__).parent
SCRIPTS = ("elements.js", "painter.js", "room.js", "still.js", "handle.js", "canvas.js")  # one text for the browser
_MAX_SIDE = 1600  # a larger image is shrunk before it is sent: no screen shows more
ROOMY = 480.0  # screen pixels across, below which the texts on a photo would cover each other
_SQUEEZED = 20  # quality of one of hundreds of images that a page carries
_LOSSLESS_PIXELS = 128 * 128  # up to here PNG: a JPEG would smear the pixels of a small crop


@dataclass(frozen=True, eq=False)
class Handle(Layer):
    """A box that the reader moves, resizes and turns by mouse or keyboard.

    Its place lives in `Canvas.handles`, how far it is turned about its middle in `Canvas.angles`. The box as it was
    before it was turned stays in the picture; its turned corners may leave it.
    """

    role: Role = roles.PLAIN
    box: Sequence[float] = (0, 0, 1, 1)  # where it starts: x1, y1, x2, y2
    fill: float = 0.0  # opacity of the inside
    resizable: bool = True
    turnable: int = 0  # degrees that it turns at most, either way; 0: it stays upright


class WholeWidget(anywidget.AnyWidget):
    """A widget that meets the browser when it is first shown, whole, instead of empty when it is constructed.

    While a page is still setting up its widgets, JupyterLab may lose the updates of one that it has just been told of.
    """

    def open(self) -> None:
        """Called by the widget's constructor, where there is nothing to show yet."""

    @property
    def model_id(self) -> str:
        """The widget's name in the browser; whoever asks for it is about to show the widget."""
        super().open()
        return super().model_id


class Canvas(Shown, WholeWidget):
    """A picture with layers, zoom (wheel, buttons, + - 0) and boxes to drag.

    Args:
        image: (3, H, W) in [0, 1], or (H, W, 3) uint8; layers count its pixels. None: an empty picture.
        size: (H, W) of the coordinates where they are not the image's own, or where there is no image.
        handles: boxes to drag, by name.
        width: the widest the picture gets, in screen pixels; it shrinks with the page.
        title: a heading over the picture, for explorers that show two side by side.
        roomy: a picture narrower than this on the screen has smaller texts. None: a photo's ROOMY; 0 without an image.

    """

    _esm = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    _css = _HERE / "canvas.css"

    image = traitlets.Bytes().tag(sync=True)  # PNG or JPEG; empty: none
    frame = traitlets.Dict().tag(sync=True)  # everything else that is drawn
    summary = traitlets.Unicode().tag(sync=True)  # the picture in words, for those who cannot see it
    possible = traitlets.Bool(True).tag(sync=True)  # False: the picture is an old one, and dimmed
    handles = traitlets.Dict().tag(sync=True)  # name -> [x1, y1, x2, y2], changed from both sides
    angles = traitlets.Dict().tag(sync=True)  # name -> degrees, clockwise, of the handles that turn; from both sides
    clicked = traitlets.List().tag(sync=True)  # [x, y] of the last click beside all handles

    def __init__(
        self,
        image=None,
        *,
        size: tuple[int, int] | None = None,
        handles: Mapping[str, Handle] | None = None,
        width: int = 800,
        title: str = "",
        roomy: float | None = None,
    ):
        self.layers: list[Layer] = []
        self.canvases = [self]
        self.handle_styles = dict(handles or {})
        self.picture = None  # the image as it was given
        self.size = (100, 100)
        self.title, self.width, self._count = title, width, 0
        self.roomy = roomy if roomy is not None else ROOMY * (image is not None)
        super().__init__()
        self.on_msg(_answer_hover)
        self.handles = {name: [float(x) for x in handle.box] for name, handle in self.handle_styles.items()}
        self.angles = {name: 0 for name, handle in self.handle_styles.items() if handle.turnable}
        self.draw([], image=image, size=size)

    def draw(self, layers: Sequence[Layer], image=None, size: tuple[int, int] | None = None) -> None:
        """Show these layers, the first at the bottom, over the image (a new one where given)."""
        self.layers = list(layers)
        messages = [message(layer) for layer in self.layers]
        handles = [message(h) | {"key": key, "name": h.name or key} for key, h in self.handle_styles.items()]
        self._count += 1
        with self.hold_sync():
            if image is not None and image is not self.picture:
                self.picture = image
                pixels = to_uint8(image)
                self.size = pixels.shape[:2]
                self.image = encode_image(pixels)
            self.size = size or self.size
            self.frame = {  # the count comes first, so that no comparison of two frames looks at their buffers
                "count": self._count,
                "size": self.size,
                "width": self.width,
                "title": self.title,
                "roomy": self.roomy,
                "layers": messages,
                "handles": handles,
            }

    def box(self, name: str) -> Tensor:
        """Where a handle is now: (4,), float32."""
        return torch.tensor(self.handles[name], dtype=torch.float32)

    def move(self, **boxes: Sequence[float]) -> None:
        """Put handles elsewhere, as the reader would by dragging: `canvas.move(roi=(10, 10, 50, 80))`."""
        self.handles = self.handles | {name: [float(x) for x in box] for name, box in boxes.items()}

    def turn(self, **degrees: float) -> None:
        """Turn handles, as the reader would by the round grip: `canvas.turn(roi=30)`."""
        self.angles = self.angles | degrees

    @traitlets.validate("angles")
    def _check_angles(self, proposal):
        """Each at most as far as its handle turns: the page may send one more before it hears of a new limit."""
        for name, angle in proposal.value.items():
            if name not in self.handle_styles:
                raise traitlets.TraitError(f"handle {name!r}: known are {', '.join(self.handle_styles)}")
            if not math.isfinite(angle):
                raise traitlets.TraitError(f"handle {name!r} turned by {angle}: give degrees")
        most = {name: self.handle_styles[name].turnable for name in proposal.value}
        return {name: max(-most[name], min(angle, most[name])) for name, angle in proposal.value.items()}

    @traitlets.validate("handles")
    def _check_handles(self, proposal):
        for name, box in proposal.value.items():
            if name not in self.handle_styles:
                raise traitlets.TraitError(f"handle {name!r}: known are {', '.join(self.handle_styles)}")
            if len(box) != 4 or not all(math.isfinite(x) for x in box) or box[0] >= box[2] or box[1] >= box[3]:
                raise traitlets.TraitError(f"handle {name!r} at {box}: give finite x1 < x2 and y1 < y2")
        return proposal.value

    @property
    def scene(self) -> Scene:
        """What the canvas shows now; each handle is a box like any other, or a line around it where it is turned."""
        layers = [*self.layers]
        for key, handle in self.handle_styles.items():
            name, look = handle.name or "", {"role": handle.role, "name": handle.name or ""}
            if self.angles.get(key):
                layers.append(Lines(roi_corners(self.box(key), self.angles[key])[None], closed=True, **look))
            else:
                layers.append(Boxes([self.handles[key]], fill=handle.fill, labels=[name or key], **look))
        return Scene(self.picture, layers, self.title, size=self.size, dimmed=not self.possible)


def _answer_hover(canvas: Canvas, content: dict, _buffers) -> None:
    """Hover texts stay here until the pointer rests on a box: 2 000 of them would cost more than the boxes."""
    if "hover" in content:
        layer, index = content["hover"]
        known = 0 <= layer < len(canvas.layers) and isinstance(canvas.layers[layer], Boxes)
        canvas.send({"hover": [layer, index], "text": canvas.layers[layer].hover_text(index) if known else ""})


def message(layer: Layer) -> dict:
    """A layer as `canvas.js` takes it: its style, and its numbers as one binary buffer."""
    look = {
        "color": layer.role.color,
        "ink": ink_on(layer.role.color),
        "dash": DASHES[layer.role.dash],
        "width": layer.width,
        "opacity": layer.opacity,
        "name": layer.legend,
    }
    match layer:
        case Boxes():
            texts = {"labels": "\n".join(layer.labels), "hover": bool(layer.hover)}
            return look | _numbers("boxes", layer.data) | texts | {"fill": layer.fill}
        case Points():
            mark = {"shape": layer.shape, "radius": layer.radius, "labels": "\n".join(layer.labels)}
            return look | _numbers("points", layer.data) | mark
        case Words():
            type_ = {"words": "\n".join(layer.words), "letter": layer.letter}
            return look | _numbers("words", layer.data) | type_ | {"align": layer.align, "turned": layer.turned}
        case Lines():
            ends = {"points": layer.data.shape[1], "closed": layer.closed, "arrow": layer.arrow}
            return look | _numbers("lines", layer.data) | ends
        case Heatmap() | Picture():
            return look | _pixels(layer)
        case Handle():
            return look | {"fill": layer.fill, "resizable": layer.resizable, "turnable": layer.turnable}


def _numbers(kind: str, data: np.ndarray) -> dict:
    return {"kind": kind, "data": memoryview(data), "rim": len(data) <= MANY}


def _pixels(layer: Heatmap | Picture) -> dict:
    """Raw colors, where they go and, of a heat map, the colors of its legend."""
    rgba = np.ascontiguousarray(layer.rgba())  # (h, w, 4)
    extent = None if layer.extent is None else [float(x) for x in layer.extent]
    pixels = {"kind": "pixels", "data": memoryview(rgba).cast("B"), "shape": rgba.shape[:2], "extent": extent}
    if isinstance(layer, Picture):
        return pixels
    colormap = matplotlib.colormaps[layer.colormap]
    return pixels | {"stops": [matplotlib.colors.to_hex(colormap(stop)) for stop in (0.0, 0.5, 1.0)]}


def encode_image(pixels) -> bytes:
    """(H, W, 3) uint8 as PNG where it is small, else as JPEG: a tenth of the raw bytes in a few milliseconds."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    if image.width * image.height <= _LOSSLESS_PIXELS:
        image.save(file, "PNG", compress_level=1)
    else:
        image.thumbnail((_MAX_SIDE, _MAX_SIDE))
        image.save(file, "JPEG", quality=92)
    return file.getvalue()


def squeeze_image(pixels) -> bytes:
    """(H, W, 3) uint8 as WebP, 4 % of the PNG: one still sees what lies where."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=_SQUEEZED, method=6)
    return file.getvalue()
