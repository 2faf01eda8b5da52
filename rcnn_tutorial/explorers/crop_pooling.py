"""Explorer of the sixth notebook: a ROI dragged over the photo, and what each method cuts out of the map under it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.explorers.explorer import Explorer, choice, flag, integer
from rcnn_tutorial.figures import crop_pooling as geometry
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Lines, Picture, Points
from rcnn_tutorial.stages.crop_pooling import crop_pool, sample_crops

MOST_POINTS = 3000  # RoIAlign reads every pixel of a large ROI on the photo itself; nobody could tell those apart
PHOTO, CELLS, FEATURES = "the photo, pixel by pixel", "the photo, one color a cell", "one channel of the features"


class CropPoolingExplorer(Explorer):
    """A ROI to drag and turn, the points or bins at which a method reads, and the crop it yields.

    image: (3, H, W) in [0, 1], in the scaled pixels of the network. features: (C, rows, columns) of that image.
    roi: (4,) where the ROI starts, pixels.
    """

    def __init__(self, image: Tensor, features: Tensor, roi: Tensor | None = None, stride: int = 16, size: int = 7):
        image, features = to_cpu((image, features), single=True)
        height, width = image.shape[-2:]
        if roi is None:
            roi = torch.tensor([0.3 * width, 0.3 * height, 0.7 * width, 0.7 * height]).round()
        self.features, self.stride = features[None], stride  # (1, C, rows, columns)
        self.feature_size = tuple(features.shape[-2:])
        self.cells = cell_colors(image, stride, self.feature_size)  # (1, 3, rows, columns)
        self.photo = image[None]  # (1, 3, H, W)
        strongest = int(features.std(dim=(1, 2), correction=0).argmax())
        controls = {
            "method": choice("Method", [(name, method) for method, name in geometry.METHODS.items()], "crop"),
            "size": integer("Pool size", size, 1, 14),
            "align_corners": flag("align_corners", True),
            "rotation": integer("Rotation (degrees)", 0, -45, 45, 5),
            "map": choice("Map to read from", [PHOTO, CELLS, FEATURES], FEATURES),
            "channel": integer("Feature channel", strongest, 0, len(features) - 1),
        }
        handle = Handle(roles.CHOSEN, roi.tolist(), name="ROI")
        pictures = [
            Canvas(image, handles={"roi": handle}, width=640, title="Where it reads"),
            Canvas(size=(size, size), width=360, title="The crop"),
        ]
        pictures[1].add_class("rcnn-aside")  # the ROI is dragged on the first
        super().__init__(controls, pictures)

    def draw(self) -> str:
        """Draw where the method reads, and the crop; say how the two lie to each other."""
        method, size, roi = self.method.value, self.size.value, self.canvas.box("roi")
        if method != "crop" and self.rotation.value:
            raise ConfigError(
                f"{geometry.METHODS[method]} cuts upright boxes only; set the rotation to 0, or take crop pooling"
            )
        cells, stride = self.chosen_map()
        reading, sentence = getattr(self, f"read_{method}")(roi, size, stride, tuple(cells.shape[-2:]))
        self.canvas.draw([*self.ground(cells, stride), *reading])
        crop = self.crop(cells, roi, size, stride)[0]  # (channels, size, size)
        first = Points([(0.5, 0.5)], roles.PLAIN, shape="ring", radius=9, name="first value")
        self.canvases[1].draw([shown(crop, cells), first], size=(size, size))
        return sentence

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
            corners = geometry.roi_corners(roi, self.rotation.value)  # (4, 2)
            theta = geometry.corner_theta(corners, stride, cells.shape[-2:])  # (2, 3)
            return sample_crops(cells, theta[None, None], size, self.align_corners.value)
        return crop_pool(cells, roi[None, None], stride, CropPoolingConfig(method=self.method.value, size=size))

    def read_crop(self, roi: Tensor, size: int, stride: int, feature_size: tuple[int, int]) -> tuple[list[Layer], str]:
        """The sample grid of crop pooling."""
        corners = geometry.roi_corners(roi, self.rotation.value)  # (4, 2)
        theta = geometry.corner_theta(corners, stride, feature_size)[None]  # (1, 2, 3)
        positions = geometry.sample_positions(theta, size, feature_size, self.align_corners.value)[0]  # (size, size, 2)
        points = positions * stride  # (size, size, 2) pixels
        turned = corners[None] if self.rotation.value else corners[:0, None]  # (1 or 0, 4, 2)
        role = Role(roles.GREEN, "dashed", "the ROI, turned" if len(turned) else "")
        layers = [Lines(turned, role, closed=True), *point_layers(points.flatten(0, 1), f"{size * size} samples")]
        last = positions.new_tensor([feature_size[1] - 1, feature_size[0] - 1])
        outside = ((positions < -1e-3) | (positions > last + 1e-3)).any(-1).sum()
        span = torch.stack([(points[0, -1] - points[0, 0]).norm(), (points[-1, 0] - points[0, 0]).norm()])  # (2,)
        shift = (points.mean((0, 1)) - corners.mean(0)).norm()
        sentence = f"{self.roi_in_words(roi, stride)}, turned by {self.rotation.value}°. {size} × {size} samples span "
        sentence += f"{sides_in_words(span)} pixels, their middle {float(shift):.1f} pixels from the ROI's. "
        return layers, sentence + f"{int(outside)} lie outside the map's outermost centers, where it fades to 0."

    def read_align(self, roi: Tensor, size: int, stride: int, feature_size: tuple[int, int]) -> tuple[list[Layer], str]:
        """RoIAlign's bins and the points that it averages in each."""
        positions = geometry.align_positions(roi, size, stride)  # (size, size, rows, columns, 2) cells
        rows, columns = positions.shape[2:4]
        points = (positions * stride).reshape(-1, 2)
        bins = geometry.align_bins(roi, size, stride)  # (size * size, 4)
        layers = [Boxes(bins, roles.OTHER, width=2, name="bins")]
        if len(points) <= MOST_POINTS:
            layers += point_layers(points, "points")
        sentence = f"{self.roi_in_words(roi, stride)}. RoIAlign takes the mean of {columns} × {rows} points in each of "
        sentence += f"{size} × {size} bins of {sides_in_words(bins[0, 2:] - bins[0, :2])} pixels; "
        return layers, sentence + "align_corners plays no part."

    def read_pool(self, roi: Tensor, size: int, stride: int, feature_size: tuple[int, int]) -> tuple[list[Layer], str]:
        """RoIPool's bins of whole cells."""
        bins = geometry.pool_bins(roi, size, stride, feature_size)  # (size * size, 4) cells
        first, last = bins[:, :2].amin(0), bins[:, 2:].amax(0)  # (2,) each
        rounded = torch.cat([first, last - 1]) * stride  # (4,) the outermost cells' centers, pixels
        moved = (rounded - roi).abs().max()
        name = "bins of whole cells (they may overlap)"
        layers = [Boxes(geometry.cell_boxes(bins, stride), roles.BEFORE, width=2, name=name)]
        columns, rows = (last - first).int().tolist()
        sentence = f"{self.roi_in_words(roi, stride)}. RoIPool rounds it to {columns} × {rows} whole cells, "
        sentence += f"which moves a side by up to {float(moved):.1f} pixels, and keeps the largest value in each "
        return layers, sentence + f"of {size} × {size} bins; align_corners plays no part."

    def roi_in_words(self, roi: Tensor, stride: int) -> str:
        """Its place, and its sides in pixels and cells, which are the same on the photo itself."""
        sides = roi[2:] - roi[:2]  # (2,)
        place = f"The ROI at x {float(roi[0]):.0f}, y {float(roi[1]):.0f} is {sides_in_words(sides, 0)} pixels"
        return place if stride == 1 else f"{place}, {sides_in_words(sides / stride, 2)} cells"


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


def sides_in_words(sides: Tensor, digits: int = 1) -> str:
    """(2,) as width × height."""
    width, height = sides.tolist()
    return f"{width:.{digits}f} × {height:.{digits}f}"
