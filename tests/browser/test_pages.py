"""The pages' explorers in Chromium, from the disk, offline: whatever is moved, they say what Python says."""

import pytest
from drawn import open_drawn
from moving import ChromiumPanel, drag_in_python, move_every_control, press
from playwright.sync_api import expect

from rcnn_tutorial.course import live
from rcnn_tutorial.course.recording import read_recording
from rcnn_tutorial.explorers.suppression import NMSExplorer

SCREENS = {"projector": {"width": 1400, "height": 900}, "phone": {"width": 400, "height": 800}}
# What of a panel's presets and first controls does not show itself while a picture of it is looked at.
HIDDEN = """(panel) => [...panel.querySelectorAll(".rcnn-stage")].flatMap((picture) => {
    picture.scrollIntoView({ block: "center" });
    return [picture, ...panel.querySelectorAll(".rcnn-presets, .rcnn-main > *")].filter((part) => {
        const { left, top, width, height } = part.getBoundingClientRect();
        return !part.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    }).map((part) => `${part.className} ${part.textContent}`);
})"""
# Of the recorded trainings what each says at its first step, at the next, and at its last, where the page begins.
LOSSES = tuple(f"Losses of {step} of 60 steps." for step in (0, 1, 60))
RECORDED = {0: ("Step 0 of 300", "Step 10 of 300", "Step 300 of 300, finished."), 1: LOSSES, 2: LOSSES}
BEAT = {"list": 1800, "story": 250}  # milliseconds between two steps of Play
# Whether something lies over what has the focus in a panel. In a picture it may be another box of the same picture.
COVERED = """() => {
    const at = document.activeElement, whole = at.closest(".rcnn-stage") ?? at;
    const { left, top, width, height } = at.getBoundingClientRect();
    const free = [0.1, 0.5, 0.9].some((share) =>
        whole.contains(document.elementFromPoint(left + width / 2, top + share * height)));
    return at.closest(".rcnn-explorer") && !free ? at.outerHTML.slice(0, 120) : null;
}"""


@pytest.fixture(params=SCREENS)
def open_lesson(request, browser, site):
    """Opens a lesson's page and waits for its explorers; fails at the end for an error of a script."""
    context = browser.new_context(viewport=SCREENS[request.param], has_touch=request.param == "phone")
    context.set_offline(True)
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)

    def open_lesson(lesson: str):
        open_drawn(page, (site / f"{lesson}.html").as_uri())
        return page

    yield open_lesson
    context.close()
    assert problems == []


@pytest.mark.parametrize("lesson", live.LESSONS)
def test_every_control_of_a_page_does_what_it_does_in_python(open_lesson, lesson):
    page = open_lesson(lesson)
    for number, explorer in enumerate(live.LESSONS[lesson]()):
        move_every_control(ChromiumPanel(page, number), explorer)


@pytest.mark.parametrize("lesson", live.LESSONS)
def test_every_preset_of_a_page_says_what_it_says_in_python(open_lesson, lesson):
    page = open_lesson(lesson)
    for number, explorer in enumerate(live.LESSONS[lesson]()):
        for name in explorer.presets:
            press(ChromiumPanel(page, number), explorer, name)


@pytest.mark.parametrize("lesson", [*live.LESSONS, live.TRAINING])
def test_a_picture_and_what_changes_it_are_seen_together(open_lesson, lesson):
    for panel in open_lesson(lesson).locator(".rcnn-explorer").all():
        assert panel.evaluate(HIDDEN) == []


@pytest.mark.parametrize("lesson", ["02_anchors", "04_proposal_target"])
def test_nothing_covers_what_has_the_focus(open_lesson, lesson):
    page = open_lesson(lesson)
    for key_pressed in ["Tab"] * 80 + ["Shift+Tab"] * 80:
        page.keyboard.press(key_pressed)
        assert page.evaluate(COVERED) is None


@pytest.mark.parametrize(
    ("lesson", "names"),
    [
        ("02_anchors", ["Anchor Explorer", "IoU Explorer"]),
        ("03_rpn_loss", ["Anchor Label Explorer", "Smooth L1 Explorer"]),
        (live.TRAINING, ["Training Replay", "Curves Replay", "Curves Replay 2"]),
    ],
)
def test_every_explorer_has_a_name_of_its_own(open_lesson, lesson, names):
    page = open_lesson(lesson)
    for number, name in enumerate(names):
        panel = page.locator(f"[data-explorer='{number}']")
        assert panel.get_by_role("region", name=name, exact=True).count() == 1


