"""The course as pages to read without a kernel: `python -m rcnn_tutorial.site [DIR]`, or `make site`.

nbconvert walks the notebooks; what is particular to this course happens here: formulas become MathML, explorers their
still pictures with the summary as caption, links lead from page to page, every picture says in words what it shows.
A page stands alone. Style and pictures are embedded, there is no script, and nothing is asked of a network.
"""

from __future__ import annotations

import ast
import base64
import io
import mimetypes
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import jinja2
import nbformat
from latex2mathml.converter import convert
from nbconvert.exporters import TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from PIL import Image
from pygments.formatters import HtmlFormatter

from rcnn_tutorial.assets import course_folder
from rcnn_tutorial.errors import ConfigError, DataError, TutorialError
from rcnn_tutorial.explorers.shown import WAKE

SITE = Path("build/site")
COURSE = "Faster R-CNN, stage by stage"
TEACHER = ("README.md", "teacher.html")  # the teacher's page, as file and as page
STYLE = Path(__file__).with_suffix(".css")
CODE_STYLE = "xcode"  # of Pygments' light styles the one with colors whose contrast is 4.5 and more throughout
LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
PICTURES = ("image/png", "image/jpeg")
WIDE_FORMULA = 36  # characters of TeX; a longer one may be wider than a phone
WIDE_TABLE = 3  # columns, likewise
THUMBNAIL = (480, 360)  # pixels

# What nbconvert makes of the cells of a notebook.
CELLS = """
{%- extends 'base/display_priority.j2' -%}
{%- macro text(words) -%}
  <pre class="output">{{ words | strip_ansi | escape_html }}</pre>
{%- endmacro -%}
{%- macro picture(output, type) -%}
  <figure{% if output.metadata.caption %} class="explorer"{% endif %}>
    <img src="data:{{ type }};base64,{{ output.data[type] | replace('\\n', '') }}" alt="{{ output.metadata.alt | e }}">
    {% if output.metadata.caption %}<figcaption>{{ output.metadata.caption | e }}</figcaption>{% endif %}
  </figure>
{%- endmacro -%}
{%- block markdowncell %}{{ cell.source | markdown2html }}{% endblock -%}
{%- block input %}{% if cell.source.strip() %}{{ cell.source | highlight_code }}{% endif %}{% endblock -%}
{%- block stream %}{{ text(output.text) }}{% endblock -%}
{%- block error %}{{ text(output.traceback | join('\\n')) }}{% endblock -%}
{%- block execute_result %}{% block data_priority scoped %}{{ super() }}{% endblock %}{% endblock -%}
{%- block data_png %}{{ picture(output, 'image/png') }}{% endblock -%}
{%- block data_jpg %}{{ picture(output, 'image/jpeg') }}{% endblock -%}
{%- block data_text %}{{ text(output.data['text/plain']) }}{% endblock -%}
"""

