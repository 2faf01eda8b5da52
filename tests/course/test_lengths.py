"""No lesson is longer than a reader can bear."""

import pytest

from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.measure import MOST_SCREENS, MOST_WORDS_IN_ALL, measure, most_words

LESSONS = sorted(course_folder().glob("*.ipynb"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_short_enough(path):
    size = measure(path)
    assert size.words <= most_words(path), "fold or drop text: python -m rcnn_tutorial.course.measure"
    assert size.screens <= MOST_SCREENS + 0.5, "an estimate, which may be half a screen off"


def test_the_course_is_short_enough():
    assert sum(measure(path).words for path in LESSONS) <= MOST_WORDS_IN_ALL
