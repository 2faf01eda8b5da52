"""The explorer of the second notebook: how large a photo becomes, and its objects with it."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import Config, PreprocessingConfig
from rcnn_tutorial.data.images import fit_boxes
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, integer, number
from rcnn_tutorial.explorers.own import Own, OwnError, like_the_package_s
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Picture, to_uint8
from rcnn_tutorial.stages.preprocessing import Preprocessed, normalize, preprocess, resize, scale_for

_FIELD = 1000  # pixels: side of the ground on which everything is laid; it grows with larger sizes
_THUMBNAIL = 400  # pixels: longer side of the picture that is sent
_MOST = 5000  # pixels: the longest side that a reader's scale may ask for
_ASPECTS = (0.3, 3.0)  # width / height, the ends of the slider
_ASPECT_STEP = 0.05


def _drawable(result, right: float, arguments: tuple) -> float:
    """A reader's scale. Raises OwnError unless what it makes of the photo can be drawn."""
    scale, longest = like_the_package_s(result, right, arguments), max(arguments[:2])
    if not 1 <= scale * longest <= _MOST:
        raise OwnError(f"returns {scale:g}, which makes {longest} pixels {scale * longest:,.0f}")
    return scale


class PreprocessingExplorer(Explorer):
    """A photo, cut to any aspect, grows until it covers the target square, unless it then leaves the maximum square.

    It starts at the photo's own aspect, rounded to the slider's step; there nothing is cut.
    image: (3, H, W) in [0, 1]. boxes: (N, 4) its objects in pixels, or None. stride: of the head, pixels a cell.
    """

    fields: ClassVar = {"target_size": "target_size", "max_size": "max_size"}
    replaceable: ClassVar = {"scale_factor": Own(scale_for, _drawable)}

    def __init__(
        self, image: Tensor, boxes: Tensor | None = None, config: PreprocessingConfig | None = None, stride: int = 16
    ):
        self.image = image = to_cpu(image, single=True)
        self.boxes = torch.zeros(0, 4) if boxes is None else to_cpu(boxes, single=True)
        self.config, self.stride = config or PreprocessingConfig(), stride
        self.own_aspect = image.shape[2] / image.shape[1]
        controls = {
            "target_size": integer("Target size (pixels)", self.config.target_size, 200, 1000, 10),
            "max_size": integer("Maximum size (pixels)", self.config.max_size, 400, 1600, 10),
            "aspect": number("Aspect (width / height)", self.own_aspect, *_ASPECTS, _ASPECT_STEP),
        }
        presets = {
            "Target 200": {"target_size": 200},
            "Panorama": {"aspect": _ASPECTS[1]},
            "Column": {"aspect": _ASPECTS[0]},
            "Maximum below target": {"max_size": max(400, self.config.target_size - 100)},
        }
        super().__init__(controls, Canvas(size=(_FIELD, _FIELD), width=600), presets)

    def tensors(self) -> dict:
        """What the twin draws from. The photo goes as bytes, which it came from."""
        photo = to_uint8(self.image).transpose(2, 0, 1)  # (3, H, W)
        field = {"field": _FIELD, "thumbnail": _THUMBNAIL, "aspect_step": _ASPECT_STEP, "stride": self.stride}
        labels = {name: self.controls[name].description for name in self.fields}
        return field | {"photo": photo, "boxes": self.boxes, "labels": labels}

    def draw(self) -> str:
        """Draw the photo before and after; say which limit decides."""
        config = Config(preprocessing=self.adjusted(self.config)).preprocessing  # may refuse
        photo, boxes = self.image, self.boxes
        if abs(self.aspect.value - self.own_aspect) > 0.51 * _ASPECT_STEP:
            photo, boxes = cut_to_aspect(photo, boxes, self.aspect.value)
        scaled = self._scaled(photo, config)
        scaled_boxes = boxes * scaled.scales[0]  # (N, 4)
        side = round(1.03 * max(_FIELD, config.max_size, *photo.shape[-2:], *scaled.sizes[0].tolist()))
        self.canvas.draw(self._layers(scaled, scaled_boxes, config), size=(side, side))
        return _sentence(scaled, config, self.stride) + _objects_sentence(boxes, scaled_boxes)

    def _scaled(self, photo: Tensor, config: PreprocessingConfig) -> Preprocessed:
        """What `preprocess` makes of the photo; with the reader's scale, where there is such a function."""
        scaled = preprocess([photo], config)
        if "scale_factor" not in self.own:
            return scaled
        scale = self.own["scale_factor"](*photo.shape[-2:], config.target_size, config.max_size)
        image = resize(normalize(photo, config), scale)
        return scaled._replace(images=[image], sizes=torch.tensor([image.shape[-2:]]), scales=torch.tensor([scale]))

    def _layers(self, scaled: Preprocessed, boxes: Tensor, config: PreprocessingConfig) -> list[Layer]:
        height, width = scaled.sizes[0].tolist()
        before = scaled.original_sizes[0].tolist()
        most, target = config.max_size, config.target_size
        numbers = [str(k + 1) for k in range(len(boxes))]
        objects = Role(roles.YELLOW, name="object" if numbers else "")
        return [
            Picture(_thumbnail(scaled.images[0], config), extent=(0, 0, width, height)),
            Boxes([(0, 0, most, most)], roles.CHOSEN._replace(dash="dashdot"), name=f"maximum {most}"),
            Boxes([(0, 0, target, target)], roles.OTHER, name=f"target {target}"),
            Boxes([(0, 0, before[1], before[0])], roles.BEFORE, name="size before"),
            Boxes([(0, 0, width, height)], roles.AFTER, name="size after"),
            Boxes(boxes, objects, width=1.5, labels=numbers),
        ]


