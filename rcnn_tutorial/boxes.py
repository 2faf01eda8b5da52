"""Arithmetic on boxes that every stage shares.

A box is (x1, y1, x2, y2) in pixels with continuous corners: width = x2 - x1. The reference code counts pixels
inclusively (width = x2 - x1 + 1); adding [0, 0, 1, 1] to its boxes turns them into ours, and then anchors, overlaps
and regression targets agree exactly.
"""

import math

import torch
from torch import Tensor

# A box one pixel wide may still be stretched over 100 000 pixels, wider than any image it will be clipped to. Beyond
# that exp() only heads for overflow, so larger coefficients (which the reference would let through) stop here.
MAX_LOG_SCALE = math.log(100_000)

# Sides are floored here before anything is divided by them, so that an empty box gives large numbers, never NaN.
MIN_SIDE = 1e-6


def box_area(boxes: Tensor) -> Tensor:
    """Area in square pixels of boxes (..., 4); shape (...)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every box of `a` with every box of `b` (the post's "IoU Overlap").

    a: (..., N, 4), b: (..., M, 4), leading dimensions broadcast. Returns (..., N, M) in [0, 1]; 0 where both are empty.
    """
    # `a` runs along the innermost dimension: mostly it is the long list (anchors against objects), and elementwise
    # operations are fastest along one long contiguous row.
    a, b = a[..., None, :, :], b[..., :, None, :]  # (..., 1, N, 4), (..., M, 1, 4)
    a_x1, a_y1, a_x2, a_y2 = _coordinates(a)  # (..., 1, N) each
    b_x1, b_y1, b_x2, b_y2 = _coordinates(b)  # (..., M, 1) each
    # In place wherever it can be: fresh memory for every step would take longer than the arithmetic.
    width = torch.minimum(a_x2, b_x2).sub_(torch.maximum(a_x1, b_x1)).clamp_(min=0)  # (..., M, N)
    height = torch.minimum(a_y2, b_y2).sub_(torch.maximum(a_y1, b_y1)).clamp_(min=0)  # (..., M, N)
    intersection = width.mul_(height)  # (..., M, N)
    empty = torch.finfo(width.dtype).tiny  # an empty box's area, so that two of them do not divide 0 by 0
    union = (box_area(a).clamp(min=empty) + box_area(b).clamp(min=empty)).sub_(intersection)  # (..., M, N)
    return intersection.div_(union).mT  # (..., N, M)


def _coordinates(boxes: Tensor) -> tuple[Tensor, ...]:
    """x1, y1, x2, y2 of boxes (..., 4), each (...) and contiguous."""
    return boxes.movedim(-1, 0).contiguous().unbind(0)


def centers_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Corners (..., 4) as centers (..., 2) and sizes (width, height) (..., 2), in pixels."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]


def encode(boxes: Tensor, references: Tensor) -> Tensor:
    """Regression coefficients (t_x, t_y, t_w, t_h) that turn each reference box into its target box.

    boxes, references: (..., 4). Returns (..., 4), without unit: the shift of the center (not of the corner, as the
    post has it) in units of the reference's size, and the logarithm of the size ratio. R-CNN paper, appendix C.
    """
    center, size = centers_and_sizes(boxes)
    reference_center, reference_size = centers_and_sizes(references)
    reference_size = reference_size.clamp(min=MIN_SIDE)
    shift = (center - reference_center) / reference_size  # (..., 2)
    log_scale = torch.log(size.clamp(min=MIN_SIDE) / reference_size)  # (..., 2)
    return torch.cat([shift, log_scale], dim=-1)


def decode(coefficients: Tensor, references: Tensor) -> Tensor:
    """Apply regression coefficients to reference boxes: decode(encode(b, r), r) == b.

    coefficients, references: (..., 4), broadcast. Returns boxes (..., 4) in pixels.
    """
    reference_center, reference_size = centers_and_sizes(references)
    center = reference_center + coefficients[..., :2] * reference_size  # (..., 2)
    size = reference_size * torch.exp(coefficients[..., 2:].clamp(max=MAX_LOG_SCALE))  # (..., 2)
    return torch.cat([center - size / 2, center + size / 2], dim=-1)


def clip(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Move corners that lie outside an image onto its border.

    boxes: (..., 4). sizes: image (height, width) in pixels, (2,) or broadcastable (..., 2). Returns (..., 4).
    """
    limits = torch.cat([sizes, sizes], dim=-1).flip(-1).to(boxes.dtype)  # (..., 4) as x, y, x, y
    return torch.minimum(boxes.clamp(min=0), limits)
