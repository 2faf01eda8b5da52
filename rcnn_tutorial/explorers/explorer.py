"""What all explorers share: controls beside a picture, and under it one line that says what the picture shows.

How to add an explorer (`anchors.py` is the example to follow)
--------------------------------------------------------------
1. One file a stage, named like the stage. A class derives from `Explorer`; its constructor takes the tensors to
   explore (an image (3, H, W) in [0, 1], a Trace, ...) with defaults from the config, and calls
   `super().__init__(controls, canvases)`:

       class NMSExplorer(Explorer):
           def __init__(self, image, boxes, scores, threshold=0.3):
               self.boxes, self.scores = boxes, scores
               controls = {"threshold": number("IoU threshold", threshold, 0.0, 1.0, 0.05)}
               super().__init__(controls, Canvas(image))

2. `draw()` computes with the *stage's own functions*, hands layers to the canvas and returns the summary sentence.
   Read a control by its name: `self.threshold.value`. It runs once on construction, then on every change.

           def draw(self) -> str:
               keep = nms(self.boxes, self.scores, self.threshold.value)
               self.canvas.draw([
                   Boxes(self.boxes, BEFORE, hover=self.hover_text),
                   Boxes(self.boxes[keep], AFTER, name="kept"),
               ])
               return f"{len(keep)} of {len(self.boxes)} boxes kept at IoU {self.threshold.value:.2f}."

3. What cannot work raises ConfigError or DataError (`Config(...)` does so by itself): the base class turns it into a
   sentence in the panel, over the last picture, dimmed. Nothing else is caught. `fields` says which control sets
   which field of a config: `self.adjusted(config)` has their values, and an error's sentence speaks of their labels.
   `draw` must cope with no boxes at all and with both ends of sliders.

Controls: `integer`, `number`, `named`, `choice`, `flag`, `Several`, `button`. Labels are full words. The first MAIN are
beside the picture, the rest behind *More*: begin with those that the lesson asks about. A slider's value is always one
of its steps (`sliders.py`): `draw` need not round it. Keep what no control changes out of `draw`.
Presets: `super().__init__(controls, canvas, presets={"NMS 0.95": {"threshold": 0.95}})` makes a button for a question
that the lesson asks: the controls and handles that it names take these values, all others those of the start. *Reset*
goes back to the start; `explorer.press("NMS 0.95")` presses a button from code. A control that can do nothing as
things stand: `self.rest(channel="the map is the photo")` in `draw` disables it and says why.
Layers (`scene.py`): `Boxes`, `Points`, `Lines`, `Words`, `Heatmap`, `Picture`; the first is drawn at the bottom. A
layer's role (BEFORE orange and dashed, AFTER green, CHOSEN blue, OTHER white and dotted, GROUND_TRUTH yellow) gives its
color, its dash and its name in the legend. The still picture draws the same layers.
Draggable boxes: `Canvas(image, handles={"roi": Handle(CHOSEN, (10, 10, 90, 90), name="ROI")})`; read
`self.canvas.box("roi")` (a tensor (4,)), set with `self.canvas.move(roi=(0, 0, 50, 50))`. Clicks: `canvas.clicked`.
One that turns, `Handle(..., turnable=45)`, has a slider beside it: `crop_pooling.py` keeps both at the same degrees.
The reader's functions: a class says `replaceable = {"nms": Own(nms)}` (`own.py`), and its `draw` calls
`self.own["nms"](boxes, scores, threshold)` in place of `nms(...)`. `explorer.use(nms=my_nms)` draws with the reader's,
and the summary says how it differs, or what is wrong with it; `explorer.use()` returns to the package's. A result must
be shaped like the package's: `Own(nms, fitted=...)` where it need not. Name and arguments are those of the exercise.
On a page of `make site` no Python runs: there a twin draws, an object of the class's name in the file's neighbor
(`anchors.py` and `anchors.js`, which says how it is made), from what `tensors()` returns: tensors, numbers, texts, and
lists and dicts of them. `tests/explorers/test_twins.py` holds the two together.
Two pictures: pass a list of canvases with a `title` each. From code and tests: `explorer.threshold.value = 0.5`,
several at once with `explorer.set(threshold=0.5, top=10)`; then `explorer.summary`, `print_summary()`, `figure()`.
"""

