"""The course as pages: complete, self-contained, every picture and formula in a form that anybody can read."""

import base64
import io
import posixpath
import re
import zipfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from rcnn_tutorial.checks.verdict import Verdict
from rcnn_tutorial.course import pages, site
from rcnn_tutorial.course.files import FURTHER, PAPER, course_folder, notebook_paths
from rcnn_tutorial.course.markdown import PageRenderer, to_mathml
from rcnn_tutorial.course.pages import make_pages
from rcnn_tutorial.errors import DataError
from rcnn_tutorial.explorers.shown import WAKE, WAKING_LINE
from rcnn_tutorial.questions.tour import quiz

COURSE = course_folder()
NOTEBOOKS = [path.relative_to(COURSE) for path in notebook_paths(COURSE)]
NAMES = [path.with_suffix(".html").as_posix() for path in NOTEBOOKS]
PAIRS = list(zip(NOTEBOOKS, NAMES, strict=True))
PAPERS = [path.relative_to(COURSE).with_suffix(".html").as_posix() for path in sorted((COURSE / PAPER).glob("*.md"))]
FURTHER_PAGES = [f"{FURTHER}/{path.stem}.html" for path in sorted((COURSE / FURTHER).glob("*.md"))]
LESSON_PAGES = [name for name in NAMES if "/" not in name]
PAGES = ["index.html", "teacher.html", *NAMES, *PAPERS, *FURTHER_PAGES]
PARTS = {"mfrac": 2, "mover": 2, "mroot": 2, "msub": 2, "msubsup": 3, "msup": 2, "munder": 2, "munderover": 3}
MOST_OF_A_LESSON, MOST_OF_THE_SITE = 3, 20  # MB
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # a PNG of 1 x 1
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The whole site but the page for one's own photo, written once; name -> the bytes of a page."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONNXRUNTIME_WEB", str(folder / "nowhere"))
        assert site.main([str(folder)]) == 0
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.html"))}


@pytest.fixture(scope="module")
def built(written):
    """Name -> parsed page."""
    return {name: BeautifulSoup(html.decode("utf-8"), "html.parser") for name, html in written.items()}


@pytest.fixture
def course(tmp_path):
    """A course of one lesson: Markdown cells and code cells with their outputs."""

    def write(*cells) -> Path:
        folder = tmp_path / "course"
        folder.mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), folder / "00_tour.ipynb")
        return folder

    return write


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def code(source, **data):
    return nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("execute_result", data)])


def explorer_summaries(notebook: Path) -> list[str]:
    """What the explorers of a notebook say, from its own outputs."""
    told = []
    for cell in nbformat.read(COURSE / notebook, as_version=4).cells:
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        live = [bundle["text/plain"] for bundle in data if pages.LIVE_VIEW in bundle]
        told += [bundle["text/plain"] for bundle in data if "image/jpeg" in bundle and bundle["text/plain"] in live]
    return [words.split(": ", 1)[1] for words in told]


def test_every_lesson_and_every_solution_has_a_page(built):
    assert sorted(built) == sorted(PAGES)


def test_a_lesson_and_the_site_stay_small(written):
    """The archive, a download in place of the pages, holds the same once more and is not counted."""
    sizes = {name: len(html) / 1e6 for name, html in written.items()}
    assert {name: sizes[name] for name in LESSON_PAGES if sizes[name] > MOST_OF_A_LESSON} == {}
    assert sum(sizes.values()) <= MOST_OF_THE_SITE


