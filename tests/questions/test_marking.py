"""Pages mark answers as the notebook does: Node marks what the notebook's form marks."""

import json
import subprocess
from pathlib import Path

import pytest
from node import needs_node

from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.files import course_folder, notebook_paths
from rcnn_tutorial.course.live import questions_of
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.questions.form import Form
from rcnn_tutorial.questions.twin import key_of

LESSONS = [path.stem for path in notebook_paths(course_folder()) if path.parent == course_folder()]
ASKED = [asked for lesson in LESSONS for asked in questions_of(lesson)]
ODD = (
    "",
    " ",
    "about 5",
    "1/0",
    "1/2/3",
    "1e5",
    "nan",
    "17 100",
    "17\u202f100",
    "1,234,567.5",
    "1,6",
    "2/3",
    "−3",
    ".5",
)


def answers_to(question) -> list[list[str]]:
    """The right answer, each wrong one in its field, and what is no answer."""
    right = [str(part.right) for part in question.fields]
    wrong = [(i, str(value)) for i, part in enumerate(question.fields) for value in part.wrong]
    odd = [(i, text) for i, part in enumerate(question.fields) for text in ODD]
    return [right, *([*right[:i], value, *right[i + 1 :]] for i, value in wrong + odd)]


@needs_node
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: f"{asked.stage} {asked.section}")
def test_a_page_marks_as_the_notebook_does(asked, tmp_path):
    form = Form(asked, None)
    cases = [(number, values) for number, one in enumerate(asked.questions) for values in answers_to(one)]
    right = [{k: v for k, v in form.commit(number, values).items() if k != "note"} for number, values in cases]
    keys = [key_of(question) for question in asked.questions]
    script, answers = tmp_path / "script.js", tmp_path / "answers.json"
    script.write_text(bundle(["marking.js"], sources()), encoding="utf-8")
    answers.write_text(json.dumps([(keys[number], values) for number, values in cases]), encoding="utf-8")
    run = subprocess.run(["node", Path(__file__).with_name("mark.mjs"), script, answers], capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    marked = [{k: v for k, v in one.items() if k != "note"} for one in json.loads(run.stdout)]
    for case, mine, its in zip(cases, marked, right, strict=True):
        assert mine == its, case
