"""How a widget enters a notebook: a line that says how to wake it, a still picture, and the live view.

JupyterLab stores what a cell shows, but not the kernel behind it: a lesson that was run, saved and opened again has
live views whose models are gone, and after a restart sliders that nothing answers. So the picture is stored beside the
view, and the style that comes with the line shows whichever of the two is good for something. A page that does not take
the style (a notebook that is not trusted, a code host) cannot have the live view either, and shows line and picture.
"""

import base64
import io

from anywidget import AnyWidget
from IPython.display import display
from ipywidgets import Widget
from matplotlib.figure import Figure

from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import describe

LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
WAKE = "A still picture. Run > Run All Cells brings it to life."
# Line, picture and view are neighbors in the output area. A view lives if it has a canvas, and nothing disconnected.
_STYLE = """
.rcnn-wake { margin: 0; padding: 2px 4px 6px; font-size: 16px; }
LINE + OUTPUT + OUTPUT:not(:has(.rcnn-canvas)),
LINE + OUTPUT + OUTPUT:has(DEAD),
LINE + OUTPUT:has(+ OUTPUT .rcnn-canvas):not(:has(+ OUTPUT DEAD)),
LINE:has(+ OUTPUT + OUTPUT .rcnn-canvas):not(:has(+ OUTPUT + OUTPUT DEAD)) { display: none; }
"""
_STYLE = _STYLE.replace("LINE", "OUTPUT:has(.rcnn-wake)").replace("OUTPUT", ".jp-OutputArea-child")
_STYLE = _STYLE.replace("DEAD", ".jupyter-widgets-disconnected")
WAKING_LINE = f'<style>{_STYLE}</style><p class="rcnn-wake">{WAKE}</p>'


def live_view(widget: Widget, words: str, like: AnyWidget | None = None) -> tuple[dict, dict]:
    """Data and metadata of the output that a page replaces with a live widget, whatever the version of ipywidgets.

    The metadata are anywidget's: Colab shows a widget of another make only where they name the script that can, and a
    plain widget with such inside has none of its own. words: what a page without widgets shows.
    like: the AnyWidget inside; None: `widget` is one itself.
    """
    _, metadata = AnyWidget._repr_mimebundle_(like or widget)
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"text/plain": words, LIVE_VIEW: view}, metadata


class Shown:
    """A widget that is displayed as line, picture and live view. Subclasses have `canvases` and a `summary`."""

    _handle = None  # of the still picture, once it is displayed

    def figure(self, width: float = 9.0) -> Figure:
        """The present picture as a matplotlib figure, `width` inches wide, with the summary under it."""
        shares = [canvas.width for canvas in self.canvases]  # as on the page
        figure = figure_of([canvas.scene for canvas in self.canvases], width, shares=shares, words=self.summary)
        return describe(figure, self.summary)

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.summary}"

    def still(self) -> dict[str, str]:
        """The present picture as an output of a notebook: a JPEG, and in words what it shows."""
        file = io.BytesIO()
        self.figure().savefig(file, format="jpeg", pil_kwargs={"quality": 85})
        return {"image/jpeg": base64.b64encode(file.getvalue()).decode("ascii"), "text/plain": repr(self)}

    def _metadata(self) -> dict[str, str]:
        return {"alt": repr(self).partition(": ")[2]}

    def _ipython_display_(self, **_kwargs) -> None:
        display({"text/html": WAKING_LINE, "text/plain": WAKE}, raw=True)
        self._handle = display(self.still(), metadata=self._metadata(), raw=True, display_id=True)
        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)

    def renew_still(self) -> None:
        """Put the present picture in the place of the one that was stored when the widget was displayed.

        It takes a third of a second: for a picture that is finished, not for every step on the way.
        """
        if self._handle is not None:
            self._handle.update(self.still(), metadata=self._metadata(), raw=True)

    def _repr_mimebundle_(self, **_kwargs) -> tuple[dict, dict]:
        """The live view, and in words what it shows: the whole sentence, which ipywidgets would cut."""
        return live_view(self, repr(self), like=self.canvases[0])
