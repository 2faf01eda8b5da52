"""The table of the bundled detectors: it says what their files hold, and both model cards carry it."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from rcnn_tutorial.bundled import DETECTORS, LEFT_OUT, comparison, recipe, table
from rcnn_tutorial.checkpoints import BUNDLED, load_model
from rcnn_tutorial.config import Config
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.fields import from_dict
from rcnn_tutorial.options import USUAL, request_fields, shown
from rcnn_tutorial.request import get

CARDS = Path(__file__).parents[1] / "assets"
THE_POSTS = {  # the numbers that the post gives
    "model.preprocessing.target_size": "600",
    "model.preprocessing.max_size": "1000",
    "model.anchors.scales": "8 16 32",
    "model.anchors.ratios": "0.5 1 2",
    "model.proposals.train_pre_nms_top_n": "12000",
    "model.proposals.train_post_nms_top_n": "2000",
    "model.proposals.test_pre_nms_top_n": "6000",
    "model.proposals.test_post_nms_top_n": "300",
    "model.anchor_targets.batch_size": "256",
    "model.anchor_targets.foreground_fraction": "0.5",
    "model.proposal_targets.batch_size": "128",
    "model.proposal_targets.foreground_fraction": "0.25",
    "model.crop_pooling.size": "7",
}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_card_holds_the_table(name):
    card = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    assert f"\n\n{table()}\n" in card, "print it anew: python -m rcnn_tutorial.bundled"


@pytest.mark.parametrize("name", DETECTORS)
def test_a_recipe_is_that_of_the_detector_in_the_file(name):
    assert load_model(name).config == from_dict(Config, recipe(name)["model"])


def test_every_bundled_detector_has_its_column():
    assert set(DETECTORS) == set(BUNDLED)
    assert all(len(row) == 2 + len(DETECTORS) for row in comparison())


def test_the_rows_are_the_options_that_differ_and_no_others():
    requests = [USUAL, *(recipe(name) for name in DETECTORS)]
    known = [(name, [shown(get(request, name)) for request in requests]) for name, _ in request_fields()]
    differ = {name: values for name, values in known if len(set(values)) > 1 and name not in LEFT_OUT}
    meanings = {name: field.metadata["meaning"] for name, field in request_fields()}
    expected = [(meanings[name], *values) for name, values in differ.items()]
    sizes, options = comparison()[:3], comparison()[3:]
    assert [what for what, *_ in sizes] == ["classes", "pixels per cell", "anchors at 600 x 800"]
    assert options == expected
    assert {"model.backbone.name", "model.proposal_targets.background_low", "training.optimizer"} <= set(differ)


def test_the_first_lesson_shows_the_table_and_the_most_telling_rows_before():
    cells = nbformat.read(course_folder() / "00_tour.ipynb", as_version=4).cells
    (text,) = [cell.source for cell in cells if "## Who is who" in cell.source]
    shown, _, folded = text.partition("<details>")
    rows = [line for line in shown.splitlines() if line.startswith("| ") and "reference" not in line]
    assert table() in folded and len(rows) >= 5 and set(rows) <= set(table().splitlines())


def test_voc_has_the_posts_numbers():
    rows = {what: values for what, *values in comparison()}
    assert rows["classes"] == ["20", "20", "10"]
    assert rows["pixels per cell"][:2] == ["16", "16"]
    assert rows["anchors at 600 x 800"][:2] == ["17100", "17100"]
    assert {name: shown(get(recipe("voc"), name)) for name in THE_POSTS} == THE_POSTS


def test_the_command_prints_the_table():
    command = [sys.executable, "-m", "rcnn_tutorial.bundled"]
    printed = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    assert (printed.stdout, printed.stderr) == (f"{table()}\n", "")