import contextlib
import dataclasses
import pathlib
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Self

import ipywidgets as widgets
import traitlets

from rcnn_tutorial.errors import TutorialError
from rcnn_tutorial.explorers.canvas import Canvas, WholeWidget
from rcnn_tutorial.explorers.own import Own, OwnError, OwnFunctions
from rcnn_tutorial.explorers.shown import Shown
from rcnn_tutorial.explorers.sliders import FloatSlider, IntSlider

_HERE = pathlib.Path(__file__).parent
MAIN = 4  # controls beside the picture; the rest is behind a button
LINE = 100  # letters that fit in a line of a notebook's output


class Explorer(Shown, widgets.Box):
    """Controls, picture and summary line. Subclasses implement `draw`; the module's docstring says how.

    Attributes:
        controls: name -> widget; each is an attribute too (`explorer.stride`).
        canvases: all pictures; `canvas` is the first.
        fields: field of the config -> name of the control that sets it.
        replaceable: name -> a function of the package in whose place `use` puts the reader's.
        notebook_only: name of a control that a page does not have -> why not.
        summary: what the picture shows, in words.

    """

    fields: ClassVar[Mapping[str, str]] = {}
    replaceable: ClassVar[Mapping[str, Own]] = {}
    notebook_only: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        controls: dict[str, widgets.Widget],
        canvases: Canvas | Sequence[Canvas],
        presets: Mapping[str, Mapping] | None = None,
    ):
        self.canvases = [canvases] if isinstance(canvases, Canvas) else list(canvases)
        self.canvas = self.canvases[0]
        self.controls = dict(controls)
        self.own = OwnFunctions(self.replaceable)
        self._line, self._resting = SummaryLine(), Reasons()
        self._held = False
        for name, control in self.controls.items():
            if hasattr(self, name):
                raise TypeError(f"control {name!r}: the name is taken by {type(self).__name__}; choose another")
            setattr(self, name, control)
        self._first = self._state()
        self.presets = dict(presets or {})
        self.update()
        pictures = widgets.Box(self.canvases, _dom_classes=["rcnn-pictures"])
        left = widgets.VBox(self._left(), _dom_classes=["rcnn-controls"])
        right = widgets.VBox([pictures, self._line], _dom_classes=["rcnn-right"])  # on a narrow page, below `left`
        # One or two controls may go above the picture: `room.js` looks where they leave it larger.
        classes = ["rcnn-explorer"] + ["rcnn-few"] * (len(self.controls) <= 2)
        super().__init__([left, right], _dom_classes=classes)  # so late, because the browser is told once, of the whole
        for control in self.controls.values():
            control.observe(self.update, "value")
        for canvas in self.canvases:
            canvas.observe(self.update, ["handles"])

    def _left(self) -> list[widgets.Widget]:
        """Presets, main controls, why some rest, and the other controls behind a button that shows and hides them."""
        buttons = [button(name) for name in (*self.presets, "Reset")]
        for widget in buttons:
            widget.on_click(lambda pressed: self.press(pressed.description))
        controls = list(self.controls.values())
        main = widgets.VBox(controls[:MAIN], _dom_classes=["rcnn-main"])
        rest = widgets.VBox(controls[MAIN:], _dom_classes=["rcnn-more"], layout={"display": "none"})
        more = widgets.ToggleButton(description="More", layout={"width": "auto"})
        more.observe(lambda change: setattr(rest.layout, "display", None if change.new else "none"), "value")
        row = widgets.Box([*buttons, *[more] * (len(controls) > MAIN)], _dom_classes=["rcnn-presets"])
        return [row, main, self._resting, rest]

    def _state(self) -> dict:
        """Where controls and handles are now, by name."""
        values = {name: control.value for name, control in self.controls.items() if hasattr(control, "value")}
        return values | {name: box for canvas in self.canvases for name, box in canvas.handles.items()}

    def press(self, name: str) -> None:
        """Do what the button of a preset does, or "Reset"."""
        self.set(**(self._first | (self.presets[name] if name != "Reset" else {})))

    def use(self, **functions: Callable) -> Self:
        """Draw with these functions of the reader's, `explorer.use(nms=my_nms)`, and with the package's for all others.

        Raises ConfigError for a name that this explorer has no use for, and for what is no function.
        """
        self.own.choose(functions)
        self.update()
        return self

    def draw(self) -> str:
        """Compute, hand layers to the canvases, return one sentence that says what they show."""
        raise NotImplementedError(f"{type(self).__name__}.draw")

    def tensors(self) -> dict:
        """What the twin on a page draws from, by name; see the module's docstring."""
        raise NotImplementedError(f"{type(self).__name__}.tensors")

    def for_page(self) -> "Explorer":
        """The explorer that stands on a page in its place: itself, unless a page cannot do what it does."""
        return self

    @property
    def summary(self) -> str:
        """What the picture shows, in words: the line under it, the label that a screen reader reads."""
        return self._line.text

    def update(self, *_change) -> None:
        """Draw anew. A combination of controls that cannot work dims the last picture and says why."""
        if self._held:
            return
        self._held = True  # `draw` may move a handle or narrow a slider's range: that is no new change
        try:
            self._update()
        finally:
            self._held = False

    def _update(self) -> None:
        with contextlib.ExitStack() as stack:
            for canvas in self.canvases:  # one message a canvas, however often it is touched
                stack.enter_context(canvas.hold_sync())
            self._idle = {}
            self.own.forget()
            try:
                sentence, possible = self.draw(), True
                sentence = " ".join([*self.own.notes, sentence])
            except OwnError as error:
                sentence, possible = f"Not possible: {str(error).rstrip('.')}.", False
            except TutorialError as error:
                sentence, possible = f"Not possible: {self.in_labels(str(error)).rstrip('.')}.", False
            for canvas in self.canvases:
                canvas.summary, canvas.possible = sentence, possible
        with self._line.hold_sync():
            self._line.text, self._line.possible = sentence, possible
        for name, control in self.controls.items():
            control.disabled = name in self._idle
        reasons = dict.fromkeys(self._idle.values())
        names = {
            why: [self.controls[name].description for name, its in self._idle.items() if its == why] for why in reasons
        }
        self._resting.text = " ".join(f"{', '.join(labels)}: {why}." for why, labels in names.items())

    def rest(self, **reasons: str) -> None:
        """Called by `draw`: the controls that can do nothing as things stand, each with the reason."""
        self._idle |= reasons

    def adjusted(self, config):
        """A stage's config with what the controls say in those of its fields that `fields` names."""
        known = {field.name for field in dataclasses.fields(config)}
        said = {field: self.controls[name].value for field, name in self.fields.items() if field in known}
        return dataclasses.replace(config, **said)

    def in_labels(self, message: str) -> str:
        """An error's message with the labels of the controls in place of the fields of the config."""
        for field, name in sorted(self.fields.items(), key=lambda pair: -len(pair[0])):
            label = self.controls[name].description
            message = re.sub(rf"\b(\w+\.)?{field}\b", lambda _, label=label: label, message)
        return message

    def set(self, **values) -> None:
        """Set several controls and handles with one redraw: `explorer.set(stride=8, roi=(10, 10, 50, 80))`."""
        self._held = True
        try:
            for name, value in values.items():
                self._set(name, value)
        finally:
            self._held = False
        self.update()

    def _set(self, name: str, value) -> None:
        canvas = next((canvas for canvas in self.canvases if name in canvas.handles), None)
        if canvas is None:
            self.controls[name].value = value
        else:
            canvas.move(**{name: value})

    def print_summary(self) -> None:
        """Print the summary, every sentence on a line of its own, long ones on several."""
        sentences = self.summary.replace(". ", ".\n").splitlines()
        print(*(textwrap.fill(sentence, LINE) for sentence in sentences), sep="\n", end="\n\n")


