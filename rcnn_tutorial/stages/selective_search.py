"""Selective search: boxes that may hold an object, out of pixels alone, as R-CNN and Fast R-CNN take them.

Uijlings, van de Sande, Gevers, Smeulders 2013, section 3: small segments of one color each, then the two most similar
neighbors become one region, and again, until the photo is one region. Every region on the way proposes its box, so
objects of all sizes have their turn. Runs on the CPU, in NumPy: nothing here has a gradient.
"""

import heapq
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from skimage.color import rgb2hsv, rgb2lab
from skimage.filters import gaussian
from skimage.measure import regionprops
from skimage.segmentation import felzenszwalb
from torch import Tensor
from torchvision.ops import nms

from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.stages.preprocessing import checked_image

TRAITS = ("color", "texture", "size", "fill")  # the four similarities, each in [0, 1]
COLORS = ("rgb", "lab", "hsv")
COLOR_BINS, TEXTURE_BINS, ORIENTATIONS = 25, 10, 8  # a channel has 25 bins of color, and 8 x 10 of texture
STEEPEST = 0.1  # the last bin of texture begins here: change of a channel (in [0, 1]) over a pixel


class Hierarchy(NamedTuple):
    """All regions of one grouping: S segments, then a new one for each of S - 1 merges; the last is the photo."""

    boxes: Tensor  # (2 S - 1, 4) float32, pixels
    merges: Tensor  # (S - 1, 2) the two regions that became region S, S + 1, ...
    similarities: Tensor  # (S - 1,) of those two, by all traits that count
    terms: Tensor  # (S - 1, 4) the same by each of TRAITS, also by those that do not count


def selective_search(
    image: Tensor,
    count: int | None = None,
    colors: Sequence[str] = ("lab",),
    scales: Sequence[float] = (50.0, 200.0),
    groupings: Sequence[Sequence[str]] = (TRAITS, TRAITS[1:]),
    overlap: float = 0.8,
) -> Tensor:
    """Boxes that may hold an object, (R, 4) on the image's device, best first, at most `count`; the first is the photo.

    image: (3, H, W), RGB in [0, 1]. It is segmented with every color space and scale, and the segments are grouped by
    every choice of traits: hierarchies that err differently find more (section 3.2). Best means last merged: the first
    box of a hierarchy is the photo, the second its last but one region, and so on, the hierarchies in turn. (The paper
    multiplies this place by a random number, section 4.2; then no two runs agree.) Boxes with an IoU above `overlap`
    with an earlier one are left out, equal ones in any case. Raises DataError for what is no photo, ConfigError for
    options that cannot work.
    """
    if (count is not None and count < 1) or not 0 < overlap <= 1:
        raise ConfigError(f"selective search: count = {count}, overlap = {overlap}: use 1 or more, and above 0 up to 1")
    found = []
    for color, scale in product(colors, scales):
        parts = segments(image, scale, color=color)
        found += [group(image, parts, color, traits).boxes.flip(0) for traits in groupings]  # (K, 4), the photo first
    if not found:
        raise ConfigError("selective search: no hierarchy: name at least one color space, one scale and one grouping")
    places = torch.cat([torch.arange(len(boxes)) for boxes in found])  # of every box in its own hierarchy
    boxes = torch.cat(found)[places.argsort(stable=True)]  # (N, 4)
    boxes = torch.tensor(list(dict.fromkeys(map(tuple, boxes.tolist()))))  # (N, 4) each box once
    ranks = torch.arange(len(boxes), 0, -1.0)  # (N,) falling, as suppression takes the largest first
    return boxes[nms(boxes, ranks, overlap)][:count].to(image.device)


def segments(image: Tensor, scale: float = 50.0, sigma: float = 0.8, min_size: int = 50, color: str = "lab") -> Tensor:
    """Segments of one color each, numbered from 0: (H, W) long (Felzenszwalb, Huttenlocher 2004; by scikit-image).

    image: (3, H, W), RGB in [0, 1]. sigma: pixels by which it is blurred first. min_size: pixels; smaller segments join
    a neighbor. A photo of one color is one segment.
    """
    if not (scale > 0 and sigma >= 0 and min_size >= 0):
        raise ConfigError(f"segments: scale = {scale}, sigma = {sigma}, min_size = {min_size}: use positive numbers")
    found = felzenszwalb(pixels_of(image, color), scale=scale, sigma=sigma, min_size=min_size)
    return torch.from_numpy(found).long()


