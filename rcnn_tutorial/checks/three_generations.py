"""Self-checks of the tenth notebook: how alike two regions are, the box that R-CNN cuts, what N regions cost, a bug."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.boxes import box_area, centers_and_sizes
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions
from rcnn_tutorial.checks.pictures import (
    INPUT,
    RIGHT,
    TEXT,
    Bar,
    Sketch,
    bars,
    beside,
    corners,
    frame,
    role_of,
    table,
    versus,
    write,
)
from rcnn_tutorial.roles import CHOSEN, OTHER
from rcnn_tutorial.scene import Boxes

__all__ = ["bug_hunt", "report", "seconds", "similarity", "warp_box"]


# ---- similarity(pixels (2,), boxes (2, 4), colors (2, K), image_pixels) -> color, size, fill


def _around(boxes: Tensor) -> Tensor:
    """The box around all boxes (N, 4): (4,)."""
    return torch.cat([boxes[:, :2].amin(dim=0), boxes[:, 2:].amax(dim=0)])


def _similarity(pixels, boxes, colors, image, around=None, of=None, alike=torch.minimum):
    """Uijlings et al. 2013, section 3.2: color, size and fill of two regions.

    around: pixels of the box around both; of: what the gap is a share of; alike: what two shares of a color give.
    """
    around = float(box_area(_around(boxes))) if around is None else around
    both = float(pixels.sum())
    color = float(alike(colors[0], colors[1]).sum())
    return color, 1 - both / image, 1 - (around - both) / (of or image)


def _shared(boxes: Tensor) -> float:
    return float(box_area(torch.cat([boxes[:, :2].amax(dim=0), boxes[:, 2:].amin(dim=0)])))


def _distance(*given):
    return (float((given[2][0] - given[2][1]).abs().sum()), *_similarity(*given)[1:])


def _upside_down(*given):
    color, size, fill = _similarity(*given)
    return color, 1 - size, 1 - fill


def _similarity_cases() -> list[tuple]:
    sky, bird, tree = [0.0, 0.2, 0.8], [0.9, 0.1, 0.0], [0.1, 0.6, 0.3]

    def case(pixels, boxes, colors, image):
        return torch.tensor(pixels), torch.tensor(boxes).float(), torch.tensor(colors), image

    return [
        case([600.0, 300], [[0, 0, 30, 40], [30, 10, 50, 40]], [sky, tree], 10_000),  # side by side
        case([900.0, 200], [[10, 10, 60, 60], [25, 20, 45, 40]], [tree, bird], 10_000),  # one in a hole of the other
        case([150.0, 120], [[0, 0, 60, 5], [0, 5, 4, 70]], [bird, bird], 6_400),  # an angle: the box is nearly empty
        case([2000.0, 1500], [[0, 0, 80, 40], [0, 30, 80, 80]], [sky, bird], 6_400),
    ]


def _draw_regions(arguments, value, good, wrong) -> Sketch:
    """Both regions' boxes, the box around both, and the three numbers; those that are not right stand out."""
    pixels, boxes, _colors, image = arguments
    side, texts = image**0.5, [f"{pixels[k]:g} pixels" for k in range(2)]
    rows = [
        write(1.06 * side, side * (0.2 + 0.2 * k), f"{name} {number:.3f}", role_of(value, good) if bad else TEXT)
        for k, (name, number, bad) in enumerate(zip(PARTS, value.tolist(), wrong.tolist(), strict=True))
    ]
    layers = [
        frame(side, side, "image"),
        Boxes(_around(boxes)[None], OTHER._replace(name="around both"), width=5.0),
        Boxes(boxes[:1], INPUT._replace(name="first region"), labels=texts[:1], fill=0.2),
        Boxes(boxes[1:], CHOSEN._replace(name="second region"), labels=texts[1:], fill=0.2),
        *rows,
    ]
    words = ", ".join(f"{name} {number:.3f}" for name, number in zip(PARTS, value.tolist(), strict=True))
    return Sketch(layers, f"{words}.")


