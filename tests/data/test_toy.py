import math

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from rcnn_tutorial.data import toy
from rcnn_tutorial.data.toy import TOY_CLASSES, ToyScenes
from rcnn_tutorial.errors import ConfigError

SCENES = 150


@pytest.fixture(scope="module")
def scenes():
    return list(ToyScenes(length=SCENES, seed=1))


def assert_same(first, second):
    (image, target), (other_image, other_target) = first, second
    assert torch.equal(image, other_image)
    assert target["image_id"] == other_target["image_id"]
    for key in ("boxes", "labels", "difficult"):
        assert torch.equal(target[key], other_target[key])


def paint_members(monkeypatch, size, **options):
    """A scene without backdrop whose pixel value is k / 255 where its k-th object lies on top, and its sprites."""
    sprites = []

    def paint(pixels, sprite, color, backdrop):
        sprites.append(sprite)
        there, inside = toy.overlap_slices(sprite, pixels.shape[1:])
        pixels[:, *there][:, sprite.alpha[inside] >= toy.MEMBER] = len(sprites) / 255

    monkeypatch.setattr(toy, "paint_backdrop", lambda rng, size, backdrop: np.zeros((3, *size), np.float32))
    monkeypatch.setattr(toy, "paint_object", paint)
    for image, target in ToyScenes(size=size, **options):
        yield (image[0] * 255).round().long(), target, sprites
        sprites.clear()


def test_an_item_has_the_types_and_ranges_that_detectors_expect(scenes):
    for image, target in scenes:
        assert isinstance(image, tv_tensors.Image)
        assert image.dtype == torch.float32 and image.shape == (3, 128, 128) and image.is_contiguous()
        assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
        boxes, labels, difficult = target["boxes"], target["labels"], target["difficult"]
        assert isinstance(boxes, tv_tensors.BoundingBoxes) and boxes.format == tv_tensors.BoundingBoxFormat.XYXY
        assert boxes.canvas_size == (128, 128) and boxes.dtype == torch.float32
        assert labels.dtype == torch.int64 and difficult.dtype == torch.bool
        assert 1 <= len(boxes) == len(labels) == len(difficult) <= 8
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= 128).all() and (boxes[:, 2:] - boxes[:, :2] >= 4).all()
        assert labels.min() >= 1 and labels.max() <= len(TOY_CLASSES)
        assert set(target) == {"boxes", "labels", "difficult", "image_id"}
    assert len({target["image_id"] for _, target in scenes}) == SCENES


def test_an_outline_is_all_of_an_item_but_its_pixels(monkeypatch):
    scenes = ToyScenes(length=4)
    image, target = scenes[3]
    monkeypatch.setattr(toy, "paint_backdrop", lambda *_: pytest.fail("painted"))
    outline = scenes.outline(-1)
    assert outline.name == target["image_id"] and outline.size == tuple(image.shape[1:])
    assert outline.target.keys() == target.keys() and torch.equal(outline.target["boxes"], target["boxes"])
    assert torch.equal(outline.target["difficult"], target["difficult"])
    with pytest.raises(IndexError):
        scenes.outline(len(scenes))


def test_every_image_has_contrast(scenes):
    assert min(image.std().item() for image, _ in scenes) > 0.05


def test_every_class_and_every_count_of_objects_appears(scenes):
    labels = torch.cat([target["labels"] for _, target in scenes])
    shares = torch.bincount(labels, minlength=len(TOY_CLASSES) + 1) / len(labels)
    assert len(TOY_CLASSES) >= 8 and ToyScenes().classes == TOY_CLASSES
    assert shares[0] == 0 and (shares[1:] > 0.5 / len(TOY_CLASSES)).all()
    assert {len(target["labels"]) for _, target in scenes} == set(range(1, 9))


def test_objects_are_small_and_large(scenes):
    boxes = torch.cat([target["boxes"].as_subclass(torch.Tensor) for _, target in scenes])
    inner = boxes[(boxes > 0).all(dim=1) & (boxes < 128).all(dim=1)]
    sizes = (inner[:, 2:] - inner[:, :2]).prod(dim=1).sqrt()
    low, high = (share * 128 for share in toy.OBJECT_SIZE)
    assert low - 2 < sizes.min() < low + 2 and high - 6 < sizes.max() < high + 2


