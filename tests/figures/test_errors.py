"""Pictures of errors: what each panel shows, beside what it was given; nothing to show."""

import math

import pytest
import torch

from rcnn_tutorial.evaluation.errors import KINDS, Report
from rcnn_tutorial.evaluation.reliability import Reliability
from rcnn_tutorial.figures import errors as figures
from rcnn_tutorial.figures.errors import Grid, matrix_layers
from rcnn_tutorial.scene import Heatmap, Words

CLASSES = ("cup", "dog", "bus")
COUNTS = torch.tensor([[0, 2, 0, 1], [1, 7, 2, 0], [0, 0, 1200, 0], [0, 0, 0, 0]])


def report(gains, ap=0.5):
    counts = dict.fromkeys(KINDS, 1)
    return Report(ap, counts, dict(zip(KINDS, gains, strict=True)), {"false positives": 0.1, "false negatives": 0.1})


def words_of(counts, names=CLASSES):
    layers = [layer for layer in matrix_layers(counts, names) if isinstance(layer, Words)]
    return {
        (round(x, 1), round(y, 1)): (word, layer) for layer in layers
        for (x, y), word in zip(layer.data.tolist(), layer.words, strict=True)
    }  # fmt: skip


def test_numbers_of_the_matrix_stand_in_their_cells_and_nowhere_else():
    grid, words = Grid(CLASSES), words_of(COUNTS)
    for row in range(4):
        for column in range(4):
            x1, y1, x2, y2 = grid.box(row, column)
            word, _ = words.pop((round((x1 + x2) / 2, 1), round((y1 + y2) / 2, 1)), ("", None))
            count = int(COUNTS[row, column])
            assert word == ("" if not count else "1.2k" if count == 1200 else str(count))
            assert grid.cell_at(x1 + 1, y2 - 1) == (row, column)
    assert sorted(word for word, _ in words.values()) == sorted(["background", "not found", *CLASSES, *CLASSES])
    assert grid.cell_at(grid.margin - 1, grid.margin + 1) is None and grid.cell_at(1e4, 1e4) is None


def test_the_color_is_the_share_of_the_row_and_numbers_can_be_read_on_it():
    (heat,) = (layer for layer in matrix_layers(COUNTS, CLASSES) if isinstance(layer, Heatmap))
    assert heat.values.sum(dim=1).tolist() == pytest.approx([1, 1, 1, 0])  # of a class without objects: none
    inks = {word: layer.role.color for word, layer in words_of(COUNTS).values()}
    assert inks["1.2k"] == "#000000" and inks["1"] == "#FFFFFF"  # on yellow, on dark blue


@pytest.mark.parametrize("count", [1, 20, 80])
def test_every_number_and_name_of_the_matrix_fits(count):
    names = [f"a class with a long name {i}" for i in range(count)]
    counts = torch.full((count + 1, count + 1), 999)
    counts[1, 1] = 123_456
    height, width = Grid(tuple(names)).size
    for (x, y), (word, layer) in words_of(counts, names).items():
        assert 0 < x < width and 0 < y < height
        assert len(word) * layer.letter * 0.62 <= (Grid.WIDE if word[0].isdigit() else Grid(tuple(names)).margin)
    figures.confusion_figure(counts, names)


def test_the_confusion_figure_has_words():
    figure = figures.confusion_figure(COUNTS, CLASSES, title="Toy scenes")
    assert figure._repr_mimebundle_()[1]["alt"].startswith("The confusion matrix: a row for what is there")
    assert figure.axes[0].get_title() == "Toy scenes"


def test_gains_stand_side_by_side():
    before, after = report([0.1, 0.05, 0.0, 0.01, 0.02, 0.2]), report([0.1, 0.05, 0.0, 0.0, 0.03, 0.2], 0.6)
    figure = figures.gains_figure({"before": before, "after": after})
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [*before.gains.values(), *after.gains.values()]
    assert [text.get_text() for text in axes.texts[:6]] == ["0.100", "0.050", "0.000", "0.010", "0.020", "0.200"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(KINDS)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["before: AP 0.500", "after: AP 0.600"]


def test_without_objects_no_number_is_made_up():
    figure = figures.gains_figure({"nothing": report([math.nan] * 6, math.nan)})
    assert {text.get_text() for text in figure.axes[0].texts} == {"none"}
    assert figure.legends[0].get_texts()[0].get_text() == "nothing: AP none"
    figure = figures.sizes_figure({"small": math.nan, "large": 0.5}, {"small": math.nan, "large": 0.75})
    assert [text.get_text() for text in figure.axes[0].texts] == ["none", "0.50", "none", "0.75"]


def test_reliability_shows_bins_that_hold_something():
    right = torch.tensor([0.0, 0.25, 0.0, 1.0])
    result = Reliability(torch.tensor([0.2, 0.3, 0.6, 0.9]), right, torch.tensor([3, 4, 0, 1500]), 0.1234)
    figure = figures.reliability_figure({"toy": result})
    upper, lower = figure.axes
    assert [bar.get_height() for bar in upper.patches] == [0.0, 0.25, 1.0]
    assert [bar.get_height() for bar in lower.patches] == [3, 4, 0, 1500]
    assert [text.get_text() for text in lower.texts] == ["3", "4", "", "1.5k"]
    assert upper.get_title() == "toy, mean distance 0.123"


def test_reliability_of_no_detection():
    nothing = Reliability(torch.tensor([0.25, 0.75]), torch.zeros(2), torch.zeros(2, dtype=torch.long), math.nan)
    figure = figures.reliability_figure({"a": nothing, "b": nothing})
    assert len(figure.axes) == 4 and figure.axes[0].get_title() == "a, no detection"


def test_the_spread_says_mean_and_interval():
    values = torch.linspace(0.4, 0.5, 201, dtype=torch.double)
    figure = figures.spread_figure({"toy": values, "other": values + 0.02, "nothing": torch.full((5,), math.nan)})
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0].startswith("toy: mean 0.450, 95 % from 0.40") and "nothing: no objects" in labels
    (axes,) = figure.axes
    assert sum(bar.get_height() for bar in axes.patches) == 402
    one = figures.spread_figure({"toy": torch.full((20,), 0.5)})  # every sample alike
    assert sum(bar.get_height() for bar in one.axes[0].patches) == 20
    assert figures.spread_figure({"nothing": torch.zeros(0)}).axes


def test_every_panel_shows_its_data(drawn_pixels):
    result = Reliability(torch.tensor([0.3, 0.8]), torch.tensor([0.1, 0.9]), torch.tensor([3, 4]), 0.1)
    for figure in (
        figures.confusion_figure(COUNTS, CLASSES),
        figures.gains_figure({"toy": report([0.1, 0.05, 0.0, 0.01, 0.02, 0.2])}),
        figures.sizes_figure({"small": 0.2, "large": 0.5}, {"small": 0.4, "large": 0.75}),
        figures.reliability_figure({"toy": result}),
        figures.spread_figure({"toy": torch.linspace(0.4, 0.5, 50)}),
    ):
        assert all(count > 300 for count in drawn_pixels(figure))
