"""Page and kernel say the same: after Run All, after a restart, after the saved notebook was opened again.

And where no kernel stands behind an explorer any more, its still picture is there, with the line that wakes it.
"""

from collections.abc import Iterable

from agreement import at_rest, disagreements, kernel_states, states_after_the_last_cell
from browser_lab import SCREENSHOTS, OpenNotebook
from playwright.sync_api import Locator, expect

from rcnn_tutorial.explorers.shown import WAKE


def assert_they_agree(notebook: OpenNotebook) -> None:
    """All explorers: page = kernel."""
    shown = notebook.explorers()
    assert shown
    for explorer in shown:
        kernel, page = at_rest(notebook, explorer)
        known = [state for state in kernel.values() if state["summary"] == page["summary"]]
        assert known, (page, kernel)
        assert disagreements(known[0], page) == []


def parts_of(notebook: OpenNotebook, cell: int) -> list[Locator]:
    """The waking line, the still picture and the live view of a cell, wherever they stand among what it shows."""
    outputs = notebook.scroll_to(cell).locator(".jp-OutputArea-child")
    outputs.locator(".rcnn-wake").first.wait_for(state="attached")
    first = outputs.evaluate_all("(outputs) => outputs.findIndex((output) => output.querySelector('.rcnn-wake'))")
    return [outputs.nth(first + number) for number in range(3)]


def assert_only_stills_are_seen(notebook: OpenNotebook, cells: Iterable[int], dead: str) -> None:
    """Of these cells the line and the picture, and no view. dead: selector of what is left of the view itself."""
    assert cells
    for cell in cells:
        line, still, view = parts_of(notebook, cell)
        view.locator(dead).first.wait_for(state="attached")
        expect(view).to_be_hidden()
        expect(still.locator("img")).to_be_visible()
        expect(line.locator(".rcnn-wake")).to_have_text(WAKE)


def assert_only_the_view_is_seen(notebook: OpenNotebook, cell: int) -> None:
    """Neither the line nor the picture."""
    line, still, view = parts_of(notebook, cell)
    expect(view).to_be_visible()
    expect(line).to_be_hidden()
    expect(still).to_be_hidden()


def assert_it_is_as_the_cells_left_it(notebook: OpenNotebook) -> None:
    """Right after all cells have run: all agree, and no late answer of the page has undone what a cell has set."""
    assert_they_agree(notebook)
    assert kernel_states(notebook) == states_after_the_last_cell(notebook)
    assert notebook.problems() == []


def test_after_run_all(opened_lesson):
    opened_lesson.run_all()
    assert_it_is_as_the_cells_left_it(opened_lesson)


def test_after_opening_it_again_while_the_kernel_lives(lesson):
    before = kernel_states(lesson)
    lesson.save()
    lesson.open()
    assert_they_agree(lesson)
    assert kernel_states(lesson) == before


def test_after_a_restart(lesson):
    lesson.restart()
    # Curves have no controls that could be dead: their picture stays as it is.
    curves = {cell for cell, words in lesson.live_cells().items() if words.startswith("LossCurves")}
    assert_only_stills_are_seen(lesson, lesson.live_cells().keys() - curves, ".jupyter-widgets-disconnected")
    for cell in curves:
        assert_only_the_view_is_seen(lesson, cell)
    lesson.page.screenshot(path=SCREENSHOTS / f"{lesson.name}_restarted.png")
    lesson.run_all()
    assert_it_is_as_the_cells_left_it(lesson)


def test_after_opening_it_again_without_its_kernel(lesson):
    lesson.save()
    lesson.shut_down()
    lesson.open()
    assert_only_stills_are_seen(lesson, lesson.live_cells(), "text=Error displaying widget: model not found")
    lesson.page.screenshot(path=SCREENSHOTS / f"{lesson.name}_reopened.png")
    lesson.run_all()
    assert_it_is_as_the_cells_left_it(lesson)
    for cell in lesson.live_cells():
        assert_only_the_view_is_seen(lesson, cell)