def pixels_of(image: Tensor, color: str) -> np.ndarray:
    """The photo in one of COLORS, every channel in [0, 1]: (H, W, 3), in double precision."""
    if color not in COLORS:
        raise ConfigError(f"color {color!r}: unknown; choose one of {', '.join(COLORS)}")
    if not checked_image(image).isfinite().all():
        raise DataError(f"image of shape {tuple(image.shape)} with nan or infinite values: expected floats in [0, 1]")
    pixels = image.detach().as_subclass(Tensor).permute(1, 2, 0).double().clamp(0, 1).cpu().numpy()
    if color == "lab":
        return (rgb2lab(pixels) + (0, 128, 128)) / (100, 255, 255)
    return rgb2hsv(pixels) if color == "hsv" else pixels


def group(image: Tensor, segments: Tensor, color: str = "lab", traits: Sequence[str] = TRAITS) -> Hierarchy:
    """Merge the two most similar neighbors until one region is left (Uijlings et al. 2013, algorithm 1).

    image: (3, H, W). segments: (H, W) long, numbered from 0 without gaps. Of equally similar pairs the one with the
    lowest numbers merges first. Raises DataError for segments that do not fit the image, ConfigError for other traits.
    """
    if not traits or not set(traits) <= set(TRAITS):
        raise ConfigError(f"traits = {traits}: use one or more of {', '.join(TRAITS)}")
    counted = [TRAITS.index(trait) for trait in traits]
    labels = checked_segments(segments, image)  # (H, W)
    regions, neighbors = describe(pixels_of(image, color), labels), touching(labels)
    queue: list[tuple] = []  # (-similarity, region, region, terms): heapq pops the smallest

    def compare(one: int, others: list[int]) -> None:
        """Queue the similarities of a region with others."""
        terms = regions.compare(one, others)  # (N, 4)
        # Rounded, so that the last bits, in which processors differ, decide nothing.
        for other, row, similarity in zip(others, terms, terms[:, counted].sum(axis=1).round(9), strict=True):
            heapq.heappush(queue, (-similarity, *sorted((one, other)), row))

    for region, others in neighbors.items():
        compare(region, sorted(other for other in others if other > region))
    merges: list[tuple] = []  # (region, region, terms)
    while queue:
        _, one, other, row = heapq.heappop(queue)
        if one not in neighbors or other not in neighbors:  # one of them has been merged with a third
            continue
        new = labels.max() + 1 + len(merges)
        regions.merge(one, other, new)
        neighbors[new] = (neighbors.pop(one) | neighbors.pop(other)) - {one, other}
        for neighbor in neighbors[new]:
            neighbors[neighbor] = (neighbors[neighbor] - {one, other}) | {new}
        compare(new, sorted(neighbors[new]))
        merges.append((one, other, row))
    pairs = torch.tensor([pair for *pair, _ in merges], dtype=torch.long).reshape(-1, 2)
    terms = torch.tensor(np.array([row for *_, row in merges])).reshape(-1, len(TRAITS))
    return Hierarchy(torch.from_numpy(regions.boxes).float(), pairs, terms[:, counted].sum(dim=1), terms)


class Regions(NamedTuple):
    """What is compared. The first rows are the segments; each merge fills the next one."""

    sizes: np.ndarray  # (K,) pixels
    boxes: np.ndarray  # (K, 4)
    colors: np.ndarray  # (K, 75) shares of the pixels: three channels of 25 bins, which sum to 1
    textures: np.ndarray  # (K, 240) the same of the derivatives: 3 x 8 channels of 10 bins

    def compare(self, one: int, others: list[int]) -> np.ndarray:
        """Similarity of a region with N others by each of TRAITS: (N, 4) (equations 1 to 4 of the paper)."""
        photo, sizes = self.sizes[: (len(self.sizes) + 1) // 2].sum(), self.sizes[one] + self.sizes[others]
        color = np.minimum(self.colors[one], self.colors[others]).sum(axis=1)  # what the histograms share
        texture = np.minimum(self.textures[one], self.textures[others]).sum(axis=1)
        corners = enclosing(self.boxes[one], self.boxes[others])  # (N, 4)
        empty = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]) - sizes  # of neither region
        return np.stack([color, texture, 1 - sizes / photo, 1 - empty / photo], axis=1)

    def merge(self, one: int, other: int, new: int) -> None:
        """Fill row `new` with the union of two regions. Nothing looks at the pixels again (section 3.2)."""
        pair = [one, other]
        self.sizes[new] = self.sizes[pair].sum()
        self.boxes[new] = enclosing(self.boxes[one], self.boxes[other])
        weights = self.sizes[pair] / self.sizes[new]  # (2,)
        self.colors[new], self.textures[new] = weights @ self.colors[pair], weights @ self.textures[pair]


