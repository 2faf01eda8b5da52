"""The teacher's path of 90 minutes: what it says to press is there in the lesson, and does something."""

import re

from rcnn_tutorial.course.files import course_folder

ROW = re.compile(r"^\| \d+ \| (\d\d), [^|]+\| ([^|]+)\|", re.MULTILINE)
NAMES = ".rcnn-presets button, .rcnn-ranking button, .widget-label, option"


def told_to_press() -> dict[str, list[str]]:
    """For each lesson by its number, what the column *do* of the path prints in bold."""
    page = (course_folder() / "README.md").read_text(encoding="utf-8")
    path = page.split("\n## 90 minutes\n")[1].split("\n## ")[0]
    names: dict[str, list[str]] = {}
    for lesson, do in ROW.findall(path):
        names.setdefault(lesson, []).extend(re.findall(r"\*\*(.+?)\*\*", do))
    return names


def test_the_path_is_read_with_its_lessons_in_order():
    told = told_to_press()
    assert list(told) == sorted(told) and len(told) >= 7 and "NMS 0.95" in told["04"]


def test_what_the_path_says_to_press_is_there_and_changes_the_picture(lesson):
    wanted = [name for name in told_to_press().get(lesson.name[:2], []) if name != "click"]
    for explorer in lesson.explorers():
        explorer.root.scroll_into_view_if_needed()
        known = [text.strip() for text in explorer.root.locator(NAMES).all_text_contents()]
        mine = [name for name in wanted if name in known]
        wanted = [name for name in wanted if name not in mine]
        for name in mine:
            preset = explorer.root.locator(".rcnn-presets").get_by_role("button", name=name, exact=True)
            if name != "Reset" and preset.count():
                explorer.root.locator(".rcnn-presets").get_by_role("button", name="Reset", exact=True).click()
                start = explorer.shown()
                preset.click()
                assert explorer.shown() != start, name
    assert wanted == [] and lesson.problems() == []