PARTS = ("color", "size", "fill")
similarity = Check(
    "similarity",
    _similarity,
    _similarity_cases,
    misconceptions(
        "You multiply the shares of a color; alike is what both have of it, the smaller of the two.",
        partial(_similarity, alike=torch.mul),
        "You take the larger share of each color; what both have of it is the smaller one.",
        partial(_similarity, alike=torch.maximum),
        "Your color says how much the two differ: alike colors should give 1, not 0.",
        _distance,
        "You take the areas of the boxes for the regions' pixels: a region need not fill its box.",
        lambda pixels, boxes, colors, image: _similarity(box_area(boxes), boxes, colors, image),
        "The gap is that of the box around both; you add the areas of the two boxes.",
        lambda p, boxes, colors, image: _similarity(p, boxes, colors, image, around=float(box_area(boxes).sum())),
        "That is the box that both share; fill asks for the box around both.",
        lambda p, boxes, colors, image: _similarity(p, boxes, colors, image, around=_shared(boxes)),
        "The gap is a share of the image, as the size is, not of the box around both.",
        lambda p, boxes, colors, image: _similarity(p, boxes, colors, image, of=float(box_area(_around(boxes)))),
        "Your size and fill grow with large regions and wide gaps: subtract both shares from 1.",
        _upside_down,
        "The order is color, size, fill.",
        lambda *given: tuple(_similarity(*given)[k] for k in (0, 2, 1)),
        "You add them up; each of the three is asked for.",
        lambda *given: sum(_similarity(*given)),
        "Off by one pixel (+1): corners are continuous here, so the width is x2 - x1.",
        lambda p, boxes, *others: _similarity(p, boxes + boxes.new_tensor([0, 0, 1, 1]), *others),
    ),
    picture=beside(_draw_regions),
)


# ---- warp_box(boxes (R, 4), size, context) -> boxes (R, 4) that are cut


def _scaled(boxes: Tensor, factor: float | Tensor) -> Tensor:
    center, size = centers_and_sizes(boxes)
    return torch.cat([center - size / 2 * factor, center + size / 2 * factor], dim=1)


def _warp_box(boxes: Tensor, size: int, context: int) -> Tensor:
    return _scaled(boxes, size / (size - 2 * context))


def _padded(boxes: Tensor, pad: Tensor | float) -> Tensor:
    """Boxes (R, 4) grown by `pad` on every side: a number, or (R, 1), or (R, 2) as x and y."""
    pad = torch.as_tensor(pad).expand(len(boxes), 2)
    return boxes + torch.cat([-pad, pad], dim=1)


def _one_pad(boxes, size, context):
    longer = centers_and_sizes(boxes)[1].amax(dim=1, keepdim=True)  # (R, 1)
    return _padded(boxes, longer * context / (size - 2 * context))


def _sides_swapped(boxes, size, context):
    return _padded(boxes, centers_and_sizes(boxes)[1].flip(1) * context / (size - 2 * context))


def _one_end(boxes, size, context):
    pad = centers_and_sizes(boxes)[1] * context / (size - 2 * context)
    return boxes + torch.cat([0 * pad, 2 * pad], dim=1)


def _warp_cases() -> list[tuple]:
    return [
        (torch.tensor([[96.0, 96, 192, 144]]), 224, 16),
        (torch.tensor([[100.0, 100, 292, 196], [10, 20, 58, 212], [0, 0, 30, 30]]), 224, 16),
        (torch.tensor([[40.0, 30, 120, 70]]), 64, 8),
        (torch.tensor([[5.0, 5, 45, 65]]), 112, 0),
        (torch.zeros(0, 4), 224, 16),
    ]


def _draw_cut(arguments, value, good, wrong) -> Sketch:
    """The proposals, and the boxes that are cut for them."""
    boxes, _size, context = arguments
    layers = [Boxes(boxes[wrong], INPUT._replace(name="proposal"), fill=0.2), *versus(value, good, wrong)]
    return Sketch(layers, f"context {context}: {corners(value, wrong)}")


