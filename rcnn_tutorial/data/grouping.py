"""Batches of photos of like shape: they are scaled to one size, and images of one size share a pass of the head.

As everything random here, a batch is a function of (seed, number of the step) and of the data set alone: training goes
on from any step, and several processes agree without a word.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from rcnn_tutorial.errors import ConfigError, DataError

WINDOW = 100  # steps whose photos are exchanged among them; more would find a little more of one shape


def grouped(
    sizes: Sequence[tuple[int, int]], batch_size: int, seed: int, start_step: int = 0
) -> Iterator[list[tuple[int, int]]]:
    """As `batching.batches`, lists of `batch_size` pairs (epoch, index), with the photos of each of like shape.

    sizes: (height, width) of every photo. The photos of WINDOW steps in a row are those that `batches` gives for them;
    sorted by shape they are cut into batches anew, and the batches are shuffled. So an epoch still is every photo once.
    """
    from rcnn_tutorial.data.batching import batches

    first, position = divmod(start_step, WINDOW)
    steps = batches(len(sizes), batch_size, seed, first * WINDOW)
    for window in itertools.count(first):
        items = list(itertools.chain.from_iterable(itertools.islice(steps, WINDOW)))
        items.sort(key=lambda item: _shape(sizes[item[1]]))  # stable: photos of one shape stay in their random order
        parts = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
        random.Random(f"{seed} {window}").shuffle(parts)
        yield from parts[position:]
        position = 0


def image_sizes(dataset, skip: bool) -> list[tuple[int, int]]:
    """(height, width) of every photo, from the data set's own `get_height_and_width(index)`, without reading pixels.

    skip: a photo that cannot be read counts as empty; the loader will leave it out. Raises ConfigError for a data set
    that cannot tell.
    """
    if not hasattr(dataset, "get_height_and_width"):
        raise ConfigError(
            f"group_shapes: the data set ({type(dataset).__name__}) has no method get_height_and_width(index); "
            "add it, or leave --group-shapes away"
        )
    sizes = []
    for index in range(len(dataset)):
        try:
            height, width = dataset.get_height_and_width(index)
        except DataError:
            if not skip:
                raise
            height, width = 0, 0
        sizes.append((height, width))
    return sizes


def _shape(size: tuple[int, int]) -> tuple[float, int]:
    """What photos are sorted by: first the shape, which decides the size after scaling, then the size."""
    height, width = size
    return height / max(width, 1), height
