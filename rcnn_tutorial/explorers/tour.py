"""The explorer of the first notebook: any stage of the detector, projected onto the photo."""

from collections.abc import Mapping

import ipywidgets as widgets
import torch
import traitlets
from torch import Tensor

from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, named
from rcnn_tutorial.figures.story import moments
from rcnn_tutorial.figures.tour import STAGES, Tour
from rcnn_tutorial.model import FasterRCNN


class TourExplorer(Explorer):
    """Nine stages of a detector, from the photo to the detections.

    model: in eval mode. photos: name -> (3, H, W) in [0, 1]; a photo runs through the model once, when it is first
    chosen. shown: detections scored lower are not drawn.
    """

    def __init__(self, model: FasterRCNN, photos: Mapping[str, Tensor], stage: int = 0, shown: float = 0.5):
        if not photos:
            raise ConfigError("photos = {}: give at least one photo to explore")
        self.model, self.photos, self.shown = model, dict(photos), shown
        self._tours: dict[str, Tour] = {}
        controls = {
            "stage": named("Stage", [f"{number} {title}" for number, (title, *_) in enumerate(STAGES)], stage),
            "photo": choice("Photo", list(photos), next(iter(photos))),
        }
        super().__init__(controls, Canvas(next(iter(photos.values()))))

    def tour(self, name: str) -> Tour:
        """The photo of this name and everything that the detector computed from it."""
        if name not in self._tours:
            photo, device = self.photos[name], next(self.model.parameters()).device
            with torch.no_grad():
                trace = self.model.trace([photo.to(device)])
            photo, trace = to_cpu((photo, trace), single=True)
            self._tours[name] = Tour(photo, trace, self.model.config, self.model.stride, self.shown)
        return self._tours[name]

    def draw(self) -> str:
        """Draw one stage of one photo; say what it leaves behind."""
        title, notebook, view = STAGES[self.stage.value]
        seen = view(self.tour(self.photo.value))
        self.canvas.draw(seen.scene.layers, image=seen.scene.image, size=seen.scene.shape)
        return f"Stage {self.stage.value}, {title} (notebook {notebook}): {seen.sentence}"


class StoryExplorer(Explorer):
    """The film of one box, from its cell to its detection: to play, to pause, to step through with the arrow keys.

    tour: one photo with its trace, of which the best detection is followed. A reader who asks for less motion gets
    no *Play* and steps.
    """

    def __init__(self, tour: Tour):
        tour = tour._replace(image=to_cpu(tour.image, single=True), trace=to_cpu(tour.trace, single=True))
        self.moments = moments(tour)
        last = len(self.moments) - 1
        chapters = [moment.chapter for moment in self.moments]
        starts = {chapter: {"moment": chapters.index(chapter), "play": chapters.index(chapter)} for chapter in chapters}
        controls = {
            "moment": integer("Moment", 0, 0, last),
            "play": widgets.Play(min=0, max=last, interval=250, show_repeat=False, layout={"width": "auto"}),
        }
        traitlets.link((controls["play"], "value"), (controls["moment"], "value"))
        super().__init__(controls, Canvas(tour.image), starts)

    def draw(self) -> str:
        """Draw the moment; say what happens."""
        moment = self.moments[self.moment.value]
        self.canvas.draw(moment.layers)
        return f"{moment.chapter}. {moment.sentence}"
