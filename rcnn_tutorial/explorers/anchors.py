"""Explorers of the third notebook: anchors on the grid and the objects they reach, and the overlap of two boxes."""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_area, box_iou, centers_and_sizes, encode
from rcnn_tutorial.config import AnchorConfig, AnchorTargetConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.explorers.explorer import Explorer, Several, choice, integer
from rcnn_tutorial.explorers.own import Own
from rcnn_tutorial.figures.anchors import SHARED, scale_colors, with_room
from rcnn_tutorial.guarded import TOLERANCE
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Layer, Lines, Points
from rcnn_tutorial.stages.anchors import anchor_sizes, inside_image

REACH = AnchorTargetConfig().negative_overlap  # an object whose best anchor stays below is missed
ROOM = 0.16  # around the photo, in shares of its longer side: there boxes are seen that leave it
_REACHED = roles.GROUND_TRUTH._replace(name="object, best IoU")
_MISSED = Role(roles.RED, "dashed", f"missed, below {REACH}")
_SCALES = (1, 2, 4, 8, 16, 32)
_RATIOS = (0.25, 0.5, 1, 2, 4)


def anchor_grid(rows: int, columns: int, stride: int, shapes: Tensor) -> Tensor:
    """The shapes (A, 4) of cell (0, 0) at every cell, in the order of `generate_anchors`: (rows * columns * A, 4)."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")  # (rows, columns) each
    shifts = torch.stack([x, y, x, y], dim=-1) * stride  # (rows, columns, 4)
    return (shifts[:, :, None] + shapes).view(-1, 4)


class AnchorExplorer(Explorer):
    """The shapes at one cell of the grid, how many anchors lie inside the image, and which objects they miss.

    image: (3, H, W) in [0, 1], as the network sees it (after preprocessing). objects: (G, 4) in its pixels, or None.
    Click the picture to choose a cell.
    """

    replaceable: ClassVar = {
        "anchor_sizes": Own(lambda base_size, scales, ratios: anchor_sizes(AnchorConfig(base_size, scales, ratios))),
        "anchor_grid": Own(anchor_grid),
        "iou": Own(box_iou),
    }

    def __init__(
        self, image: Tensor, config: AnchorConfig | None = None, stride: int = 16, objects: Tensor | None = None
    ):
        self.config = config = config or AnchorConfig()
        self.size = tuple(image.shape[-2:])  # (H, W)
        self.room = round(ROOM * max(self.size))
        self.objects = torch.zeros(0, 4) if objects is None else to_cpu(torch.as_tensor(objects), single=True)
        rows, columns = self.grid(stride)
        controls = {
            "scales": Several("Scales", sorted({*_SCALES, *config.scales}), config.scales),
            "stride": choice("Stride (pixels)", sorted({4, 8, 16, 32, stride}), stride),
            "column": integer("Grid column", columns // 2, 0, columns - 1),
            "row": integer("Grid row", rows // 2, 0, rows - 1),
            "ratios": Several("Ratios (height / width)", sorted({*_RATIOS, *config.ratios}), config.ratios),
            "border": integer("Border (pixels)", 0, 0, 8 * math.ceil(self.room / 8), 8),
        }
        self.colors = scale_colors(controls["scales"].options)
        controls["stride"].observe(self._keep_place, "value")  # before `update` draws
        super().__init__(controls, Canvas(with_room(image, self.room)), presets=self._questions())
        self.canvas.observe(self._choose_cell, "clicked")

    def tensors(self) -> dict:
        """What the twin draws from."""
        colors = {f"{scale:g}": color for scale, color in self.colors.items()}
        size = {"size": self.size, "room": self.room, "base_size": self.config.base_size}
        return size | {"objects": self.objects, "reach": REACH, "colors": colors}

    def _questions(self) -> dict:
        middle = {stride: [side // 2 for side in self.grid(stride)] for stride in (8, 32)}
        strides = {f"Stride {s}": {"stride": s, "row": row, "column": column} for s, (row, column) in middle.items()}
        corner = {"row": 0, "column": 0}
        return {
            "Corner": corner,
            "Corner, border 48": corner | {"border": 48},
            **strides,
            "Scales 1, 2, 4": {"scales": (1, 2, 4)},
            "Ratio 1": {"ratios": (1,)},
        }

    def grid(self, stride: int) -> tuple[int, int]:
        """Rows and columns of the feature map."""
        return math.ceil(self.size[0] / stride), math.ceil(self.size[1] / stride)

    def draw(self) -> str:
        """Draw the grid, the objects and the shapes of one cell; count the anchors."""
        if not self.scales.value or not self.ratios.value:
            raise ConfigError("without a scale and a ratio there is no anchor; tick at least one of each")
        rows, columns = self.grid(self.stride.value)
        self.column.max, self.row.max = columns - 1, rows - 1
        sizes = self.own["anchor_sizes"](self.config.base_size, self.scales.value, self.ratios.value)  # (A, 2)
        middle = self.config.base_size / 2
        shapes = torch.cat([middle - sizes / 2, middle + sizes / 2], dim=1).float()  # (A, 4) of cell (0, 0)
        anchors = self.own["anchor_grid"](rows, columns, self.stride.value, shapes)  # (N, 4)
        inside = inside_image(anchors, torch.tensor([self.size]), self.border.value)[0]  # (N,)
        best = best_overlaps(self.objects, anchors[inside], self.own["iou"])  # (G,)
        anchors, inside = anchors.view(rows, columns, -1, 4), inside.view(rows, columns, -1)
        cell = anchors[self.row.value, self.column.value], inside[self.row.value, self.column.value]
        centers, _ = centers_and_sizes(anchors[:, :, 0])  # (rows, columns, 2)
        chosen = centers[self.row.value, self.column.value][None] + self.room
        shapes = self._shapes(*cell, sizes.tolist())
        point = Points(chosen, roles.CHOSEN, radius=7, name="cell")
        self.canvas.draw([*self._ground(centers.view(-1, 2)), *self._objects(best), *shapes, point])
        return _sentence(inside, int(cell[1].sum())) + _reached(best)

    def _ground(self, centers: Tensor) -> list[Layer]:
        """The grid's points (K, 2), paler where they are many, and up to where an anchor counts as inside."""
        opacity, border = min(1.0, self.stride.value / 24), self.border.value
        grid = Points(centers + self.room, roles.PLAIN, radius=1, opacity=opacity, name="grid")
        height, width = self.size
        frame = torch.tensor([[-border, -border, width + border, height + border]]) + self.room
        return [grid, Boxes(frame, roles.OTHER, width=2, name=f"border, {border} pixels")][: 2 if border else 1]

    def _objects(self, best: Tensor) -> list[Boxes]:
        """The objects with their best IoU, those apart that the anchors miss. best: (G,)."""
        layers = []
        for rows, role in ((best >= REACH, _REACHED), (best < REACH, _MISSED)):
            if bool(rows.any()):
                labels = [f"{overlap:.2f}" for overlap in best[rows].tolist()]
                hover = [f"best IoU {overlap:.4f}" for overlap in best[rows].tolist()]
                layers.append(Boxes(self.objects[rows] + self.room, role, labels=labels, hover=hover))
        return layers

    def _shapes(self, cell: Tensor, inside: Tensor, sizes: list) -> list[Boxes]:
        """The cell's anchors (A, 4), the smallest on top: a color a scale, dashed where they leave. inside: (A,)."""
        layers = []
        for scale in sorted(self.scales.value, reverse=True):
            mine = torch.tensor([one == scale for _ in self.ratios.value for one in self.scales.value])  # (A,)
            for rows, dash, words in ((mine & ~inside, "dashed", ", leaves"), (mine & inside, "solid", "")):
                if bool(rows.any()):
                    role = Role(self.colors[scale], dash, f"scale {scale:g}{words}")
                    chosen = torch.nonzero(rows).flatten().tolist()
                    hover = [self._size_and_way_out(cell[row], sizes[row]) for row in chosen]
                    layers.append(Boxes(cell[rows] + self.room, role, hover=hover))
        return layers

    def _size_and_way_out(self, box: Tensor, size: list[float]) -> str:
        """In words: width and height, and how far the box (4,) reaches out of the photo."""
        height, width = self.size
        out = float(torch.cat([-box[:2], box[2:] - torch.tensor([width, height])]).max())
        return f"{size[0]:g}×{size[1]:g}" + (f", {out:g} pixels outside" if out > 0 else "")

    def _keep_place(self, change) -> None:
        """A finer or a coarser grid: the cell at the same place of the photo."""
        held, self._held = self._held, True  # one drawing, by `update`, which comes after this
        rows, columns = self.grid(change.new)
        for slider, cells in ((self.column, columns), (self.row, rows)):
            place = min(round(slider.value * change.old / change.new), cells - 1)
            slider.max = max(slider.max, cells - 1)
            slider.value = place
        self._held = held

    def _choose_cell(self, change) -> None:
        x, y = ((at - self.room) / self.stride.value for at in change["new"])
        self.set(column=math.floor(x), row=math.floor(y))


