"""Scenes with matplotlib: everything lies where its coordinates say, and every text within its panel."""

import io

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from rcnn_tutorial import roles
from rcnn_tutorial.figures.drawing import Label, figure_of
from rcnn_tutorial.scene import Boxes, Heatmap, Lines, Picture, Points, Scene, Words

IMAGE = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))
BOXES = torch.tensor([[-20.0, -20, 30, 40], [60, 40, 100, 90], [60, 40, 100, 90], [0, 55, 80, 60]])
LAYERS = [
    Heatmap(torch.rand(3, 4), extent=(0, 0, 40, 30), opacity=0.4, name="heat"),
    Picture(IMAGE[:, :7, :7], extent=(50, 10, 60, 20)),
    Boxes(BOXES, roles.BEFORE, fill=0.2, labels=["first", "second", "third", "fourth"]),
    Points([[1, 2], [79, 59]], roles.AFTER, shape="cross", labels=["a point", "another point"]),
    Lines([[[0, 0], [40, 30]]], roles.OTHER, arrow=True),
]


def test_pixels_and_layers_lie_at_their_coordinates():
    axes = figure_of([Scene(IMAGE, LAYERS, size=(120, 160))]).axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 160), (120, 0))
    assert [list(image.get_extent()) for image in axes.images] == [[0, 160, 120, 0], [0, 40, 30, 0], [50, 60, 20, 10]]
    assert axes.collections[1].get_paths()[0].get_extents().extents.tolist() == [-20, -20, 30, 40]


@pytest.mark.parametrize("dpi", [40, 100, 300])
def test_every_text_is_within_its_panel_and_off_the_others(dpi):
    figure = figure_of([Scene(IMAGE, LAYERS, "left"), Scene(IMAGE, LAYERS, "right")])
    figure.savefig(io.BytesIO(), dpi=dpi, bbox_inches="tight")
    for axes in figure.axes:
        labels = [text for text in axes.texts if isinstance(text, Label)]
        assert len(labels) == 6
        for label in labels:
            x1, y1, x2, y2 = label.place
            assert x1 >= 0 and y1 >= 0 and x1 < x2 and y1 < y2
        assert len({label.place for label in labels}) == 6


@pytest.mark.parametrize("dpi", [50, 200])
@pytest.mark.parametrize("width", [3.0, 9.0])
def test_words_are_as_large_as_the_picture_says_and_where_it_says(dpi, width):
    layers = [
        Words([[40, 30]], ["888"], letter=12),
        Words([[70, 20]], ["888"], letter=12, align="right"),
        Words([[10, 50]], ["888"], letter=12, align="left", turned=True),
    ]
    figure = figure_of([Scene(IMAGE, layers)], width)
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    back = axes.transData.inverted()
    middle, right, up = (text.get_window_extent().transformed(back) for text in axes.texts)
    assert (middle.x0 + middle.x1) / 2 == pytest.approx(40, abs=1) and right.x1 == pytest.approx(70, abs=1)
    assert 18 < middle.width < 27 and middle.width == pytest.approx(right.width, rel=0.2)  # 3 digits of 0.64 letters
    assert max(up.y0, up.y1) == pytest.approx(50, abs=1) and abs(up.height) > up.width  # y downward


def test_the_legend_names_each_role_once_in_as_many_columns_as_fit():
    more = [Boxes(BOXES, roles.BEFORE), Boxes(BOXES[:0], roles.GROUND_TRUTH), Boxes(BOXES, roles.PLAIN)]
    layers, names = [*LAYERS, *more], ["heat", "before", "other classes", "object"]
    for legend, width in (("each", 9.0), ("shared", 3.0)):
        figure = figure_of([Scene(IMAGE, layers)], width, legend=legend)
        found = figure.axes[0].get_legend() if legend == "each" else figure.legends[0]
        assert sorted(text.get_text() for text in found.get_texts()) == sorted([*names, "after"])
        assert found._ncols == (5 if width == 9.0 else 2)
    assert figure_of([Scene(IMAGE, layers)], legend="").axes[0].get_legend() is None


def test_panels_without_a_scene_stay_empty():
    figure = figure_of([Scene(IMAGE, title=str(k), caption="words") for k in range(5)], columns=3)
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False]
    assert [axes.get_title() for axes in figure.axes] == ["0", "1", "2", "3", "4", ""]
    assert figure.axes[0].get_xlabel() == "words"
