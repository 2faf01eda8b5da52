"""Explorer of the sixth notebook: a ROI dragged over the photo, and what each method cuts out of the map under it."""

from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.explorers.explorer import Explorer, choice, flag, integer
from rcnn_tutorial.explorers.own import Own
from rcnn_tutorial.figures import crop_pooling as geometry
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Lines, Picture, Points, heat_colors, to_uint8
from rcnn_tutorial.stages.crop_pooling import crop_pool, crop_theta, sample_crops

MOST_DEGREES = 45  # either way
MOST_POINTS = 3000  # RoIAlign reads every pixel of a large ROI on the photo itself; nobody could tell those apart
PHOTO, CELLS, FEATURES = "photo, pixels", "photo, cells", "features"


class CropPoolingExplorer(Explorer):
    """A ROI to drag and turn, the points or bins at which a method reads, and the crop it yields.

    image: (3, H, W) in [0, 1], in the scaled pixels of the network. features: (C, rows, columns) of that image.
    roi: (4,) where the ROI starts, pixels. channel: the one shown first; None: the one that varies most.
    """

    replaceable: ClassVar = {"theta": Own(lambda roi, stride, rows, columns: crop_theta(roi, stride, (rows, columns)))}

    def __init__(
        self,
        image: Tensor,
        features: Tensor,
        roi: Tensor | None = None,
        stride: int = 16,
        size: int = 7,
        channel: int | None = None,
    ):
        image, features = to_cpu((image, features), single=True)
        height, width = image.shape[-2:]
        if roi is None:
            roi = torch.tensor([0.3 * width, 0.3 * height, 0.7 * width, 0.7 * height]).round()
        self.features, self.stride = features[None], stride  # (1, C, rows, columns)
        self.feature_size = tuple(features.shape[-2:])
        self.cells = cell_colors(image, stride, self.feature_size)  # (1, 3, rows, columns)
        self.photo = image[None]  # (1, 3, H, W)
        if channel is None:
            channel = int(features.std(dim=(1, 2), correction=0).argmax())
        controls = {
            "method": choice("Method", [(name, method) for method, name in geometry.METHODS.items()], "crop"),
            "size": integer("Pool size", size, 1, 14),
            "map": choice("Map", [PHOTO, CELLS, FEATURES], FEATURES),
            "rotation": integer("Rotation (degrees)", 0, -MOST_DEGREES, MOST_DEGREES),
            "channel": integer("Feature channel", channel, 0, len(features) - 1),
            "align_corners": flag("align_corners", True),
        }
        handle = Handle(roles.CHOSEN, roi.tolist(), name="ROI", turnable=MOST_DEGREES)
        pictures = [
            Canvas(image, handles={"roi": handle}, width=640, title="Where it reads"),
            Canvas(size=(size, size), width=360, title="The crop"),
        ]
        pictures[1].add_class("rcnn-aside")  # the ROI is dragged on the first
        super().__init__(controls, pictures, presets(roi.tolist(), width))
        self.canvas.observe(self._follow, "angles")

    def tensors(self) -> dict:
        """What the twin draws from. The photo goes as bytes: a fourth of the size, and half a level is not seen."""
        photo = to_uint8(self.photo[0]).transpose(2, 0, 1)  # (3, H, W)
        maps = {"photo": photo, "features": self.features[0], "stride": self.stride, "viridis": heat_colors()}
        return maps | {"methods": geometry.METHODS, "most_degrees": MOST_DEGREES, "most_points": MOST_POINTS}

    def _follow(self, change) -> None:
        """The slider says how far the reader has turned the ROI by its grip."""
        self.rotation.value = change.new["roi"]

    def draw(self) -> str:
        """Draw where the method reads, and the crop; say how the two lie to each other."""
        if self.method.value != "crop":
            self.rotation.value = 0
            name = geometry.METHODS[self.method.value]
            self.rest(rotation=f"{name} cuts upright boxes only", align_corners="only crop pooling has it")
        self.let_turn(MOST_DEGREES if self.method.value == "crop" else 0)
        if self.map.value != FEATURES:
            self.rest(channel="the map is the photo")
        method, size, roi = self.method.value, self.size.value, self.canvas.box("roi")
        cells, stride = self.chosen_map()
        reading, sentence = getattr(self, f"read_{method}")(roi, size, stride, tuple(cells.shape[-2:]))
        self.canvas.draw([*self.ground(cells, stride), *reading])
        crop = self.crop(cells, roi, size, stride)[0]  # (channels, size, size)
        first = Points([(0.5, 0.5)], roles.PLAIN, shape="ring", radius=9, name="first value")
        self.canvases[1].draw([shown(crop, cells), first], size=(size, size))
        return sentence

    def let_turn(self, most: int) -> None:
        """Turn the ROI as far as the slider says; its grip is there where it may be turned, `most` degrees."""
        styles = self.canvas.handle_styles
        styles["roi"] = replace(styles["roi"], turnable=most)
        self.canvas.turn(roi=self.rotation.value)

    def chosen_map(self) -> tuple[Tensor, int]:
        """What the crop is cut from, (1, channels, rows, columns), and how many pixels lie between its cells."""
        if self.map.value == PHOTO:
            return self.photo, 1
        if self.map.value == CELLS:
            return self.cells, self.stride
        return self.features[:, self.channel.value : self.channel.value + 1], self.stride

    def ground(self, cells: Tensor, stride: int) -> list[Layer]:
        """The map under the ROI, cell i around pixel stride * i; the photo itself is there already."""
        if self.map.value == PHOTO:
            return []
        rows, columns = cells.shape[-2:]
        extent = geometry.cell_boxes(torch.tensor([0, 0, columns, rows]), stride).tolist()
        return [shown(cells[0], cells, extent)]

    def crop(self, cells: Tensor, roi: Tensor, size: int, stride: int) -> Tensor:
        """cells: (1, channels, rows, columns). Returns (1, channels, size, size)."""
        if self.method.value == "crop":
            theta = self.theta(roi, stride, cells.shape[-2:])  # (2, 3)
            return sample_crops(cells, theta[None, None], size, self.align_corners.value)
        return crop_pool(cells, roi[None, None], stride, CropPoolingConfig(method=self.method.value, size=size))

    def theta(self, roi: Tensor, stride: int, feature_size: tuple[int, int]) -> Tensor:
        """Where the crop lies on the map: (2, 3). The reader's function, where there is one, serves upright ROIs."""
        if self.rotation.value:
            return geometry.corner_theta(geometry.roi_corners(roi, self.rotation.value), stride, feature_size)
        return self.own["theta"](roi, stride, *feature_size)

    def read_crop(self, roi: Tensor, size: int, stride: int, feature_size: tuple[int, int]) -> tuple[list[Layer], str]:
        """The sample grid of crop pooling."""
        theta = self.theta(roi, stride, feature_size)[None]  # (1, 2, 3)
        positions = geometry.sample_positions(theta, size, feature_size, self.align_corners.value)[0]  # (size, size, 2)
        points = positions * stride  # (size, size, 2) pixels
        layers = []
        if self.rotation.value:
            layers += [Boxes(roi[None], Role(roles.WHITE, "dotted", "the ROI before it was turned"))]
        if not self.align_corners.value:
            hull = points[[0, 0, -1, -1], [0, -1, -1, 0]]  # (4, 2)
            layers += [Lines(hull[None], Role(roles.WHITE, "dotted", "outermost samples"), closed=True)]
        layers += point_layers(points.flatten(0, 1), f"{size * size} samples")
        last = positions.new_tensor([feature_size[1] - 1, feature_size[0] - 1])
        outside = int(((positions < -1e-3) | (positions > last + 1e-3)).any(-1).sum())
        turned = f", turned by {self.rotation.value}°" if self.rotation.value else ""
        sentence = f"{roi_in_words(roi)}{turned}: {size} × {size} samples"
        if size > 1:
            # Rounded twice, lest the last bit of a sum decide what is halfway between two tenths.
            step = [round(float((point - points[0, 0]).norm()), 3) for point in (points[0, 1], points[1, 0])]
            sentence += f", {step[0]:.1f} pixels apart across, {step[1]:.1f} down"
        beyond = f" {outside} lie beyond the map's last centers, where it fades to 0." if outside else ""
        return layers, f"{sentence}.{beyond}"

    def read_align(self, roi: Tensor, size: int, stride: int, feature_size: tuple[int, int]) -> tuple[list[Layer], str]:
        """RoIAlign's bins and the points that it averages in each."""
        positions = geometry.align_positions(roi, size, stride)  # (size, size, rows, columns, 2) cells
        rows, columns = positions.shape[2:4]
        points = (positions * stride).reshape(-1, 2)
        bins = geometry.align_bins(roi, size, stride)  # (size * size, 4)
        layers = [Boxes(bins, roles.OTHER, width=2, name="bins, from each the mean")]
        if len(points) <= MOST_POINTS:
            layers += point_layers(points, "points")
        sentence = f"{roi_in_words(roi)}: RoIAlign takes the mean of {columns} × {rows} points in each of "
        return layers, f"{sentence}{size} × {size} bins of {sides_in_words(bins[0, 2:] - bins[0, :2])} pixels."

    def read_pool(self, roi: Tensor, size: int, stride: int, feature_size: tuple[int, int]) -> tuple[list[Layer], str]:
        """RoIPool's bins of whole cells."""
        bins = geometry.pool_bins(roi, size, stride, feature_size)  # (size * size, 4) cells
        first, last = bins[:, :2].amin(0), bins[:, 2:].amax(0)  # (2,) each
        rounded = torch.cat([first, last - 1]) * stride  # (4,) the outermost cells' centers, pixels
        moved = (rounded - roi).abs().max()
        name = "bins, from each the largest value"
        layers = [Boxes(geometry.cell_boxes(bins, stride), roles.BEFORE, width=2, name=name)]
        columns, rows = (last - first).int().tolist()
        sides = (roi[2:] - roi[:2]) / stride
        was = "" if stride == 1 else f"{sides_in_words(sides, 2)} to "
        sentence = f"{roi_in_words(roi)}: RoIPool rounds {was}{columns} × {rows} cells, "
        return layers, f"{sentence}moving a side by up to {float(moved):.1f} pixels."


