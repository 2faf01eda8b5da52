import pytest
import torch
from torchvision import tv_tensors

from rcnn_tutorial.config import TrainingConfig
from rcnn_tutorial.data.transforms import FILL, training_transforms
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.targets import make_target

SIZE = (90, 120)
BOXES = [[10, 10, 40, 30], [60, 50, 110, 85], [0, 0, 120, 90], [80, 5, 84, 9]]


def sample(boxes=BOXES, size=SIZE):
    """A black image on which the boxes are filled with red, green and blue in turn."""
    image = torch.zeros(3, *size)
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        image[i % 3, y1:y2, x1:x2] = 1
    labels = list(range(1, len(boxes) + 1))
    return tv_tensors.Image(image), make_target(boxes, labels, [label % 2 == 0 for label in labels], size, "a")


def transforms(**options):
    return training_transforms(TrainingConfig(**{"flip": False, **options}))


def test_nothing_switched_on_is_none():
    assert transforms() is None
    assert transforms(scale_jitter=[1.0, 1.0]) is None


def test_flip_mirrors_image_and_boxes():
    flip = transforms(flip=True)
    image, target = sample()
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        flipped, changed = flip(image, target)
        mirrored = not torch.equal(flipped, image)
        seen.add(mirrored)
        if mirrored:
            assert torch.equal(flipped, image.flip(-1))
            assert changed["boxes"].tolist() == [[120 - x2, y1, 120 - x1, y2] for x1, y1, x2, y2 in BOXES]
        else:
            assert torch.equal(changed["boxes"], target["boxes"])
    assert seen == {True, False}


@pytest.mark.parametrize("factors", [(0.4, 0.9), (1.1, 3.0), (0.5, 2.0)])
def test_zoom_keeps_boxes_on_their_objects(factors):
    """After any zoom the boxes enclose exactly the pixels of their object's color."""
    image, target = sample(boxes=[BOXES[0], BOXES[1]])
    zoom = transforms(scale_jitter=factors)
    counts = set()
    for seed in range(40):
        torch.manual_seed(seed)
        zoomed, changed = zoom(image, target)
        assert zoomed.shape == image.shape
        assert changed["boxes"].canvas_size == SIZE
        assert len(changed["boxes"]) == len(changed["labels"]) == len(changed["difficult"])
        assert changed["difficult"].tolist() == [label % 2 == 0 for label in changed["labels"].tolist()]
        assert changed["image_id"] == "a"
        counts.add(len(changed["labels"]))
        for (x1, y1, x2, y2), label in zip(changed["boxes"].tolist(), changed["labels"].tolist(), strict=True):
            assert 0 <= x1 < x2 <= SIZE[1] and 0 <= y1 < y2 <= SIZE[0]
            ys, xs = torch.where(zoomed[label - 1] > 0.5)
            found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            assert all(abs(a - b) <= 1 for a, b in zip(found, (x1, y1, x2, y2), strict=True))
    assert 2 in counts


def test_zoom_drops_objects_that_are_mostly_cut_away():
    image, target = sample()
    zoom = transforms(scale_jitter=(2.0, 2.0))
    for seed in range(30):
        torch.manual_seed(seed)
        _, changed = zoom(image, target)
        kept = target["boxes"][changed["labels"] - 1].as_subclass(torch.Tensor)
        areas = (kept[:, 2] - kept[:, 0]) * (kept[:, 3] - kept[:, 1]) * 4
        boxes = changed["boxes"].as_subclass(torch.Tensor)
        visible = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / areas
        assert (visible >= 0.3 - 1e-4).all()
        assert 3 not in changed["labels"]  # of the object that fills the image a quarter is left


def test_zoom_out_surrounds_the_image_with_the_mean_color():
    image, target = sample(boxes=[[0, 0, 120, 90]])
    torch.manual_seed(0)
    zoomed, changed = transforms(scale_jitter=(0.5, 0.5))(image, target)
    x1, y1, x2, y2 = (int(value) for value in changed["boxes"][0])
    assert (x2 - x1, y2 - y1) == (60, 45)
    inside = zoomed[:, y1:y2, x1:x2]
    assert torch.allclose(inside, torch.tensor([1.0, 0, 0])[:, None, None].expand_as(inside))
    outside = torch.ones(SIZE, dtype=torch.bool)
    outside[y1:y2, x1:x2] = False
    assert torch.allclose(zoomed[:, outside].T, torch.tensor(FILL))


def test_factor_one_changes_nothing():
    image, target = sample()
    zoomed, changed = transforms(scale_jitter=(0.999999, 1.0))(image, target)
    assert torch.allclose(zoomed, image, atol=1e-5)
    assert torch.allclose(changed["boxes"], target["boxes"])


def test_color_jitter_leaves_boxes_alone():
    image, target = sample()
    jittered, changed = transforms(color_jitter=0.4)(image, target)
    assert not torch.equal(jittered, image)
    assert jittered.min() >= 0 and jittered.max() <= 1
    assert torch.equal(changed["boxes"], target["boxes"])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (375, 500)])
def test_images_without_objects_and_of_any_size(size):
    image, target = sample(boxes=[], size=size)
    everything = transforms(flip=True, scale_jitter=(0.3, 3.0), color_jitter=0.3)
    for seed in range(5):
        torch.manual_seed(seed)
        changed, after = everything(image, target)
        assert isinstance(changed, tv_tensors.Image) and changed.shape == (3, *size)
        assert isinstance(after["boxes"], tv_tensors.BoundingBoxes) and after["boxes"].shape == (0, 4)
        assert after["labels"].shape == after["difficult"].shape == (0,)


@pytest.mark.parametrize("options", [{"scale_jitter": (2.0, 1.0)}, {"scale_jitter": (0.0, 1.0)}, {"color_jitter": 2.0}])
def test_impossible_strengths(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        transforms(**options)
