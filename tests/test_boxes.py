"""Box arithmetic against the reference's figures, torchvision's operators and its own laws."""

import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given

from rcnn_tutorial.boxes import box_area, box_iou, centers_and_sizes, clip, decode, encode

GOLDEN = np.load(Path(__file__).parent / "golden" / "03_bbox_ops.npz")
CASES = ("rand", "one", "zero_size", "big_delta")


def figure(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN[name])


def continuous(name: str) -> torch.Tensor:
    """Boxes of the reference, whose corners are inclusive, as ours."""
    return figure(name) + torch.tensor([0, 0, 1, 1])


def close(actual, expected, tolerance=1e-4):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=tolerance, check_dtype=False)


@st.composite
def boxes(draw, count: int = 2, smallest: float = 0.5):
    """Float64 boxes (count, 4) with sides between `smallest` and 1000 pixels."""
    corner = st.floats(-1000, 1000)
    side = st.floats(smallest, 1000)
    rows = draw(st.lists(st.tuples(corner, corner, side, side), min_size=count, max_size=count))
    return torch.tensor([(x, y, x + w, y + h) for x, y, w, h in rows], dtype=torch.float64)


@pytest.mark.parametrize("case", CASES)
def test_iou_of_the_reference(case):
    close(box_iou(continuous(f"{case}__ex"), continuous(f"{case}__gt")), figure(f"{case}__overlaps_f64"))


@pytest.mark.parametrize("case", CASES)
def test_targets_of_the_reference(case):
    close(encode(continuous(f"{case}__gt"), continuous(f"{case}__ex")), figure(f"{case}__targets"))


@pytest.mark.parametrize("case", CASES)
def test_decoded_boxes_of_the_reference(case):
    # The reference's decoder forgets the - 1 of inclusive corners, and so returns continuous ones.
    decoded = decode(figure(f"{case}__deltas"), continuous(f"{case}__ex"))
    torch.testing.assert_close(decoded, figure(f"{case}__inv"), rtol=1e-5, atol=1e-3)


def test_class_specific_coefficients_broadcast_as_in_the_reference():
    decoded = decode(figure("multi_deltas").unflatten(1, (4, 4)), continuous("multi_ex")[:, None])  # (10, 4, 4)
    close(decoded.flatten(1), figure("multi_inv"), 1e-3)


@pytest.mark.parametrize("name", [*(f"{case}__" for case in CASES), "multi_"])
def test_clipped_boxes_of_the_reference(name):
    raw, clipped = figure(f"{name}inv").unflatten(1, (-1, 4)), figure(f"{name}clipped_600x800").unflatten(1, (-1, 4))
    close(clip(raw, torch.tensor([599, 799])), clipped)  # its limits are the last pixel's index, ours the image's edge


def test_reference_defect_its_round_trip_grows_a_box_by_one_pixel():
    reference, target = continuous("one__ex"), continuous("one__gt")
    close(figure("one__inv") - figure("one__gt"), torch.tensor([[0.0, 0.0, 1.0, 1.0]]), 1e-3)
    close(decode(encode(target, reference), reference), target, 1e-3)


def test_reference_defect_coefficients_without_limit():
    coefficients = torch.tensor([[0.0, 0.0, 100.0, 100.0]])
    reference = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    assert torch.exp(coefficients).isinf().any()  # what the reference multiplies the sides by
    assert decode(coefficients, reference).isfinite().all()
    close(centers_and_sizes(decode(coefficients, reference))[1], torch.full((1, 2), 100_000.0), 10.0)
    assert decode(figure("big_delta__deltas"), continuous("big_delta__ex")).isfinite().all()


def test_coefficients_use_centers_where_the_post_says_corners():
    reference = torch.tensor([100.0, 100.0, 300.0, 200.0])  # x, y, w, h = 100, 100, 200, 100
    target = torch.tensor([120.0, 110.0, 280.0, 250.0])  # x, y, w, h = 120, 110, 160, 140
    close(encode(target, reference)[:2], torch.tensor([0.0, 0.3]))


