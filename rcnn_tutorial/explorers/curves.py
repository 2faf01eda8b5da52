"""The curves of a training, live: a panel for each loss with a scale of its own, one for recall and one for mAP."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from rcnn_tutorial import roles
from rcnn_tutorial.evaluation import Evaluation
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.figures.training import WINDOW, moving_average
from rcnn_tutorial.roles import GROUND, Role
from rcnn_tutorial.scene import Layer, Lines, Points
from rcnn_tutorial.training import DETECTOR_LOSSES, RPN_LOSSES, StepReport

PROPOSALS = 50  # whose recall is shown
RECALL, MAP = f"recall at {PROPOSALS}", "mAP"
PANELS = ((*RPN_LOSSES, RECALL), (*DETECTOR_LOSSES, MAP))  # the RPN's, the detector's: two losses and their judge
COLUMN, ROW = 230, 170  # what a panel takes of the picture, in its coordinates, with
LEFT, TOP, RIGHT, FOOT = 52, 30, 12, 30  # the room around the curves for their numbers and titles
SIDES = "Left: RPN. Right: detector"  # of the tall picture
DIGITS = (1, 2, 3, 4, 6, 8, 10)  # where an axis may end
NOW = Role(roles.WHITE, "solid", "this run")
EARLIER = (Role(roles.PALETTE[1], "dashed"), Role(roles.PALETTE[0], "dotted"), Role(roles.PALETTE[6], "dashdot"))


class Run(NamedTuple):
    """A training, or its beginning."""

    reports: Sequence[StepReport] = ()
    moments: Mapping[int, Evaluation] = {}  # the step after which it was measured -> what was found

    def series(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of a panel: of a loss at every step, of what is measured at some."""
        if name == RECALL:
            known = [(step, moment.recall[PROPOSALS]) for step, moment in sorted(self.moments.items())]
        elif name == MAP:
            known = [(step, moment.mAP) for step, moment in sorted(self.moments.items())]
        else:
            known = [(report.step, report.losses[name]) for report in self.reports if name in report.losses]
        return [(step, value) for step, value in known if math.isfinite(value)]


class LossCurves(Canvas):
    """The losses of a run while it goes on, each on its own scale, and so its progress bar: the axis is as long.

    curves = LossCurves(steps)
    display(curves)
    for report in train(...):
        reports.append(report)
        curves.show(reports)

    tall: the panels in two columns of three, not in two rows.
    """

    def __init__(self, steps: int, tall: bool = False, title: str = ""):
        self.steps, self.tall = steps, tall
        across, down = (2, 3) if tall else (3, 2)
        size = (ROW * down, COLUMN * across)
        super().__init__(size=size, width=300 * across, title=title, roomy=0.92 * size[1])
        self.show([])

    def show(
        self,
        reports: Sequence[StepReport],
        moments: Mapping[int, Evaluation] | None = None,
        earlier: Mapping[str, Run] | None = None,
        name: str = "this run",
    ) -> None:
        """Draw the losses of all steps so far; mAP and recall where they were measured; at most three earlier runs."""
        run, earlier = Run(reports, moments or {}), dict(earlier or {})
        layers: list[Layer] = []
        for row, names in enumerate(PANELS):
            for column, panel in enumerate(names):
                corner = (row, column) if self.tall else (column, row)
                layers += self._panel(panel, corner, run, earlier)
        legend = [role._replace(name=text) for text, role in zip(earlier, EARLIER, strict=False)]
        legend = [Lines(torch.zeros(0, 2, 2), role) for role in [NOW._replace(name=name), *legend]]
        self.draw([*layers, *legend])
        self.summary = f"Losses of {len(reports)} of {self.steps} steps."
        if len(reports) == self.steps:
            self.renew_still()

    def __repr__(self) -> str:
        return f"LossCurves: The losses of a training, step by step, {self.steps} steps."

    def _panel(self, name: str, corner: tuple[int, int], run: Run, earlier: Mapping[str, Run]) -> list[Layer]:
        """Axes and curves of one quantity, without entries in the legend."""
        known = {role: one.series(name) for one, role in zip(earlier.values(), EARLIER, strict=False)}
        known = {role: [pair for pair in pairs if pair[0] <= self.steps] for role, pairs in known.items()}
        values = run.series(name)
        measured = name in (RECALL, MAP)
        highest = max((value for pairs in (values, *known.values()) for _, value in pairs), default=1.0)
        least = {RECALL: 1.0, MAP: 0.2}.get(name, 0.0)
        place = _Place(corner, self.steps, max(least, round_up(highest)))
        layers = place.axes(name)
        for role, pairs in known.items():
            layers += place.curve(pairs, role, measured, width=2.5, opacity=0.8)
        if not measured:
            layers.append(Lines(place.points(values)[None], Role(NOW.color), name="", width=1.0, opacity=0.5))
        return [*layers, *place.curve(values, NOW, measured, width=4.0)]


