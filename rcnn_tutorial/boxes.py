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
    a_x1, a_y1, a_x2, a_y2 = a[..., :, None, :].unbind(-1)  # (..., N, 1) each
    b_x1, b_y1, b_x2, b_y2 = b[..., None, :, :].unbind(-1)  # (..., 1, M) each
    width = (torch.minimum(a_x2, b_x2) - torch.maximum(a_x1, b_x1)).clamp(min=0)  # (..., N, M)
    height = (torch.minimum(a_y2, b_y2) - torch.maximum(a_y1, b_y1)).clamp(min=0)  # (..., N, M)
    intersection = width * height  # (..., N, M)
    union = box_area(a)[..., :, None] + box_area(b)[..., None, :] - intersection  # (..., N, M)
    return intersection / union.clamp(min=torch.finfo(union.dtype).tiny)  # two empty boxes do not divide 0 by 0


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
    """Apply regression coefficients to reference boxes, the inverse of `encode`.

    coefficients, references: (..., 4), broadcast. decode(encode(b, r), r) == b. Returns boxes (..., 4) in pixels.
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