def test_hidden_objects_are_marked_but_rare(scenes):
    difficult = torch.cat([target["difficult"] for _, target in scenes]).float().mean()
    assert 0.002 < difficult < 0.08


def test_a_scene_depends_on_seed_split_and_index_alone():
    scenes = ToyScenes(length=6)
    in_order = [scenes[i] for i in range(6)]
    for i in (5, 2, 0):
        assert_same(in_order[i], ToyScenes(length=100)[i])
    assert_same(in_order[5], scenes[-1])
    other = [ToyScenes(length=6, seed=1)[0], ToyScenes("val", length=6)[0], scenes[1]]
    assert not any(torch.equal(in_order[0][0], image) for image, _ in other)


def test_another_process_draws_the_same_scenes():
    scenes = ToyScenes(length=5, seed=3)
    loader = torch.utils.data.DataLoader(scenes, batch_size=None, num_workers=1)
    for i, item in enumerate(loader):
        assert_same(item, scenes[i])


def test_splits_and_seeds_share_no_scene():
    kinds = [("train", 0), ("val", 0), ("train", 1), ("val", 1)]
    images = [image for split, seed in kinds for image, _ in ToyScenes(split, 25, size=(64, 64), seed=seed)]
    assert len({image.numpy().tobytes() for image in images}) == 4 * 25


def test_a_choice_of_classes_is_all_that_appears():
    scenes = ToyScenes(length=40, size=(64, 64), classes=("star", "ring"))
    assert scenes.classes == ("star", "ring")
    assert {int(label) for _, target in scenes for label in target["labels"]} == {1, 2}
    assert_same(ToyScenes(length=1, classes=TOY_CLASSES)[0], ToyScenes(length=1)[0])


def test_squares_that_are_not_turned_fill_their_boxes():
    contours = toy.random_pose(np.random.default_rng(0), toy.OUTLINES["square"], side=128, most=0)
    extent = contours[0].max(axis=0)
    assert all(point in (0, side) for corner in contours[0] for point, side in zip(corner, extent, strict=True))
    assert not torch.equal(ToyScenes(length=1, turn=0)[0][0], ToyScenes(length=1)[0][0])


def test_indexing_behaves_like_a_list():
    scenes = ToyScenes(length=3, size=(64, 64))
    assert len(scenes) == 3 and len(list(scenes)) == 3
    for index in (3, -4):
        with pytest.raises(IndexError):
            scenes[index]


def test_large_and_oblong_scenes():
    scenes = ToyScenes(size=(600, 800), length=3)
    for image, target in scenes:
        assert image.shape == (3, 600, 800) and torch.isfinite(image).all()
        assert target["boxes"].canvas_size == (600, 800)
        assert (target["boxes"][:, 2:] <= torch.tensor([800, 600])).all()
    widths = [(target["boxes"][:, 2] - target["boxes"][:, 0]).max().item() for _, target in scenes]
    assert max(widths) > 0.13 * 600


def test_max_objects_is_respected():
    assert {len(target["labels"]) for _, target in ToyScenes(length=20, max_objects=1)} == {1}


@pytest.mark.parametrize("size", [(128, 128), (96, 150)])
def test_a_box_is_tight_around_the_pixels_of_its_object(monkeypatch, size):
    for owner, target, _ in paint_members(monkeypatch, size, length=60, max_objects=1):
        rows, columns = torch.nonzero(owner, as_tuple=True)
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert target["boxes"].tolist() == [[float(v) for v in expected]]
        assert not target["difficult"].any()


def test_visible_share_decides_on_difficult_and_dropped(monkeypatch):
    seen = {"clear": 0, "difficult": 0, "dropped": 0}
    for owner, target, sprites in paint_members(monkeypatch, (128, 128), length=150, seed=2):
        kept = []
        for k, sprite in enumerate(sprites, start=1):
            visible = (owner == k).sum().item() / (sprite.alpha >= toy.MEMBER).sum()
            kind = "dropped" if visible < toy.HIDDEN else "difficult" if visible < toy.DIFFICULT else "clear"
            seen[kind] += 1
            if kind != "dropped":
                kept.append(kind == "difficult")
        assert target["difficult"].tolist() == kept
    assert min(seen.values()) > 0


def square(left, top, side):
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return toy.rasterize([np.array(corners, dtype=float)], margin=6)


