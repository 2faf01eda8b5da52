"""The live explorers of pages are those of the lessons, and their packs hold what was put in."""

import base64
import functools
import json
import zlib
from collections import Counter

import nbformat
import numpy as np
import pytest
import torch

from rcnn_tutorial.course import live
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.recording import read_recording
from rcnn_tutorial.explorers.shown import LIVE_VIEW
from rcnn_tutorial.explorers.twin import LARGE, Pack

LESSONS = sorted(path.stem for path in course_folder().glob("*.ipynb"))
# What an explorer says that stays a picture on its page -> why.
STAYS = {" is not written yet; the package's is used.": "it runs the reader's own function, which no page can"}


@functools.cache
def alive(lesson: str) -> list[str]:
    """What the lesson stored in the place of each explorer that its page has alive."""
    if lesson == live.TRAINING:
        return [words for words, _ in read_recording().explorers]
    return [repr(explorer) for explorer in live.LESSONS[lesson]()]


def stored(lesson: str) -> list[dict]:
    """The data of the lesson's outputs."""
    notebook = nbformat.read(course_folder() / f"{lesson}.ipynb", as_version=4)
    return [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]


def texts_of(lesson: str) -> list[str]:
    return [data.get("text/plain", "") for data in stored(lesson)]


def stills_of(lesson: str) -> list[str]:
    """What the lesson's explorers say: of an explorer the picture is stored before the live view."""
    outputs = stored(lesson)
    pairs = zip(outputs, outputs[1:], strict=False)
    return [still["text/plain"] for still, view in pairs if "image/jpeg" in still and LIVE_VIEW in view]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_page_begins_as_its_lesson_does(lesson):
    assert Counter(alive(lesson)) - Counter(stills_of(lesson)) == Counter()


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_explorer_of_a_lesson_stays_a_picture_on_its_page(lesson):
    left = Counter(stills_of(lesson)) - Counter(alive(lesson))
    assert [words for words in left.elements() if not any(part in words for part in STAYS)] == []


def test_what_stays_a_picture_is_in_a_lesson():
    words = [one for lesson in LESSONS for one in stills_of(lesson)]
    assert [part for part in STAYS if not any(part in one for one in words)] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_questions_of_a_page_are_those_of_its_lesson(lesson):
    texts = texts_of(lesson)
    asked = [repr(questions) for questions in live.questions_of(lesson)]
    assert len(asked) >= 2 and [text for text in asked if text not in texts] == []


def test_explorers_that_say_the_same_stand_in_their_order():
    assert live.numbered(["a", "b", "a"]) == {"a": [0, 2], "b": [1]}


def test_what_is_packed_can_be_read_again():
    explorers = live.LESSONS["02_anchors"]()
    packed = live.packed(explorers)
    content, arrays = json.loads(packed.content), zlib.decompress(base64.b64decode(packed.arrays))
    where = content["explorers"][0]["tensors"]["objects"]
    numbers = np.frombuffer(arrays, where["$"], np.prod(where["shape"], dtype=int), where["at"]).reshape(where["shape"])
    assert numbers.tolist() == explorers[0].objects.tolist()
    assert "</" not in packed.content


def test_a_pack_keeps_once_what_it_is_given_twice_and_begins_arrays_where_they_may():
    pack = Pack()
    first = pack.add({"a": torch.tensor([True]), "b": [torch.arange(3)], "c": b"file", "d": (1, "x", None)})
    size = len(pack.bytes)
    assert pack.add(torch.arange(3)) == first["b"][0] and len(pack.bytes) == size
    assert first["a"]["$"] == "bool" and first["b"][0]["$"] == "int32" and first["c"]["$"] == "file"
    assert first["b"][0]["at"] % 4 == 0 and first["d"] == [1, "x", None]


def test_a_large_array_goes_in_half_precision_where_that_loses_nothing():
    whole, thirds = torch.arange(LARGE) % 1000 / 8, torch.arange(LARGE) / 3
    pack = Pack()
    assert [pack.add(array)["$"] for array in (whole, thirds, whole[:9])] == ["float16", "float32", "float32"]


def test_pixels_go_as_what_sums_back_to_them():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 50, 70), dtype=np.uint8)
    pack = Pack()
    assert pack.add(pixels)["$"] == "differences" and pack.add(pixels[0, :9])["$"] == "uint8"
    kept = np.frombuffer(pack.bytes, np.uint8, pixels.size).reshape(pixels.shape)
    for axis in range(3):
        kept = kept.cumsum(axis, dtype=np.uint8)
    assert (kept == pixels).all()


@pytest.mark.parametrize("value", [torch.tensor([2**40]), {"a": object()}, torch.zeros(1, dtype=torch.complex64)])
def test_what_a_page_cannot_take_is_refused(value):
    with pytest.raises(TypeError, match="cannot go to a page"):
        Pack().add(value)
