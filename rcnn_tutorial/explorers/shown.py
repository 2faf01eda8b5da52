"""How a widget enters a notebook: a still picture, a line that says how to wake it, and the live view.

JupyterLab stores what a cell shows, but not the kernel behind it: a lesson that was run, saved and opened again has
live views whose models are gone, and after a restart sliders that nothing answers. So the picture is stored beside the
view, and the style that comes with the line shows whichever of the two is good for something. A page that does not take
the style (a notebook that is not trusted, a code host) cannot have the live view either, and shows picture and line.
"""

from __future__ import annotations

import base64
import io

from IPython.display import display
from matplotlib.figure import Figure

WAKE = "A still picture. Run > Run All Cells brings it to life."
# Picture, line and view are neighbors in the output area. A view lives if it has a canvas, and nothing disconnected.
_STYLE = """
.rcnn-wake { margin: 0; padding: 2px 4px 10px; font-size: 16px; }
OUTPUT:has(.rcnn-wake) + OUTPUT:not(:has(.rcnn-canvas)),
OUTPUT:has(.rcnn-wake) + OUTPUT:has(DEAD),
OUTPUT:has(.rcnn-wake):has(+ OUTPUT .rcnn-canvas):not(:has(+ OUTPUT DEAD)),
OUTPUT:has(+ OUTPUT .rcnn-wake):has(+ OUTPUT + OUTPUT .rcnn-canvas):not(:has(+ OUTPUT + OUTPUT DEAD)) { display: none; }
"""
_STYLE = _STYLE.replace("OUTPUT", ".jp-OutputArea-child").replace("DEAD", ".jupyter-widgets-disconnected")
WAKING_LINE = f'<style>{_STYLE}</style><p class="rcnn-wake">{WAKE}</p>'


class Shown:
    """A widget that is displayed as picture, line and live view. Subclasses have `figure`."""

    def figure(self) -> Figure:
        """The present picture."""
        raise NotImplementedError(f"{type(self).__name__}.figure")

    def still(self) -> dict[str, str]:
        """The present picture as an output of a notebook: a JPEG, and in words what it shows."""
        file = io.BytesIO()
        self.figure().savefig(file, format="jpeg", pil_kwargs={"quality": 85})
        return {"image/jpeg": base64.b64encode(file.getvalue()).decode("ascii"), "text/plain": repr(self)}

    def _ipython_display_(self, **_kwargs) -> None:
        display(self.still(), raw=True)
        display({"text/html": WAKING_LINE, "text/plain": WAKE}, raw=True)
        display(self._repr_mimebundle_(), raw=True)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        """The live view, and in words what it shows: the whole sentence, which ipywidgets would cut."""
        bundle = super()._repr_mimebundle_(**kwargs)
        return (bundle[0] if isinstance(bundle, tuple) else bundle) | {"text/plain": repr(self)}