@pytest.mark.parametrize("number", RECORDED)
def test_a_training_is_looked_through(open_lesson, number):
    panel = ChromiumPanel(open_lesson(live.TRAINING), number)
    first, second, last = RECORDED[number]
    said = panel.element.locator(".rcnn-summary")
    expect(said).to_contain_text(last)
    pictures = [panel.seen()[1]]
    for key, words in (("Home", first), ("ArrowRight", second)):
        panel.press("[data-control=step]", key)
        expect(said).to_contain_text(words)
        pictures.append(panel.seen()[1])
    assert pictures[0] != pictures[1] != pictures[2]
    panel.push("Reset")
    expect(said).to_contain_text(last)
    assert panel.seen()[1] == pictures[0]


def test_every_recorded_training_is_looked_through():
    assert list(RECORDED) == list(range(len(read_recording().explorers)))


def test_behind_a_number_of_many_photos_is_its_own(open_lesson):
    panel = ChromiumPanel(open_lesson("10_errors"), 1)
    photo, drawn, pictures = panel.element.locator("canvas").nth(1), "", []
    for member in (1, 2, 3):
        expect(panel.element.locator(".rcnn-summary")).to_contain_text(f"Member {member}: photo ")
        expect(photo).not_to_have_attribute("data-count", drawn)
        drawn = photo.get_attribute("data-count")
        pictures.append(panel.seen()[1][1])
        panel.press("[data-control=member]", "ArrowRight")
    assert len(set(pictures)) == 3


def test_suppression_is_played_as_in_python(open_lesson):
    page = open_lesson("07_inference_nms")
    explorer, panel = live.LESSONS["07_inference_nms"]()[0], ChromiumPanel(page, 0)
    best, last = (panel.element.locator("[data-row]").nth(place) for place in (0, -1))
    words = {row["name"]: {"pick": row["row"]} for row in explorer.ranking.frame["rows"]}
    check_list(panel, explorer)
    for act, word in (
        (last, words[last.locator("button").inner_text()]),  # the wrong one
        (best, words[best.locator("button").inner_text()]),
        (panel.element.get_by_role("button", name="Step"), {"go": 1}),
        (panel.element.get_by_role("button", name="Back"), {"go": -1}),
    ):
        act.click()
        explorer.ranking._handle_custom_msg(word, [])
        check_list(panel, explorer)
    page.clock.install()
    panel.element.get_by_role("button", name="Play").click()
    page.clock.run_for(BEAT["list"] * explorer.step.max)
    explorer.step.value = explorer.step.max
    check_list(panel, explorer)
    assert panel.element.get_by_role("button", name="Play").is_disabled()
    for button in ("Back", "Play", "Back"):  # the only step that is left ends the play
        panel.element.get_by_role("button", name=button).click()
    page.clock.run_for(BEAT["list"] * 3)
    explorer.step.value = explorer.step.max - 1
    check_list(panel, explorer)


def check_list(panel: ChromiumPanel, explorer: NMSExplorer):
    """The page says what Python says, in its line and in every cell of its list."""
    panel.wait_for(explorer.summary)
    cells = [text for row in explorer.ranking.frame["rows"] for text in (row["name"], *row["cells"])]
    assert panel.element.locator(".rcnn-ranking tbody :is(th, td)").all_text_contents() == cells


def test_the_story_plays_until_it_is_stopped(open_lesson):
    page = open_lesson("00_tour")
    explorer, panel = live.LESSONS["00_tour"]()[0], ChromiumPanel(page, 0)
    play, moment = (panel.element.locator(f"[data-control={name}]") for name in ("play", "moment"))
    page.clock.install(time=0)
    page.clock.pause_at(60_000)
    play.click()
    page.clock.run_for(BEAT["story"] * 3)
    explorer.set(moment=3)
    panel.wait_for(explorer.summary)
    expect(moment).to_have_value("3")
    play.click()
    expect(play).to_have_text("Play")
    page.clock.run_for(BEAT["story"] * 3)
    expect(moment).to_have_value("3")
    panel.wait_for(explorer.summary)


