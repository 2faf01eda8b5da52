"""Ids, flags, numbers, names and boxes of any JSON type."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcnn_tutorial.data.values import as_box, as_flag, as_id, as_name, as_number, polygon_box

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=5)
NONE = [None, "", " ", [], {}, True]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12), (12.0, 12), ("12", 12), (" 12 ", 12), ("12.0", 12), (-1, -1), ("-1", -1), ("0", 0), (10**30, 10**30),
        ("012", "012"), ("a1", "a1"), ("1.5", "1.5"), ("1e3", "1e3"), ("\u82f9", "\u82f9"),
        (1.5, None), (math.nan, None), (math.inf, None), *((value, None) for value in NONE),
    ],
)  # fmt: skip
def test_ids(value, expected):
    assert as_id(value) == expected and type(as_id(value)) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False), (True, True), (False, False), (0, False), (1, True), (2, True), (0.0, False), (1.0, True),
        ("0", False), ("1", True), ("", False), (" TRUE ", True), ("no", False), ("Unspecified", False),
        ("perhaps", None), (math.nan, None), ([], None), ({}, None),
    ],
)  # fmt: skip
def test_flags(value, expected):
    assert as_flag(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1), (1.5, 1.5), ("1.5", 1.5), (" 2e1\n", 20), (10**400, None), ("1,5", None), *((v, None) for v in NONE)],
)
def test_numbers(value, expected):
    assert as_number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2.5, "3", " 4 "], [1, 2.5, 3, 4]), ("[1, 2, 3, 4]", [1, 2, 3, 4]), ("1 2 3 4", [1, 2, 3, 4]),
        ("(1,2,3,4)", [1, 2, 3, 4]), ([1, 2, 3], None), ("1 2 3", None), ([1, 2, 3, None], None),
        ([[1, 2, 3, 4]], None), ({"x": 1}, None), ([1, 2, 3, True], None), *((value, None) for value in NONE),
    ],
)  # fmt: skip
def test_boxes(value, expected):
    assert as_box(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([[1, 2, 5, 2, 5, 8]], [1, 2, 4, 6]), ([1, 2, 5, 2, 5, 8], [1, 2, 4, 6]),
        ([[1, 2, 5, 2, 5, 8], [0, 9, 1, 9, 1, 9.5]], [0, 2, 5, 7.5]), ([["1", 2, 5, 2, 5, "8"]], [1, 2, 4, 6]),
        ([[1, 2, 5, 2]], None), ([[1, 2, 5, 2, 5, 8, 9]], None), ([[1, 2, 5, 2, 5, None]], None), ([[]], None),
        ({"counts": "x", "size": [1, 2]}, None), (None, None), ([], None), ([1, [2]], None),
    ],
)  # fmt: skip
def test_polygons(value, expected):
    assert polygon_box(value) == expected


@pytest.mark.parametrize(
    "value", ["", " ", "\u200b", "a\nb", "a\tb", "\x00", "\ud800", "\u202eabc", None, True, 1.5, []]
)
def test_names_that_cannot_be_seen(value):
    assert as_name(value) is None


@given(ANYTHING)
def test_nothing_raises_and_reading_again_changes_nothing(value):
    for read in (as_id, as_number, as_name, as_box):
        once = read(value)
        assert once is None or read(once) == once or once != once
    assert as_flag(value) in (None, True, False)
    assert polygon_box(value) is None or len(polygon_box(value)) == 4