def presets(roi: list[float], width: int) -> dict[str, dict]:
    """What the lesson asks about, from where the ROI starts, on a photo of this width."""
    x1, y1, x2, y2 = roi
    middle, half = (x1 + x2) / 2, max(round((x2 - x1) / 8), 2) / 2
    return {
        "Thin ROI": {"roi": (middle - half, y1, middle + half, y2)},
        "Right border": {"roi": (width - (x2 - x1), y1, width, y2)},
        "Pool size 2": {"size": 2},
        "Photo": {"map": PHOTO, "size": 14},
        "Turned": {"map": PHOTO, "size": 14, "rotation": 30},
        "align_corners off": {"align_corners": False},
    }


def cell_colors(image: Tensor, stride: int, feature_size: tuple[int, int]) -> Tensor:
    """The photo's mean color around the pixel that each cell stands for. Returns (1, 3, rows, columns)."""
    rows, columns = feature_size
    half = stride // 2
    room = (half, max(columns * stride - half - image.shape[2], 0), half, max(rows * stride - half - image.shape[1], 0))
    padded = F.pad(image[None], room, mode="replicate")
    return F.avg_pool2d(padded, stride)[..., :rows, :columns]


def shown(values: Tensor, colors_of: Tensor, extent: list[float] | None = None) -> Layer:
    """A piece (channels, h, w) of a map: as a picture where it has three channels, else in the whole map's colors."""
    if len(values) == 3:
        return Picture(values, extent=extent)
    return Heatmap(values[0], low=float(colors_of.min()), high=float(colors_of.max()), extent=extent)


def point_layers(points: Tensor, name: str) -> list[Layer]:
    """The points (N, 2) at which a method reads, the first one ringed."""
    return [
        Points(points, roles.BEFORE, radius=4 if len(points) <= 64 else 2.5, name=name),
        Points(points[:1], roles.PLAIN, shape="ring", radius=9),
    ]


def roi_in_words(roi: Tensor) -> str:
    """Its place and its sides. roi: (4,) pixels."""
    return f"ROI at ({float(roi[0]):.0f}, {float(roi[1]):.0f}), {sides_in_words(roi[2:] - roi[:2], 0)} pixels"


def sides_in_words(sides: Tensor, digits: int = 1) -> str:
    """(2,) as width × height."""
    width, height = sides.tolist()
    return f"{width:.{digits}f} × {height:.{digits}f}"