# What stands around them. The policy in the second <meta> has the browser itself refuse every request.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{{ title }}{% if title != course %} · {{ course }}{% endif %}</title>
<style>
{{ style | safe }}
</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<a class="home" href="{{ root }}index.html"{% if name == 'index.html' %} aria-current="page"{% endif %}>{{ course }}</a>
<nav aria-label="Lessons"><ol>
{%- for lesson in lessons %}
<li><a href="{{ root }}{{ lesson.name }}"{% if lesson.name == name %} aria-current="page"{% endif %}
 aria-label="{{ lesson.title }}" title="{{ lesson.title }}">{{ lesson.path.stem[:2] }}</a></li>
{%- endfor %}
</ol></nav>
</header>
<main id="content" tabindex="-1">
{%- if sections | length > 2 %}
<nav class="contents" aria-label="On this page"><details><summary>On this page</summary><ul>
{%- for anchor, heading in sections %}
<li><a href="#{{ anchor }}">{{ heading }}</a></li>
{%- endfor %}
</ul></details></nav>
{%- endif %}
{{ body | safe }}
</main>
<footer>
{%- if turns %}
<nav aria-label="Previous and next">
{%- for rel, word, page in turns %}
<a rel="{{ rel }}" href="{{ root }}{{ page.name }}"><span>{{ word }}</span> {{ page.title }}</a>
{%- endfor %}
</nav>
{%- endif %}
<p>A page to read. To move the sliders and to solve the exercises, open the notebook: <code>make lab</code>.</p>
</footer>
</body>
</html>
"""

INDEX = """<h1>{{ course }}</h1>
<p class="lead">The notebooks of the course as they come out of the kernel: text, code, results and pictures.</p>
<ol class="lessons">
{%- for lesson, aim, thumbnail in cards %}
<li>
<h2><a href="{{ lesson.name }}">{{ lesson.title }}</a></h2>
{{ thumbnail | safe }}
<div>{{ aim | safe }}</div>
</li>
{%- endfor %}
</ol>
{% if teacher %}<p>For teachers: <a href="{{ teacher.name }}">{{ teacher.title }}</a></p>{% endif %}
<details><summary>Solutions of the exercises</summary><ul>
{%- for solution in solutions %}
<li><a href="{{ solution.name }}">{{ solution.title }}</a></li>
{%- endfor %}
</ul></details>
"""

_JINJA = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)


class Source(NamedTuple):
    """A file of the course on its way to a page."""

    path: Path
    name: str  # of the page, relative to the site: "solutions/02_anchors.html"
    title: str  # its first heading
    notebook: NotebookNode


class PageRenderer(IPythonRenderer):
    """Markdown of the file `path` in the folder `course` to HTML; `sections` collects its second-level headings."""

    def __init__(self, path: Path, course: Path):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.file, self.course = path, course
        self.sections: list[tuple[str, str]] = []  # (anchor, text)

    def block_html(self, html: str) -> str:
        return html  # nbconvert would parse it, and so close a <details> whose end is in a later block

    def heading(self, text: str, level: int, **attrs) -> str:
        words = re.sub("<[^>]*>", "", text)
        anchor = re.sub(r"\W+", "-", words.lower()).strip("-")
        anchor += f"-{len(self.sections)}" * any(anchor == known for known, _ in self.sections)
        if level == 2:
            self.sections.append((anchor, words))
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        target = self._target(url)
        return super().link(text, target, title) if target else text

    def _target(self, url: str) -> str | None:
        """Where a link leads on the site; None if it leaves the course for a file that has no page."""
        address, mark, anchor = url.partition("#")
        if not address or re.match(r"[a-z]+:", address):
            return url
        file = Path(os.path.normpath(self.file.parent / address))
        if not file.is_relative_to(self.course):
            return None
        if not file.is_file():
            raise DataError(f"{self.file}: its link to {url} leads nowhere; mend it")
        page = Path(address).with_name(TEACHER[1]) if file.name == TEACHER[0] else Path(address).with_suffix(".html")
        return f"{page.as_posix()}{mark}{anchor}"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        try:
            encoded = base64.b64encode((self.file.parent / url).read_bytes()).decode("ascii")
        except OSError as error:
            raise DataError(f"{self.file}: its picture {url} cannot be read ({error.strerror}); mend it") from error
        return f'<img src="data:{mimetypes.guess_type(url)[0]};base64,{encoded}" alt="{escape(text)}">'

    def inline_math(self, body: str) -> str:
        return self._formula(body, "inline")

    def block_math(self, body: str) -> str:
        return self._formula(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def _formula(self, tex: str, display: str) -> str:
        try:
            formula = to_mathml(tex.strip(), display)
        except Exception as error:  # the converter's errors have no base of their own
            raise DataError(f"{self.file}: the formula {tex.strip()} cannot become MathML ({error!r})") from error
        return f'<span class="formula {display}"{_scrolling("Formula", len(tex) > WIDE_FORMULA)}>{formula}</span>'

    def table(self, text: str) -> str:
        """A table whose head is empty has its headings in the first column."""
        head, end, body = text.partition("</thead>")
        if not re.sub("<[^>]*>", "", head).strip():
            head, end = "", ""
            body = re.sub(r"(<tr>\s*)<td([^>]*)>(.*?)</td>", r'\1<th scope="row"\2>\3</th>', body, flags=re.DOTALL)
        head = re.sub("<th[^>]*></th>", "<td></td>", head)  # nothing to head: the corner above the first column
        head = re.sub("<th(?=[ >])", '<th scope="col"', head)
        scrolling = _scrolling("Table", head.count("<th ") > WIDE_TABLE)
        return f'<div class="table"{scrolling}><table>\n{head}{end}{body}</table></div>\n'


def to_mathml(tex: str, display: str) -> str:
    """A formula as MathML, "inline" or "block". Raises ValueError for a command that the converter does not know."""
    tex = re.sub(r"\\\\\[[^\]]*\]", r"\\\\", tex)  # the gap in \\[1ex]; the converter would print it
    formula = convert(tex, display=display).replace(r"\_", "_")  # left as it is in \texttt
    formula = re.sub("<mi>(ln|cos|sin)</mi>", r'<mo lspace="0.167em" rspace="0.167em">\1</mo>', formula)
    formula = formula.replace(
        '<mo stretchy="false">&#x0007C;</mo>', '<mo stretchy="false" lspace="0" rspace="0">|</mo>'
    )
    if "\\" in formula:
        raise ValueError("a command is unknown")
    return formula


def _scrolling(name: str, wide: bool) -> str:
    """Attributes of what may be wider than a phone: the keyboard reaches it, so that arrow keys can scroll it."""
    return f' tabindex="0" role="group" aria-label="{name}"' if wide else ""


def write_site(folder: Path) -> list[Path]:
    """Write all pages of the course to `folder` and return their paths. They are written when all are made.

    Raises DataError naming the notebook that cannot be shown, or the file that cannot be written.
    """
    from rcnn_tutorial.checkpoints import write_atomically

    written = []
    for name, html in make_pages(course_folder()).items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, html.encode())
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror}); name another folder") from error
        written.append(path)
    return written


def make_pages(course: Path) -> dict[str, str]:
    """All pages of the site, name -> HTML, from the notebooks in the folder `course`."""
    lessons = [read_source(path, course) for path in sorted(course.glob("*.ipynb"))]
    solutions = [read_source(path, course) for path in sorted((course / "solutions").glob("*.ipynb"))]
    teacher = [read_source(path, course) for path in course.glob(TEACHER[0])]
    sentences = docstring_sentences(Path(__file__).parent)
    pages = {}
    for source in lessons + solutions + teacher:
        describe_pictures(source, sentences)
        renderer = PageRenderer(source.path, course)
        body = make_body(source.notebook, renderer)
        pages[source.name] = make_page(source, body, lessons, renderer.sections, turns(source, lessons))
    index = Source(course, "index.html", COURSE, NotebookNode())
    cards = [(lesson, make_aim(lesson, course), make_thumbnail(lesson)) for lesson in lessons]
    body = _JINJA.from_string(INDEX).render(
        course=COURSE, cards=cards, solutions=solutions, teacher=teacher[0] if teacher else None
    )
    return pages | {index.name: make_page(index, body, lessons)}


def read_source(path: Path, course: Path) -> Source:
    """Read a notebook, or a Markdown file as a notebook of one cell. Raises DataError when it is neither."""
    try:
        if path.suffix == ".md":
            cells = [nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))]
            notebook = nbformat.v4.new_notebook(cells=cells)
        else:
            notebook = nbformat.read(path, as_version=4)
    except (ValueError, OSError, nbformat.ValidationError) as error:
        raise DataError(f"{path}: not a notebook that can be read ({type(error).__name__}); restore it") from error
    headings = (re.match(r"# +(.+)", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    title = next((found[1].strip() for found in headings if found), None)
    if title is None:
        raise DataError(f"{path}: has no title; begin its first cell with a heading")
    name = path.relative_to(course).with_suffix(".html") if path.suffix == ".ipynb" else TEACHER[1]
    return Source(path, Path(name).as_posix(), title, notebook)


def make_body(notebook: NotebookNode, renderer: PageRenderer) -> str:
    """The cells of a notebook as HTML."""
    exporter = TemplateExporter(template_name="basic", raw_template=CELLS)
    exporter.file_extension = ".html"
    exporter.register_filter("markdown2html", MarkdownWithMath(renderer=renderer).render)
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer="ipython3"))
    return exporter.from_notebook_node(notebook)[0]


def make_page(
    source: Source,
    body: str,
    lessons: Sequence[Source],
    sections: Sequence[tuple[str, str]] = (),
    turns: Sequence[tuple[str, str, Source]] = (),
) -> str:
    """A whole page: head, ways to the other pages, and the `body` between them."""
    style = STYLE.read_text(encoding="utf-8") + HtmlFormatter(style=CODE_STYLE).get_style_defs(".highlight")
    return _JINJA.from_string(PAGE).render(
        name=source.name, title=source.title, course=COURSE, root="../" * source.name.count("/"), style=style,
        lessons=lessons, sections=sections, turns=turns, body=body,
    )  # fmt: skip


def turns(source: Source, lessons: Sequence[Source]) -> list[tuple[str, str, Source]]:
    """The pages before and after a lesson; for solutions, their lesson. A link's `rel`, a word, the page."""
    names = [lesson.name for lesson in lessons]
    own = Path(source.name).name
    if own not in names:
        return []
    place = names.index(own)
    if own != source.name:
        return [("up", "The lesson:", lessons[place])]
    before = [("prev", "Previous:", lesson) for lesson in lessons[:place][-1:]]
    return before + [("next", "Next:", lesson) for lesson in lessons[place + 1 :][:1]]