def cut_to_aspect(image: Tensor, boxes: Tensor, aspect: float) -> tuple[Tensor, Tensor]:
    """The largest middle part of an image (3, H, W) with width / height = aspect, and its objects' boxes (N, 4)."""
    height, width = image.shape[-2:]
    rows, columns = min(height, max(1, round(width / aspect))), min(width, max(1, round(height * aspect)))
    top, left = (height - rows) // 2, (width - columns) // 2
    moved, keep, _ = fit_boxes(boxes - boxes.new_tensor([left, top, left, top]), torch.tensor([rows, columns]))
    return image[:, top : top + rows, left : left + columns], moved[keep]


def _thumbnail(image: Tensor, config: PreprocessingConfig) -> Tensor:
    """A preprocessed image in colors again, small enough to be sent at every step of a slider."""
    share = min(1.0, _THUMBNAIL / max(image.shape[-2:]))
    size = [max(1, round(side * share)) for side in image.shape[-2:]]
    small = F.interpolate(image[None], size=size, mode="area")[0]
    return small * small.new_tensor(config.std)[:, None, None] + small.new_tensor(config.mean)[:, None, None]


def _sentence(scaled: Preprocessed, config: PreprocessingConfig, stride: int) -> str:
    (height, width), (rows, columns) = scaled.original_sizes[0].tolist(), scaled.sizes[0].tolist()
    scale = float(scaled.scales[0])
    limit = "no limit is met"  # by a reader's own scale
    if math.isclose(scale, config.target_size / min(height, width), rel_tol=1e-6):
        limit = "the short side reaches the target"
    elif math.isclose(scale, config.max_size / max(height, width), rel_tol=1e-6):
        limit = "the long side reaches the maximum first"
    cells = f"{math.ceil(rows / stride)} × {math.ceil(columns / stride)} cells"
    return f"{height} × {width} times {scale:.4f} is {rows} × {columns} pixels, {cells}: {limit}. "


def _objects_sentence(before: Tensor, after: Tensor) -> str:
    if not len(before):
        return "No objects."
    smallest = int((before[:, 2:] - before[:, :2]).amin(dim=1).argmin())
    sides = [float((boxes[smallest, 2:] - boxes[smallest, :2]).min()) for boxes in (before, after)]
    return f"The thinnest object: {sides[0]:.0f} pixels before, {sides[1]:.0f} after."
