"""Detections on their picture: at the picture's own pixel size (Pillow), or as a figure (matplotlib)."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.fonts import drawable_names, font_for
from rcnn_tutorial.figures.style import from_any_device
from rcnn_tutorial.roles import Role, class_color, ink_on
from rcnn_tutorial.scene import Boxes, Scene, label_place, to_uint8


@from_any_device
def draw_detections(image: Tensor, detections: dict[str, Tensor], classes: Sequence[str]) -> Image.Image:
    """The picture with its boxes, each with class and score, in as many pixels as it came with.

    image: (3, H, W) in [0, 1]. detections: `boxes` (N, 4) in the image's pixels, `labels` (N,) and, where they exist,
    `scores` (N,). classes: names without background; label i is `classes[i - 1]`. Where no installed font can draw a
    name, the picture shows the class's number, and a warning tells.
    """
    return paint(detections_scene(image, detections, classes))


@from_any_device
def detections_figure(
    image: Tensor, detections: dict[str, Tensor], classes: Sequence[str], title: str = "", width: float = 8.0
) -> Figure:
    """The detections drawn on the image, each with its class and score.

    width: inches. A small image is enlarged, its texts are not.
    """
    return figure_of([detections_scene(image, detections, classes, title)], width)


def detections_scene(image: Tensor, detections: dict[str, Tensor], classes: Sequence[str], title: str = "") -> Scene:
    """A layer for each detection, the best score on top. Arguments as `draw_detections` takes them."""
    boxes, labels = detections["boxes"], detections["labels"].tolist()
    names = drawable_names(labels, classes)
    texts, order = [names[label] for label in labels], range(len(labels))
    if "scores" in detections:
        scores = detections["scores"]
        texts = [f"{text} {score:.2f}" for text, score in zip(texts, scores, strict=True)]
        order = torch.argsort(scores, stable=True).tolist()
    layers = [Boxes(boxes[[i]], Role(class_color(labels[i])), labels=[texts[i]]) for i in order]
    return Scene(image, layers, title)


def paint(scene: Scene) -> Image.Image:
    """A scene of labeled boxes in as many pixels as its image has; the topmost box chooses its text's place first."""
    picture = Image.fromarray(to_uint8(scene.image))
    pen = ImageDraw.Draw(picture)
    size = max(10, round(min(picture.size) / 28))
    items = [
        (box, text, layer.role.color)
        for layer in scene.layers
        for box, text in zip(layer.data.tolist(), layer.labels, strict=True)
    ]
    for box, _, color in items:
        _draw_box(pen, box, color, width=max(1, round(size / 7)))
    taken: list[tuple] = []
    for box, text, color in reversed(items):
        font = ImageFont.truetype(font_for(text), size)
        pad = max(1, size // 6)
        extent = pen.textlength(text, font=font) + 2 * pad, sum(font.getmetrics()) + pad
        place = label_place(box, extent, picture.size, taken)
        taken.append(place)
        pen.rectangle(place, fill=color)
        pen.text((place[0] + pad, place[1] + extent[1] / 2), text, fill=ink_on(color), font=font, anchor="lm")
    return picture


def _draw_box(pen: ImageDraw.ImageDraw, box: list[float], color: str, width: int) -> None:
    x1, y1, x2, y2 = box  # continuous corners: the last pixel inside is x2 - 1
    last_x, last_y = max(x1, x2 - 1), max(y1, y2 - 1)
    rim = x1 - 1, y1 - 1, last_x + 1, last_y + 1  # seen on any ground
    pen.rectangle(rim, outline=ink_on(color), width=width + 2)
    pen.rectangle((x1, y1, last_x, last_y), outline=color, width=width)
