"""The explorer of the first notebook: any stage of the detector, projected onto the photo."""

from collections.abc import Mapping
from typing import ClassVar

import ipywidgets as widgets
import torch
import traitlets
from torch import Tensor

from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.canvas import Canvas, encode_image
from rcnn_tutorial.explorers.explorer import Explorer, choice, integer, named
from rcnn_tutorial.fields import to_dict
from rcnn_tutorial.figures.story import moments
from rcnn_tutorial.figures.tour import STAGES, Tour, view_preprocessed
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.scene import heat_colors, to_uint8


class TourExplorer(Explorer):
    """Nine stages of a detector, from the photo to the detections.

    model: in eval mode. photos: name -> (3, H, W) in [0, 1]; a photo runs through the model once, when it is first
    chosen. shown: detections scored lower are not drawn.
    """

    notebook_only: ClassVar = {"photo": "the detector has run on one photo only"}

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

    def tensors(self) -> dict:
        """What the twin draws from: the photo that is chosen."""
        return {"tour": tour_tensors(self.tour(self.photo.value)), "stages": [stage[:2] for stage in STAGES]}

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
        self.tour, self.moments = tour, moments(tour)
        last = len(self.moments) - 1
        chapters = [moment.chapter for moment in self.moments]
        starts = {chapter: {"moment": chapters.index(chapter), "play": chapters.index(chapter)} for chapter in chapters}
        controls = {
            "moment": integer("Moment", 0, 0, last),
            "play": widgets.Play(min=0, max=last, interval=250, show_repeat=False, layout={"width": "auto"}),
        }
        traitlets.link((controls["play"], "value"), (controls["moment"], "value"))
        super().__init__(controls, Canvas(tour.image), starts)

    def tensors(self) -> dict:
        """What the twin draws from."""
        return {"tour": tour_tensors(self.tour)}

    def draw(self) -> str:
        """Draw the moment; say what happens."""
        moment = self.moments[self.moment.value]
        self.canvas.draw(moment.layers)
        return f"{moment.chapter}. {moment.sentence}"


def tour_tensors(tour: Tour) -> dict:
    """What `tour_views.js` and `story.js` draw from: the trace, of the two large maps what is seen of them."""
    trace, config = tour.trace, tour.config
    rpn = {"foreground": trace.rpn.foreground[0], "coefficients": trace.rpn.coefficients[0]}  # (N,), (N, 4)
    proposed = {"rois": trace.proposed.rois[0], "scores": trace.proposed.scores[0]}  # (R, 4), (R, C + 1)
    said = proposed | {"class_coefficients": trace.proposed.coefficients[0], "vector": trace.proposed.fc7.shape[-1]}
    response = trace.features[0].abs().mean(dim=0)  # (rows, columns)
    crop = trace.proposed.crops[tour.roi].abs().mean(dim=0)  # (size, size)
    maps = {"response": response, "crop": crop, "channels": trace.features.shape[1], "viridis": heat_colors()}
    proposals = {name: getattr(trace.proposals, name)[0] for name in ("boxes", "anchor_indices", "valid")}
    layers = {"proposals": proposals, "detections": trace.detections[0]._asdict()}
    words = {"classes": config.classes, "shown": tour.shown, "nms_threshold": config.proposals.nms_threshold}
    parts = {name: to_dict(getattr(config, name)) for name in ("anchors", "proposal_targets")}
    return _images(tour) | rpn | said | maps | layers | words | parts


def _images(tour: Tour) -> dict:
    """The photo and what the head sees, with their sizes and what lies between them."""
    seen = tour.trace.preprocessed.images[0]
    pictures = {"photo": tour.image, "stretched": view_preprocessed(tour).scene.image}
    files = {name: encode_image(to_uint8(image)) for name, image in pictures.items()}
    sizes = {"size": tour.image.shape[-2:], "scaled": seen.shape[-2:], "scale": tour.scale, "stride": tour.stride}
    return files | sizes | {"limits": [float(seen.min()), float(seen.max())]}
