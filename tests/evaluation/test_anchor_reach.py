"""Which objects anchors reach: by hand, and against every anchor of the package's own at every cell."""

import math

import pytest
import torch

from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.config import AnchorConfig, PreprocessingConfig, reference_config, toy_config
from rcnn_tutorial.data import TOY_CLASSES, ToyScenes
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.evaluation import anchor_reach
from rcnn_tutorial.evaluation.anchor_reach import Found, Grid
from rcnn_tutorial.model import build_model
from rcnn_tutorial.stages.anchors import anchor_sizes, generate_anchors, inside_image
from rcnn_tutorial.stages.preprocessing import preprocess
from rcnn_tutorial.targets import make_target

REFERENCE, GRID = AnchorConfig(), Grid(16, 8.0)
SQUARE = AnchorConfig(scales=(8,), ratios=(1,))  # 128 x 128 alone
PHOTO = torch.tensor([600, 800])  # height, width


def found(boxes, size=PHOTO, scale=1.0):
    boxes = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    count = len(boxes)
    scales = torch.full((count,), scale, dtype=torch.float64)
    one = torch.ones(count, dtype=torch.long)
    return Found(boxes, size.expand(count, 2), scales, one, 0 * one, ["photo.jpg"], 0)


def at(x, y, width, height):
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def test_an_object_that_is_an_anchor_is_reached_wholly():
    center = 16 * 20 + 8
    boxes = [at(center, center, width, height) for width, height in ((128, 128), (184, 96), (352 / 4, 704 / 4))]
    assert anchor_reach.best_overlap(found(boxes), REFERENCE, GRID).tolist() == pytest.approx([1, 1, 1])


def test_a_tiny_object_is_a_small_part_of_the_smallest_anchor():
    best = anchor_reach.best_overlap(found(at(328, 328, 4, 4)), REFERENCE, GRID)
    assert best.tolist() == pytest.approx([16 / (88 * 176)])  # 88 x 176 has the least area of the nine


def test_between_cells_an_object_shares_less():
    best = anchor_reach.best_overlap(found(at(328 + 8, 328 + 8, 128, 128)), SQUARE, GRID)
    assert best.tolist() == pytest.approx([120**2 / (2 * 128**2 - 120**2)])
    small = found(at(336, 336, 16, 16))
    assert anchor_reach.own_overlap(small, GRID).tolist() == pytest.approx([64 / (2 * 256 - 64)])


def test_anchors_that_leave_the_photo_do_not_count():
    corner = found([0, 0, 128, 128])
    moved = 128 - 8  # the first cell from which 128 x 128 is inside has its center at 72
    assert anchor_reach.best_overlap(corner, SQUARE, GRID).tolist() == pytest.approx(
        [moved**2 / (2 * 128**2 - moved**2)]
    )
    allowed = GRID._replace(border=56.0)  # the nearest are now the cells on both sides
    assert anchor_reach.best_overlap(corner, SQUARE, allowed).tolist() == pytest.approx(
        [moved**2 / (2 * 128**2 - moved**2)]
    )
    shifted = found([-56, -56, 72, 72])
    assert anchor_reach.best_overlap(shifted, SQUARE, allowed).tolist() == pytest.approx([1])


def test_a_shape_larger_than_the_photo_reaches_nothing():
    best = anchor_reach.best_overlap(found([0, 0, 100, 100], size=torch.tensor([100, 100])), SQUARE, GRID)
    assert best.tolist() == [0]


@pytest.mark.parametrize(("stride", "border", "whole_cells"), [(16, 0.0, False), (8, 0.0, False), (16, 24.0, True)])
def test_the_best_of_all_anchors_at_all_cells(stride, border, whole_cells):
    generator = torch.Generator().manual_seed(stride)
    config = AnchorConfig(scales=(1.5, 4, 9), ratios=(0.4, 1, 2.2))
    grid = Grid(stride, 8.0, border, whole_cells)
    for height, width in ((333, 500), (600, 800), (100, 64)):
        size = torch.tensor([height, width])
        start = torch.rand(40, 2, generator=generator, dtype=torch.float64) * size.flip(0)
        extent = torch.rand(40, 2, generator=generator, dtype=torch.float64) * (size.flip(0) - start)
        boxes = torch.cat([start, start + extent.clamp(min=0.5)], dim=1)  # (40, 4)
        rounded = math.floor if whole_cells else math.ceil
        anchors = generate_anchors(rounded(height / stride), rounded(width / stride), stride, config).double()
        inside = inside_image(anchors, size[None], border)[0]  # (N,)
        overlaps = box_iou(boxes, anchors) * inside  # (40, N)
        expected = overlaps.reshape(40, -1, 9).amax(dim=1)  # (40, 9)
        got = anchor_reach.best_overlaps(boxes, size.expand(40, 2), anchor_sizes(config), grid)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
        assert expected.max() > 0.5


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "mobilenet_v2", "small"])
def test_the_grid_is_that_of_the_network(name):
    config = toy_config(("any",)) if name == "small" else reference_config(name)
    grid = anchor_reach.grid_of(config)
    with torch.device("meta"):
        head = build_model(config).head
        for side in (128, 135, 333):
            cells = side // grid.stride if grid.whole_cells else -(-side // grid.stride)
            assert head(torch.empty(1, 3, side, side)).shape[-2:] == (cells, cells)


