"""Scenes: layers check what they are given, roles differ in more than color, texts stay in the picture and apart."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rcnn_tutorial import roles
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.roles import Role, ink_on
from rcnn_tutorial.scene import Boxes, Heatmap, Lines, Points, Scene, heat_colors, label_place

BOXES = torch.tensor([[10.0, 20.0, 110.0, 220.0], [50.0, 60.0, 70.0, 80.0]])
ROLES = [value for value in vars(roles).values() if isinstance(value, Role)]


@pytest.mark.parametrize(
    "layer", [Boxes(torch.zeros(3, 5)), Boxes(torch.zeros(4)), Points(torch.zeros(2, 3)), Lines(torch.zeros(2, 2))]
)
def test_a_layer_of_the_wrong_shape_is_named(layer):
    with pytest.raises(ConfigError, match="expected"):
        _ = layer.data


def test_unknown_styles_are_named():
    with pytest.raises(ConfigError, match="dash = 'wavy'"):
        Boxes(BOXES, Role("#FFFFFF", "wavy"))
    with pytest.raises(ConfigError, match="shape = 'star'"):
        Points([[1, 2]], shape="star")


def test_no_color_is_the_only_code():
    for one, other in itertools.combinations(ROLES, 2):
        assert one.color == other.color or one.dash != other.dash or "solid" in (one.dash, other.dash)
    before_and_after = roles.BEFORE, roles.AFTER, roles.OTHER, roles.GROUND_TRUTH
    assert len({role.dash for role in before_and_after}) == 4


def test_the_legend_names_the_role_unless_the_layer_has_a_name():
    layers = Boxes(BOXES, roles.ANCHOR), Boxes(BOXES, roles.ANCHOR, name="mine"), Boxes(BOXES, roles.ANCHOR, name="")
    assert [layer.legend for layer in layers] == ["anchor", "mine", ""]


def test_heatmap_spans_its_limits_and_bears_constant_values():
    rgba = Heatmap(torch.tensor([[0.0, 1.0], [0.5, 0.25]])).rgba()
    assert rgba.shape == (2, 2, 4)
    assert rgba[0, :, :].tolist() == [[68, 1, 84, 255], [253, 231, 36, 255]]
    assert Heatmap(torch.ones(2, 2)).rgba().shape == (2, 2, 4)
    assert Heatmap(torch.rand(2, 2), low=-1, high=2).limits() == (-1, 2)
    assert (Heatmap(torch.full((1, 1), float("nan")), low=0, high=1).rgba()[0, 0] == rgba[0, 0]).all()


def test_coordinates_are_the_image_s_own_unless_others_are_given():
    assert Scene(torch.zeros(3, 20, 30)).shape == Scene(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30)
    assert Scene(torch.zeros(3, 20, 30), size=(200, 300)).shape == (200, 300)


@given(st.lists(st.tuples(*[st.floats(-50, 350)] * 4), min_size=1, max_size=6))
def test_texts_stay_inside_the_picture(corners):
    taken = []
    for a, b, c, d in corners:
        box = [min(a, c), min(b, d), max(a, c), max(b, d)]
        x1, y1, x2, y2 = label_place(box, (80, 15), (300, 300), taken)
        assert x1 >= 0 and y1 >= 0 and x2 <= 300 and y2 <= 300 and (x2 - x1, y2 - y1) == pytest.approx((80, 15))
        taken.append((x1, y1, x2, y2))


def test_texts_of_boxes_that_share_a_corner_keep_apart():
    taken = []
    for box in ([50.0, 50, 200, 200], [50.0, 50, 200, 200], [50.0, 50, 250, 200]):
        taken.append(label_place(box, (80, 15), (300, 300), taken))
    assert taken[:2] == [(50, 35, 130, 50), (50, 50, 130, 65)]
    assert len(set(taken)) == 3
    assert label_place([280.0, 50, 299, 90], (80, 15), (300, 300), [])[2] == 300  # at the right edge it grows leftward


def test_the_colors_of_a_heatmap_are_those_that_it_draws():
    drawn = Heatmap(torch.arange(256.0)[None]).rgba()[0, :, :3]  # (256, 3)
    assert np.abs(heat_colors().astype(int) - drawn).max() <= 1
    assert heat_colors().shape == (256, 3)


def test_no_class_has_the_color_of_a_role():
    told = (roles.BEFORE, roles.AFTER, roles.CHOSEN, roles.GROUND_TRUTH, roles.OTHER)
    assert not {role.color for role in told} & set(roles.CLASS_COLORS)


@pytest.mark.parametrize("color", sorted({*roles.PALETTE, *roles.CLASS_COLORS}))
def test_text_on_every_class_color_is_legible(color):
    def luminance(hex_color):
        linear = [int(hex_color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in linear]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(color), luminance(ink_on(color))))
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG AA
