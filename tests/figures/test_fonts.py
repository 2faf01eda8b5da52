"""Class names of any script in pictures: with a font that has them, or as the class's number with a warning."""

import warnings

import matplotlib
import pytest
import torch
from matplotlib import font_manager

from rcnn_tutorial.figures.detections import draw_detections
from rcnn_tutorial.figures.fonts import SCORE, drawable_names, families, font_for
from rcnn_tutorial.figures.style import style

APPLE, LEAF = "\u82f9\u679c", "\u53f6\u5b50"


@pytest.fixture
def own_fonts(monkeypatch):
    """Call it with paths: these alone are installed beside DejaVu Sans Bold."""

    def install(*entries):
        entries = [font_manager.FontEntry(fname=str(path), name=name) for path, name in entries]
        monkeypatch.setattr(font_manager.fontManager, "ttflist", entries)
        font_for.cache_clear()

    yield install
    font_for.cache_clear()


def make_font(path, letters):
    """A font in which every one of `letters` is a square of another height."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    names = [".notdef"] + [f"u{ord(letter):x}" for letter in letters]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):x}" for letter in letters})
    glyphs = {}
    for i, name in enumerate(names):
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for corner in ((500, 0), (500, 100 + 40 * i), (0, 100 + 40 * i)):
            pen.lineTo(corner)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics({name: (600, 0) for name in names})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path, path.stem


def draw(name):
    target = {"boxes": torch.tensor([[20.0, 40, 140, 110]]), "labels": torch.tensor([1]), "scores": torch.tensor([0.9])}
    return draw_detections(torch.full((3, 120, 160), 0.5), target, (name,)).tobytes()


@pytest.mark.parametrize(
    "name", ["cat", "\u00e9t\u00e9", "\u044f\u0431\u043b\u043e\u043a\u043e", "\u03bc\u03ae\u03bb\u03bf"]
)
def test_dejavu_draws_what_it_can(name, own_fonts):
    own_fonts()
    assert font_for(name).endswith("DejaVuSans-Bold.ttf")
    assert draw(name) != draw("dog")


def test_an_installed_font_draws_what_dejavu_cannot(tmp_path, own_fonts):
    latin = make_font(tmp_path / "Latin.ttf", "abc")
    chinese = make_font(tmp_path / "Chinese.ttf", APPLE + LEAF + SCORE)
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    own_fonts(latin, (broken, "broken"), chinese)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert font_for(APPLE) == str(chinese[0])
        assert font_for(APPLE + "\ufe0f") == str(chinese[0])  # a variation selector has no sign of its own
        assert draw(APPLE) != draw(LEAF)
    assert font_for("cat").endswith("DejaVuSans-Bold.ttf")


@pytest.mark.parametrize("name", [APPLE, "\u0938\u0947\u092c", "\U0001fae8", "cat " + APPLE])
def test_without_a_font_the_class_has_its_number_and_a_warning(name, own_fonts):
    own_fonts()
    with pytest.warns(UserWarning, match=rf"no installed font can draw these class names: {name} as class 1; install"):
        picture = draw(name)
    assert picture == draw("class 1")


def test_one_warning_names_all_classes_of_a_picture(own_fonts):
    own_fonts()
    with pytest.warns(UserWarning) as caught:
        assert drawable_names([3, 1, 3, 2], (APPLE, "cat", LEAF, LEAF)) == {1: "class 1", 2: "cat", 3: "class 3"}
    assert len(caught) == 1 and f"{APPLE} as class 1, {LEAF} as class 3;" in str(caught[0].message)


def test_figures_take_letters_from_the_families_that_are_there(monkeypatch):
    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["Noto Emoji", "DejaVu Sans", "SimHei"])
    assert families() == ["DejaVu Sans", "SimHei", "Noto Emoji"]
    with style():
        assert matplotlib.rcParams["font.family"] == families()
