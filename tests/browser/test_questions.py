"""Questions in a real JupyterLab: answered by keyboard or by click, told, kept, there again; read without a kernel."""

import json

import pytest
from axe import violations
from browser_lab import OpenNotebook, change_theme, run_lab
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import expect

CELL = """
from rcnn_tutorial.questions.asking import Choice, Number, Question, Questions, Spot, click
from rcnn_tutorial.scene import Scene

cells, side = Number(1900, "cells", wrong={1850: "You round down."}), Choice("short", {"long": "No.", "both": "No."}, 1)
box = click(
    "Three boxes.", lambda: Scene(size=(50, 100)),
    Spot("around all", (2, 2, 98, 48), "Too large."),
    Spot("on the left", (10, 10, 40, 40)),
    Spot("on the right", (60, 10, 90, 40), "Too far right."),
)
Questions(
    "tour", "quiz",
    Question("cells", "How many **cells**?", cells, because="38 by 50."),
    Question("side", "Which side?", side, because="So it is."),
    Question("box", "Which box?", box, because="It is."),
)
"""
CARD = """
import rcnn_tutorial.checks.anchors as check
from rcnn_tutorial.boxes import box_iou

check.iou(lambda a, b: 1 - box_iou(a, b))
"""
STOPPED = f"check.iou(lambda a, b: a.{'an_attribute_that_is_not_there_' * 5})"
OURS = ".jp-OutputArea-output"  # JupyterLab's own parts have violations of their own


@pytest.fixture(scope="module")
def asked(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(
        cells=[new_markdown_cell("# Questions"), *map(new_code_cell, (CELL, CARD, STOPPED))], metadata=kernel
    )
    (folder / "course").mkdir()
    (folder / "course" / "asked.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with run_lab(folder / "course", folder / "scratch") as lab:
        page = browser.new_page(viewport={"width": 1024, "height": 768})
        opened = OpenNotebook(page, lab, "asked.ipynb")
        opened.run_all()
        opened.answers = folder / "course" / "answers" / "tour.json"
        yield opened
        page.close()


def test_a_question_is_answered_kept_and_asked_again_by_keyboard(asked):
    page, form = asked.page, asked.page.locator(".rcnn-ask")
    form.wait_for()
    number, side = (form.locator("li").nth(i) for i in range(2))
    number.get_by_role("textbox", name="cells").focus()
    page.keyboard.type("dd1850")  # "d d" deletes no cell
    page.keyboard.press("Enter")
    number.get_by_text("is no number").wait_for()
    page.keyboard.press("Control+a")
    page.keyboard.type("1 850")
    page.keyboard.press("Enter")
    number.get_by_text("Not right.").wait_for()
    assert "You round down." in number.get_by_role("status").inner_text()
    assert "right is 1 900" in number.inner_text() and "So it is." not in form.inner_text()
    side.get_by_role("radio").first.focus()
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    side.get_by_text("Right.", exact=True).wait_for()
    assert side.get_by_role("button", name="Answer again").evaluate("(button) => button === document.activeElement")
    kept = json.loads(asked.answers.read_text(encoding="utf-8"))["quiz"]
    assert (kept["cells"]["right"], kept["side"]["right"]) == (False, True)
    assert violations(page, OURS) == [] and asked.problems() == []


def click_on(picture, x: float, y: float) -> None:
    """Click at a place of a picture, given as shares of its width and height."""
    box = picture.bounding_box()
    picture.click(position={"x": x * box["width"], "y": y * box["height"]})


def test_a_click_on_the_picture_and_its_options_are_one_answer(asked):
    page, box = asked.page, asked.page.locator(".rcnn-ask li").nth(2)
    picture, chosen = box.locator(".rcnn-ask-picture"), box.locator("rect.rcnn-chosen")
    left, right = box.get_by_label("B: on the left"), box.get_by_label("C: on the right")
    click_on(picture, 0.5, 0.2)  # only the large box is there
    assert box.get_by_label("A: around all").is_checked()
    click_on(picture, 0.2, 0.5)  # the small box lies in the large one, which comes first
    assert left.is_checked() and left.evaluate("(input) => input === document.activeElement")
    page.keyboard.press("ArrowDown")
    assert right.is_checked() and chosen.count() == 1 and chosen.get_attribute("x") == "60"
    page.keyboard.press("Enter")
    box.get_by_text("Not right.").wait_for()
    assert box.locator(".rcnn-ask-badge").all_inner_texts() == ["", "✓ right", "✗ your answer"]
    assert box.locator("rect.rcnn-is-wrong").get_attribute("x") == "60"
    click_on(picture, 0.2, 0.5)  # too late
    assert right.is_checked() and "Too far right." in box.get_by_role("status").inner_text()
    assert violations(page, OURS) == [] and asked.problems() == []


@pytest.mark.parametrize("theme", ["Dark", "Light"])
def test_answers_and_cards_can_be_read_in_both_themes_and_fit_on_a_telephone(asked, theme):
    change_theme(asked.page, theme)
    assert asked.page.locator(".rcnn-card").count() == 2 and violations(asked.page, OURS) == []
    asked.resize(400, 800)
    asked.round_trip()
    wider = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)"
    assert asked.page.locator(OURS).evaluate_all(wider) == []
    asked.resize(1024, 768)


def test_kept_answers_are_there_in_the_next_kernel_and_the_question_is_there_without_one(asked):
    page = asked.page
    asked.save()
    asked.shut_down()
    asked.open()
    page.locator(".rcnn-question").wait_for()
    dead = page.get_by_text("Error displaying widget").first
    dead.wait_for(state="attached")
    expect(dead).to_be_hidden()
    assert page.locator(".rcnn-ask").count() == 0 and page.get_by_text("1 900").first.is_hidden()
    expect(page.get_by_role("img", name="Three boxes.")).to_be_visible()
    asked.run_all()
    number = page.locator(".rcnn-ask li").first
    number.get_by_text("Not right.").wait_for()
    expect(page.locator(".rcnn-question")).to_be_hidden()
    number.get_by_role("button", name="Answer again").press("Enter")
    number.get_by_role("button", name="Commit").wait_for()
    assert number.get_by_role("textbox", name="cells").input_value() == ""
    box = page.locator(".rcnn-ask li").nth(2)
    assert box.locator(".rcnn-ask-badge").all_inner_texts() == ["", "✓ right", "✗ your answer"]
    box.get_by_role("button", name="Answer again").press("Enter")
    box.get_by_role("button", name="Commit").wait_for()
    assert box.locator(".rcnn-chosen").count() == 0 and box.locator(".rcnn-ask-badge").all_inner_texts() == [""] * 3
