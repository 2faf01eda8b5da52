"""The page for one's own photo in Chromium, from the disk, offline: its tensors are Python's, and nothing is asked for.

Its policy refuses a bare expression, so that what is waited for are functions.
"""

import base64
import io
import re

import numpy as np
import pytest
import torch
from axe import violations
from browser_lab import SCREENSHOTS, PatientBrowser
from drawn import wait_until_drawn
from firefox import FirefoxPanel
from moving import ChromiumPanel, Move, movable, moves, press
from PIL import Image
from playwright.sync_api import expect
from served import served
from targets import small_targets

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.own_photo import SECTIONS, explorers_of, make_own_photo, missing, runtime_folder
from rcnn_tutorial.course.pages import own_photo_files
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.export_trace import named_tensors

TOLERANCE = 1e-3
SCREENS = {"projector": {"width": 1400, "height": 1000}, "phone": {"width": 400, "height": 800}}
DTYPES = {"Float32Array": np.float32, "Int32Array": np.int32, "Uint8ClampedArray": np.uint8}
TENSORS = """async () => {
    const text = ({ data }) => new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve([data.constructor.name, reader.result.split(",")[1]]);
        reader.readAsDataURL(new Blob([data]));
    });
    const { trace, photo } = window.seen;
    const all = { ...trace, photo: { shape: [photo.height, photo.width, 4], data: photo.data } };
    const packed = Object.entries(all).map(async ([name, array]) => [name, array.shape, ...(await text(array))]);
    return Promise.all(packed);
}"""
READ = """async ([text, name]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const { width, height, data } = await modules["photo.js"].readPhoto(new File([bytes], name));
    return [width, height, [...data.slice(0, 4)]];
}"""
DROP = """([text]) => {
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], "dropped.png"));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: files }));
}"""