def test_empty_boxes_give_finite_coefficients():
    point, box = torch.tensor([5.0, 5.0, 5.0, 5.0]), torch.tensor([0.0, 0.0, 10.0, 10.0])
    assert encode(point, box).isfinite().all() and encode(box, point).isfinite().all()
    assert box_iou(point[None], point[None]).item() == 0


def test_nothing_in_nothing_out():
    none = torch.zeros(0, 4)
    assert tuple(GOLDEN["empty_inv_shape"]) == decode(none, none).shape == encode(none, none).shape
    assert box_iou(none, torch.zeros(3, 4)).shape == (0, 3)


def test_leading_dimensions_broadcast():
    a, b = continuous("rand__ex")[:6], continuous("rand__gt")[:8]
    expected = torch.stack([box_iou(a[:3], b), box_iou(a[3:], b)])
    assert torch.equal(box_iou(a.unflatten(0, (2, 3)), b), expected)


def test_corners_on_the_image_s_border_stay():
    box = torch.tensor([[0.0, 0.0, 800.0, 600.0]])
    assert torch.equal(clip(box, torch.tensor([600, 800])), box)
    sizes = torch.tensor([[[600, 800]], [[100, 200]]])  # one size an image, (B, 1, 2)
    expected = torch.tensor([[[0.0, 0.0, 800.0, 600.0]], [[0.0, 0.0, 200.0, 100.0]]])
    assert torch.equal(clip(box.expand(2, 1, 4) * 2 - 5, sizes).squeeze(1), expected.squeeze(1))


@given(boxes(), boxes(3))
def test_iou_and_area_are_torchvision_s(a, b):
    close(box_iou(a, b), torchvision.ops.box_iou(a, b), 1e-9)
    close(box_area(a), torchvision.ops.box_area(a), 1e-6)


@given(boxes(), boxes())
def test_coefficients_are_those_of_the_paper(targets, references):
    """R-CNN, appendix C, number by number."""
    found = encode(targets, references)
    for row, target, reference in zip(found, targets.tolist(), references.tolist(), strict=True):
        (x, y, w, h), (xa, ya, wa, ha) = (
            ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1) for x1, y1, x2, y2 in (target, reference)
        )
        expected = [(x - xa) / wa, (y - ya) / ha, math.log(w / wa), math.log(h / ha)]
        close(row, torch.tensor(expected, dtype=torch.float64), 1e-9)


@given(boxes(), boxes(3))
def test_iou_is_symmetric_and_a_fraction(a, b):
    overlaps = box_iou(a, b)
    assert torch.equal(overlaps, box_iou(b, a).T)
    assert (overlaps >= 0).all() and (overlaps <= 1).all()
    close(box_iou(a, a).diagonal(), torch.ones(len(a)), 1e-9)


@given(boxes(), boxes())
def test_decoding_undoes_encoding(targets, references):
    close(decode(encode(targets, references), references), targets, 1e-6)


@given(boxes(), boxes(), st.floats(0.05, 20), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_coefficients_do_not_change_when_both_boxes_are_scaled_and_moved(targets, references, sx, sy, tx, ty):
    scale, shift = torch.tensor([sx, sy, sx, sy]).double(), torch.tensor([tx, ty, tx, ty]).double()
    close(encode(targets * scale + shift, references * scale + shift), encode(targets, references), 1e-7)


def test_reference_defect_inclusive_corners_break_that_invariance():
    def inclusive(target, reference):  # how the reference would take the same four numbers
        grow = torch.tensor([0, 0, 1, 1])
        return encode(target + grow, reference + grow)[0].item()

    reference, target = torch.tensor([0.0, 0.0, 100.0, 100.0]), torch.tensor([53.5, 0.0, 153.5, 100.0])
    assert inclusive(target, reference) == pytest.approx(0.530, abs=1e-3)
    assert inclusive(target / 16, reference / 16) == pytest.approx(0.461, abs=1e-3)
    close(encode(target / 16, reference / 16), encode(target, reference))
