"""A data set without the images that cannot be read."""

from __future__ import annotations

import warnings

from torch.utils.data import Dataset

from rcnn_tutorial import distributed
from rcnn_tutorial.errors import DataError, TutorialError


class Readable(Dataset):
    """`dataset` without the items that raise one of the package's errors; each is read once to know, and named.

    Several processes share the reading and agree on what is left. Raises DataError if that is nothing.
    """

    def __init__(self, dataset: Dataset):
        self.dataset, self.classes = dataset, dataset.classes
        share = range(distributed.rank(), len(dataset), distributed.size())
        errors = {index: _error_of(dataset, index) for index in share}
        found = {index: error for part in distributed.gather(errors) for index, error in part.items()}
        self.indices = [index for index in sorted(found) if found[index] is None]
        for index in sorted(found.keys() - set(self.indices)):
            if distributed.is_writer():
                warnings.warn(f"left out: {found[index]}", stacklevel=2)
        if not self.indices:
            raise DataError(f"none of {len(dataset)} images can be read; check their folder")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int):
        return self.dataset[self.indices[index]]


def _error_of(dataset: Dataset, index: int) -> str | None:
    try:
        dataset[index]
    except TutorialError as error:
        return str(error)
    return None
