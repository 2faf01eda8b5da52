"""The panels of a training: what the axes count, which curves they hold."""

import pytest
import torch

from rcnn_tutorial.evaluation import Evaluation
from rcnn_tutorial.explorers import curves as panels
from rcnn_tutorial.explorers.curves import COLUMN, FOOT, LEFT, MAP, PANELS, RECALL, ROW, TOP, LossCurves, Run
from rcnn_tutorial.figures.training import LOSSES
from rcnn_tutorial.scene import Lines, Points
from rcnn_tutorial.training import StepReport

WIDE, HIGH = COLUMN - LEFT - panels.RIGHT, ROW - TOP - FOOT  # of the part of a panel that holds curves


def report(step, losses):
    return StepReport(step, "joint", losses, sum(losses.values()), 0.1, 1.0, 0.1, 8)


def moment(value, recall):
    return Evaluation("voc07", value, {}, 2, {50: recall, 300: 1.0}, {}, [])


def titles(curves):
    return [layer.labels[0] for layer in curves.layers if isinstance(layer, Points) and len(layer.labels) == 1]


def test_a_panel_for_each_loss_and_for_what_judges_them():
    assert [name for names in PANELS for name in names] == [*LOSSES[:2], RECALL, *LOSSES[2:], MAP]
    for tall in (False, True):
        curves = LossCurves(60, tall)
        assert titles(curves) == [name for names in PANELS for name in names]
        assert curves.size == ((ROW * 3, COLUMN * 2) if tall else (ROW * 2, COLUMN * 3))


def test_curves_count_the_steps_along_an_axis_that_is_as_long_as_the_run():
    curves = LossCurves(60)
    curves.show([report(15, {"loss_box": 1.0}), report(30, {"loss_box": 2.0})])
    assert curves.summary == "Losses of 2 of 60 steps."
    lines = [layer for layer in curves.layers if isinstance(layer, Lines) and layer.width == 4 and layer.lines.numel()]
    (line,) = lines
    # The second panel of the detector's row: step 15, 1.0 of 2, then step 30, the mean 1.5 of 2.
    left, low = COLUMN + LEFT, 2 * ROW - FOOT
    assert line.lines[0].tolist() == [[left + WIDE / 4, low - HIGH / 2], [left + WIDE / 2, low - HIGH * 3 / 4]]


def test_a_single_step_is_seen_as_a_dot():
    curves = LossCurves(60)
    for steps, dots in ((1, 2), (2, 0)):
        curves.show([report(step, {"loss_box": 1.0, "cross_entropy": 2.0}) for step in range(1, steps + 1)])
        points = [layer.points for layer in curves.layers if isinstance(layer, Points) and layer.radius == 4]
        assert sum(map(len, points)) == dots


def test_every_loss_has_a_scale_of_its_own():
    curves = LossCurves(10)
    curves.show([report(1, dict(zip(LOSSES, (0.7, 0.013, 2.4, 900.0), strict=True)))])
    tops = [layer.labels[0] for layer in curves.layers if isinstance(layer, Points) and layer.labels[2:] == ["0"]]
    assert tops == ["0.8", "0.02", "1", "3", "1000", "1"]  # nothing is measured yet
    heights = torch.cat([layer.lines[..., 1].flatten() for layer in curves.layers if isinstance(layer, Lines)])
    assert float(heights.min()) >= TOP and float(heights.max()) <= 2 * ROW - FOOT


def test_recall_and_map_are_dots_at_the_steps_where_they_were_measured():
    curves = LossCurves(10, tall=True)
    curves.show([], {5: moment(0.25, 0.5), 10: moment(float("nan"), 1.0)})
    dots = [layer.points for layer in curves.layers if isinstance(layer, Points) and layer.radius]
    low = 3 * ROW - FOOT
    assert dots[0].tolist() == [[LEFT + WIDE / 2, low - HIGH / 2], [LEFT + WIDE, low - HIGH]]
    (place,) = dots[1].tolist()  # what is not defined is not drawn
    assert place == pytest.approx([COLUMN + LEFT + WIDE / 2, low - HIGH * 5 / 6], abs=1e-3)  # 0.25 of 0.3


def test_earlier_runs_are_named_in_the_legend_and_end_with_the_axis():
    curves = LossCurves(10)
    reports = [report(step, {"loss_box": 1.0}) for step in range(1, 21)]
    curves.show([], earlier={"rate 0.05": Run(reports, {}), "head frozen": Run()}, name="this one")
    assert [layer.legend for layer in curves.layers if layer.legend] == ["this one", "rate 0.05", "head frozen"]
    pale = [layer.lines for layer in curves.layers if isinstance(layer, Lines) and layer.width == 2.5]
    (line,) = [lines for lines in pale if lines.numel()]
    assert line.shape == (1, 10, 2) and float(line[..., 0].max()) == COLUMN + LEFT + WIDE


def test_before_the_first_step():
    curves = LossCurves(10)
    assert repr(curves) == "LossCurves: The losses of a training, step by step, 10 steps."
    assert curves.summary == "Losses of 0 of 10 steps."


def test_axes_end_at_a_round_number():
    assert [panels.round_up(value) for value in (0, 0.013, 0.02, 0.027, 0.69, 1.2, 2.4, 7, 9, 90.5)] == pytest.approx(
        [0.01, 0.02, 0.02, 0.03, 0.8, 2, 3, 8, 10, 100]
    )
