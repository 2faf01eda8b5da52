"""From a key on a slider to the picture, in JupyterLab (2 000 boxes) and on pages, in Chromium; prints how long.

There is no limit: what a machine needs depends on what else it does.
"""

import statistics

import nbformat
import pytest
from browser_lab import OpenNotebook, run_lab
from drawn import open_drawn

KEYS = 25
CELL = "from rcnn_tutorial.benchmark.slider import slider_explorer\n\nslider_explorer()"
WATCH = """() => {
    window.times = [];
    addEventListener('keydown', () => { window.pressed = performance.now(); }, true);
    const shown = () => requestAnimationFrame(() => window.times.push(performance.now() - window.pressed));
    new MutationObserver(shown).observe(
        document.querySelector('.rcnn-explorer canvas'), { attributes: true, attributeFilter: ['data-count'] });
}"""

PAGES = ["01_preprocessing", "02_anchors", "03_rpn_loss", "04_proposal_target"]
PAGE_KEYS = 10  # an even number: there and back
# Of each key on the slider, how long until its explorer's last new picture was drawn.
WATCH_SLIDER = """(slider) => {
    const times = window.times = [];
    let keys = 0, pressed;
    slider.addEventListener('keydown', () => { keys += 1; pressed = performance.now(); }, true);
    const watcher = new MutationObserver((changes) => {
        if (changes.every(({ target, oldValue }) => target.dataset.count === oldValue)) return; // drawn, but not anew
        const [key, since] = [keys, pressed];
        requestAnimationFrame(() => { times[key - 1] = performance.now() - since; });
    });
    for (const picture of slider.closest('.rcnn-explorer').querySelectorAll('canvas'))
        watcher.observe(picture, { attributeFilter: ['data-count'], attributeOldValue: true });
}"""


def test_every_key_is_followed_by_one_picture(browser, tmp_path, capsys):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=kernel)
    nbformat.write(notebook, folder / "slider.ipynb")
    with run_lab(folder, tmp_path / "scratch") as lab:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        opened = OpenNotebook(page, lab, "slider.ipynb")
        opened.run_all()
        [explorer] = opened.explorers()
        explorer.shown()
        page.evaluate(WATCH)
        for count in range(1, KEYS + 1):
            explorer.press(explorer.sliders.first, "ArrowRight")
            page.wait_for_function("(count) => window.times.length >= count", arg=count)
        opened.round_trip()
        times, summary = page.evaluate("() => window.times"), explorer.summary
        page.close()
    assert len(times) == KEYS
    assert summary == f"2000 boxes, moved by {KEYS}."
    with capsys.disabled():
        print(f"\nkey to picture, 2 000 boxes: median {statistics.median(times):.0f} ms of {KEYS} keys")


@pytest.mark.parametrize("lesson", PAGES)
def test_on_a_page_every_key_is_followed_by_a_picture(browser, site, lesson, capsys):
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        open_drawn(page, (site / f"{lesson}.html").as_uri())
        for more in page.get_by_role("button", name="More", exact=True).all():
            more.click()
        sliders = page.locator(".rcnn-explorer input[type=range]:enabled").all()
        found = [(answer_time(page, slider), slider.get_attribute("data-control")) for slider in sliders]
    median, name = max(found)
    with capsys.disabled():
        print(f"\n{lesson}, slowest of {len(found)} sliders, {name}: median {median:.0f} ms of {PAGE_KEYS} keys")


def answer_time(page, slider) -> float:
    """The median of some keys on a slider, in milliseconds. Each key waits for the picture of the one before."""
    low = slider.evaluate("(slider) => slider.valueAsNumber < Number(slider.max)")
    keys = ["ArrowRight", "ArrowLeft"] if low else ["ArrowLeft", "ArrowRight"]
    slider.evaluate(WATCH_SLIDER)
    for count, key in enumerate(keys * (PAGE_KEYS // 2), 1):
        slider.press(key)
        page.wait_for_function("(count) => window.times.length === count", arg=count)
    return statistics.median(page.evaluate("() => window.times"))