def test_visible_shares_of_squares():
    image = (100, 100)
    assert toy.visible_shares([square(20, 20, 40)], image) == pytest.approx([1])
    assert toy.visible_shares([square(-20, 20, 40)], image) == pytest.approx([0.5], abs=0.02)
    assert toy.visible_shares([square(20, 20, 40), square(40, 20, 40)], image) == pytest.approx([0.5, 1], abs=0.02)
    assert toy.visible_shares([square(30, 30, 10), square(20, 20, 40)], image) == pytest.approx([0, 1])


def test_boxes_of_squares_are_exact_and_clipped():
    assert toy.tight_box(square(20, 30, 40), (100, 100)) == (20, 30, 60, 70)
    assert toy.tight_box(square(-10, 80, 40), (100, 100)) == (0, 80, 30, 100)


@pytest.mark.parametrize("name", TOY_CLASSES)
def test_masks_keep_to_their_outline(name):
    """Against plain geometry: the contour's extent, and its area by the shoelace formula."""
    for seed in range(20):
        contours = toy.random_pose(np.random.default_rng(seed), toy.OUTLINES[name], side=256)
        sprite = toy.rasterize(contours, margin=1)
        extent = [*contours[0].min(axis=0), *contours[0].max(axis=0)]
        assert toy.tight_box(sprite, (1000, 1000)) == pytest.approx(extent, abs=2)
        areas = [abs(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1))) / 2 for x, y in (c.T for c in contours)]
        assert sprite.alpha.sum() / 255 == pytest.approx(areas[0] - sum(areas[1:]), rel=0.06)


def test_classes_differ_in_shape_at_the_smallest_size():
    """Upright, 16 pixels wide: no two classes' masks agree on more than 85 % of their union."""
    masks = []
    for contours in toy.OUTLINES.values():
        low, extent = contours[0].min(axis=0), np.ptp(contours[0], axis=0).max()
        sprite = toy.rasterize([(contour - low) * 16 / extent for contour in contours], margin=0)
        masks.append(np.pad(sprite.alpha >= 128, [(0, 16 - s) for s in sprite.alpha.shape]))
    for i, first in enumerate(masks):
        for second in masks[:i]:
            assert (first & second).sum() / (first | second).sum() < 0.85


def test_later_objects_are_drawn_over_earlier_ones():
    light = (0.0, -1.0)
    backdrop = toy.Backdrop((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 0.0, light)
    pixels = np.full((3, 300, 300), 0.5, dtype=np.float32)
    toy.paint_object(pixels, square(60, 60, 120), (1.0, 0.0, 0.0), backdrop)
    toy.paint_object(pixels, square(120, 120, 120), (0.0, 0.0, 1.0), backdrop)
    red, _, blue = pixels[:, 150, 150]
    assert blue > 0.8 and red == 0
    assert pixels[0, 90, 90] > 0.8 and pixels[:, 5, 290] == pytest.approx(0.5)
    assert pixels[0, 61, 110] < 0.6 * pixels[0, 90, 110]  # the dark line along the edge
    assert pixels[0, 242, 180] < 0.45  # the shadow, on the side away from the light


def test_a_color_contrasts_with_its_surroundings():
    rng = np.random.default_rng(0)
    for gray in (0.2, 0.9):
        colors = [toy.contrasting_color(rng, [(gray,) * 3]) for _ in range(100)]
        assert min(math.dist(color, (gray,) * 3) for color in colors) > 0.3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"split": "test"}, "split = 'test'"),
        ({"length": 0}, "length = 0"),
        ({"length": 2.5}, "length = 2.5"),
        ({"size": 128}, "size = 128"),
        ({"size": (128,)}, r"size = \(128,\)"),
        ({"size": (32, 128)}, "height = 32"),
        ({"size": (128, 12)}, "width = 12"),
        ({"seed": -1}, "seed = -1"),
        ({"max_objects": 0}, "max_objects = 0"),
        ({"max_objects": True}, "max_objects = True"),
        ({"classes": ("star", "moon")}, "class 'moon'"),
        ({"turn": -1}, "turn = -1"),
        ({"turn": float("nan")}, "turn = nan"),
    ],
)
def test_impossible_arguments(arguments, named):
    with pytest.raises(ConfigError, match=named):
        ToyScenes(**arguments)
