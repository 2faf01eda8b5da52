"""One JupyterLab, site, Chromium and Firefox for all browser tests; a lesson is opened once, and run seldom."""

import shutil

import nbformat
import pytest
from agreement import SNAPSHOT
from browser_lab import ANSWER_TIMEOUT, SCREENSHOTS, OpenNotebook, PatientBrowser, run_lab
from firefox import firefox, run_firefox
from playwright.sync_api import expect, sync_playwright

from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.pages import write_site

expect.set_options(timeout=ANSWER_TIMEOUT)
LESSONS = sorted(path.name for path in course_folder().glob("*.ipynb"))


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, or the one that $CHROMIUM names."""
    with sync_playwright() as playwright, PatientBrowser(playwright) as opened:
        yield opened


@pytest.fixture(scope="session")
def opened_firefox(tmp_path_factory):
    """Debian's Firefox, or the one that $FIREFOX names, with one page as large as a projector's."""
    if firefox() is None:
        pytest.fail("Firefox is missing; on Debian: apt install firefox-esr", pytrace=False)
    with run_firefox(tmp_path_factory.mktemp("firefox")) as page:
        page.set_viewport(1400, 900)
        yield page


@pytest.fixture
def firefox_page(opened_firefox):
    """Its page; fails at the end for what a script complained of, and for a request for what was not allowed."""
    yield opened_firefox
    assert opened_firefox.take_problems() == []


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the course's pages."""
    folder = tmp_path_factory.mktemp("site")
    write_site(folder)
    return folder


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A server on a copy of the course, each lesson with a last cell that notes how its explorers stand."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(course_folder(), folder / "notebooks")
    for name in LESSONS:
        notebook = nbformat.read(folder / "notebooks" / name, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(SNAPSHOT))
        nbformat.write(notebook, folder / "notebooks" / name)
    with run_lab(folder / "notebooks", folder / "scratch") as running:
        yield running


@pytest.fixture(scope="session", params=LESSONS, ids=lambda name: name.removesuffix(".ipynb"))
def opened_lesson(request, browser, lab):
    """A lesson in a page of its own, opened once for the tests of all files."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    notebook = OpenNotebook(page, lab, request.param)
    yield notebook
    page.screenshot(path=SCREENSHOTS / f"{request.param.removesuffix('.ipynb')}_last.png")
    page.close()


@pytest.fixture
def lesson(opened_lesson):
    """A lesson with all its cells run; a test may leave it otherwise."""
    if not opened_lesson.live:
        opened_lesson.run_all()
    return opened_lesson
