"""Self-checks of lesson 01: the 600 / 1000 rule, the fixed mean, boxes in the scaled image and in VOC's files."""

from __future__ import annotations

import torch
from torch import Tensor

from rcnn_tutorial.answers import report
from rcnn_tutorial.checks.checking import STILL, Check, misconceptions, pairs
from rcnn_tutorial.checks.pictures import Sketch, beside, corners, frame, role_of, table, versus, write
from rcnn_tutorial.roles import GROUND_TRUTH, OTHER
from rcnn_tutorial.scene import Boxes, Layer
from rcnn_tutorial.stages.preprocessing import scale_for

__all__ = ["bug_hunt", "normalize", "report", "scale_boxes", "scale_factor"]


# ---- scale_factor(height, width, target_size, max_size) -> float


def _scale_cases() -> list[tuple]:
    """Wide, tall and square photos, large and small, capped and not; none so close to the cap that rounding counts."""
    sizes = [(375, 500), (500, 375), (500, 1500), (1500, 500), (600, 600), (1200, 1300), (60, 45), (2000, 3000)]
    return [(*size, 600, 1000) for size in sizes] + [(480, 640, 800, 1333), (300, 900, 400, 640)]


def _factor_with(h, w, target, most, *, long=False, height=False, uncapped=False, shrink=False, inverted=False):
    scale = target / (max(h, w) if long else h if height else min(h, w))
    scale = scale if uncapped else min(scale, most / (w if height else max(h, w)))
    scale = min(1.0, scale) if shrink else scale
    return 1 / scale if inverted else scale


def _draw_scaled(arguments, value, good, _wrong) -> Sketch:
    """The scaled image within the two limits, which are squares here."""
    height, width, target, most = arguments
    sides = [0, 0, value * width, value * height]
    limits = [
        Boxes([[0.0, 0, side, side]], role._replace(name=f"{side} by {side}"), width=2.0)
        for side, role in ((target, GROUND_TRUTH), (most, OTHER))
    ]
    layers = [*limits, Boxes([sides], role_of(value, good)._replace(name="scaled image"), fill=0.5)]
    return Sketch(layers, f"scale {value:.4g}, from {height} × {width} to {sides[3]:.0f} × {sides[2]:.0f} pixels.")


