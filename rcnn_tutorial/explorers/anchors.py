"""Explorers of the third notebook: anchors on the grid, and the overlap and coefficients of two boxes."""

import math

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_area, box_iou, centers_and_sizes, encode
from rcnn_tutorial.config import AnchorConfig, AnchorTargetConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas, Handle
from rcnn_tutorial.explorers.explorer import Explorer, Several, choice, integer
from rcnn_tutorial.roles import Role
from rcnn_tutorial.scene import Boxes, Points
from rcnn_tutorial.stages.anchors import anchor_sizes, generate_anchors, inside_image

REACH = AnchorTargetConfig().negative_overlap  # an object whose best anchor stays below is missed
_REACHED = roles.GROUND_TRUTH._replace(name=f"object, IoU {REACH} or more")
_MISSED = Role(roles.PALETTE[1], "dashed", "object that is missed")
_SCALES = (1, 2, 4, 8, 16, 32)
_RATIOS = (0.25, 0.5, 1, 2, 4)


class AnchorExplorer(Explorer):
    """The shapes at one cell of the grid, how many anchors lie inside the image, and which objects they miss.

    image: (3, H, W) in [0, 1], as the network sees it (after preprocessing). objects: (G, 4) in its pixels, or None.
    Click the picture to choose a cell.
    """

    def __init__(
        self, image: Tensor, config: AnchorConfig | None = None, stride: int = 16, objects: Tensor | None = None
    ):
        config = config or AnchorConfig()
        self.size = tuple(image.shape[-2:])  # (H, W)
        self.objects = torch.zeros(0, 4) if objects is None else to_cpu(torch.as_tensor(objects), single=True)
        rows, columns = self.grid(stride)
        controls = {
            "base_size": integer("Base size (pixels)", config.base_size, 4, 64),
            "scales": Several("Scales", sorted({*_SCALES, *config.scales}), config.scales),
            "ratios": Several("Ratios (height / width)", sorted({*_RATIOS, *config.ratios}), config.ratios),
            "stride": choice("Stride (pixels)", sorted({4, 8, 16, 32, stride}), stride),
            "column": integer("Grid column", columns // 2, 0, columns - 1),
            "row": integer("Grid row", rows // 2, 0, rows - 1),
            "border": integer("Border (pixels)", 0, 0, 400, 10),
        }
        super().__init__(controls, Canvas(image))
        self.canvas.observe(self._choose_cell, "clicked")

    def grid(self, stride: int) -> tuple[int, int]:
        """Rows and columns of the feature map."""
        return math.ceil(self.size[0] / stride), math.ceil(self.size[1] / stride)

    def draw(self) -> str:
        """Draw the grid and the shapes of one cell; count the anchors."""
        config = AnchorConfig(self.base_size.value, self.scales.value, self.ratios.value)
        if not config.scales or not config.ratios:
            raise ConfigError("without a scale and a ratio there is no anchor; tick at least one of each")
        stride, (rows, columns) = self.stride.value, self.grid(self.stride.value)
        self.column.max, self.row.max = columns - 1, rows - 1
        row, column = self.row.value, self.column.value
        names = [f"{width:g}×{height:g}" for width, height in anchor_sizes(config).tolist()]  # of the A shapes
        anchors = generate_anchors(rows, columns, stride, config)  # (N, 4)
        inside = inside_image(anchors, torch.tensor([self.size]), self.border.value)[0]  # (N,)
        best = best_overlaps(self.objects, anchors[inside])  # (G,)
        anchors, inside = anchors.view(rows, columns, -1, 4), inside.view(rows, columns, -1)
        grid, *shapes = self._layers(anchors, inside, row, column, names)
        self.canvas.draw([grid, *self._objects(best), *shapes])
        return _sentence(inside, row, column, names) + _missed(best)

    def _objects(self, best: Tensor) -> list[Boxes]:
        """The objects, those apart that the anchors miss. best: (G,)."""
        layers = []
        for rows, role in ((best >= REACH, _REACHED), (best < REACH, _MISSED)):
            if bool(rows.any()):
                hover = [f"best IoU {overlap:.4f}" for overlap in best[rows].tolist()]
                layers.append(Boxes(self.objects[rows], role, hover=hover))
        return layers

    def _layers(self, anchors: Tensor, inside: Tensor, row: int, column: int, names: list[str]) -> list:
        """Grid, shapes and cell. anchors: (rows, columns, A, 4), inside: (rows, columns, A)."""
        centers, _ = centers_and_sizes(anchors[:, :, 0])  # (rows, columns, 2)
        cell, kept = anchors[row, column], inside[row, column]  # (A, 4), (A,)
        layers = [Points(centers.view(-1, 2), roles.PLAIN, radius=1.5, name=f"grid, every {self.stride.value} pixels")]
        for fits, role, name in ((~kept, roles.BEFORE, "leaves the image"), (kept, roles.AFTER, "inside the image")):
            if bool(fits.any()):
                sizes = [size for size, yes in zip(names, fits.tolist(), strict=True) if yes]
                layers.append(Boxes(cell[fits], role, labels=self._labels(cell[fits], sizes), hover=sizes, name=name))
        return [*layers, Points(centers[row, column][None], roles.CHOSEN, radius=7, name="the cell")]

    def _labels(self, boxes: Tensor, sizes: list[str]) -> list[str]:
        """The sizes of the boxes (S, 4) that are large enough for a text beside them; the others are nameless."""
        longest = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1).tolist()  # (S,)
        return [size if side >= self.size[1] / 10 else "" for size, side in zip(sizes, longest, strict=True)]

    def _choose_cell(self, change) -> None:
        x, y = change["new"]
        self.set(column=int(x / self.stride.value), row=int(y / self.stride.value))


def best_overlaps(objects: Tensor, anchors: Tensor) -> Tensor:
    """The largest IoU of each object (G, 4) with any of the anchors (N, 4): (G,); 0 where there is no anchor."""
    best = [box_iou(one[None], anchors).amax() for one in objects if len(anchors)]
    return torch.stack(best) if best else torch.zeros(len(objects))


def _missed(best: Tensor) -> str:
    """How many objects no anchor reaches. best: (G,)."""
    missed = best[best < REACH]
    if not len(best):
        return ""
    text = f" Objects: {len(best) - len(missed)} of {len(best)} overlap some anchor inside by IoU {REACH} or more"
    return text + (f"; the best of the missed reaches {float(missed.max()):.4f}." if len(missed) else ".")


def _sentence(inside: Tensor, row: int, column: int, names: list[str]) -> str:
    """inside: (rows, columns, A)."""
    rows, columns, shapes = inside.shape
    kept = int(inside[row, column].sum())
    leaving = f"{shapes - kept} {'leaves' if shapes - kept == 1 else 'leave'} it"
    never = [name for name, fits in zip(names, inside.any(0).any(0).tolist(), strict=True) if not fits]
    text = f"Cell (column {column}, row {row}): {kept} of {shapes} shapes inside the image, {leaving}. "
    count = f"{rows} × {columns} cells × {shapes} = {inside.numel():,} anchors"
    text += f"Whole grid: {count}, {int(inside.sum()):,} inside."
    return text + (f" Inside nowhere: {', '.join(never)}." if never else "")


class IoUExplorer(Explorer):
    """Two boxes to drag: how much they overlap, and the coefficients that turn the first into the second.

    image: (3, H, W) in [0, 1].
    """

    def __init__(self, image: Tensor):
        self.size = tuple(image.shape[-2:])  # (H, W)
        handles = {
            "first": Handle(roles.BEFORE, self.place("shifted")[0], name="first box"),
            "second": Handle(roles.AFTER, self.place("shifted")[1], name="second box"),
        }
        controls = {"example": choice("Example", list(_EXAMPLES), "shifted")}
        super().__init__(controls, Canvas(image, handles=handles))
        self.example.observe(self._show_example, "value")

    def place(self, example: str) -> list[list[float]]:
        """The two boxes of an example, whole pixels of this image."""
        height, width = self.size
        shares = torch.tensor(_EXAMPLES[example])  # (2, 4)
        return (shares * torch.tensor([width, height, width, height])).round().tolist()

    def draw(self) -> str:
        """Draw the intersection; say how large it is and what turns one box into the other."""
        first, second = self.canvas.box("first"), self.canvas.box("second")
        shared = torch.cat([torch.maximum(first, second)[:2], torch.minimum(first, second)[2:]])
        overlap = shared[None] if bool((shared[2:] > shared[:2]).all()) else shared.new_zeros(0, 4)
        area = float(box_area(overlap).sum())
        union = float(box_area(first) + box_area(second)) - area
        iou = float(box_iou(first[None], second[None]))
        center, _ = centers_and_sizes(overlap)
        common = Boxes(overlap, roles.CHOSEN._replace(dash="dotted"), fill=0.35, name="intersection")
        number = Points(center, roles.CHOSEN, labels=[f"IoU {iou:.4f}"] * len(overlap), name="")
        self.canvas.draw([common, number])
        shares = f"Intersection {area:,.0f} / union {union:,.0f} square pixels"
        return f"{shares} = IoU {iou:.4f}. {_in_words(first, second)}"

    def _show_example(self, change) -> None:
        first, second = self.place(change["new"])
        self.canvas.move(first=first, second=second)


_EXAMPLES = {  # in shares of the image's sides: x1, y1, x2, y2 of the first and the second box
    "shifted": ((0.25, 0.25, 0.60, 0.70), (0.35, 0.35, 0.70, 0.80)),
    "one inside the other": ((0.20, 0.20, 0.80, 0.80), (0.35, 0.35, 0.65, 0.65)),
    "same center, other shape": ((0.20, 0.35, 0.80, 0.65), (0.40, 0.15, 0.60, 0.85)),
    "touching": ((0.20, 0.30, 0.50, 0.70), (0.50, 0.30, 0.80, 0.70)),
    "apart": ((0.10, 0.20, 0.35, 0.50), (0.60, 0.55, 0.90, 0.85)),
    "equal": ((0.30, 0.30, 0.70, 0.70), (0.30, 0.30, 0.70, 0.70)),
}


def _in_words(first: Tensor, second: Tensor) -> str:
    """What has to happen to the first box to make it the second, with the coefficients' names."""
    t_x, t_y, t_w, t_h = encode(second, first).tolist()
    moves = [
        f"move its center {'right' if t_x >= 0 else 'left'} by {abs(t_x):.2f} of its width (t_x = {t_x:.4f})",
        f"{'down' if t_y >= 0 else 'up'} by {abs(t_y):.2f} of its height (t_y = {t_y:.4f})",
        f"make it {math.exp(t_w):.2f} times as wide (t_w = {t_w:.4f})",
        f"and {math.exp(t_h):.2f} times as high (t_h = {t_h:.4f})",
    ]
    return "To turn the first box into the second: " + ", ".join(moves) + "."