class _Place:
    """Where a panel lies in the picture, and what its axes count."""

    def __init__(self, corner: tuple[int, int], steps: int, top: float):
        """corner: column and row of the panel."""
        self.x, self.y = corner[0] * COLUMN, corner[1] * ROW
        self.steps, self.top = steps, top
        self.left, self.right = self.x + LEFT, self.x + COLUMN - RIGHT
        self.high, self.low = self.y + TOP, self.y + ROW - FOOT

    def points(self, pairs: Sequence[tuple[int, float]]) -> torch.Tensor:
        """(step, value) pairs as points of the picture: (K, 2)."""
        step, value = torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2).T
        x = self.left + step * ((self.right - self.left) / self.steps)
        return torch.stack([x, self.low - value * ((self.low - self.high) / self.top)], dim=1).float()

    def curve(self, pairs: Sequence[tuple[int, float]], role: Role, measured: bool, **look) -> list[Layer]:
        """What is measured now and then: dots, joined. A loss: the mean of ten steps; of a single step it is a dot."""
        steps, values = [step for step, _ in pairs], [value for _, value in pairs]
        points = self.points(list(zip(steps, values if measured else moving_average(values, WINDOW), strict=True)))
        dots = [Points(points, Role(role.color), name="", radius=4.0)] if measured or len(pairs) == 1 else []
        return [Lines(points[None], role, name="", **look), *dots]

    def axes(self, name: str) -> list[Layer]:
        """The title, which is what the upward axis counts; lines at 0, half and top; the steps."""
        middle = (self.high + self.low) / 2
        level = [[(self.left, y), (self.right, y)] for y in (self.high, middle)]
        edge = [[(self.left, self.high), (self.left, self.low)], [(self.left, self.low), (self.right, self.low)]]
        numbers = [(self.x, y + 12) for y in (self.high, middle, self.low)]
        texts = [f"{value:g}" for value in (self.top, self.top / 2, 0)]
        texts[1] = texts[1] if len(texts[1]) <= 4 else ""  # no room for more
        half, foot = (self.left + self.right) / 2, self.low + FOOT
        steps = [(self.left, foot), (half + 4, foot), (self.right - 30, foot)]
        return [
            Lines(torch.tensor(level), roles.PLAIN, name="", width=1.0, opacity=0.25),
            Lines(torch.tensor(edge), roles.PLAIN, name="", width=1.0, opacity=0.7),
            Points([(self.left - 6, self.high)], Role(GROUND), radius=0.0, labels=[name]),
            Points(numbers, Role(GROUND), radius=0.0, labels=texts),
            Points(steps, Role(GROUND), radius=0.0, labels=["step", f"{self.steps // 2}", f"{self.steps}"]),
        ]


def round_up(value: float) -> float:
    """The smallest number of one of DIGITS and a power of ten that is not below `value`; 0.01 at least."""
    value = max(value, 0.01)
    power = math.floor(math.log10(value))
    return min(top for digit in DIGITS for top in [float(f"{digit}e{power}")] if top >= value)