scale_factor = Check(
    "scale_factor",
    scale_for,
    _scale_cases,
    misconceptions(
        "You bring the long side to target_size: it is the short side that should reach it.",
        lambda h, w, target, most: target / max(h, w),
        "You never apply max_size: a panorama would become far too long.",
        lambda h, w, target, most: target / min(h, w),
        "You always bring the long side to max_size: that is only the exception, for images that would exceed it.",
        lambda h, w, target, most: most / max(h, w),
        "You take the height for the short side: in a tall photo the width is shorter.",
        lambda h, w, target, most: min(target / h, most / w),
        "You take the width for the short side: in a wide photo the height is shorter.",
        lambda h, w, target, most: min(target / w, most / h),
        "You never enlarge: small photos are scaled up to target_size too.",
        lambda h, w, target, most: min(1.0, scale_for(h, w, target, most)),
        "Upside down: a scale is scaled pixels per pixel of the photo, target over side.",
        lambda h, w, target, most: 1 / scale_for(h, w, target, most),
        "You take the larger of the two factors; both limits must hold, so the smaller one counts.",
        lambda h, w, target, most: max(target / min(h, w), most / max(h, w)),
        "Two factors, one a side, would change the shape of everything in the photo: one factor for both.",
        lambda h, w, target, most: (target / min(h, w), most / max(h, w)),
        "Your division drops the fraction: use / and not //.",
        lambda h, w, target, most: min(target // min(h, w), most // max(h, w)),
        "You compare the photo's own long side with max_size: what counts is the long side after scaling.",
        lambda h, w, target, most: most / max(h, w) if max(h, w) > most else target / min(h, w),
    ),
    by_package=True,
    pairs=pairs(
        _factor_with,
        long="brings the long side to target_size, where the short one should reach it",
        height="takes the height for the short side, whatever the photo's shape",
        uncapped="never applies max_size",
        shrink="never enlarges",
        inverted="is upside down: a scale is scaled pixels per pixel of the photo",
    ),
    picture=beside(_draw_scaled),
)


# ---- normalize(image, mean, std) -> (3, H, W)


def _normalize(image: Tensor, mean: tuple, std: tuple) -> Tensor:
    return (image - image.new_tensor(mean)[:, None, None]) / image.new_tensor(std)[:, None, None]


def _image_cases() -> list[tuple]:
    """Three columns and three channels, so that numbers laid along the wrong axis do not stop with an error."""
    draw = torch.Generator().manual_seed(0)
    imagenet = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    other = (0.1, 0.2, 0.3), (1.0, 0.5, 0.25)
    images = [torch.rand(3, height, 3, generator=draw) for height in (4, 3, 5)]
    return [(images[0], *imagenet), (images[1], *other), (images[2], *imagenet)]


def _normalize_with(image, mean, std, *, own=False, undivided=False, reverse=False, by_255=False, add=False):
    mean = tuple(image.mean(dim=(1, 2)).tolist()) if own else mean
    mean, std = (mean[::-1], std[::-1]) if reverse else (mean, std)
    mean, std = tuple(-m for m in mean) if add else mean, (1.0, 1.0, 1.0) if undivided else std
    return _normalize(image / 255 if by_255 else image, mean, std)


def _draw_channels(_arguments, value, good, _wrong) -> Sketch:
    """A table for each channel."""
    limits, columns = (float(good.min()), float(good.max())), good.shape[2]
    layers: list[Layer] = []
    for channel, name in enumerate(("red", "green", "blue")):
        x = channel * (columns + 0.3) * 10
        layers += [*table(value[channel], good[channel], (x, 0.0), (10.0, 8.0), limits, 1), write(x, -1.0, name)]
    return Sketch(layers, f"the values lie between {value.min():.2g} and {value.max():.2g}.")


normalize = Check(
    "normalize",
    _normalize,
    _image_cases,
    misconceptions(
        "You subtract the image's own mean: the mean is a fixed number a channel, the same for every image.",
        lambda image, mean, std: _normalize(image, image.mean(dim=(1, 2)).tolist(), std),
        "You use the image's own mean and standard deviation: both are fixed, the same for every image.",
        lambda image, mean, std: _normalize(image, image.mean(dim=(1, 2)).tolist(), image.std(dim=(1, 2)).tolist()),
        "Your three numbers run along the width: a (3,) tensor meets the last axis; reshape it to (3, 1, 1).",
        lambda image, mean, std: (image - torch.tensor(mean)) / torch.tensor(std),
        "Channels are reversed: these numbers are in the order red, green, blue, and so is the image.",
        lambda image, mean, std: _normalize(image, mean[::-1], std[::-1]),
        "You subtract the mean but do not divide by std, as Caffe's weights want it; torchvision's were trained "
        "on the quotient.",
        lambda image, mean, std: _normalize(image, mean, (1.0, 1.0, 1.0)),
        "You divide before you subtract: the mean is in units of the image, so it goes first.",
        lambda image, mean, std: _normalize(image / torch.tensor(std)[:, None, None], mean, (1.0, 1.0, 1.0)),
        "You multiply by std: dividing by it brings the values to a spread of about 1.",
        lambda image, mean, std: _normalize(image, mean, tuple(1 / s for s in std)),
        "You divide by 255, but the image is in [0, 1] already.",
        lambda image, mean, std: _normalize(image / 255, mean, std),
        "Your image is in 0..255, but the mean is in [0, 1]: keep one unit.",
        lambda image, mean, std: _normalize(image * 255, mean, std),
        "You add the mean: subtract it, so that an average image comes out around 0.",
        lambda image, mean, std: _normalize(image, tuple(-m for m in mean), std),
        "One mean for all three channels: each channel has its own.",
        lambda image, mean, std: _normalize(image, [sum(mean) / 3] * 3, [sum(std) / 3] * 3),
    ),
    pairs=pairs(
        _normalize_with,
        own="takes the image's own mean, where the mean is fixed",
        undivided="does not divide by std",
        reverse="reverses the channels",
        by_255="divides by 255, where the image is in [0, 1] already",
        add="adds the mean, where it is to be subtracted",
    ),
    picture=beside(_draw_channels),
)


# ---- scale_boxes(boxes, height, width) -> (N, 4)


def _scale_boxes(boxes: Tensor, height: int, width: int) -> Tensor:
    return boxes * scale_for(height, width)


def _box_cases() -> list[tuple]:
    """Sizes whose scaled sides are not whole numbers, so that factors taken from rounded sides show."""
    boxes = torch.tensor([[10.0, 20, 110, 220], [0, 0, 375, 333], [50.5, 60.25, 300, 333]])
    return [
        (boxes, 333, 500),
        (boxes[:1], 375, 500),
        (boxes * 2, 700, 2100),
        (boxes[:, [1, 0, 3, 2]], 503, 339),
        (torch.zeros(0, 4), 480, 640),
    ]


def _rounded_sides(boxes, height, width):
    scale = scale_for(height, width)
    x, y = round(scale * width) / width, round(scale * height) / height
    return boxes * torch.tensor([x, y, x, y])


def _target_and_most(boxes, height, width):
    x, y = (1000 / width, 600 / height) if width > height else (600 / width, 1000 / height)
    return boxes * torch.tensor([x, y, x, y])


def _grown_about(point, boxes, height, width):
    """Boxes (N, 4) that grow about a point (N, 2) of their own."""
    fixed = point.repeat(1, 2)  # (N, 4)
    return fixed + _scale_boxes(boxes - fixed, height, width)


def _scale_with(boxes, height, width, *, back=False, uncapped=False, whole=False, cells=False, plus=False):
    scale = 600 / min(height, width) if uncapped else scale_for(height, width)
    one = torch.tensor([0, 0, 1, 1]) if plus else torch.zeros(4)
    scaled = ((boxes + one) / scale if back else (boxes + one) * scale) - one
    scaled = scaled / 16 if cells else scaled
    return scaled.round() if whole else scaled


def _draw_in_scaled(arguments, value, good, wrong) -> Sketch:
    _boxes, height, width = arguments
    scale = scale_for(height, width)
    return Sketch(
        [frame(scale * height, scale * width, "scaled image"), *versus(value, good, wrong)], corners(value, wrong)
    )


scale_boxes = Check(
    "scale_boxes",
    _scale_boxes,
    _box_cases,
    misconceptions(
        "You divide by the scale: that leads from the scaled image back to the photo.",
        lambda boxes, h, w: boxes / scale_for(h, w),
        "You take one factor a side from the rounded sizes: the pixels were scaled by one exact factor, and only "
        "the frame was rounded.",
        _rounded_sides,
        "You stretch to 600 by 1000: the photo keeps its shape, one factor serves x and y.",
        _target_and_most,
        "You never apply the limit of 1000: boxes of a panorama land where no image is.",
        lambda boxes, h, w: boxes * (600 / min(h, w)),
        "Your boxes are rounded to whole pixels: corners are continuous, and rounding cannot be undone.",
        lambda boxes, h, w: _scale_boxes(boxes, h, w).round(),
        "Only widths and heights grow: the image is scaled from its corner (0, 0), so x1, y1 move as well.",
        lambda boxes, h, w: _grown_about(boxes[:, :2], boxes, h, w),
        "Your boxes grow about their own centers: the image is scaled from its corner (0, 0), so centers move too.",
        lambda boxes, h, w: _grown_about((boxes[:, :2] + boxes[:, 2:]) / 2, boxes, h, w),
        "Off by one pixel (+1): that is the way of inclusive corners; ours are continuous.",
        lambda boxes, h, w: _scale_boxes(boxes + torch.tensor([0, 0, 1, 1]), h, w) - torch.tensor([0, 0, 1, 1]),
        "Your boxes are in cells: they belong into the scaled image, the stride of 16 comes later.",
        lambda boxes, h, w: _scale_boxes(boxes, h, w) / 16,
        "It works for one box only: treat all N rows of the tensor.",
        lambda boxes, h, w: _scale_boxes(boxes[:1], h, w),
    ),
    pairs=pairs(
        _scale_with,
        back="divides by the scale, which is the way back",
        uncapped="never applies the limit of 1000",
        whole="rounds corners to whole pixels",
        cells="counts cells of the feature map, where pixels of the scaled image are meant",
        plus="counts inclusive pixels (+1), where corners are continuous",
    ),
    picture=beside(_draw_in_scaled),
)


# ---- bug_hunt(in_file, scale) -> (N, 4)


def _file_to_scaled(in_file: Tensor, scale: float, near: tuple = (-1, -1), far: float = 0) -> Tensor:
    """Boxes (N, 4) of VOC's files, which count pixels from 1 and the last one in, as edges of the scaled image."""
    return (in_file + torch.tensor([*near, far, far])) * scale


def _file_cases() -> list[tuple]:
    """At scale 1 it does not matter when the 1 is subtracted; a pixel, a whole photo, several boxes."""
    boxes = torch.tensor([[1.0, 1, 9, 6], [3, 2, 7, 5]])
    return [
        (boxes[:1], 2.0),
        (boxes, 1.0),
        (torch.tensor([[7.0, 7, 7, 7]]), 4.0),
        (torch.tensor([[48.0, 240, 195, 371], [8, 12, 352, 498]]), 1.2),
    ]


bug_hunt = Check(
    "bug_hunt",
    _file_to_scaled,
    _file_cases,
    misconceptions(
        f"{STILL}: at scale 1 all is well, at scale 2 an object that fills the photo begins one pixel inside "
        "the image. Of which image is the 1 a pixel?",
        lambda in_file, scale: in_file * scale - torch.tensor([1, 1, 0, 0]),
        "You subtract 1 from all four: the last pixel belongs to the object, so its far edge is at xmax itself.",
        lambda in_file, scale: _file_to_scaled(in_file, scale, far=-1),
        "You leave the 1 out: the file's first pixel has number 1, and its near edge is at 0.",
        lambda in_file, scale: _file_to_scaled(in_file, scale, near=(0, 0)),
        "You add the 1: pixel 1 begins at edge 0, so it is to be subtracted.",
        lambda in_file, scale: _file_to_scaled(in_file, scale, near=(1, 1)),
        "Now x begins at the right edge, but y does not: rows are counted from 1 as well.",
        lambda in_file, scale: _file_to_scaled(in_file, scale, near=(-1, 0)),
        "Your far edges are a pixel too far: pixel xmax, counted from 1, ends at edge xmax.",
        lambda in_file, scale: _file_to_scaled(in_file, scale, far=1),
        "You subtract 1 / scale from a scaled corner: a pixel of the photo is `scale` scaled pixels wide.",
        lambda in_file, scale: in_file * scale - torch.tensor([1, 1, 0, 0]) / scale,
        "You divide by the scale: that leads from the scaled image back to the photo.",
        lambda in_file, scale: _file_to_scaled(in_file, 1 / scale),
    ),
    picture=beside(lambda _given, value, good, wrong: Sketch(versus(value, good, wrong), corners(value, wrong))),
)
