"""What R-CNN has and its successors gave up: pixels of every proposal, warped, and a classifier fitted apart.

Girshick, Donahue, Darrell, Malik 2014: a proposal's pixels become a picture of one size (appendix A), a network makes a
feature vector of it, linear classifiers score the vector (section 2.3), a linear regression moves the box (appendix C).
The paper's classifiers are SVMs. Here they are ridge regressions, which have a solution in closed form and no order of
examples to tune; what is learned stays linear in the features, one class against all others.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_tutorial.boxes import clip, decode
from rcnn_tutorial.config import InferenceConfig, PreprocessingConfig
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.stages.crop_pooling import sample_crops
from rcnn_tutorial.stages.inference import Detections, detect
from rcnn_tutorial.stages.preprocessing import checked_image

MEAN = PreprocessingConfig().mean  # what is outside the image: the color that preprocessing turns into 0


def warp(image: Tensor, rois: Tensor, size: int = 224, context: int = 16, mean: Sequence[float] = MEAN) -> Tensor:
    """Every ROI's pixels, stretched to a square whatever its shape: (R, 3, size, size).

    image: (3, H, W), RGB in [0, 1]. rois: (R, 4) in its pixels. context: pixels of surroundings on each side of the
    square, counted after the warp (the paper's p = 16); the ROI fills the rest. Outside the image is the mean color.
    """
    if not 0 <= 2 * context < size:
        raise ConfigError(f"warp: context = {context}, size = {size}: use a context from 0 to less than half the size")
    image = checked_image(image)
    if not len(rois):  # torch makes no grid for nothing
        return image.new_zeros(0, 3, size, size)
    height, width = image.shape[1:]
    x1, y1, x2, y2 = rois.unbind(-1)  # (R,) each
    grow = size / (size - 2 * context)  # of the ROI, around its center, to the piece that is cut
    zero = torch.zeros_like(x1)
    row_x = torch.stack([(x2 - x1) * grow / width, zero, (x1 + x2) / width - 1], dim=-1)  # (R, 3)
    row_y = torch.stack([zero, (y2 - y1) * grow / height, (y1 + y2) / height - 1], dim=-1)  # (R, 3)
    theta = torch.stack([row_x, row_y], dim=1)  # (R, 2, 3) maps the square [-1, 1]^2 onto the piece
    color = image.new_tensor(mean)[:, None, None]  # (3, 1, 1)
    return sample_crops((image - color)[None], theta[None], size, align_corners=False) + color  # 0 outside: the mean


def fit_ridge(features: Tensor, labels: Tensor, classes: int, penalty: float = 0.01) -> Tensor:
    """One linear classifier a class and one for background, each against all others: weights (D + 1, C + 1), double.

    features: (R, D). labels: (R,) class 1..C, 0 for background. Least squares with a penalty, fitted to 1 for the class
    and 0 for all others, so that a score estimates a probability (but may leave [0, 1]). The last row is the bias.
    A stand-in for the paper's SVMs, which would weigh the hardest examples alone.
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) <= classes:
        raise DataError(f"labels from {labels.min()} to {labels.max()}: use 0 (background) to {classes}")
    goals = torch.nn.functional.one_hot(labels.long(), classes + 1)  # (R, C + 1)
    return ridge(features, goals, penalty)


def fit_boxes(features: Tensor, labels: Tensor, coefficients: Tensor, classes: int, penalty: float = 0.01) -> Tensor:
    """Regression of a box's coefficients from its features, class by class (appendix C): (D + 1, C + 1, 4), double.

    features: (R, D). labels: (R,) 0..C. coefficients: (R, 4), what `encode` says of each proposal and its object;
    those of background have no part. A class without a proposal, and background, leave every box where it is.
    """
    weights = torch.zeros(features.shape[1] + 1, classes + 1, 4, dtype=torch.double, device=features.device)
    for label in labels.unique().tolist():
        if label > 0:
            mine = labels == label
            weights[:, label] = ridge(features[mine], coefficients[mine], penalty)
    return weights


def ridge(features: Tensor, goals: Tensor, penalty: float) -> Tensor:
    """The W of least ||X W - goals||^2 + strength ||W||^2, (D + 1, G), whose last row, the bias, costs nothing.

    features: X, (R, D), at least one row. goals: (R, G). penalty: above 0, in units of the features' own mean square
    summed over the rows, so that it means the same for features of any size. In double precision: the squares of
    features span more digits than float32 has.
    """
    if not (penalty > 0 and len(features)):
        raise ConfigError(
            f"ridge: penalty = {penalty}, {len(features)} examples: use a penalty above 0, and some examples"
        )
    x, y = features.double(), goals.double()
    center, middle = x.mean(dim=0), y.mean(dim=0)  # (D,), (G,): the bias takes care of both
    x = x - center
    squares = x.T @ x  # (D, D)
    strength = penalty * squares.diagonal().mean().clamp(min=torch.finfo(x.dtype).eps)
    squares.diagonal().add_(strength)
    weights = torch.linalg.solve(squares, x.T @ (y - middle))  # (D, G)
    return torch.cat([weights, (middle - center @ weights)[None]])


def linear(features: Tensor, weights: Tensor) -> Tensor:
    """What fitted weights say of features. features: (R, D), weights: (D + 1, ...). Returns (R, ...) in double."""
    return torch.tensordot(features.double(), weights[:-1], dims=1) + weights[-1]


def rcnn_detect(
    features: Tensor,
    rois: Tensor,
    classifier: Tensor,
    regression: Tensor | None,
    size: tuple[int, int],
    config: InferenceConfig,
) -> Detections:
    """Score every proposal's features, move its box class by class, and suppress as all three generations do.

    features: (R, D). rois: (R, 4) in pixels of the image. classifier: (D + 1, C + 1) of `fit_ridge`. regression:
    (D + 1, C + 1, 4) of `fit_boxes`; None leaves the boxes as proposed. size: the image's height and width.
    """
    scores = linear(features, classifier).clamp(0, 1)  # (R, C + 1)
    boxes = rois[:, None].expand(-1, scores.shape[1], -1)  # (R, C + 1, 4)
    if regression is not None:
        boxes = decode(linear(features, regression).to(rois.dtype), boxes)
    return detect(clip(boxes, rois.new_tensor(size)), scores.to(rois.dtype), config)
