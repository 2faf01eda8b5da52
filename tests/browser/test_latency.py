"""From a key on a slider to the picture of 2 000 boxes, in JupyterLab in Chromium; prints how long that takes."""

import statistics

import nbformat
from browser_lab import OpenNotebook, run_lab

KEYS = 25
CELL = "from rcnn_tutorial.benchmark.slider import slider_explorer\n\nslider_explorer()"
WATCH = """() => {
    window.times = [];
    addEventListener('keydown', () => { window.pressed = performance.now(); }, true);
    const shown = () => requestAnimationFrame(() => window.times.push(performance.now() - window.pressed));
    new MutationObserver(shown).observe(
        document.querySelector('.rcnn-explorer canvas'), { attributes: true, attributeFilter: ['data-count'] });
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
