"""One JupyterLab and one Chromium for all browser tests; every lesson is opened and run once."""

import os
import shutil

import pytest
from browser_lab import CHROMIUM_OPTIONS, SCREENSHOTS, OpenNotebook, run_lab
from playwright.sync_api import sync_playwright

from rcnn_tutorial.assets import course_folder

LESSONS = sorted(path.name for path in course_folder().glob("*.ipynb"))


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, or the one that $CHROMIUM names."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A server on a copy of the course."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(course_folder(), folder / "notebooks")
    with run_lab(folder / "notebooks", folder / "scratch") as running:
        yield running


@pytest.fixture(scope="module", params=LESSONS, ids=lambda name: name.removesuffix(".ipynb"))
def lesson(request, browser, lab):
    """A lesson with all its cells run."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    notebook = OpenNotebook(page, lab, request.param)
    notebook.run_all()
    yield notebook
    page.screenshot(path=SCREENSHOTS / f"{request.param.removesuffix('.ipynb')}_last.png")
    page.close()
