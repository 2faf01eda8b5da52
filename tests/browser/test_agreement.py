"""Page and kernel say the same: after Run All, after a restart, after the saved notebook was opened again.

And where no kernel stands behind an explorer any more, its still picture is there, with the line that wakes it.
"""

from agreement import at_rest, disagreements, kernel_states, states_after_the_last_cell
from browser_lab import SCREENSHOTS, OpenNotebook

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


def assert_only_stills_are_seen(notebook: OpenNotebook, dead: str) -> None:
    """All live views: the line and the picture, and nothing else. dead: selector of what is left of the view itself."""
    cells = notebook.live_cells()
    assert cells
    for cell in cells:
        root = notebook.scroll_to(cell)
        view = root.locator(".jp-OutputArea-child").nth(2)
        view.locator(dead).first.wait_for(state="attached")
        assert not view.is_visible()
        assert root.locator(".jp-OutputArea-child img").is_visible()
        assert root.locator(".rcnn-wake").inner_text() == WAKE
        assert root.locator(".jp-OutputArea-output").filter(visible=True).count() == 2


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
    assert_only_stills_are_seen(lesson, ".jupyter-widgets-disconnected")
    lesson.page.screenshot(path=SCREENSHOTS / f"{lesson.name}_restarted.png")
    lesson.run_all()
    assert_it_is_as_the_cells_left_it(lesson)


def test_after_opening_it_again_without_its_kernel(lesson):
    lesson.save()
    lesson.shut_down()
    lesson.open()
    assert_only_stills_are_seen(lesson, "text=Error displaying widget: model not found")
    lesson.page.screenshot(path=SCREENSHOTS / f"{lesson.name}_reopened.png")
    lesson.run_all()
    assert_it_is_as_the_cells_left_it(lesson)
    for cell in lesson.live_cells():
        root = lesson.scroll_to(cell)
        assert not root.locator(".rcnn-wake").is_visible()
        assert not root.locator(".jp-OutputArea-child img").is_visible()