def test_without_the_page_for_one_s_own_photo_a_line_says_why(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ONNXRUNTIME_WEB", str(tmp_path / "nowhere"))
    monkeypatch.setattr(pages, "make_pages", lambda *_, **options: {"index.html": str(options["own_photo"])})
    monkeypatch.setattr(pages, "live_lessons", dict)
    assert site.main([str(tmp_path)]) == 0
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == "False"
    first, second = capsys.readouterr().out.splitlines()
    packed = (tmp_path / f"{pages.ARCHIVE}.zip").stat().st_size / 1e6
    assert first.endswith(f": 1 pages, 0.0 MB; packed {packed:.1f} MB")
    assert "npm install --prefix build onnxruntime-web" in second


def test_what_an_earlier_site_had_and_this_one_has_not_goes(monkeypatch, tmp_path):
    beside = {"own_photo.html": "page", "own_photo/graph_0.js": "piece"}
    monkeypatch.setattr(pages, "make_pages", lambda *_, **__: {"index.html": "first"})
    monkeypatch.setattr(pages, "live_lessons", dict)
    monkeypatch.setattr(pages, "make_own_photo", lambda runtime: None)
    monkeypatch.setattr(pages, "own_photo_files", lambda *_: beside)
    pages.write_site(tmp_path / "again", runtime=tmp_path)
    assert (tmp_path / "again/own_photo/graph_0.js").read_text(encoding="utf-8") == "piece"
    contents = []
    for name in ("again", "fresh"):
        pages.write_site(tmp_path / name)
        contents.append({path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*")})
    assert contents[0] == contents[1]


def test_one_file_holds_every_page():
    pages_ = {"index.html": b"<p>one</p>", "paper/02_anchors.html": b"<p>two</p>"}
    first = pages.archive(pages_)
    assert first == pages.archive(pages_)
    with zipfile.ZipFile(io.BytesIO(first)) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {
            f"{pages.ARCHIVE}/{name}": html for name, html in pages_.items()
        }


def test_paper_exercises_lead_back_to_their_lesson(built):
    assert built["paper/08_training.html"].footer.find("a")["href"] == "../08_training.html"
    assert built["08_training.html"].main.find("a", href="paper/08_training.html")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing(built, name):
    page = built[name]
    assert not page.find_all(["iframe", "object", "embed", "video", "audio", "base"])
    loaded = [
        tag.get(key) for tag in page.find_all(True) for key in ("src", "srcset", "data", "poster") if tag.get(key)
    ]
    loaded += [tag["href"] for tag in page.find_all("link")]
    assert all(address.startswith("data:") for address in loaded)
    styles = "".join(tag.text for tag in page.find_all("style"))
    assert styles and not re.search(r"url\(|@import", styles)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_its_own_script_and_no_other(built, name):
    policy = built[name].find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    scripts = [tag for tag in built[name].find_all("script") if not tag.get("type")]
    assert [tag.text for tag in built[name].find_all("script") if "src" in tag.attrs] == []
    assert re.findall(r"'sha256-[^']+'", policy) == [f"'{pages.script_hash(tag.text)}'" for tag in scripts]
    assert policy.startswith("default-src 'none'") and "unsafe-eval" not in policy and "script-src 'self'" not in policy
    assert bool(scripts) == (name in LESSON_PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_is_embedded_and_described(built, name):
    for picture in built[name].find_all("img"):
        assert re.match("data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]{100}", picture["src"])
        assert len(picture["alt"]) > 25
        assert not re.search("[`{$]", picture["alt"])


@pytest.mark.parametrize(("notebook", "name"), PAIRS, ids=NAMES)
def test_no_picture_and_no_explorer_is_lost(built, notebook, name):
    cells = nbformat.read(COURSE / notebook, as_version=4).cells
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    asked = sum(bundle.get("text/html", "").count("<img") for bundle in data if "image/jpeg" not in bundle)
    assert len(built[name].main.find_all("img")) == sum("image/jpeg" in bundle for bundle in data) + asked
    explorers = built[name].find_all("figure", class_="explorer")
    summaries = explorer_summaries(notebook)
    assert [figure.figcaption.text for figure in explorers] == summaries
    assert [figure.img["alt"] for figure in explorers] == summaries
    assert len(summaries) >= (not name.startswith("solutions"))  # each lesson has one


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(built, name):
    for link in built[name].find_all("a"):
        assert link.text.strip()
        address, _, anchor = link["href"].partition("#")
        if re.match("https?://", address):
            continue
        if address == f"{pages.ARCHIVE}.zip":
            continue
        page = built[posixpath.normpath(posixpath.join(posixpath.dirname(name), address)) if address else name]
        assert not anchor or page.find(id=anchor)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_a_language_a_title_landmarks_and_one_main_heading(built, name):
    page = built[name]
    assert page.html["lang"] == "en"
    assert page.title.text.startswith(page.h1.text)
    assert len(page.find_all("h1")) == len(page.find_all("main")) == len(page.find_all("header")) == 1
    assert page.body.find("a")["href"] == f"#{page.main['id']}"
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", PAGES)
def test_every_table_has_headings(built, name):
    for table in built[name].find_all("table"):
        headings = table.find_all("th")
        assert headings and all(heading["scope"] in ("col", "row") and heading.text.strip() for heading in headings)


@pytest.mark.parametrize(("notebook", "name"), PAIRS, ids=NAMES)
def test_formulas_become_mathml_and_no_markup_is_left(built, notebook, name):
    source = "\n".join(
        cell.source
        for cell in nbformat.read(COURSE / notebook, as_version=4).cells
        if cell.cell_type == "markdown"
    )  # fmt: skip
    formulas = re.findall(r"\$\$.+?\$\$|\$[^$]+\$", re.sub("```.*?```", "", source, flags=re.DOTALL), flags=re.DOTALL)
    assert len(built[name].main.find_all("math")) == len(formulas)
    text = BeautifulSoup(str(built[name].main), "html.parser")
    for tag in text.find_all(["pre", "code"]):
        tag.decompose()
    assert not re.search(r"\$|\\[a-z]+|\*\*|\]\(|jupyter\.widget|model_id", text.text)


@pytest.mark.parametrize("name", PAGES)
def test_fractions_and_indices_of_a_formula_have_all_their_parts(built, name):
    for tag in built[name].find_all(list(PARTS)):
        assert len(tag.find_all(True, recursive=False)) == PARTS[tag.name], tag


@pytest.mark.parametrize("name", LESSON_PAGES)
def test_no_code_is_a_name_alone(built, name):
    assert built[name].select(".highlight")
    assert [code.text for code in built[name].select(".highlight") if code.text.strip().isidentifier()] == []


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_inside_their_folds(built, name):
    for fold in built[name].find_all("details"):
        assert fold.find("summary").text.strip()
        assert len(fold.text) > len(fold.find("summary").text) + 15


def test_lessons_lead_to_their_neighbors(built):
    lessons = [name for name in NAMES if "/" not in name]
    for before, after in zip(lessons, lessons[1:], strict=False):
        assert built[before].footer.find("a", rel="next")["href"] == after
        assert built[after].footer.find("a", rel="prev")["href"] == before
    assert built["solutions/02_anchors.html"].footer.find("a")["href"] == "../02_anchors.html"
    for name in lessons:
        assert built[name].header.find("a", href=name)["aria-current"] == "page"


@pytest.mark.parametrize("name", PAPERS)
def test_exercises_on_paper_have_their_answers_on_a_page_of_their_own(built, name):
    page = built[name]
    assert page.find(id="answers").name == "h2" and "#answers { break-before: page; }" in page.style.text
    assert page.footer.find("a")["href"] == f"../{name.removeprefix('paper/')}"


def test_code_that_jupyterlab_folds_is_folded(course):
    cell = code("import torch", **{"text/plain": "x"})
    cell.metadata.jupyter = {"source_hidden": True}
    page = BeautifulSoup(make_pages(course(markdown("# Tour"), cell))["00_tour.html"], "html.parser")
    assert page.main.details.summary.text == "Code" and "import torch" in page.main.details.text


def test_an_explorer_becomes_its_still_picture_and_what_it_says(course):
    told = {"text/plain": "NMSExplorer: 3 kept."}
    cell = code("explore()", **{"text/html": WAKING_LINE, "text/plain": WAKE})
    cell.outputs += code("", **{"image/png": PIXEL}, **told).outputs + code("", **{pages.LIVE_VIEW: {}}, **told).outputs
    cell.outputs[1].metadata.alt = "3 kept & removed."
    page = BeautifulSoup(make_pages(course(markdown("# Tour"), cell))["00_tour.html"], "html.parser")
    figure = page.main.figure
    assert figure["class"] == ["explorer"] and figure.img["alt"] == figure.figcaption.text == "3 kept & removed."
    assert page.main.text.split() == "Tour explore() 3 kept & removed.".split()


def test_pictures_carry_their_words_and_other_outputs_are_text(course):
    drawn = code("draw()", **{"image/png": PIXEL, "text/plain": "<Figure>"})
    drawn.outputs[0].metadata.alt = "Two boxes."
    failed = code("1 / 0")
    failed.outputs = [nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero")]
    cells = (drawn, code("7 < 9", **{"text/plain": "7 < 9"}), failed)
    page = BeautifulSoup(make_pages(course(markdown("# Tour"), *cells))["00_tour.html"], "html.parser")
    assert page.main.img["alt"] == "Two boxes." and page.main.figcaption is None
    assert [text.text for text in page.main.find_all(class_="output")] == [
        "7 < 9", "ZeroDivisionError: division by zero",
    ]  # fmt: skip


def test_questions_are_there_to_read_with_folded_answers_and_cards_are_cards(course):
    asked = code("quiz", **{"text/html": quiz.html(), "text/plain": repr(quiz)})
    asked.outputs += code("", **{pages.LIVE_VIEW: {}, "text/plain": "Run"}).outputs
    verdict = Verdict(True, "It agrees.")
    checked = code("check.f(f)", **{"text/html": verdict._repr_html_(), "text/plain": repr(verdict)})
    page = BeautifulSoup(make_pages(course(markdown("# Tour"), asked, checked))["00_tour.html"], "html.parser")
    assert len(page.main.find_all("details")) == len(quiz.questions) and "81" not in page.main.li.text
    assert page.main.find(class_="rcnn-card").b.text == "Right." and page.main.find_all(class_="output") == []


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"\texttt{rpn\_loss}", "rpn_loss"),
        (r"\begin{cases}a\\[1ex] b\end{cases}", "<mi>b</mi>"),
        (r"\ln x", '<mo lspace="0.167em" rspace="0.167em">ln</mo>'),
        (r"|x|", '<mo stretchy="false" lspace="0" rspace="0">|</mo>'),
    ],
)
def test_formulas_that_the_converter_alone_gets_wrong(tex, expected):
    formula = to_mathml(tex, "inline")
    assert expected in formula
    assert "1ex" not in formula


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# Tour\n\n[gone](gone.ipynb)", "link to gone.ipynb leads nowhere"),
        ("# Tour\n\n![a photo](gone.png)", "picture gone.png cannot be read"),
        ("# Tour\n\n$\\nosuchcommand x$", "formula .nosuchcommand x cannot become MathML"),
        ("No heading", "has no title"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(course, text, complaint):
    folder = course(markdown(text))
    with pytest.raises(DataError, match=complaint) as told:
        make_pages(folder)
    assert "00_tour.ipynb" in str(told.value) and "\n" not in str(told.value)


def test_a_damaged_notebook_is_told_in_one_line(course):
    folder = course(markdown("# Tour"))
    (folder / "00_tour.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="not a notebook that can be read"):
        make_pages(folder)


def test_links_to_files_without_a_page_become_plain_text(course):
    folder = course(markdown("# Tour"))
    renderer = PageRenderer(folder / "00_tour.ipynb", folder)
    assert renderer.link("the code", "../rcnn_tutorial/boxes.py") == "the code"
    assert renderer.link("here", "00_tour.ipynb#next") == '<a href="00_tour.html#next">here</a>'
    assert renderer.link("paper", "https://arxiv.org/abs/1506.01497").startswith('<a href="https://arxiv.org')


def test_a_long_name_in_a_table_may_break_between_its_words(course):
    table = "# One\n\n| a | b |\n|---|---|\n| `checks.iou_of` | `a/b` and `0.7` |\n"
    html = make_pages(course(nbformat.v4.new_markdown_cell(table)))["00_tour.html"]
    assert "<code>checks.<wbr>iou_<wbr>of</code>" in html and "<code>a/<wbr>b</code> and <code>0.7</code>" in html


def test_a_picture_of_the_text_is_embedded(course):
    folder = course(markdown("# Tour\n\n![A gray dot](dot.png)"))
    (folder / "dot.png").write_bytes(base64.b64decode(PIXEL))
    picture = BeautifulSoup(make_pages(folder)["00_tour.html"], "html.parser").main.img
    assert picture["src"] == f"data:image/png;base64,{PIXEL}" and picture["alt"] == "A gray dot"


@pytest.mark.parametrize(("arguments", "code"), [(["a", "b"], 2), (["--help"], 2)])
def test_wrong_arguments_are_told_in_one_line(capsys, arguments, code):
    assert site.main(arguments) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_is_told_in_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ONNXRUNTIME_WEB", str(tmp_path / "nowhere"))
    monkeypatch.setattr(pages, "make_pages", lambda *_, **__: {"index.html": ""})
    assert site.main([str(tmp_path / "file")]) == 1
    assert "name another place" in capsys.readouterr().err
