"""The course's Markdown as HTML that stands alone: MathML for formulas, pictures embedded, links from page to page."""

from __future__ import annotations

import base64
import mimetypes
import os
import re
from html import escape
from pathlib import Path

import mistune
from latex2mathml.converter import convert
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from rcnn_tutorial.course.files import TEACHER
from rcnn_tutorial.errors import DataError

WIDE_FORMULA = 36  # characters of TeX; a longer one may be wider than a phone
WIDE_TABLE = 3  # columns, likewise


class PageRenderer(mistune.HTMLRenderer):
    """Renders the file `path` in the folder `course`; `sections` collects its second-level headings."""

    def __init__(self, path: Path, course: Path):
        super().__init__(escape=False)  # HTML in a cell stays HTML: <details> folds the answers of a quiz
        self.file, self.course = path, course
        self.sections: list[tuple[str, str]] = []  # (anchor, text)

    def heading(self, text: str, level: int, **attrs) -> str:
        """A heading with an anchor that is its own on the page."""
        words = re.sub("<[^>]*>", "", text)
        anchor = re.sub(r"\W+", "-", words.lower()).strip("-")
        anchor += f"-{len(self.sections)}" * any(anchor == known for known, _ in self.sections)
        if level == 2:
            self.sections.append((anchor, words))
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link to a page of the site or of the web; the bare text of one to a file that has no page."""
        target = self._target(url)
        return super().link(text, target, title) if target else text

    def _target(self, url: str) -> str | None:
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
        """The picture itself, in the page."""
        try:
            encoded = base64.b64encode((self.file.parent / url).read_bytes()).decode("ascii")
        except OSError as error:
            raise DataError(f"{self.file}: its picture {url} cannot be read ({error.strerror}); mend it") from error
        return f'<img src="data:{mimetypes.guess_type(url)[0]};base64,{encoded}" alt="{escape(text)}">'

    def block_code(self, code: str, info: str | None = None) -> str:
        """Code in the colors of its language, where it has one."""
        if not info:
            return super().block_code(code, info)
        return highlight(code, get_lexer_by_name(info), HtmlFormatter())

    def inline_math(self, text: str) -> str:
        """A formula in the line."""
        return self._formula(text, "inline")

    def block_math(self, text: str) -> str:
        """A formula of its own line."""
        return self._formula(text, "block")

    def _formula(self, tex: str, display: str) -> str:
        try:
            formula = to_mathml(tex.strip(), display)
        except Exception as error:  # the converter's errors have no base of their own
            raise DataError(f"{self.file}: the formula {tex.strip()} cannot become MathML ({error!r})") from error
        return f'<span class="formula {display}"{_scrolling("Formula", len(tex) > WIDE_FORMULA)}>{formula}</span>'

    def table(self, text: str) -> str:
        """A table whose head is empty has its headings in the first column. A long name may break between its words."""
        text = re.sub("<code>.*?</code>", lambda code: re.sub(r"(?<=\w[_./])(?=[^\W\d])", "<wbr>", code[0]), text)
        head, end, body = text.partition("</thead>")
        if not re.sub("<[^>]*>", "", head).strip():
            head, end = "", ""
            body = re.sub(r"(<tr>\s*)<td([^>]*)>(.*?)</td>", r'\1<th scope="row"\2>\3</th>', body, flags=re.DOTALL)
        head = re.sub("<th[^>]*></th>", "<td></td>", head)  # nothing to head: the corner above the first column
        head = re.sub("<th(?=[ >])", '<th scope="col"', head)
        scrolling = _scrolling("Table", len(re.findall("<t[hd][ >]", head)) > WIDE_TABLE)
        return f'<div class="table"{scrolling}><table>\n{head}{end}{body}</table></div>\n'


def to_html(text: str, renderer: PageRenderer) -> str:
    """A Markdown text as HTML. Raises DataError naming the renderer's file for what cannot be shown."""
    return mistune.create_markdown(renderer=renderer, plugins=["table", "math"])(text)


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
