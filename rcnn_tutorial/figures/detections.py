"""Detections on their picture: at the picture's own pixel size (Pillow), or as a figure (matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from rcnn_tutorial.figures.fonts import drawable_names, font_for
from rcnn_tutorial.figures.style import FIGURE_DPI, class_color, from_any_device, height_share, ink_on, style


@from_any_device
def draw_detections(image: Tensor, detections: dict[str, Tensor], classes: Sequence[str]) -> Image.Image:
    """The picture with its boxes, each with class and score, in as many pixels as it came with.

    Args:
        image: (3, H, W) in [0, 1].
        detections: `boxes` (N, 4) in the image's pixels, `labels` (N,) and, where they exist, `scores` (N,).
        classes: names without background; label i is `classes[i - 1]`. Where no installed font can draw a name, the
            picture shows the class's number, and a warning tells.
    """
    picture = to_pil_image((image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8))
    pen = ImageDraw.Draw(picture)
    size = max(10, round(min(picture.size) / 28))
    items = _by_score(detections, classes)
    for box, label, _ in items:
        _draw_box(pen, box, class_color(label), width=max(1, round(size / 7)))
    taken: list[tuple] = []
    for box, label, text in reversed(items):  # the best score chooses the place of its text first
        font = ImageFont.truetype(font_for(text), size)
        _draw_text(pen, box, text, class_color(label), font, picture.size, taken)
    return picture


@from_any_device
def detections_figure(
    image: Tensor, detections: dict[str, Tensor], classes: Sequence[str], title: str = "", width: float = 8.0
) -> Figure:
    """The detections drawn on the image, each with its class and score.

    width: inches. A small image is enlarged, its texts are not.

    The axes count the image's own pixels, with box coordinates at the pixels' edges.
    """
    height, columns = image.shape[-2:]
    scale = max(1, round(width * FIGURE_DPI / max(columns, height / 1.2)))
    large = image.detach().cpu().repeat_interleave(scale, 1).repeat_interleave(scale, 2)  # (3, scale * H, scale * W)
    picture = draw_detections(large, {**detections, "boxes": detections["boxes"] * scale}, classes)
    with style():
        figure = Figure(figsize=(width, width * height_share(height, columns) + (0.4 if title else 0.0)))
        axes = figure.add_subplot()
        axes.imshow(picture, extent=(0, columns, height, 0), interpolation="antialiased")
        axes.set_title(title)
        axes.set_axis_off()
    return figure


def _by_score(detections: dict[str, Tensor], classes: Sequence[str]) -> list[tuple[list[float], int, str]]:
    """(box, label, text) of every detection, the best score last, so that it is drawn on top."""
    boxes, labels = detections["boxes"].tolist(), detections["labels"].tolist()
    names = drawable_names(labels, classes)
    if "scores" not in detections:
        return [(box, label, names[label]) for box, label in zip(boxes, labels, strict=True)]
    scores = detections["scores"]
    order = torch.argsort(scores, stable=True).tolist()
    return [(boxes[i], labels[i], f"{names[labels[i]]} {scores[i]:.2f}") for i in order]


def _draw_box(pen: ImageDraw.ImageDraw, box: list[float], color: str, width: int) -> None:
    x1, y1, x2, y2 = box  # continuous corners: the last pixel inside is x2 - 1
    last_x, last_y = max(x1, x2 - 1), max(y1, y2 - 1)
    pen.rectangle(
        (x1 - 1, y1 - 1, last_x + 1, last_y + 1), outline=ink_on(color), width=width + 2
    )  # seen on any ground
    pen.rectangle((x1, y1, last_x, last_y), outline=color, width=width)


def _draw_text(pen, box, text, color, font, size, taken) -> None:
    pad = max(1, font.size // 6)
    width = pen.textlength(text, font=font) + 2 * pad
    height = sum(font.getmetrics()) + pad
    x, y = _place(box, width, height, size, taken)
    taken.append((x, y, x + width, y + height))
    pen.rectangle((x, y, x + width, y + height), fill=color)
    pen.text((x + pad, y + height / 2), text, fill=ink_on(color), font=font, anchor="lm")


def _place(box, width, height, size, taken) -> tuple[float, float]:
    """Top left corner of a text: the first place over, inside (top, bottom) or under the box that no text has yet."""
    x1, y1, _, y2 = box
    x = max(0, min(x1, size[0] - width))
    places = [(x, y) for y in (y1 - height, y1, y2 - height, y2) if 0 <= y <= size[1] - height]
    free = [
        place for place in places if not any(_overlap((*place, place[0] + width, place[1] + height), t) for t in taken)
    ]
    return (free or places or [(x, 0)])[0]


def _overlap(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
