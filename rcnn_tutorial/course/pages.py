"""The course as pages that need no kernel; `course.site` is the command that writes them.

A page stands alone. Style, pictures and its one script are embedded, and nothing is asked of a network. Formulas become
MathML, the still pictures of explorers live ones (`course.live`), and every picture says in words what it shows: the
notebook's outputs carry the words as metadata (`figures.style.describe`). How a page looks stands in `templates/`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import jinja2
import nbformat
from nbformat import NotebookNode
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from rcnn_tutorial.course.files import FURTHER, PAPER, TEACHER, course_folder
from rcnn_tutorial.course.live import Live, live_lessons
from rcnn_tutorial.course.markdown import PageRenderer, to_html
from rcnn_tutorial.course.own_photo import FOLDER, POLICY, TITLE, OwnPhoto, make_own_photo
from rcnn_tutorial.course.rewriting import write_anew
from rcnn_tutorial.course.scripts import style_files
from rcnn_tutorial.course.words import on_a_page
from rcnn_tutorial.errors import DataError

COURSE = "Faster R-CNN, stage by stage"
ARCHIVE = "faster_rcnn_course"  # the file with all pages, and the folder in it
CODE_STYLES = ("xcode", "monokai")  # light and dark; of Pygments' those whose contrast is 4.5 and more throughout
LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
PICTURES = {"image/png", "image/jpeg"}
THUMBNAIL = (480, 360)  # pixels
CANVAS_STYLE = "\n".join(path.read_text(encoding="utf-8") for path in style_files())

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=lambda name: name.endswith(".html"),
    undefined=jinja2.StrictUndefined,
)


class Source(NamedTuple):
    """A file of the course on its way to a page."""

    path: Path
    name: str  # of the page, relative to the site: "solutions/02_anchors.html"
    title: str  # its first heading
    notebook: NotebookNode


def write_site(folder: Path, runtime: Path | None = None) -> list[Path]:
    """Write all pages of the course, and one file with all of them, to `folder`; return the paths of the pages.

    runtime: onnxruntime-web, for the page for one's own photo (`course.own_photo`); None: without that page.
    They are written when all are made, in place of what an earlier writing left. Raises DataError naming the notebook
    that cannot be shown, or the file that cannot be written.
    """
    texts = own_photo_files(course_folder(), make_own_photo(runtime)) if runtime else {}
    texts |= make_pages(course_folder(), live_lessons(), own_photo=bool(runtime))
    pages = {name: text.encode() for name, text in texts.items()}
    write_anew(folder, pages | {f"{ARCHIVE}.zip": archive(pages)})
    return [folder / name for name in pages]


def archive(pages: Mapping[str, bytes]) -> bytes:
    """All pages as a zip file, in a folder of their own; the same bytes whenever it is made."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, html in pages.items():
            packed.writestr(zipfile.ZipInfo(f"{ARCHIVE}/{name}"), html, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def own_photo_files(course: Path, own: OwnPhoto) -> dict[str, str]:
    """The page for one's own photo, name -> text, and the scripts beside it."""
    lessons = [read_source(path, course) for path in sorted(course.glob("*.ipynb"))]
    body = _TEMPLATES.get_template("own_photo.html").render(title=TITLE, folder=FOLDER, **own.facts)
    source = Source(course, f"{FOLDER}.html", TITLE, NotebookNode())
    page = make_page(source, body, lessons, alive=Live({}, own.content, "", own.script), policy=POLICY)
    return {source.name: page} | {f"{FOLDER}/{name}": text for name, text in own.files.items()}


def make_pages(course: Path, live: Mapping[str, Live] | None = None, own_photo: bool = False) -> dict[str, str]:
    """All pages of the site, name -> HTML, from the notebooks in the folder `course`.

    live: explorers by lesson. own_photo: whether the first page leads to one for the reader's own photo.
    """
    lessons = [read_source(path, course) for path in sorted(course.glob("*.ipynb"))]
    solutions = [read_source(path, course) for path in sorted((course / "solutions").glob("*.ipynb"))]
    papers = [read_source(path, course) for path in sorted((course / PAPER).glob("*.md"))]
    teacher = [read_source(path, course) for path in course.glob(TEACHER[0])]
    further = [read_source(path, course) for path in sorted((course / FURTHER).glob("*.md"))]
    pages = {}
    for source in lessons + solutions + papers + further + teacher:
        renderer = PageRenderer(source.path, course)
        alive = (live or {}).get(Path(source.name).with_suffix("").as_posix())
        body = make_body(source, renderer, alive)
        pages[source.name] = make_page(source, body, lessons, renderer.sections, turns(source, lessons), alive)
    return pages | {"index.html": make_index(lessons, solutions, papers, teacher, course, own_photo)}


def read_source(path: Path, course: Path) -> Source:
    """Read a notebook, or a Markdown file as a notebook of one cell, as pages say it. Raises DataError for neither."""
    try:
        if path.suffix == ".md":
            cells = [nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))]
            notebook = nbformat.v4.new_notebook(cells=cells)
        else:
            notebook = nbformat.read(path, as_version=4)
    except (ValueError, OSError, nbformat.ValidationError) as error:
        raise DataError(f"{path}: not a notebook that can be read ({type(error).__name__}); restore it") from error
    for cell in notebook.cells:
        cell.source = on_a_page(cell.source) if cell.cell_type == "markdown" else cell.source
    headings = (re.match(r"# +(.+)", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    title = next((found[1].strip() for found in headings if found), None)
    if title is None:
        raise DataError(f"{path}: has no title; begin its first cell with a heading")
    name = TEACHER[1] if path.name == TEACHER[0] else path.relative_to(course).with_suffix(".html").as_posix()
    return Source(path, name, title, notebook)


def make_body(source: Source, renderer: PageRenderer, alive: Live | None = None) -> str:
    """The cells of a notebook as HTML. The renderer collects the page's sections."""
    places = {words: iter(numbers) for words, numbers in alive.places.items()} if alive else {}
    return _TEMPLATES.get_template("cells.html").render(
        cells=source.notebook.cells,
        markdown=lambda text: to_html(text, renderer),
        python=lambda code: highlight(code, get_lexer_by_name("ipython3"), HtmlFormatter()),
        view=LIVE_VIEW,
        place=lambda words: next(places.get(words, iter(())), None),
    )


def make_page(
    source: Source,
    body: str,
    lessons: Sequence[Source],
    sections: Sequence[tuple[str, str]] = (),
    turns: Sequence[tuple[str, str, Source]] = (),
    alive: Live | None = None,
    policy: str = "",
) -> str:
    """A whole page: head, ways to the other pages, and the `body` between them. policy: what more its script may do."""
    return _TEMPLATES.get_template("page.html").render(
        name=source.name, title=source.title, course=COURSE, root="../" * source.name.count("/"),
        code_styles=[HtmlFormatter(style=style).get_style_defs(".highlight") for style in CODE_STYLES],
        lessons=lessons, sections=sections, turns=turns, body=body,
        alive=alive, script_hash=script_hash(alive.script) if alive else "", canvas_style=CANVAS_STYLE,
        policy=policy,
    )  # fmt: skip


def script_hash(script: str) -> str:
    """The name under which a page's policy allows this script, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def make_index(
    lessons: Sequence[Source],
    solutions: Sequence[Source],
    papers: Sequence[Source],
    teacher: Sequence[Source],
    course: Path,
    own_photo: bool = False,
) -> str:
    """The first page: a card a lesson, with its aim and its first picture."""
    cards = [(lesson, make_aim(lesson, course), make_thumbnail(lesson)) for lesson in lessons]
    body = _TEMPLATES.get_template("index.html").render(
        course=COURSE, archive=f"{ARCHIVE}.zip", cards=cards, solutions=solutions, papers=papers, teacher=teacher,
        own_photo=f"{FOLDER}.html" if own_photo else "",
    )  # fmt: skip
    return make_page(Source(course, "index.html", COURSE, NotebookNode()), body, lessons)


def turns(source: Source, lessons: Sequence[Source]) -> list[tuple[str, str, Source]]:
    """The pages before and after a lesson; for solutions and papers, their lesson. A link's `rel`, a word, the page."""
    names = [lesson.name for lesson in lessons]
    own = Path(source.name).name
    if own not in names:
        return []
    place = names.index(own)
    if own != source.name:
        return [("up", "The lesson:", lessons[place])]
    before = [("prev", "Previous:", lesson) for lesson in lessons[:place][-1:]]
    return before + [("next", "Next:", lesson) for lesson in lessons[place + 1 :][:1]]


def make_aim(lesson: Source, course: Path) -> str:
    """The first paragraph of a lesson, which says what one learns, as HTML."""
    first = next(cell.source for cell in lesson.notebook.cells if cell.cell_type == "markdown")
    paragraphs = [text for text in first.split("\n\n") if not text.startswith(("#", "|"))]
    return to_html("".join(paragraphs[:1]), PageRenderer(lesson.path, course))


def make_thumbnail(lesson: Source) -> str:
    """The first picture of a lesson, small, as HTML; nothing if it has none."""
    outputs = [output for cell in lesson.notebook.cells for output in cell.get("outputs", [])]
    for output in outputs:
        for kind in PICTURES & output.get("data", {}).keys():
            picture = Image.open(io.BytesIO(base64.b64decode(output.data[kind]))).convert("RGB")
            picture.thumbnail(THUMBNAIL)
            file = io.BytesIO()
            picture.save(file, format="jpeg", quality=80)
            small = base64.b64encode(file.getvalue()).decode("ascii")
            return f'<img src="data:image/jpeg;base64,{small}" alt="{escape(output.metadata.get("alt", ""))}">'
    return ""
