"""The live explorers of pages are those of the lessons, and their packs hold what was put in."""

import base64
import json
import zlib

import nbformat
import numpy as np
import pytest
import torch

from rcnn_tutorial.course import live
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.explorers.twin import Pack


@pytest.fixture(scope="module")
def lessons():
    return {lesson: build() for lesson, build in live.LESSONS.items()}


def stored(lesson: str) -> list[str]:
    """What the lesson's outputs say as plain text."""
    notebook = nbformat.read(course_folder() / f"{lesson}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return ["".join(output.get("data", {}).get("text/plain", "")) for output in outputs]


@pytest.mark.parametrize("lesson", live.LESSONS)
def test_a_page_begins_as_its_lesson_does(lesson, lessons):
    texts = stored(lesson)
    assert [repr(explorer) for explorer in lessons[lesson] if repr(explorer) not in texts] == []


@pytest.mark.parametrize("path", sorted(course_folder().glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_questions_of_a_page_are_those_of_its_lesson(path):
    texts = stored(path.stem)
    asked = [repr(questions) for questions in live.questions_of(path.stem)]
    assert len(asked) >= 2 and [text for text in asked if text not in texts] == []


def test_what_is_packed_can_be_read_again(lessons):
    packed = live.packed(lessons["02_anchors"])
    content, arrays = json.loads(packed.content), zlib.decompress(base64.b64decode(packed.arrays))
    where = content["explorers"][0]["tensors"]["objects"]
    numbers = np.frombuffer(arrays, where["$"], np.prod(where["shape"], dtype=int), where["at"]).reshape(where["shape"])
    assert numbers.tolist() == lessons["02_anchors"][0].objects.tolist()
    assert "</" not in packed.content


def test_a_pack_keeps_once_what_it_is_given_twice_and_begins_arrays_where_they_may():
    pack = Pack()
    first = pack.add({"a": torch.tensor([True]), "b": [torch.arange(3)], "c": b"file", "d": (1, "x", None)})
    size = len(pack.bytes)
    assert pack.add(torch.arange(3)) == first["b"][0] and len(pack.bytes) == size
    assert first["a"]["$"] == "bool" and first["b"][0]["$"] == "int32" and first["c"]["$"] == "file"
    assert first["b"][0]["at"] % 4 == 0 and first["d"] == [1, "x", None]


@pytest.mark.parametrize("value", [torch.tensor([2**40]), {"a": object()}, torch.zeros(1, dtype=torch.complex64)])
def test_what_a_page_cannot_take_is_refused(value):
    with pytest.raises(TypeError, match="cannot go to a page"):
        Pack().add(value)