# Counts the explorers of now that are cleaned up.
COUNT_CLEANED = """() => {
    window.cleaned = 0;
    for (const { cleanups } of ownPhoto.panels) cleanups.push(() => { window.cleaned += 1; });
}"""
# The detector comes when `release` is called.
HOLD = """() => {
    const held = new Promise((resolve) => { window.release = resolve; });
    const load = ownPhoto.detector.bind(ownPhoto);
    ownPhoto.detector = () => held.then(load);
}"""
LISTEN = """() => {
    window.told = [];
    const line = document.querySelector("[data-part=status]");
    new MutationObserver(() => window.told.push(line.textContent)).observe(line, { childList: true });
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder with the page and the detector beside it."""
    if reason := missing(runtime_folder()):
        pytest.fail(reason, pytrace=False)
    folder = tmp_path_factory.mktemp("site")
    (folder / "own_photo").mkdir()
    for name, text in own_photo_files(course_folder(), make_own_photo(runtime_folder())).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def page(browser, site, request):
    """The page, offline; fails at the end for an error of a script, or a request for what does not lie beside it."""
    screen = getattr(request, "param", "projector")
    context = browser.new_context(viewport=SCREENS[screen], has_touch=screen == "phone")
    context.set_offline(True)
    page, problems = context.new_page(), []
    beside = ((site / "own_photo").as_uri(), "blob:")
    page.on("request", lambda asked: None if asked.url.startswith(beside) else problems.append(asked.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    page.problems = problems
    page.goto((site / "own_photo.html").as_uri())
    page.evaluate("() => { ownPhoto.onTrace = (trace, photo) => { window.seen = { trace, photo }; }; }")
    yield page
    context.close()
    assert problems == []


def lake() -> Image.Image:
    return Image.open(asset_path("samples/lake.jpg")).convert("RGB")


def python_s_explorers(photo: Image.Image) -> list[Explorer]:
    return explorers_of(torch.from_numpy(np.array(photo)).permute(2, 0, 1).float() / 255, load_model("voc"))


def text_of(image: Image.Image, kind: str = "PNG", **options) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode("ascii")


def choose(page, data: bytes, name: str = "lake.png"):
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def until(page, *beginnings: str) -> str:
    """The page's word, once it begins like one of these and what it speaks of is drawn."""
    line = page.locator("[data-part=status]")
    expect(line).to_have_text(re.compile("|".join(f"^{beginning}" for beginning in beginnings)))
    wait_until_drawn(page)
    return line.inner_text()


def summaries_of(page) -> list[str]:
    """What the explorers under the detections say."""
    return page.locator("[data-explorer] .rcnn-summary").all_inner_texts()


def arrays_of(page) -> dict[str, np.ndarray]:
    """What the page handed over: the trace, and the photo's pixels under "photo"."""
    packed = page.evaluate(TENSORS)
    return {
        name: np.frombuffer(base64.b64decode(text), DTYPES[kind]).reshape(shape) for name, shape, kind, text in packed
    }


def test_the_page_and_the_detector_stay_small(site):
    """15 MB at most; with the other pages, whose limit is in `course/test_site.py`, 35."""
    sizes = {path.name: path.stat().st_size / 1e6 for path in site.rglob("*") if path.is_file()}
    assert sizes["own_photo.html"] <= 3 and sum(sizes.values()) <= 15


@pytest.mark.parametrize("count", [300, 100])
def test_every_tensor_of_a_photo_is_python_s(page, count):
    photo = lake()
    page.locator("[data-part=count]").select_option(str(count))
    choose(page, base64.b64decode(text_of(photo)))
    assert "has not left this device" in until(page, "Done", "That")
    found = arrays_of(page)
    assert np.array_equal(found.pop("photo")[..., :3], np.array(photo))
    model = load_model("voc")
    image = torch.from_numpy(np.array(photo)).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        expected = named_tensors(model.trace([image]))
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        if count < 300 and name.startswith("detections."):
            continue  # of fewer proposals, other detections
        right = tensor[:count] if name.startswith("propos") else tensor
        np.testing.assert_allclose(found[name], right.numpy(), atol=TOLERANCE, rtol=0, err_msg=name)
    assert len(found["detections.boxes"]) > 10


@pytest.mark.parametrize("page", SCREENS, indirect=True)
def test_the_detections_are_drawn_and_axe_finds_no_violation(page, request):
    assert violations(page) == []
    choose(page, base64.b64decode(text_of(lake().resize((320, 214)))))
    until(page, "Done")
    summary = page.locator("[data-part=summary]")
    assert "300 proposals" in summary.inner_text() and "0.50 or more: 1 train" in summary.inner_text()
    slider = page.get_by_label("Show scores from")
    slider.press("End")
    assert "0.95 or more" in summary.inner_text()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert violations(page) == []
    if page.viewport_size == SCREENS["phone"]:
        assert small_targets(page) == []
    SCREENSHOTS.joinpath("site").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "site" / f"own_photo_{page.viewport_size['width']}.png", full_page=True)


def test_the_explorers_begin_as_python_s_and_another_photo_replaces_them(page):
    expected = [explorer.summary for explorer in python_s_explorers(lake())]
    choose(page, base64.b64decode(text_of(lake())))
    until(page, "Done")
    assert summaries_of(page) == expected
    page.evaluate(COUNT_CLEANED)
    choose(page, base64.b64decode(text_of(lake().resize((320, 214)))))
    until(page, "Done")
    assert page.evaluate("() => cleaned") == len(SECTIONS)  # those of the first photo listen no longer
    assert page.locator("[data-explorer] .rcnn-explorer").count() == len(SECTIONS)
    assert "214 × 320 times" in summaries_of(page)[2] and summaries_of(page) != expected


def test_a_slider_or_preset_of_every_explorer_says_what_it_says_in_python(page):
    choose(page, base64.b64decode(text_of(lake())))
    until(page, "Done")
    for number, explorer in enumerate(python_s_explorers(lake())):
        panel, before = ChromiumPanel(page, number), explorer.summary
        ways = [(name, move) for name, control in movable(explorer) if (move := to_an_end(control))]
        if ways:
            name, move = ways[0]
            panel.press(f"[data-control='{name}']", *move.words)
            explorer.set(**{name: move.value})
            panel.wait_for(explorer.summary)
        else:
            press(panel, explorer, next(iter(explorer.presets)))
        assert explorer.summary != before
        press(panel, explorer, "Reset")


def to_an_end(control) -> Move | None:
    """The way of a slider to the end where it is not."""
    ends = [move for move in moves(control) if move.words in {("Home",), ("End",)} and move.value != control.value]
    return ends[-1] if ends else None


def test_in_firefox_the_explorers_begin_as_python_s(firefox_page, site, tmp_path):
    lake().save(tmp_path / "lake.png")
    firefox_page.goto(site / "own_photo.html")
    firefox_page.choose_file("input[type=file]", tmp_path / "lake.png")
    assert "has not left this device" in firefox_page.wait_for("[data-part=status]", "Done", "That")
    for number, explorer in enumerate(python_s_explorers(lake())):
        FirefoxPanel(firefox_page, number).wait_for(explorer.summary)


def test_over_http_a_photo_is_opened_and_goes_nowhere(browser, site):
    (site / "index.html").touch()  # a server wants one
    with served(site) as address, browser.new_context() as context:
        page, sent, problems = context.new_page(), [], []
        page.on("request", lambda asked: sent.append((asked.method, asked.url)))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(f"{address}/own_photo.html")
        choose(page, base64.b64decode(text_of(lake().resize((320, 214)))))
        assert "has not left this device" in until(page, "Done", "That")
        assert len(summaries_of(page)) == len(SECTIONS)
    beside = (f"{address}/own_photo", "blob:", "data:")
    assert problems == [] and [one for one in sent if one[0] != "GET" or not one[1].startswith(beside)] == []


def test_a_photo_is_turned_upright_and_a_large_one_shrunk(page):
    turned = Image.Exif()
    turned[0x0112] = 6  # Orientation: the camera was held upright
    red = Image.new("RGB", (60, 40), "red")
    width, height, pixel = page.evaluate(READ, [text_of(red, "JPEG", exif=turned.tobytes()), "turned.jpg"])
    assert (width, height) == (40, 60) and pixel[0] > 240
    assert page.evaluate(READ, [text_of(red.resize((4000, 1000))), "wide.png"])[:2] == [1600, 400]
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert page.evaluate(READ, [text_of(clear), "clear.png"])[2] == [255, 255, 255, 255]


def test_a_photo_may_be_dropped(page):
    page.evaluate("() => { ownPhoto.show = async (read) => { window.dropped = (await read()).width; }; }")
    page.evaluate(DROP, [text_of(lake())])
    page.wait_for_function("(width) => window.dropped === width", arg=lake().width)


def test_a_photo_that_is_dropped_while_another_is_looked_at_is_named_in_the_end(page):
    page.evaluate(HOLD)
    choose(page, base64.b64decode(text_of(lake().resize((320, 214)))))
    page.evaluate(DROP, [text_of(lake())])
    page.evaluate("() => release()")
    assert "The photo that came meanwhile was not opened: drop it again." in until(page, "Done", "That")
    assert arrays_of(page)["photo"].shape == (214, 320, 4)


def test_the_way_to_a_result_is_told_in_a_few_words(page):
    page.evaluate(LISTEN)
    choose(page, base64.b64decode(text_of(lake().resize((320, 214)))))
    until(page, "Done")
    told = page.evaluate("() => window.told")
    loading = [words for words in told if words.startswith("Loading")]
    assert [re.search(r"(\d+) %", words)[1] for words in loading] == ["0", "25", "50", "75"]
    assert len(told) == len(loading) + 5, told  # photo, start, look, explorers, result


def test_what_is_no_photo_is_refused_in_a_sentence(page):
    choose(page, b"no photo", "letter.txt")
    assert "letter.txt is no photo that this browser can open" in until(page, "That")


def test_without_its_folder_the_page_says_what_is_missing(page, site):
    (site / "own_photo").rename(site / "elsewhere")
    try:
        page.get_by_role("button", name="Load the detector first").click()
        assert "worker_0.js is missing" in until(page, "That")
    finally:
        (site / "elsewhere").rename(site / "own_photo")
    assert [problem for problem in page.problems if "ERR_FILE_NOT_FOUND" in problem]
    page.problems.clear()
    page.get_by_role("button", name="Load the detector first").click()
    until(page, "The detector is loaded")


def test_a_piece_that_was_copied_by_half_is_named(page, site):
    piece = site / "own_photo" / "graph_0.js"
    whole = piece.read_text(encoding="utf-8")
    piece.write_text(whole[: len(whole) // 2], encoding="utf-8")
    try:
        page.get_by_role("button", name="Load the detector first").click()
        assert "graph_0.js is damaged: copy the folder again." in until(page, "That")
    finally:
        piece.write_text(whole, encoding="utf-8")
    assert [problem for problem in page.problems if "Invalid or unexpected token" in problem]
    page.problems.clear()


def test_the_camera_gives_a_photo(browser, site):
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with PatientBrowser(browser.playwright, *fake) as opened:
        check_camera(opened.new_page(), site)


def check_camera(page, site):
    page.goto((site / "own_photo.html").as_uri())
    page.evaluate("() => { ownPhoto.show = async (read) => { window.taken = (await read()).width; }; }")
    page.get_by_role("button", name="Use the camera").click()
    until(page, "The camera is on")
    page.get_by_role("button", name="Take the photo").click()
    page.wait_for_function("() => window.taken > 100")
    expect(page.get_by_role("button", name="Use the camera")).to_be_visible()