warp_box = Check(
    "warp_box",
    _warp_box,
    _warp_cases,
    misconceptions(
        "You add the context in pixels of the photo; it is counted in pixels of the warped crop.",
        lambda boxes, size, context: _padded(boxes, float(context)),
        "You divide by the whole side of the crop; the proposal itself fills only what the context leaves of it.",
        lambda boxes, size, context: _scaled(boxes, (size + 2 * context) / size),
        "Context lies on both sides: you take it off the crop once only.",
        lambda boxes, size, context: _scaled(boxes, size / (size - context)),
        "One margin for both directions: the crop is stretched, so a wide box gets more context across than down.",
        _one_pad,
        "Width and height are swapped: the margin to the left and right is a share of the width.",
        _sides_swapped,
        "All context lies to the right and below; the center should stay.",
        _one_end,
        "You shrink the box: then the proposal's own border would be cut off.",
        lambda boxes, size, context: _scaled(boxes, (size - 2 * context) / size),
        "You cut off what lies outside the photo; it stays in the box, and the mean color fills it.",
        lambda *given: _warp_box(*given).clamp(min=0),
        "You return the proposals as they are: no context.",
        lambda boxes, size, context: boxes.clone(),
    ),
    picture=beside(_draw_cut),
)


# ---- seconds(rois, crop, height, width, pixel, tail, search, rpn) -> seconds of R-CNN, Fast R-CNN, Faster R-CNN


def _seconds(rois, crop, height, width, pixel, tail, search, rpn, searched=(1, 1, 0), tails=None, crops=None):
    """Every part of all three. searched: who waits for the search; tails, crops: how often R-CNN's network runs."""
    head, tails = height * width * pixel, (rois,) * 3 if tails is None else tails
    heads = ((crop * crop * pixel) * (rois if crops is None else crops), head, head + rpn)
    return tuple(float(searched[k] * search + heads[k] + tails[k] * tail) for k in range(3))


def _crops_of_a_line(rois, crop, *others):
    wrong = _seconds(rois, 1, *others)[0] + rois * (crop - 1) * others[2]
    return wrong, *_seconds(rois, crop, *others)[1:]


def _shared_from_the_start(*given):
    _, fast, faster = _seconds(*given)
    return fast, fast, faster


def _photo_too(rois, crop, height, width, pixel, *others):
    first, *rest = _seconds(rois, crop, height, width, pixel, *others)
    return first + height * width * pixel, *rest


def _two_heads(rois, crop, height, width, pixel, *others):
    first, second, third = _seconds(rois, crop, height, width, pixel, *others)
    return first, second, third + height * width * pixel


def _seconds_cases() -> list[tuple]:
    return [
        (2000, 224, 600, 800, 1e-6, 0.002, 2.0, 0.05),
        (300, 112, 600, 900, 4e-7, 0.001, 1.5, 0.02),
        (50, 64, 480, 640, 1e-6, 0.004, 0.5, 0.01),
    ]


NAMES = ("R-CNN", "Fast", "Faster")


def _draw_seconds(_arguments, value, good, wrong) -> Sketch:
    """A bar for each generation; those that are not right stand out."""
    roles = [role_of(value, good) if bad else RIGHT for bad in wrong.tolist()]
    rows = [
        Bar(f"{name} {time:.2f} s", time, role) for name, time, role in zip(NAMES, value.tolist(), roles, strict=True)
    ]
    return Sketch(bars(rows, max(good.tolist())), f"{', '.join(row.text for row in rows)}.")


