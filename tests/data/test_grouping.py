"""Batches of photos of like shape: every photo once an epoch, the same from any step on and for any number of parts."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
import torch

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.data import ToyScenes, training_loader
from rcnn_tutorial.data.batching import batches
from rcnn_tutorial.data.grouping import WINDOW, grouped, image_sizes
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.training import train

SIZES = [((375, 500), (500, 375), (333, 500), (500, 500))[i * i % 7 % 4] for i in range(101)]
GROUPED = TrainingConfig(batch_size=4, group_shapes=True, seed=3)


def take(iterator, count: int) -> list:
    return list(itertools.islice(iterator, count))


class Mixed(torch.utils.data.Dataset):
    """Scenes of two shapes, at random; scene 5 may be unreadable."""

    classes = ToyScenes().classes

    def __init__(self, broken: bool = False):
        self.broken = broken

    def __len__(self):
        return 40

    def get_height_and_width(self, index):
        if self.broken and index == 5:
            raise DataError("scene 5: gone; draw it again")
        return (64, 96) if index * index % 7 % 2 else (96, 64)

    def __getitem__(self, index):
        return ToyScenes(size=self.get_height_and_width(index))[index]


def test_photos_of_a_batch_are_of_like_shape():
    def mixed(found) -> int:
        return sum(len({SIZES[index] for _, index in batch}) > 1 for batch in found)

    found, usual = take(grouped(SIZES, 8, seed=0), 3 * WINDOW), take(batches(len(SIZES), 8, 0), 3 * WINDOW)
    assert mixed(usual) > 0.9 * len(usual)
    assert mixed(found) <= 3 * 3  # where two of the four shapes meet, in each of three windows


def test_every_window_holds_the_photos_that_it_would_hold_anyway():
    found, usual = take(grouped(SIZES, 8, seed=0), 2 * WINDOW), take(batches(len(SIZES), 8, 0), 2 * WINDOW)
    for start in (0, WINDOW):
        window = slice(start, start + WINDOW)
        assert Counter(itertools.chain(*found[window])) == Counter(itertools.chain(*usual[window]))
    assert all(len(batch) == 8 for batch in found) and found != usual


@pytest.mark.parametrize("start", [0, 1, WINDOW - 1, WINDOW, 2 * WINDOW + 7])
def test_batches_go_on_from_any_step(start):
    whole = take(grouped(SIZES, 8, 5), start + 20)
    assert take(grouped(SIZES, 8, 5, start), 20) == whole[start:]


def test_shapes_come_in_random_order_that_the_seed_decides():
    shapes = [SIZES[batch[0][1]] for batch in take(grouped(SIZES, 8, 0), WINDOW)]
    assert sum(one != other for one, other in itertools.pairwise(shapes)) > 10
    assert take(grouped(SIZES, 8, 0), 5) != take(grouped(SIZES, 8, 1), 5)


def test_a_batch_may_be_larger_than_the_data():
    [batch] = take(grouped(SIZES[:3], 8, 0), 1)
    assert len(batch) == 8 and {index for _, index in batch} <= {0, 1, 2}


def test_parts_share_every_batch_and_workers_change_nothing():
    def images_of(training=GROUPED, **part):
        return [
            [image.shape[1:] for image in images]
            for images, _ in take(iter(training_loader(Mixed(), training, **part)), 4)
        ]

    whole = images_of()
    assert sum(len(set(shapes)) == 1 for shapes in whole) >= 3
    parts = zip(*(images_of(part=part, parts=2) for part in (0, 1)), strict=True)
    assert [one + other for one, other in parts] == whole
    assert images_of(replace(GROUPED, workers=2)) == whole


def test_a_data_set_that_cannot_tell_sizes_is_refused():
    with pytest.raises(ConfigError, match=r"group_shapes: the data set \(list\) has no method get_height_and_width"):
        image_sizes([1, 2], skip=False)


def test_a_photo_without_size_is_left_to_the_loader():
    with pytest.raises(DataError, match="scene 5"):
        image_sizes(Mixed(broken=True), skip=False)
    assert image_sizes(Mixed(broken=True), skip=True)[5] == (0, 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_resumed_training_takes_the_batches_of_an_unbroken_one(tmp_path, workers):
    training = replace(GROUPED, steps=4, batch_size=2, learning_rate=1e-4, checkpoint_every=2, workers=workers)
    unbroken, resumed = load_model("toy"), load_model("toy")
    assert len(list(train(unbroken, Mixed(), training))) == 4
    reports = train(load_model("toy"), Mixed(), training, tmp_path)
    next(reports), next(reports)
    reports.close()
    assert [report.step for report in train(resumed, Mixed(), training, tmp_path, resume=True)] == [3, 4]
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
