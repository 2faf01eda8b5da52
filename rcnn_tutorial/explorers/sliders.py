"""Sliders on which kernel and page agree: a value is a step of the slider, whoever sets it.

The browser knows no place between two steps, and it computes places as shares of the slider's length, with rounding
errors. A number that it does not know it moves to the nearest step *and sends back*. While all cells run, that answer
waits until the last one has ended and would undo what they have set. So three things happen here, for every slider:

1. Whatever is assigned, by a config, a cell or `draw`, becomes the nearest step, rounded to the step's decimals.
2. The page is sent the very number that it computes for that step, and has nothing to send back.
3. A page that computes otherwise does send something back: within half a step of what it was sent, that is no news.
"""

import math
from collections import deque
from decimal import Decimal

import ipywidgets as widgets
import traitlets

REMEMBERED = 16  # numbers sent to the page that it may still answer


def nearest_step(value: float, low: float, high: float, step: float) -> float:
    """The step of a slider from `low` to `high` that is nearest to `value`; its end is one even where no step falls.

    Rounded to the decimals that `low` and `step` are written with: 0.3 + 24 * 0.05 is 1.5.
    """
    if value >= high:
        return high
    steps = math.floor((max(value, low) - low) / step + 0.5)  # halves go up, as in the browser
    digits = max(0, *(-Decimal(repr(float(number))).as_tuple().exponent for number in (low, step)))
    return min(round(low + steps * step, digits), high)


def browsers_number(value: float, low: float, high: float, step: float) -> float:
    """What noUiSlider, the slider of ipywidgets, makes of a step: it counts in hundredths of the slider's length."""
    length = high - low
    if length <= 0 or value >= high:
        return high
    share = step * 100 / length
    place = math.floor((value - low) * 100 / length / share + 0.5) * share
    return high if place >= 100 else place * length / 100 + low


class _OnSteps(traitlets.HasTraits):
    """What both sliders do; the methods bear the names of those in ipywidgets that they replace."""

    _sent = traitlets.Instance(deque, (), {"maxlen": REMEMBERED})  # what the page was sent, as it was sent

    @traitlets.validate("value")
    def _validate_value(self, proposal):
        return nearest_step(proposal.value, self.min, self.max, self.step)

    @traitlets.validate("max")
    def _validate_max(self, proposal):
        """The value goes first to where the shorter slider has a step, so that the page need not move it."""
        if proposal.value < self.min:
            raise traitlets.TraitError("setting max < min")
        if proposal.value < self.value:
            steps = math.floor((proposal.value - self.min) / self.step + 1e-9)
            self.value = self.min + steps * self.step
        return proposal.value

    @traitlets.observe("min", "max", "step")
    def _find_step(self, _change) -> None:
        self.value = nearest_step(self.value, self.min, self.max, self.step)

    @traitlets.observe("value")
    def _remember(self, _change) -> None:
        self._sent.append(self.get_state("value")["value"])

    def set_state(self, sync_data: dict) -> None:
        """Take what the page says, unless it only repeats, moved to its own place, what it was sent."""
        said = sync_data.get("value")
        repeated = [sent for sent in self._sent if said is not None and 0 < abs(sent - said) < self.step / 2]
        if repeated:
            self._sent.remove(repeated[0])  # one answer for each
            sync_data = {name: value for name, value in sync_data.items() if name != "value"}
        super().set_state(sync_data)


class IntSlider(_OnSteps, widgets.IntSlider):
    """ipywidgets' slider over whole numbers, always on a step."""


class FloatSlider(_OnSteps, widgets.FloatSlider):
    """ipywidgets' slider over numbers, always on a step."""

    value = traitlets.CFloat().tag(
        sync=True, to_json=lambda value, slider: browsers_number(value, slider.min, slider.max, slider.step)
    )
