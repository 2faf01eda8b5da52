"""README, teacher's page and model cards: links lead somewhere, commands and names exist, every lesson is there."""

import importlib
import json
import re
import shlex
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from rcnn_tutorial.checks.checking import Check
from rcnn_tutorial.cli import build_parser
from rcnn_tutorial.config import VOC_CLASSES
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.course.measure import MINUTES_APART, measure
from rcnn_tutorial.data.samples import DISTRIBUTIONS, SAMPLES, load_sample

NOTEBOOKS = course_folder()
ROOT = Path(__file__).parents[1]
README, TEACHER = ROOT / "README.md", ROOT / "notebooks" / "README.md"
FURTHER = sorted((ROOT / "notebooks" / "going_further").glob("*.md"))
PAGES = [README, TEACHER, *FURTHER, *sorted((ROOT / "assets").glob("*.md"))]
LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
PICTURES = ROOT / "assets" / "readme"
FENCE = re.compile(r"^```\w*\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def links_of(page: Path) -> list[str]:
    """Targets of all links and pictures, those of pictures inside links too."""
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors_of(page: Path) -> set[str]:
    """What a link's #part may name: the headings as code hosts spell them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_of(page: Path) -> list[str]:
    """The lines of all code blocks, and all inline code."""
    text = page.read_text(encoding="utf-8")
    blocks = [line for block in FENCE.findall(text) for line in block.splitlines()]
    return blocks + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of its rank or above."""
    rank = heading.split(" ")[0]
    after = page.read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(rank)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows_of(text: str) -> list[list[str]]:
    """The body of the tables in `text`, a list of cells a row."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in links_of(page):
        if not re.match(r"https?://", link):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors_of(target), link


def test_the_teachers_page_needs_nothing_outside_its_folder():
    """It is copied with the course, without the rest of the project."""
    assert [link for link in links_of(TEACHER) if link.startswith("..")] == []


@pytest.mark.parametrize("page", [README, TEACHER], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_needs_no_installation_comes_before_what_does(page):
    text = page.read_text(encoding="utf-8")
    assert 0 < text.index("`make site`") < text.index("make lab")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_picture_says_what_it_shows(page):
    assert all(len(alt) > 10 for alt in re.findall(r"!\[([^\]]*)\]\(", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_lesson_has_its_row_on_both_pages_and_a_thumbnail(lesson):
    (row,) = [cells for cells in rows_of(section(README, "## The course")) if f"notebooks/{lesson.name}" in cells[1]]
    assert f"(assets/readme/{lesson.stem[:2]}.jpg)](notebooks/{lesson.name})" in row[0] and len(row[2]) > 20
    with Image.open(PICTURES / f"{lesson.stem[:2]}.jpg") as thumbnail:
        assert thumbnail.size == (320, 240)

    (row,) = [cells for cells in rows_of(section(TEACHER, "## The lessons")) if f"({lesson.name})" in cells[0]]
    text = "\n".join(cell.source for cell in nbformat.read(lesson, as_version=4).cells)
    minutes = re.search(r"\| Time \| (\d+) minutes", text)
    assert row[1] == minutes[1] and len(row[2]) > 20


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_the_minutes_of_a_lesson_are_computed(lesson):
    """Not to the minute: a sentence more need not change the table."""
    (row,) = [cells for cells in rows_of(section(TEACHER, "## The lessons")) if f"({lesson.name})" in cells[0]]
    computed = measure(lesson).minutes
    assert abs(int(row[1]) - computed) <= MINUTES_APART, f"{computed:.0f}: python -m rcnn_tutorial.course.measure"
    assert int(row[1]) % 5 == 0


def test_every_question_on_the_path_names_the_minute_that_answers_it():
    path = section(TEACHER, "## 90 minutes")
    minutes = [int(row[0]) for row in rows_of(path)[1:] if row[0].isdigit()]
    assert minutes == sorted(set(minutes)) and minutes[0] == 0 and minutes[-1] < 85
    asked = re.findall(r"^(\d+)\. .*\((\d+)[:)]", path, flags=re.MULTILINE)
    assert [int(number) for number, _ in asked] == list(range(1, len(asked) + 1)) and len(asked) > 10
    assert {int(minute) for _, minute in asked} <= set(minutes)


def test_the_pictures_are_small_and_all_of_them_are_used():
    pictures = set(PICTURES.iterdir())
    sizes = {picture.name: picture.stat().st_size for picture in pictures}
    assert sizes.pop("story.webp") < 1_000_000  # a film
    assert sum(sizes.values()) < 600_000
    assert {ROOT / link for link in links_of(README) if link.startswith("assets/readme/")} == pictures


def test_the_list_of_sample_photos_is_that_of_their_file():
    boxes = json.loads((ROOT / "assets" / "samples" / "boxes.json").read_text(encoding="utf-8"))
    rows = {cells[0].strip("`"): cells[1:] for cells in rows_of(section(README, "### The sample photos"))[1:]}
    assert tuple(rows) == SAMPLES
    for name, (size, shows, by, source) in rows.items():
        image, target = load_sample(name)
        assert size == f"{image.shape[1]} × {image.shape[2]}", name
        if name == "scene":
            assert all(f"`{tile['photo']}`" in shows for tile in boxes["scene"]["tiles"])
            continue
        photo = boxes["photos"][name]
        assert all(VOC_CLASSES[label - 1] in shows for label in target["labels"]), name
        assert target["difficult"].any() == ("difficult" in shows), name
        source_told = DISTRIBUTIONS.get(photo["package"], "this project, from scikit-learn")
        assert (by, source) == (photo["credit"], source_told), name


def test_the_teachers_page_knows_every_sample_photo():
    rows = rows_of(section(TEACHER, "## Your own photos and data"))
    names = [name for cells in rows for name in re.findall(r"`(\w+)`", cells[0]) if name.islower()]
    assert sorted(names) == sorted(SAMPLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for code in code_of(page):
        if made := re.search(r"\bmake ([a-z][a-z-]*)", code):
            assert made[1] in targets, code
        if match := re.match(r"rcnn-tutorial (.+)", code):
            words = shlex.split(re.split(r" >|#", match[1])[0])
            assert parses(words if len(words) > 1 else [*words, "--help"]), code


def parses(words: list[str]) -> bool:
    """Whether the command line takes these words; asking for help counts."""
    try:
        return build_parser().parse_args(words) is not None
    except SystemExit as stop:
        return stop.code == 0


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_the_expected_wrong_answers_are_those_of_the_checks(lesson):
    module = importlib.import_module(f"rcnn_tutorial.checks.{lesson.stem[3:]}")
    checks = {check.name: check for check in vars(module).values() if isinstance(check, Check)}
    (heading,) = re.findall(rf"^### {lesson.stem[:2]} .+$", TEACHER.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rows = [cells for cells in rows_of(section(TEACHER, heading)) if cells[0] != "exercise"]
    assert {cells[0].strip("`") for cells in rows} == set(checks)
    for name, says, _ in rows:
        misconceptions = checks[name.strip("`")].misconceptions
        assert any(misconception.says.startswith(says.strip('"')) for misconception in misconceptions), says


def test_readers_questions_are_answered_where_the_page_says():
    places = re.findall(r'\((\d\d_\w+\.ipynb)\), "([^"]+)"', section(TEACHER, "## Readers' questions"))
    assert places
    for name, words in places:
        cells = nbformat.read(NOTEBOOKS / name, as_version=4).cells
        assert any(words in cell.source for cell in cells if cell.cell_type == "markdown"), (name, words)


def test_the_glossary_names_what_exists():
    rows = rows_of(section(TEACHER, "## Glossary"))
    names = [cells[3].strip("`") for cells in rows if len(cells) == 5 and cells[3].startswith("`")]
    assert names
    for name in names:
        assert exists(name), name


def exists(name: str) -> bool:
    """Whether `stages.nms.nms` and its like is a module's function or class, or a field of a class."""
    parts = name.split(".")
    depth = 2 if parts[0] == "stages" else 1
    found = importlib.import_module(".".join(["rcnn_tutorial", *parts[:depth]]))
    for part in parts[depth:-1]:
        found = getattr(found, part)
    return hasattr(found, parts[-1]) or parts[-1] in getattr(found, "__annotations__", {})
