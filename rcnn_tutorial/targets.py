"""What is known of the objects in an image, as torchvision's users write it: the one rule for all that take targets.

A target is a dict per image:

- "boxes": a tensor (N, 4) of numbers, x1, y1, x2, y2 in the image's pixels, x1 < x2 and y1 < y2, finite. torchvision's
  BoundingBoxes may have another format and are converted. Without objects N is 0, and (0,) will do.
- "labels": a tensor (N,) of integers, 1..C.
- "difficult" (or, as in COCO, "iscrowd"), optional: (N,); such objects are not learned and not counted. None without.
- "image_id", optional: names the image in messages.

Whatever else it holds is left alone. All may be on any device.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2.functional import convert_bounding_box_format

from rcnn_tutorial.errors import ConfigError, DataError


class Objects(NamedTuple):
    """The objects of one image, on the CPU."""

    boxes: Tensor  # (N, 4) float32, x1, y1, x2, y2 in the image's pixels
    labels: Tensor  # (N,) int64, 1..C
    difficult: Tensor  # (N,) bool


class Outline(NamedTuple):
    """What is known of an item of a data set without its pixels."""

    name: str  # what a reader knows the image by: its file, or the image_id where there is none
    size: tuple[int, int]  # (height, width) in pixels
    target: dict


def outline_of(dataset, index: int) -> Outline:
    """The outline of item `index`: what the data set's own method `outline` says, or else from the item itself."""
    if hasattr(dataset, "outline"):
        return dataset.outline(index)
    image, target = dataset[index]
    return Outline(image_name(target, f"number {index}"), tuple(image.shape[-2:]), target)


def objects_of(target: dict, classes: int | None = None, name: str | None = None) -> Objects:
    """The objects of a target. Raises DataError, naming the image, for one that breaks the rule above.

    classes: how many there are; None leaves the labels' range unchecked. name: of the image, where it has no image_id.
    """
    where = f"target of image {image_name(target, name or '(no image_id)')}"
    boxes, labels = _corners(_tensor(target, "boxes", where), where), _on_cpu(_tensor(target, "labels", where))
    if boxes.ndim != 2 or boxes.shape[1] != 4 or labels.shape != boxes.shape[:1]:
        shapes = f"boxes {tuple(boxes.shape)} and labels {tuple(labels.shape)}"
        raise DataError(f"{where}: {shapes}; expected (N, 4) and (N,)")
    if len(labels) and (labels.is_floating_point() or labels.dtype == torch.bool):
        raise DataError(f"{where}: labels of type {labels.dtype}; expected integers such as torch.int64")
    labels = labels.long()
    if classes is not None and len(labels) and not (1 <= int(labels.min()) and int(labels.max()) <= classes):
        raise DataError(f"{where}: labels {labels.tolist()}; expected 1 to {classes} (0 is background)")
    if not bool((torch.isfinite(boxes).all(dim=1) & (boxes[:, :2] < boxes[:, 2:]).all(dim=1)).all()):
        raise DataError(f"{where}: empty, inverted or infinite box among {boxes.tolist()}; drop such boxes first")
    return Objects(boxes, labels, _difficult(target, len(boxes), where))


def make_target(boxes, labels, difficult, size: tuple[int, int], image_id: str) -> dict:
    """The target of an image of `size` = (height, width) from tensors, arrays or lists of its N objects' values.

    Its boxes are BoundingBoxes: transforms move boxes along with the pixels only if they are marked so.
    """
    boxes = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=tuple(size)),  # (N, 4)
        "labels": torch.as_tensor(labels, dtype=torch.int64).reshape(-1),  # (N,)
        "difficult": torch.as_tensor(difficult, dtype=torch.bool).reshape(-1),  # (N,)
        "image_id": image_id,
    }


def standard_target(target: dict, size: tuple[int, int], name: str) -> dict:
    """What is learned of a target, as `make_target` writes it: without difficult objects, and nothing else in it."""
    objects = objects_of(target, name=name)
    learned = (values[~objects.difficult] for values in objects)
    return make_target(*learned, size, image_name(target, name))


def image_name(target: dict, name: str) -> str:
    """What messages call the image: its image_id, a number, a text or a tensor with one number; `name` without."""
    image_id = target.get("image_id", name) if isinstance(target, dict) else name
    return str(image_id.tolist() if isinstance(image_id, Tensor) else image_id)


def classes_of(dataset) -> tuple[str, ...]:
    """The names of a data set's classes. Raises ConfigError for one that does not tell them, such as torch's Subset."""
    classes = getattr(dataset, "classes", None)
    if classes is None:
        raise ConfigError(
            f"the data set ({type(dataset).__name__}) has no attribute `classes`: set it to the names of labels 1, 2, "
            "..., such as subset.classes = dataset.classes"
        )
    return tuple(classes)


def plain(tensor: Tensor) -> Tensor:
    """The same numbers without a subclass: torchvision's "this is an image" would be asked at every operation."""
    return torch.as_tensor(tensor).as_subclass(Tensor)


def _tensor(target: dict, key: str, where: str) -> Tensor:
    value = target.get(key) if isinstance(target, dict) else None
    if not isinstance(value, Tensor):
        found = "is missing" if value is None else f"is of type {type(value).__name__}"
        raise DataError(f"{where}: {key!r} {found}; expected tensors, boxes (N, 4) and labels (N,), where N may be 0")
    return value


def _on_cpu(tensor: Tensor) -> Tensor:
    return plain(tensor).detach().cpu()


def _corners(boxes: Tensor, where: str) -> Tensor:
    """Boxes (N, 4) float32 as x1, y1, x2, y2, from whatever format they say they have; none from (0,)."""
    form = getattr(boxes, "format", None)
    corners = _on_cpu(boxes).to(torch.float32)
    if corners.numel() == 0:
        return corners.reshape(-1, 4)
    if not isinstance(form, tv_tensors.BoundingBoxFormat) or form == tv_tensors.BoundingBoxFormat.XYXY:
        return corners
    if form not in (tv_tensors.BoundingBoxFormat.XYWH, tv_tensors.BoundingBoxFormat.CXCYWH):
        raise DataError(f"{where}: boxes of format {form.value}; expected XYXY, XYWH or CXCYWH")
    return convert_bounding_box_format(corners, old_format=form, new_format="XYXY")


def _difficult(target: dict, count: int, where: str) -> Tensor:
    marks = target.get("difficult", target.get("iscrowd"))
    if marks is None:
        return torch.zeros(count, dtype=torch.bool)
    marks = _on_cpu(marks).bool()
    if marks.shape != (count,):
        raise DataError(f"{where}: 'difficult' of shape {tuple(marks.shape)} for {count} boxes; expected ({count},)")
    return marks
