import itertools
import pickle

import pytest
import torch
from torchvision import tv_tensors

from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.data.batching import AugmentedDataset, CachedDataset, batches, collate, training_loader
from rcnn_tutorial.data.transforms import training_transforms
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.targets import make_target


class Photos(torch.utils.data.Dataset):
    """Ten small images of different sizes; image i has i objects, every third one difficult; 7 may be broken."""

    def __init__(self, broken=False):
        self.broken = broken

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if self.broken and index == 7:
            raise DataError("photo 7: cannot be read; remove it")
        size = (20 + index, 30)
        generator = torch.Generator().manual_seed(index)
        boxes = torch.tensor([2.0, 3.0, 12.0, 13.0]) + torch.arange(index)[:, None]  # (N, 4)
        labels = torch.arange(1, index + 1)
        image = tv_tensors.Image(torch.rand(3, *size, generator=generator))
        return image, make_target(boxes, labels, labels % 3 == 0, size, str(index))


EVERYTHING = {"flip": True, "scale_jitter": (0.5, 2.0), "color_jitter": 0.3, "seed": 3}


def take(iterator, number):
    return list(itertools.islice(iterator, number))


def same(a, b):
    """Whether two batches, (images, targets), are equal in every bit and type."""
    for images in zip(a[0], b[0], strict=True):
        assert torch.equal(*images)
    for one, other in zip(a[1], b[1], strict=True):
        assert one.keys() == other.keys()
        assert one["image_id"] == other["image_id"]
        assert one["boxes"].canvas_size == other["boxes"].canvas_size
        assert all(torch.equal(one[key], other[key]) for key in ("boxes", "labels", "difficult"))
    return True


class CountedPhotos(Photos):
    """Photos that count how often each was read."""

    classes = ("thing",)

    def __init__(self, broken=False):
        super().__init__(broken)
        self.reads = [0] * len(self)

    def __getitem__(self, index):
        self.reads[index] += 1
        return super().__getitem__(index)


def test_cached_samples_are_read_once_and_train_alike():
    photos = CountedPhotos()
    cached = CachedDataset(photos)
    assert len(cached) == 10 and cached.classes == ("thing",)
    training = TrainingConfig(batch_size=4, **EVERYTHING)
    both = (take(training_loader(data, training), 8) for data in (cached, Photos()))
    for ours, theirs in zip(*both, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours[0], theirs[0], strict=True))
        assert all(torch.equal(a["boxes"], b["boxes"]) for a, b in zip(ours[1], theirs[1], strict=True))
    assert photos.reads == [1] * 10


def test_what_cannot_be_read_is_not_cached():
    photos = CountedPhotos(broken=True)
    cached = CachedDataset(photos)
    for _ in range(2):
        with pytest.raises(DataError, match="photo 7"):
            cached[7]
    photos.broken = False
    assert len(cached[7][1]["boxes"]) == 7 and photos.reads[7] == 3


@pytest.mark.parametrize(("length", "batch_size"), [(10, 1), (10, 4), (3, 8), (1, 2)])
def test_every_epoch_shows_every_image_once(length, batch_size):
    items = list(itertools.chain.from_iterable(take(batches(length, batch_size, 0), 6 * length)))
    epochs = [[index for epoch, index in items if epoch == number] for number in range(6)]
    assert all(sorted(epoch) == list(range(length)) for epoch in epochs)
    assert [epoch for epoch, _ in items] == sorted(epoch for epoch, _ in items)
    if length == 10:
        assert len({tuple(epoch) for epoch in epochs}) == 6  # all in a different order


def test_batches_start_anywhere():
    whole = take(batches(10, 4, 5), 30)
    assert all(len(batch) == 4 for batch in whole)
    for start in range(30):
        assert take(batches(10, 4, 5, start), 30 - start) == whole[start:]
    assert take(batches(10, 4, 6), 30) != whole


@pytest.mark.parametrize("arguments", [(0, 1, 0), (1, 0, 0), (1, 1, 0, -1)])
def test_impossible_batches(arguments):
    with pytest.raises(ConfigError, match="at least 1"):
        batches(*arguments)


def test_augmentation_depends_on_seed_epoch_and_index_alone():
    transforms = training_transforms(TrainingConfig(**EVERYTHING))
    dataset = AugmentedDataset(Photos(), transforms, seed=0)
    first = dataset[2, 5]
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = dataset[2, 5]
    assert torch.equal(torch.get_rng_state(), before)  # the global generator is as it was
    assert same(collate([first]), collate([again]))
    for other in (dataset[3, 5], AugmentedDataset(Photos(), transforms, seed=1)[2, 5]):
        assert not torch.equal(first[0], other[0])


def test_difficult_objects_are_left_out():
    image, target = AugmentedDataset(Photos(), None, seed=0)[0, 7]
    assert target["labels"].tolist() == [1, 2, 4, 5, 7]
    assert target["boxes"][:, 0].tolist() == [2, 3, 5, 6, 8]
    assert isinstance(target["boxes"], tv_tensors.BoundingBoxes)
    assert not target["difficult"].any() and len(target["difficult"]) == 5
    assert torch.equal(image, Photos()[7][0])
    assert AugmentedDataset(Photos(), None, seed=0)[0, 0][1]["boxes"].shape == (0, 4)


def test_loader_gives_the_same_batches_with_any_number_of_workers():
    expected = take(training_loader(Photos(), TrainingConfig(batch_size=3, **EVERYTHING)), 8)
    assert all(len(images) == len(targets) == 3 for images, targets in expected)
    assert isinstance(expected[0][0][0], tv_tensors.Image)
    for workers in (1, 2):
        loader = training_loader(Photos(), TrainingConfig(batch_size=3, workers=workers, **EVERYTHING))
        assert all(same(*pair) for pair in zip(take(loader, 8), expected, strict=True))


def test_loader_goes_on_at_any_step_and_starts_over():
    training = TrainingConfig(batch_size=3, **EVERYTHING)
    whole = take(training_loader(Photos(), training), 8)
    loader = training_loader(Photos(), training, start_step=5)
    for _ in range(2):
        assert all(same(*pair) for pair in zip(take(loader, 3), whole[5:], strict=True))


def test_loader_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    take(training_loader(Photos(), TrainingConfig(**EVERYTHING)), 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_come_out_of_workers_as_they_are(workers):
    loader = training_loader(Photos(broken=True), TrainingConfig(workers=workers, batch_size=2))
    with pytest.raises(DataError) as caught:
        take(loader, 5)
    assert str(caught.value) == "photo 7: cannot be read; remove it"


def test_dataset_can_be_sent_to_a_spawned_process():
    transforms = training_transforms(TrainingConfig(**EVERYTHING))
    dataset = AugmentedDataset(Photos(), transforms, seed=0)
    copy = pickle.loads(pickle.dumps(dataset))
    assert same(collate([copy[1, 4]]), collate([dataset[1, 4]]))