class Photos:
    """A data set of blank photos that tells nothing but its items."""

    classes = ("thing",)

    def __init__(self, *targets, size=(300, 500)):
        self.targets, self.size = targets, size

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        boxes, difficult = self.targets[index]
        if boxes is None:
            raise DataError("photo.jpg: cannot be read")
        return torch.zeros(3, *self.size), make_target(boxes, [1] * len(boxes), difficult, self.size, f"item {index}")


def test_objects_are_scaled_as_the_detector_scales_them():
    photos = Photos(([[10, 20, 110, 70], [0, 0, 5, 5]], [False, True]), ([], []), ([[0, 0, 300, 300]], [False]))
    config = PreprocessingConfig()
    got = anchor_reach.find_objects(photos, config, progress=False)
    seen = preprocess([photos[0][0]], config)
    assert got.scales.tolist() == pytest.approx([float(seen.scales[0])] * 2)
    assert got.sizes.tolist() == [seen.sizes[0].tolist()] * 2
    assert got.boxes.tolist() == [[20, 40, 220, 140], [0, 0, 600, 600]]
    assert got.images.tolist() == [0, 2] and got.names == ["item 0", "item 1", "item 2"] and got.difficult == 1


def test_what_can_tell_its_boxes_without_pixels_is_not_asked_for_them(monkeypatch):
    scenes = ToyScenes("val", length=3)
    counted = sum(int((~scenes[i][1]["difficult"]).sum()) for i in range(3))
    monkeypatch.setattr(ToyScenes, "__getitem__", lambda *_: pytest.fail("painted"))
    got = anchor_reach.find_objects(scenes, toy_config(TOY_CLASSES).preprocessing, progress=False)
    assert len(got.boxes) == counted and len(got.names) == 3


def test_a_photo_that_cannot_be_read_ends_it_or_is_left_out():
    photos = Photos((None, []), ([[0, 0, 30, 30]], [False]))
    with pytest.raises(DataError, match="photo.jpg"):
        anchor_reach.find_objects(photos, PreprocessingConfig(), progress=False)
    with pytest.warns(UserWarning, match="left out: photo.jpg"):
        got = anchor_reach.find_objects(photos, PreprocessingConfig(), "skip", progress=False)
    assert got.names == ["item 1"] and got.images.tolist() == [0]


@pytest.mark.parametrize(
    ("photos", "why"),
    [
        (Photos(), "none of 0 images has one"),
        (Photos(([], []), ([], [])), "none of 2 images has one"),
        (Photos(([[0, 0, 9, 9]], [True])), "all 1 are marked as difficult"),
    ],
)
def test_without_an_object_there_is_nothing_to_reach(photos, why):
    with pytest.raises(DataError, match=why):
        anchor_reach.find_objects(photos, PreprocessingConfig(), progress=False)


def test_shares_count_from_the_threshold_on():
    assert anchor_reach.reach(torch.tensor([0.5, 0.7, 0.2, 0.6])) == pytest.approx((4, 0.75, 0.25, 0.5))


def test_groups_by_size_in_the_photo_and_by_side_and_shape_after_scaling():
    objects = found([at(300, 300, 40, 40), at(300, 300, 100, 25), at(300, 300, 100, 400)], scale=2.0)
    groups = anchor_reach.reach_by_group(objects, torch.tensor([0.1, 0.6, 0.8]))
    counts = {kind: {name: row.objects for name, row in rows.items()} for kind, rows in groups.items()}
    assert counts == {
        "size": {"small": 2, "large": 1},  # 20 and 25 pixels in the photo, and 100
        "side": {"32 to 64": 2, "128 to 256": 1},  # 40, 50 and 200 after scaling
        "shape": {"below 1/3": 1, "2/3 to 3/2": 1, "from 3 on": 1},
    }
    assert groups["size"]["small"] == pytest.approx((2, 0.5, 0, 0.35))