def enclosing(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The box around a box (4,) and each of others (..., 4): (..., 4)."""
    return np.concatenate([np.minimum(one, others)[..., :2], np.maximum(one, others)[..., 2:]], axis=-1)


def describe(pixels: np.ndarray, labels: np.ndarray) -> Regions:
    """Size, box and histograms of every segment, with room for all merges. pixels: (H, W, 3), labels: (H, W)."""
    corners = [segment.bbox for segment in regionprops(labels + 1)]  # y1, x1, y2, x2; regionprops skips 0
    found = Regions(
        np.bincount(labels.ravel()).astype(float),
        np.array(corners, dtype=float)[:, [1, 0, 3, 2]],
        histograms(np.moveaxis(pixels, 2, 0), labels, COLOR_BINS),
        histograms(derivatives(pixels) / STEEPEST, labels, TEXTURE_BINS),
    )
    return Regions(*(np.concatenate([rows, np.zeros_like(rows[:-1])]) for rows in found))  # S - 1 merges


def derivatives(pixels: np.ndarray) -> np.ndarray:
    """How fast each channel rises in eight directions, 0 where it falls: (8 * 3, H, W). Gaussian of 1 pixel."""
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((0, height == 1), (0, width == 1), (0, 0)), mode="edge")  # a difference takes two pixels
    smooth = np.moveaxis(gaussian(padded, 1, channel_axis=-1), 2, 0)  # (3, H, W)
    down, right = (slope[:, :height, :width] for slope in np.gradient(smooth, axis=(1, 2)))
    angles = np.arange(ORIENTATIONS) * 2 * np.pi / ORIENTATIONS
    return np.concatenate([(np.cos(angle) * right + np.sin(angle) * down).clip(min=0) for angle in angles])


def histograms(values: np.ndarray, labels: np.ndarray, bins: int) -> np.ndarray:
    """Of every segment: share of its values in each bin of [0, 1], channel by channel. (C, H, W) -> (S, C * bins)."""
    count = labels.max() + 1
    places = (labels * bins + np.minimum(channel * bins, bins - 1).astype(int) for channel in values)  # (H, W) each
    counts = [np.bincount(place.ravel(), minlength=count * bins).reshape(count, bins) for place in places]
    table = np.concatenate(counts, axis=1)  # (S, C * bins)
    return table / table.sum(axis=1, keepdims=True)


def touching(labels: np.ndarray) -> dict[int, set[int]]:
    """The neighbors of every segment: those with a pixel beside, above or below one of its own."""
    beside, above = np.stack([labels[:, :-1], labels[:, 1:]]), np.stack([labels[:-1], labels[1:]])
    pairs = np.concatenate([beside.reshape(2, -1), above.reshape(2, -1)], axis=1)  # (2, N)
    neighbors: dict[int, set[int]] = {region: set() for region in range(labels.max() + 1)}
    for one, other in np.unique(pairs[:, pairs[0] != pairs[1]], axis=1).T.tolist():
        neighbors[one].add(other)
        neighbors[other].add(one)
    return neighbors


def regions_after(segments: Tensor, merges: Tensor, steps: int) -> Tensor:
    """The photo after the first `steps` merges: (H, W), every pixel's region. segments: (H, W), merges: (S - 1, 2)."""
    count = len(merges) + 1
    names = torch.arange(count + len(merges))
    for new, pair in enumerate(merges[:steps].tolist(), start=count):
        names[(names == pair[0]) | (names == pair[1])] = new
    return names[segments]


def checked_segments(segments: Tensor, image: Tensor) -> np.ndarray:
    """The segments in NumPy. Raises DataError unless they number the image's regions from 0 on, leaving none out."""
    if segments.shape != image.shape[-2:]:
        raise DataError(f"segments of shape {tuple(segments.shape)} for an image {tuple(image.shape)}: use (H, W)")
    labels = segments.cpu().numpy()
    if not np.array_equal(np.unique(labels), np.arange(labels.max() + 1)):
        raise DataError(f"segments from {labels.min()} to {labels.max()}: number them 0, 1, 2, ... without gaps")
    return labels