def describe_pictures(source: Source, sentences: Mapping[str, Mapping[str, str]]) -> None:
    """Turn live views into still ones, in place, and give every picture its `alt` (and its `caption`) as metadata.

    An explorer is described by its summary. Any other picture is described by the docstring of what draws it, or by
    the paragraph in front of it. sentences: stage -> name -> sentence, see `docstring_sentences`.
    """
    paragraph, explorer = "", ""
    known = {name: text for stage in sentences.values() for name, text in stage.items()}
    known |= sentences.get(source.path.stem[3:], {})  # two stages may have a figure of the same name
    for cell in source.notebook.cells:
        if cell.cell_type == "markdown":
            paragraph = last_paragraph(cell.source) or paragraph
        summaries = still_views(cell)
        for output in cell.get("outputs", []):
            data, caption = output.get("data", {}), ""
            if data.get("text/plain") in summaries:
                explorer, _, caption = data["text/plain"].partition(": ")
                data["text/plain"] = caption
            if any(kind in data for kind in PICTURES):
                drawn_by = re.findall(r"\b(\w+_figure)\(", cell.source)[-1:] or [explorer]
                output.metadata = {"alt": caption or known.get(drawn_by[0]) or paragraph, "caption": caption}


def still_views(cell: NotebookNode) -> set[str]:
    """Leave of each live view its picture or, where it has none, its words; in place. Returns the words of all.

    An explorer leaves three outputs (`explorers/shown.py`): a line that says how to wake it, picture, live view.
    """
    bundles = [output.get("data", {}) for output in cell.get("outputs", [])]
    live = {bundle.get("text/plain", "") for bundle in bundles if bundle.pop(LIVE_VIEW, None)}
    pictured = {bundle.get("text/plain", "") for bundle in bundles if any(kind in bundle for kind in PICTURES)}
    told = [{"text/plain": words} for words in live & pictured]
    if bundles:
        cell.outputs = [
            output
            for output, bundle in zip(cell.outputs, bundles, strict=True)
            if bundle not in told and bundle.get("text/plain") != WAKE
        ]
    return live


