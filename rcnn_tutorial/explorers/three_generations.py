"""Explorers of the tenth notebook: segments that merge and the boxes they give; one ROI as two generations see it."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import CropPoolingConfig
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas, Handle, encode_image
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer
from rcnn_tutorial.explorers.own import Own
from rcnn_tutorial.figures.three_generations import CUT, cut_boxes
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, heat_colors, not_empty, to_uint8
from rcnn_tutorial.stages.crop_pooling import crop_pool
from rcnn_tutorial.stages.rcnn import MEAN, warp
from rcnn_tutorial.stages.selective_search import TRAITS, group, regions_after, segments

REGIONS, BOXES = "regions", "boxes"
COVERED = 0.5  # the IoU from which a box counts as covering an object
DRAWN = 300  # boxes at most: more are a gray veil
SCALE = 200.0  # of the segments: larger than the package's, so that a reader can follow the merges
_BEST = roles.AFTER._replace(name="box, best for an object")
_OTHERS = roles.OTHER._replace(name="other boxes")


class SelectiveSearchExplorer(Explorer):
    """Segments that merge two by two, and the boxes of all regions, last merged first, with the objects they cover.

    image: (3, H, W) in [0, 1]. objects: (G, 4) in its pixels, or None. names: what they are called. One hierarchy; the
    package's function joins two and leaves out near copies.
    """

    def __init__(
        self,
        image: Tensor,
        objects: Tensor | None = None,
        names: Sequence[str] = (),
        scale: float = SCALE,
    ):
        image = to_cpu(image, single=True)
        self.image = image
        self.objects = torch.zeros(0, 4) if objects is None else to_cpu(torch.as_tensor(objects), single=True)
        self.names = list(names) or [f"object {k}" for k in range(1, len(self.objects) + 1)]
        self.segments = segments(image, scale)  # (H, W)
        self.hierarchy = group(image, self.segments)
        self.colors = mean_colors(image, self.segments, self.hierarchy.merges)  # (K, 3)
        last_first = self.hierarchy.boxes.flip(0).tolist()
        self.boxes = torch.tensor(list(dict.fromkeys(map(tuple, last_first))))  # (R, 4) each box once
        self.overlaps = box_iou(self.objects, self.boxes)  # (G, R)
        merges, count = len(self.hierarchy.merges), len(self.boxes)
        controls = {
            "view": choice("Show", (REGIONS, BOXES), BOXES),
            "count": integer("Boxes", min(100, count), 1, count),
            "merges": integer("Merges", 0, 0, merges),
        }
        presets = {
            "Segments": {"view": REGIONS, "merges": 0},
            "Half merged": {"view": REGIONS, "merges": merges // 2},
            "100 regions": {"view": REGIONS, "merges": max(0, merges - 99)},
            "30 boxes": {"view": BOXES, "count": min(30, count)},
            "All boxes": {"view": BOXES, "count": count},
        }
        super().__init__(controls, Canvas(image), presets)

    def tensors(self) -> dict:
        """What the twin draws from: the hierarchy as it was grouped. The photo goes as the file that the canvas has."""
        hierarchy = self.hierarchy._asdict() | {"segments": self.segments[None], "colors": self.colors}
        photo = encode_image(to_uint8(self.image))
        return hierarchy | {"traits": TRAITS, "photo": photo, "objects": self.objects, "names": self.names}

    def draw(self) -> str:
        """Draw the regions after so many merges, or the first so many boxes; say what was merged, what is covered."""
        if self.view.value == REGIONS:
            self.rest(count="this view shows regions")
            return self._regions()
        self.rest(merges="this view shows the boxes of all merges")
        return self._boxes()

    def _regions(self) -> str:
        done, (boxes, merges, similarities, terms) = self.merges.value, self.hierarchy
        labels = regions_after(self.segments, merges, done)  # (H, W)
        left = len(merges) + 1 - done
        layers: list[Layer] = [Boxes(self.objects, roles.GROUND_TRUTH, width=2.0)]
        if done:
            pair, new = merges[done - 1], len(merges) + done
            layers += [
                Boxes(boxes[pair], roles.BEFORE._replace(name="merged last")),
                Boxes(boxes[new : new + 1], roles.AFTER._replace(name="became")),
            ]
        self.canvas.draw(not_empty(layers), image=with_borders(self.colors[labels], labels), size=tuple(labels.shape))
        sentence = f"{len(merges) + 1:,} segments, {done:,} merges: {left:,} regions are left."
        if not done:
            return sentence
        alike = ", ".join(f"{name} {term:.2f}" for name, term in zip(TRAITS, terms[done - 1].tolist(), strict=True))
        return f"{sentence} The last merge had a similarity of {float(similarities[done - 1]):.2f}: {alike}."

    def _boxes(self) -> str:
        count = self.count.value
        best, place = (
            self.overlaps[:, :count].max(dim=1) if len(self.objects) else (torch.zeros(0), torch.zeros(0).long())
        )
        others = torch.tensor([k for k in range(min(count, DRAWN)) if k not in place[best >= COVERED].tolist()])
        layers: list[Layer] = [Boxes(self.boxes[others.long()], _OTHERS, width=1.0, opacity=0.5)]
        layers += [Boxes(self.boxes[place[best >= COVERED]], _BEST), *self._ticked(best)]
        self.canvas.draw(not_empty(layers), image=self.image, size=tuple(self.segments.shape))
        drawn = f" The first {DRAWN} are drawn." if count > DRAWN else ""
        if not len(self.objects):
            return f"The first {count:,} of {len(self.boxes):,} boxes. No objects: nothing to cover.{drawn}"
        covered = f"{int((best >= COVERED).sum())} of {len(self.objects)} objects (IoU {COVERED:.2f} or more)"
        listed = ", ".join(f"{name} {fit:.2f}" for name, fit in zip(self.names, best.tolist(), strict=True))
        return f"The first {count:,} of {len(self.boxes):,} boxes cover {covered}. Best IoU: {listed}.{drawn}"

    def _ticked(self, best: Tensor) -> list[Layer]:
        """The objects, ticked where a box covers them, and crossed where none does. best: (G,)."""
        layers: list[Layer] = []
        for rows, sign, words, dash in (
            (best < COVERED, "✗", "missed", "dotted"),
            (best >= COVERED, "✓", "covered", roles.GROUND_TRUTH.dash),
        ):
            labels = [f"{sign} {name}" for name, mine in zip(self.names, rows.tolist(), strict=True) if mine]
            role = roles.GROUND_TRUTH._replace(dash=dash, name=f"object, {words}")
            layers.append(Boxes(self.objects[rows], role, labels=labels))
        return layers


def mean_colors(image: Tensor, segments: Tensor, merges: Tensor) -> Tensor:
    """The mean color of every region, segments first, then merged ones: (K, 3). image: (3, H, W), segments: (H, W)."""
    count = int(segments.max()) + 1
    sums = torch.zeros(count, 3).index_add(0, segments.flatten(), image.flatten(1).T.float())
    sizes = torch.bincount(segments.flatten(), minlength=count).float()
    rows, pixels = list(sums), sizes.tolist()
    for one, other in merges.tolist():
        rows.append(rows[one] + rows[other])
        pixels.append(pixels[one] + pixels[other])
    return torch.stack(rows) / torch.tensor(pixels)[:, None]


def with_borders(colors: Tensor, labels: Tensor) -> Tensor:
    """Regions in their colors (H, W, 3) with a dark line where two meet: (3, H, W). labels: (H, W)."""
    picture = colors.permute(2, 0, 1).clone()
    beside, below = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    picture[:, :, 1:][:, beside] = 0.0
    picture[:, 1:][:, below] = 0.0
    return picture


class GenerationsExplorer(Explorer):
    """A ROI to drag: R-CNN warps its pixels and sends them through the head, Fast R-CNN cuts it out of the map.

    image: (3, H, W) in [0, 1], in the scaled pixels of the network. features: (C, rows, columns) of that image, a cell
    every `stride` pixels. roi: (4,) where the ROI starts, pixels.
    """

    replaceable: ClassVar = {"warp_box": Own(cut_boxes)}

    def __init__(
        self,
        image: Tensor,
        features: Tensor,
        roi: Tensor | None = None,
        stride: int = 16,
        pooling: CropPoolingConfig | None = None,
    ):
        self.image, self.features = to_cpu((image, features), single=True)
        self.pooling, self.stride = pooling or CropPoolingConfig(), stride
        height, width = self.image.shape[-2:]
        if roi is None:
            roi = torch.tensor([0.3 * width, 0.3 * height, 0.7 * width, 0.7 * height]).round()
        controls = {
            "context": integer("Context (pixels)", 16, 0, 48),
            "size": choice("Warped to", [(f"{size} × {size}", size) for size in (112, 224)], 224),
        }
        tall = [0.45 * width, 0.1 * height, 0.55 * width, 0.9 * height]
        wide = [0.1 * width, 0.42 * height, 0.9 * width, 0.58 * height]
        presets = {
            "No context": {"context": 0},
            "Tall": {"roi": [round(corner) for corner in tall]},
            "Wide": {"roi": [round(corner) for corner in wide]},
        }
        handle = Handle(roles.CHOSEN, roi.tolist(), name="ROI")
        pictures = [
            Canvas(self.image, handles={"roi": handle}, width=560, title="The photo"),
            Canvas(size=(224, 224), width=300, title="R-CNN: pixels"),
            Canvas(size=(7, 7), width=300, title="Fast R-CNN: map"),
        ]
        for picture in pictures[1:]:
            picture.add_class("rcnn-aside")
        super().__init__(controls, pictures, presets)

    def tensors(self) -> dict:
        """What the twin draws from. The photo goes as bytes: a fourth of the size, and half a level is not seen."""
        photo = to_uint8(self.image).transpose(2, 0, 1)  # (3, H, W)
        cropping = {"features": self.features, "stride": self.stride, "pooling": dataclasses.asdict(self.pooling)}
        return cropping | {"photo": photo, "mean": MEAN, "viridis": heat_colors()}

    def draw(self) -> str:
        """Draw the box that is cut, the warped pixels and the piece of the map; say what passes the head."""
        roi, size, context = self.canvas.box("roi")[None], self.size.value, self.context.value
        cut = self.own["warp_box"](roi, size, context)  # (1, 4)
        warped = warp(self.image, cut, size, 0)[0]  # (3, size, size)
        crop = crop_pool(self.features[None], roi[None], self.stride, self.pooling)[0]  # (channels, k, k)
        strength = crop.double().norm(dim=0).float()  # (k, k); in single precision, processors add up differently
        self.canvas.draw([Boxes(cut, CUT)])
        filled = torch.tensor([[context, context, size - context, size - context]])
        self.canvases[1].draw([Boxes(filled, roles.CHOSEN, width=2, name="")], image=warped, size=(size, size))
        self.canvases[2].draw([Heatmap(strength)], size=tuple(strength.shape))
        (width, height), k = (roi[0, 2:] - roi[0, :2]).tolist(), len(strength)
        across, down = (size - 2 * context) / max(width, 1e-6), (size - 2 * context) / max(height, 1e-6)
        cells = f"{width / self.stride:.1f} × {height / self.stride:.1f} cells"
        return (
            f"R-CNN stretches the ROI of {width:.0f} × {height:.0f} pixels {across:.2f} times across, {down:.2f} times "
            f"down; {size * size:,} pixels pass the head for this one ROI. Fast R-CNN reads {k} × {k} values off the "
            f"map, where the ROI covers {cells}; no pixel passes the head again."
        )