seconds = Check(
    "seconds",
    _seconds,
    _seconds_cases,
    misconceptions(
        "R-CNN shares no map: its head runs on every crop, not once on the photo.",
        _shared_from_the_start,
        "Your R-CNN runs its head once: it runs on as many crops as there are ROIs.",
        partial(_seconds, crops=1),
        "A crop has as many pixels as its side times its side.",
        _crops_of_a_line,
        "R-CNN never looks at the whole photo with its network: only crops pass its head.",
        _photo_too,
        "The tail runs once in your Fast and Faster R-CNN: they share the head, but every ROI has a tail of its own.",
        lambda rois, *others: _seconds(rois, *others, tails=(rois, 1, 1)),
        "Your R-CNN lacks the tail: it runs on every crop, behind the head.",
        lambda rois, *others: _seconds(rois, *others, tails=(0, rois, rois)),
        "Fast R-CNN still waits for selective search; the paper's 213 leaves that time out.",
        partial(_seconds, searched=(1, 0, 0)),
        "R-CNN's proposals come from selective search too.",
        partial(_seconds, searched=(0, 1, 0)),
        "Faster R-CNN does not search: its RPN takes that place.",
        partial(_seconds, searched=(1, 1, 1)),
        "The RPN is cheap, not free: add its time once.",
        lambda *given: _seconds(*given[:7], 0.0),
        "The RPN runs once on the whole map, not once a ROI.",
        lambda *given: _seconds(*given[:7], given[7] * given[0]),
        "The RPN reads the map that is there: the head runs once for both.",
        _two_heads,
        "The order is R-CNN, Fast R-CNN, Faster R-CNN.",
        lambda *given: _seconds(*given)[::-1],
    ),
    picture=beside(_draw_seconds),
)


# ---- bug_hunt(sizes (N,), colors (N, K), merges) -> colors (N + M, K) of all regions, the merged ones last


def _merged(sizes, colors, merges, weigh=lambda a, b: (a / (a + b), b / (a + b)), grow=lambda a, b: a + b):
    """weigh: shares of both regions in the colors of the new one; grow: its size."""
    sizes, colors = sizes.tolist(), list(colors)
    for a, b in merges:
        of_a, of_b = weigh(sizes[a], sizes[b])
        colors.append(of_a * colors[a] + of_b * colors[b])
        sizes.append(grow(sizes[a], sizes[b]))
    return torch.stack(colors)


def _merge_cases() -> list[tuple]:
    sky, bird, tree = [0.0, 0.2, 0.8], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0]
    return [
        (torch.tensor([900.0, 100]), torch.tensor([sky, bird]), [(0, 1)]),
        (torch.tensor([900.0, 100, 400]), torch.tensor([sky, bird, tree]), [(0, 1), (3, 2)]),
        (torch.tensor([50.0, 50, 300]), torch.tensor([bird, tree, sky]), [(0, 1), (2, 3)]),
    ]


def _draw_colors(_arguments, value, good, wrong) -> Sketch:
    """The shares of the colors as a table, a row a region."""
    row = int(wrong.int().argmax())
    shares = ", ".join(f"{share:.2f}" for share in value[row].tolist())
    return Sketch(table(value, good), f"region {row} has the color shares {shares}.")


bug_hunt = Check(
    "bug_hunt",
    _merged,
    _merge_cases,
    misconceptions(
        f"{STILL}: a bird of 100 pixels colors half of the sky. How much of the merged region is each of the two?",
        partial(_merged, weigh=lambda a, b: (0.5, 0.5)),
        "The weights sit on the wrong sides: now the bird colors nearly all of the sky.",
        partial(_merged, weigh=lambda a, b: (b / (a + b), a / (a + b))),
        "The shares no longer add up to 1: divide by the pixels of both.",
        partial(_merged, weigh=lambda a, b: (a, b)),
        "The larger region swallows the other: its colors stay as they were.",
        partial(_merged, weigh=lambda a, b: (float(a >= b), float(a < b))),
        "Half a repair: the merged region's own size is wrong, so the next merge is weighted wrongly.",
        partial(_merged, grow=max),
        "You divide by the larger region's pixels: the shares add up to more than 1.",
        partial(_merged, weigh=lambda a, b: (a / max(a, b), b / max(a, b))),
    ),
    picture=beside(_draw_colors),
)
