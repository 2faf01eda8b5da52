"""How a widget enters a notebook: a line that says how to wake it, a still picture, and the live view.

JupyterLab stores what a cell shows, but not the kernel behind it: a lesson that was run, saved and opened again has
live views whose models are gone, and after a restart sliders that nothing answers. So the picture is stored beside the
view, and the style that comes with the line shows whichever of the two is good for something. A page that does not take
the style (a notebook that is not trusted, a code host) cannot have the live view either, and shows line and picture.
"""

import base64
import io

from IPython.display import display
from matplotlib.figure import Figure

from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import describe

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
        display(self._repr_mimebundle_(), raw=True)

    def renew_still(self) -> None:
        """Put the present picture in the place of the one that was stored when the widget was displayed.

        It takes a third of a second: for a picture that is finished, not for every step on the way.
        """
        if self._handle is not None:
            self._handle.update(self.still(), metadata=self._metadata(), raw=True)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The live view, and in words what it shows: the whole sentence, which ipywidgets would cut."""
        bundle = super()._repr_mimebundle_(**kwargs)
        return (bundle[0] if isinstance(bundle, tuple) else bundle) | {"text/plain": repr(self)}