def test_a_box_is_dragged(open_lesson):
    page = open_lesson("02_anchors")
    explorer = live.LESSONS["02_anchors"]()[1]
    panel = page.locator("[data-explorer='1']")
    handle = panel.locator(".rcnn-handle[data-handle=first]")
    handle.focus()
    for key in ("ArrowRight", "Control+ArrowDown", "Shift+ArrowLeft"):
        handle.press(key)
    x1, y1, x2, y2 = explorer.canvas.handles["first"]
    explorer.canvas.move(first=(x1 + 1, y1 + 10, x2, y2 + 10))
    ChromiumPanel(page, 1).wait_for(explorer.summary)


@pytest.mark.parametrize("open_lesson", ["phone"], indirect=True)
def test_a_finger_drags_a_box_and_the_page_stays(open_lesson):
    page = open_lesson("02_anchors")
    touch = page.context.new_cdp_session(page)

    def at(kind: str, *points: tuple[int, int]):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    def drag(way):
        at("touchStart", way[0])
        for point in way[1:]:
            at("touchMove", point)
        at("touchEnd")

    check_drag(page, drag)


@pytest.mark.parametrize("open_lesson", ["projector"], indirect=True)
def test_the_mouse_drags_a_box(open_lesson):
    page = open_lesson("02_anchors")

    def drag(way):
        page.mouse.move(*way[0])
        page.mouse.down()
        for point in way[1:]:
            page.mouse.move(*point)
        page.mouse.up()

    check_drag(page, drag)


def check_drag(page, drag):
    """drag(way): along points of the screen. The upper of two boxes goes where Python's does, and nothing else."""
    explorer, panel = live.LESSONS["02_anchors"]()[1], ChromiumPanel(page, 1)
    panel.element.scroll_into_view_if_needed()
    scrolled = page.evaluate("() => scrollY")
    box = panel.element.locator("[data-handle=second]").bounding_box()
    x, y = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)
    drag([(x, y), (x + 5, y + 20), (x + 9, y + 60), (x + 12, y + 37)])
    drag_in_python(explorer, "second", (12, 37), panel.element.locator(".rcnn-sheet").bounding_box()["width"])
    panel.wait_for(explorer.summary)
    assert page.evaluate("() => scrollY") == scrolled


def test_an_explorer_that_fails_leaves_the_others_alive(browser, site, tmp_path):
    html, kind = (site / "02_anchors.html").read_text(encoding="utf-8"), '"kind": "AnchorExplorer"'
    assert html.count(kind) == 1
    (tmp_path / "broken.html").write_text(html.replace(kind, '"kind": "Unknown"'), encoding="utf-8")
    with browser.new_context() as context:
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.goto((tmp_path / "broken.html").as_uri())
        explorer, panel = live.LESSONS["02_anchors"]()[1], ChromiumPanel(page, 1)
        panel.wait_for(explorer.summary)
        press(panel, explorer, next(iter(explorer.presets)))
        assert page.locator("[data-explorer='0'] img").is_visible()  # the still picture
        assert len(said) == 1 and said[0].startswith("rcnn_tutorial explorer 0:")


def test_photos_that_come_again_are_not_decoded_again(open_lesson):
    page = open_lesson("10_errors")
    page.evaluate("""() => {
        const decode = window.createImageBitmap;
        window.decoded = 0;
        window.createImageBitmap = (...given) => { window.decoded++; return decode(...given); };
    }""")
    panel = ChromiumPanel(page, 2)
    canvas = panel.element.locator("canvas").first
    pictures = []
    for place in ("End", "Home", "End", "Home"):
        before = canvas.get_attribute("data-count")
        panel.press("[data-control=object]", place)
        expect(canvas).not_to_have_attribute("data-count", before)
        pictures.append(panel.seen()[1])
    assert pictures[:2] == pictures[2:] and pictures[0] != pictures[1]
    assert page.evaluate("() => window.decoded") == 1  # the last object's photo; the first one's was there


def test_an_answer_is_marked(open_lesson):
    page = open_lesson("02_anchors")
    form = page.locator("[data-questions='0'] form").first
    fields = live.questions_of("02_anchors")[0].questions[0].fields
    for place, field in enumerate(fields):
        form.locator("input").nth(place).fill(str(field.right))
    form.get_by_text("Commit").click()
    assert "Right." in page.locator("[data-questions='0'] [role=status]").first.inner_text()
