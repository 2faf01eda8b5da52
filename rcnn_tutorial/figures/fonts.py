"""Fonts for class names in any script.

The rule: DejaVu Sans, which comes with matplotlib and so looks the same on every machine, wherever it can draw a text;
else an installed font that can; else the class's number in place of its name, with a warning.
"""

import functools
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

SCORE = "0123456789."  # stands beside a name and is drawn with the same font
# Of the fonts that come with matplotlib those that are for formulas or draw a box for every letter.
NO_TEXT = ("STIX", "cm", "Last Resort", "DejaVu Sans Display", "DejaVu Serif Display")

# Families for the scripts that DejaVu lacks, as Linux, macOS and Windows have them.
FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans",
    "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "SimHei", "Noto Sans Devanagari",
    "Noto Sans Thai", "Devanagari MT", "Thonburi", "Nirmala UI", "Leelawadee UI", "Arial Unicode MS", "Noto Emoji",
    "Segoe UI Emoji",
)  # fmt: skip


def drawable_names(labels: Iterable[int], classes: Sequence[str]) -> dict[int, str]:
    """{label: the name of its class, or "class 3" where no font can draw the name}, with one warning for the latter."""
    names = {label: classes[label - 1] for label in sorted(set(labels))}
    unknown = [label for label, name in names.items() if font_for(name) is None]
    if unknown:
        words = ", ".join(f"{names[label]} as class {label}" for label in unknown)
        warnings.warn(f"no installed font can draw these class names: {words}; install one, such as Noto", stacklevel=3)
    return names | {label: f"class {label}" for label in unknown}


@functools.lru_cache(maxsize=1024)
def font_for(name: str) -> str | None:
    """The path of a font that has every letter of `name` and the digits of a score; None if no installed one has."""
    letters = {ord(letter) for letter in name + SCORE if _is_drawn(letter)}
    return next((path for path in _fonts() if letters <= _letters(path)), None)


def families() -> list[str]:
    """The font families of a figure: matplotlib takes a letter from the first that has it."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in FAMILIES if name in installed)]


def _fonts() -> list[str]:
    """All fonts, DejaVu Sans Bold first, then bold and upright ones."""
    first = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf")
    entries = [font for font in font_manager.fontManager.ttflist if not font.name.startswith(NO_TEXT)]
    entries.sort(key=lambda font: (font.style != "normal", str(font.weight) not in ("bold", "700"), font.fname))
    return list(dict.fromkeys([first, *(font.fname for font in entries)]))


@functools.cache
def _letters(path: str) -> frozenset[int]:
    """The code points that a font has signs for; none where it cannot be drawn at any size, as emoji in colors."""
    try:
        ImageFont.truetype(path, 20)
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


def _is_drawn(letter: str) -> bool:
    """Whether a letter needs a sign: joiners, spaces and variation selectors do not."""
    return unicodedata.category(letter) not in ("Cf", "Zs") and not 0xFE00 <= ord(letter) <= 0xFE0F