def best_overlaps(objects: Tensor, anchors: Tensor, iou: Callable = box_iou) -> Tensor:
    """The largest IoU of each object (G, 4) with any of the anchors (N, 4): (G,); 0 where there is no anchor."""
    best = [iou(one[None], anchors).amax() for one in objects if len(anchors)]
    return torch.stack(best) if best else torch.zeros(len(objects))


def _reached(best: Tensor) -> str:
    """How many objects some anchor reaches. best: (G,)."""
    return f" {int((best >= REACH).sum())} of {len(best)} objects reach IoU {REACH}." if len(best) else ""


def _sentence(inside: Tensor, kept: int) -> str:
    """inside: (rows, columns, A). kept: how many of the cell's shapes are."""
    rows, columns, shapes = inside.shape
    count = f"{rows} × {columns} cells × {shapes} = {inside.numel():,} anchors"
    return f"Here {kept} of {shapes} shapes are inside. {count}, {int(inside.sum()):,} inside."


class IoUExplorer(Explorer):
    """Two boxes to drag: how much they overlap, as a number and as a bar, and how far they are apart.

    image: (3, H, W) in [0, 1].
    """

    TICKS = (AnchorTargetConfig().negative_overlap, AnchorTargetConfig().positive_overlap)
    replaceable: ClassVar = {"iou": Own(box_iou)}

    def __init__(self, image: Tensor):
        self.size = tuple(image.shape[-2:])  # (H, W)
        first, second = self.place("shifted")
        handles = {
            "first": Handle(roles.BEFORE, first, name="first box"),
            "second": Handle(roles.AFTER, second, name="second box"),
        }
        presets = {name: dict(zip(handles, self.place(name), strict=True)) for name in EXAMPLES if name != "shifted"}
        super().__init__({}, Canvas(image, handles=handles), presets=presets)

    def tensors(self) -> dict:
        """What the twin draws from."""
        return {"size": self.size, "ticks": self.TICKS}

    def place(self, example: str) -> list[list[float]]:
        """The two boxes of an example, whole pixels of this image, one at least."""
        height, width = self.size
        shares = torch.tensor(EXAMPLES[example])  # (2, 4)
        boxes = (shares * torch.tensor([width, height, width, height])).round()
        return torch.cat([boxes[:, :2], torch.maximum(boxes[:, 2:], boxes[:, :2] + 1)], dim=1).tolist()

    def draw(self) -> str:
        """Draw the intersection and the bar; say how large the overlap is and how far the boxes are apart."""
        first, second = self.canvas.box("first"), self.canvas.box("second")
        shared = torch.cat([torch.maximum(first, second)[:2], torch.minimum(first, second)[2:]])
        overlap = shared[None] if bool((shared[2:] > shared[:2]).all()) else shared.new_zeros(0, 4)
        area = float(box_area(overlap).sum())
        union = float(box_area(first) + box_area(second)) - area
        iou = float(box_iou(first[None], second[None]))
        shown = float(self.own["iou"](first[None], second[None]))  # the reader's, where there is one
        self.canvas.draw([*self._bar(shown, iou), Boxes(overlap, SHARED, fill=0.4)])
        t_x, t_y = encode(second, first)[:2].tolist()
        ways = f"{abs(t_x):.2f} widths {'right' if t_x >= 0 else 'left'}"
        ways += f", {abs(t_y):.2f} heights {'down' if t_y >= 0 else 'up'}"
        return f"IoU = {area:,.0f} / {union:,.0f} square pixels = {iou:.4f}. From first to second box: {ways}."

    def _bar(self, iou: float, right: float) -> list[Layer]:
        """IoU from 0 to 1 along the lower edge, with the thresholds of the next notebook. right: the package's IoU."""
        height, width = self.size
        left, long, top, bottom = 0.05 * width, 0.9 * width, 0.94 * height, 0.975 * height
        bar = torch.tensor([[left, top, left + iou * long, bottom]])
        ticks = torch.tensor([[left + tick * long, top] for tick in self.TICKS])  # (2, 2)
        text = f"IoU {iou:.4f}" + f", not {right:.4f}" * (abs(iou - right) > TOLERANCE)
        return [
            Boxes(torch.tensor([[0, 0.85 * height, width, height]]), Role(roles.GROUND), fill=0.8, width=1),
            Boxes(bar if iou > 0 else bar[:0], SHARED, fill=1.0, width=1, name=""),
            Boxes(torch.tensor([[left, top, left + long, bottom]]), roles.PLAIN, width=1),
            Lines(torch.stack([ticks, ticks + torch.tensor([0, bottom - top])], dim=1), roles.PLAIN, width=2),
            Points(ticks, Role(roles.GROUND), radius=0, labels=[f"{tick:g}" for tick in self.TICKS]),
            Points(torch.tensor([[left, top]]), SHARED, radius=0, labels=[text], name=""),
        ]


EXAMPLES = {  # in shares of the image's sides: x1, y1, x2, y2 of the first and the second box
    "shifted": ((0.25, 0.15, 0.60, 0.60), (0.35, 0.25, 0.70, 0.70)),  # the start
    "Inside": ((0.20, 0.10, 0.80, 0.70), (0.35, 0.25, 0.65, 0.55)),
    "Other shape": ((0.20, 0.30, 0.80, 0.55), (0.40, 0.10, 0.60, 0.75)),
    "0.1 apart": ((0.30, 0.20, 0.70, 0.70), (0.34, 0.20, 0.74, 0.70)),
    "0.2 apart": ((0.30, 0.20, 0.70, 0.70), (0.38, 0.20, 0.78, 0.70)),
    "0.2 apart, small": ((0.45, 0.40, 0.50, 0.46), (0.46, 0.40, 0.51, 0.46)),
    "Touching": ((0.20, 0.20, 0.50, 0.60), (0.50, 0.20, 0.80, 0.60)),
}