class SummaryLine(WholeWidget):
    """The sentence under the picture, what is new in it in bold; a live region: a screen reader says what changes."""

    _esm = _HERE / "summary.js"
    text = traitlets.Unicode().tag(sync=True)
    possible = traitlets.Bool(True).tag(sync=True)


class Reasons(WholeWidget):
    """Why some controls can do nothing now."""

    _esm = """
    function render({ model, el }) {
      const line = el.appendChild(document.createElement("p"));
      line.className = "rcnn-reasons";
      const show = () => { line.textContent = model.get("text"); };
      model.on("change:text", show);
      show();
    }
    export default { render };
    """
    text = traitlets.Unicode().tag(sync=True)


_WIDE = {"layout": {"width": "100%"}, "style": {"description_width": "10em"}}


def integer(label: str, value: int, low: int, high: int, step: int = 1) -> IntSlider:
    """A slider over whole numbers; arrow keys move it by `step`, or by 1 where it is to start between two steps."""
    step = step if (value - low) % step == 0 else 1
    return IntSlider(value, low, high, step, description=label, **_WIDE)


def number(label: str, value: float, low: float, high: float, step: float, digits: int = 2) -> FloatSlider:
    """A slider over numbers; arrow keys move it by `step`. It starts at the step nearest to `value`."""
    return FloatSlider(value, min=low, max=high, step=step, description=label, readout_format=f".{digits}f", **_WIDE)


