"""What the tests of all figures share."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


@pytest.fixture
def drawn_pixels():
    """drawn_pixels(figure): for each of its axes, how many pixels of the picture come from what is plotted there."""
    return count_drawn_pixels


def count_drawn_pixels(figure: Figure) -> list[int]:
    canvas = FigureCanvasAgg(figure)

    def pixels() -> np.ndarray:
        canvas.draw()
        return np.asarray(canvas.buffer_rgba()).copy()

    whole = pixels()
    figure.set_layout_engine("none")  # nothing moves where something is missing
    counts = []
    for axes in figure.axes:
        plotted = [*axes.lines, *axes.collections, *axes.images, *axes.patches, *axes.texts]
        for artist in plotted:
            artist.set_visible(False)
        counts.append(int((pixels() != whole).any(axis=2).sum()))
        for artist in plotted:
            artist.set_visible(True)
    return counts
