"""Explorers of the eleventh notebook: what kind each error is. The others of the lesson have files of their own."""

from rcnn_tutorial.explorers.precision_recall import CurveExplorer

__all__ = ["CurveExplorer"]