def named(label: str, names: Sequence[str], value: int) -> widgets.SelectionSlider:
    """A slider over 0, 1, ... that shows each number's name."""
    options = [(name, number) for number, name in enumerate(names)]
    slider = widgets.SelectionSlider(options=options, value=value, description=label, **_WIDE)
    return slider.add_class("rcnn-named")


def choice(label: str, options: Iterable, value) -> widgets.Dropdown:
    """One of `options` (values, or pairs of text and value) from a list."""
    return widgets.Dropdown(options=list(options), value=value, description=label, **_WIDE)


def flag(label: str, value: bool) -> widgets.Checkbox:
    """Yes or no."""
    return widgets.Checkbox(value, description=label, indent=False, layout={"width": "100%"})


def button(label: str) -> widgets.Button:
    """Something to do; connect it with `on_click`."""
    return widgets.Button(description=label, layout={"width": "auto"})


class Several(widgets.VBox):
    """Any number out of a few numbers, as check boxes. `value`: those that are ticked, in their order."""

    value = traitlets.Tuple()

    def __init__(self, label: str, options: Sequence[float], value: Sequence[float]):
        self.options = tuple(options)
        self.boxes = [widgets.Checkbox(o in value, description=f"{o:g}", indent=False) for o in self.options]
        row = widgets.HBox(self.boxes, _dom_classes=["rcnn-several"])
        super().__init__([widgets.Label(label), row], value=tuple(value))
        for box in self.boxes:
            box.observe(self._collect, "value")

    @traitlets.validate("value")
    def _check(self, proposal):
        unknown = [o for o in proposal.value if o not in self.options]
        if unknown:
            raise traitlets.TraitError(f"{unknown[0]!r} is not on offer: choose from {self.options}")
        return tuple(o for o in self.options if o in proposal.value)

    @traitlets.observe("value")
    def _tick(self, _change) -> None:
        self._ticking = True  # until all boxes are right, they have nothing to report
        for option, box in zip(self.options, self.boxes, strict=True):
            box.value = option in self.value
        self._ticking = False

    def _collect(self, _change) -> None:
        if not self._ticking:
            self.value = [o for o, box in zip(self.options, self.boxes, strict=True) if box.value]