def docstring_sentences(package: Path) -> dict[str, dict[str, str]]:
    """What the figures and explorers of each stage show: stage -> name -> first sentence of the docstring.

    Empty for a figure whose sentence names a parameter, in backticks or braces: that one is for programmers.
    """
    sentences: dict[str, dict[str, str]] = {}
    for path in sorted([*(package / "figures").glob("*.py"), *(package / "explorers").glob("*.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (words := ast.get_docstring(node)):
                first = re.split(r"(?<=[.!?])\s", words.partition("\n\n")[0].replace("\n", " "))[0]
                first = re.sub(r" \([0-9A-Z]+,[0-9A-Z, ]*\)", "", first)  # a shape such as (A, 4)
                for_readers = isinstance(node, ast.ClassDef) or not re.search("[`{]", first)
                sentences.setdefault(path.stem, {})[node.name] = first.replace("`", "") if for_readers else ""
    return sentences


def last_paragraph(markdown: str) -> str:
    """The last paragraph of prose as plain text: no heading, list, table, quiz answer or displayed formula."""
    prose = re.sub(r"<details>.*?</details>|\$\$.*?\$\$", "", markdown, flags=re.DOTALL)
    paragraphs = [text.strip() for text in prose.split("\n\n")]
    last = [text for text in paragraphs if text and not re.match(r"[#|<>]|[-*+] |\d+\. ", text)][-1:]
    return re.sub(r"[*`$]|\]\([^)]*\)|\[", "", " ".join(last)).replace("\n", " ")


def make_aim(lesson: Source, course: Path) -> str:
    """The first paragraph of a lesson, which says what one learns, as HTML."""
    first = next(cell.source for cell in lesson.notebook.cells if cell.cell_type == "markdown")
    paragraphs = [text for text in first.split("\n\n") if not text.startswith(("#", "|"))]
    return MarkdownWithMath(renderer=PageRenderer(lesson.path, course)).render("".join(paragraphs[:1]))


def make_thumbnail(lesson: Source) -> str:
    """The first picture of a lesson, small, as HTML; nothing if it has none."""
    for output in _pictures(lesson.notebook):
        encoded = next(output.data[kind] for kind in PICTURES if kind in output.data)
        file = io.BytesIO()
        picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
        picture.thumbnail(THUMBNAIL)
        picture.save(file, format="jpeg", quality=80)
        small = base64.b64encode(file.getvalue()).decode("ascii")
        return f'<img src="data:image/jpeg;base64,{small}" alt="{escape(output.metadata.alt)}">'
    return ""


def _pictures(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if any(kind in output.get("data", {}) for kind in PICTURES):
                yield output


def main(arguments: list[str]) -> int:
    """Write the site to the folder named, or to build/site, and tell where it begins and how large it is."""
    try:
        if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
            raise ConfigError(f"{' '.join(arguments)}: wants one folder at most; python -m rcnn_tutorial.site [DIR]")
        written = write_site(Path(arguments[0]) if arguments else SITE)
    except TutorialError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    size = sum(path.stat().st_size for path in written) / 1e6
    print(f"{written[-1]}: {len(written)} pages, {size:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
