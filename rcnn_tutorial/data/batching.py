"""From a data set to the endless, reproducible sequence of batches that training takes.

Everything random is a function of (seed, epoch, index). So training can go on from any step without any state of the
loader, and neither the number of worker processes nor what ran before changes a batch.
"""

from __future__ import annotations

import hashlib
import itertools
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors

from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.data.grouping import grouped, image_sizes
from rcnn_tutorial.data.transforms import training_transforms
from rcnn_tutorial.errors import ConfigError, DataError, TutorialError
from rcnn_tutorial.stages.preprocessing import checked_image
from rcnn_tutorial.targets import classes_of, standard_target

Sample = tuple[Tensor, dict]  # image (3, H, W) and target


def training_loader(
    dataset: Dataset, training: TrainingConfig, start_step: int = 0, part: int = 0, parts: int = 1
) -> DataLoader:
    """Batches (list of images, list of targets) without end, from step `start_step` on.

    dataset: map-style, item (image, target). Images are augmented as `training` says; difficult objects are left
    out, as in the reference. Errors of the data set, also in a worker process, come out unchanged; with
    `on_bad_file` = "skip" the next image of the data set that can be read takes the place of one that cannot, with a
    warning that names it. So every batch is full, and stays a function of the step.
    With `group_shapes` the batches are those of `grouping.grouped`.
    part: which of `parts` equal slices of every batch to load, when as many processes share it.
    """
    skip = training.on_bad_file == "skip"
    order = partial(grouped, image_sizes(dataset, skip)) if training.group_shapes else partial(batches, len(dataset))
    steps = partial(order, training.batch_size, training.seed, start_step)
    augmented = AugmentedDataset(dataset, training_transforms(training), training.seed)
    return _Loader(
        _ErrorsBesideItems(augmented, skip),
        batch_sampler=_PartOfEach(steps, part, parts),
        num_workers=training.workers,
        collate_fn=_samples_and_errors,
        worker_init_fn=_ignore_interrupts,
        generator=torch.Generator(),  # else the loader would draw from the global one
    )


def batches(length: int, batch_size: int, seed: int, start_step: int = 0) -> Iterator[list[tuple[int, int]]]:
    """Lists of `batch_size` pairs (epoch, index), from step `start_step` on, without end.

    Each epoch is all of 0 .. length - 1 in a shuffled order of its own. A batch may span two epochs, so that all
    are full and step s simply starts at item s * batch_size of the sequence.
    """
    if length < 1 or batch_size < 1 or start_step < 0:
        raise ConfigError(
            f"batches of {batch_size} from {length} images, step {start_step}: use at least 1, at least 1, at least 0"
        )
    epoch, position = divmod(start_step * batch_size, length)
    items = itertools.islice(_items(length, seed, epoch), position, None)
    return (list(itertools.islice(items, batch_size)) for _ in itertools.count())


def collate(samples: Sequence[Sample]) -> tuple[list[Tensor], list[dict]]:
    """Samples as (images, targets): lists, because images differ in size and in their number of objects."""
    return [image for image, _ in samples], [target for _, target in samples]


class CachedDataset(Dataset):
    """`dataset` with every sample kept in memory once it was read: for a few hundred that are slow to read or draw."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self.classes = classes_of(dataset)
        self.samples: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        if index not in self.samples:
            self.samples[index] = self.dataset[index]
        return self.samples[index]

    def get_height_and_width(self, index: int) -> tuple[int, int]:
        """Size in pixels of an image."""
        return tuple(self[index][0].shape[-2:])


class AugmentedDataset(Dataset):
    """`dataset` without difficult objects and with `transforms(image, target)`, where given, applied.

    Item (epoch, index) depends on (seed, epoch, index) alone; the global random state stays as it was.
    """

    def __init__(self, dataset: Dataset, transforms: Callable | None, seed: int):
        self.dataset = dataset
        self.transforms = transforms
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, index = key
        image, target = _standard(self.dataset[index], index)
        if self.transforms is None:
            return image, target
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(mixed_seed(self.seed, epoch, index))
            return self.transforms(image, target)


def _standard(sample: Sample, index: int) -> Sample:
    """An item of any data set as (tv_tensors.Image, `standard_target`). Raises DataError for what is neither."""
    if not isinstance(sample, tuple | list) or len(sample) != 2:
        raise DataError(f"item {index} of the data set: {type(sample).__name__}; expected a pair (image, target)")
    image, target = sample
    try:
        image = checked_image(image)
    except DataError as error:
        raise DataError(f"item {index} of the data set: {error}") from None
    return tv_tensors.Image(image), standard_target(target, image.shape[-2:], f"number {index}")


def mixed_seed(*numbers: int) -> int:
    """A seed that differs, for all practical purposes, for every sequence of numbers."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")  # torch's CPU generator uses 32 bits


def _items(length: int, seed: int, first_epoch: int) -> Iterator[tuple[int, int]]:
    for epoch in itertools.count(first_epoch):
        order = torch.randperm(length, generator=torch.Generator().manual_seed(mixed_seed(seed, epoch)))
        yield from ((epoch, index) for index in order.tolist())


class _PartOfEach:
    """A slice of every batch of `steps()`, in the form that DataLoader asks for: to be iterated again and again."""

    def __init__(self, steps: Callable[[], Iterator[list]], part: int, parts: int):
        self.steps, self.part, self.parts = steps, part, parts

    def __iter__(self) -> Iterator[list]:
        for batch in self.steps():
            share = len(batch) // self.parts
            yield batch[self.part * share : (self.part + 1) * share]


class _Loader(DataLoader):
    """A DataLoader that raises the package's errors as they are.

    DataLoader itself would bury an error of a worker process in a new one that has the traceback for a message. So
    the workers hand such errors over beside the samples.
    """

    def __iter__(self) -> Iterator[tuple[list[Tensor], list[dict]]]:
        try:
            for samples, errors in super().__iter__():
                if None in samples:
                    raise errors[-1]
                for error in errors:
                    warnings.warn(f"left out: {error}", stacklevel=2)
                yield collate(samples)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            gone = f"a process that loads images is gone ({str(error).splitlines()[0]})"
            raise TutorialError(f"{gone}; resume with fewer --workers") from error


def _ignore_interrupts(_worker: int) -> None:
    """Leave Ctrl-C to the main process, which still wants the batches of its step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _ErrorsBesideItems(Dataset):
    """Item (epoch, index) is (sample, errors met on the way to it); the sample is None where there is none."""

    def __init__(self, dataset: Dataset, skip: bool):
        self.dataset, self.skip = dataset, skip

    def __getitem__(self, key: tuple[int, int]) -> tuple[Sample | None, list[TutorialError]]:
        (epoch, index), errors = key, []
        for distance in range(len(self.dataset) if self.skip else 1):
            try:
                return self.dataset[epoch, (index + distance) % len(self.dataset)], errors
            except TutorialError as error:
                errors.append(error)
        if self.skip:
            errors.append(DataError(f"none of the {len(errors)} images can be used; the first: {errors[0]}"))
        return None, errors


def _samples_and_errors(items: list) -> tuple[list[Sample | None], list[TutorialError]]:
    samples, errors = zip(*items, strict=True)
    return list(samples), list(itertools.chain.from_iterable(errors))
