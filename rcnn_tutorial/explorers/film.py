"""One scene while a detector learns: what it detects now, large, and at four earlier steps, small."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.explorers.canvas import Canvas
from rcnn_tutorial.figures import training as figures
from rcnn_tutorial.roles import GROUND, Role
from rcnn_tutorial.scene import Boxes, Layer, Points

SHOWN = 6  # the best detections of a frame
FRAMES = 4  # small ones, under the large one
GAP = 4  # pixels between two frames
TAG = 20  # pixels from the top of a frame to the foot of its text


class Film(Canvas):
    """The scene at five moments: right detections, misnamed ones, others, each kind with a look of its own.

    image: (3, H, W) in [0, 1]. target: boxes (G, 4) in its pixels, labels (G,). classes: names of labels 1, 2, ...
    """

    def __init__(self, image: Tensor, target: Mapping[str, Tensor], classes: Sequence[str], title: str = ""):
        self.target, self.classes = to_cpu(target, single=True), classes
        image = to_cpu(image, single=True)
        height, width = image.shape[-2:]
        self.frame_size = torch.tensor([width, height])
        places = [(column * (width + GAP), (2 + row) * (height + GAP)) for row in range(2) for column in range(2)]
        self.corners = torch.tensor(places[:FRAMES])  # (FRAMES, 2) x, y; the large one is at 0, 0
        sheet = image.new_full((3, 4 * height + 3 * GAP, 2 * width + GAP), int(GROUND[1:3], 16) / 255)
        large = F.interpolate(image[None], (2 * height + GAP, 2 * width + GAP), mode="bilinear")[0]
        sheet[:, : 2 * height + GAP, : 2 * width + GAP] = large
        for x, y in places:
            sheet[:, y : y + height, x : x + width] = image
        super().__init__(sheet, width=500, title=title, roomy=1.1 * sheet.shape[-1])

    def show(self, now: Mapping[str, Tensor], step: int, before: Mapping[int, Mapping[str, Tensor] | None]) -> list:
        """Draw the detections of now and of earlier steps (None: not there yet); returns the verdicts on those of now.

        before: FRAMES of step -> detections.
        """
        scale = (2 * self.frame_size + GAP) / self.frame_size  # x, y
        best = figures.best_places(now, SHOWN)
        verdicts = figures.judge(best, self.target)
        layers = self._frame(best, verdicts, torch.zeros(2), scale, names=True)
        layers.append(_tag((0, 0), f"now: step {step}"))
        for corner, (then, found) in zip(self.corners, before.items(), strict=True):
            if found is None:
                whole = torch.cat([corner, corner + self.frame_size])[None]
                layers.append(Boxes(whole, Role(GROUND), fill=0.75, name="", width=0.0))
            else:
                found = figures.best_places(found, SHOWN)
                layers += self._frame(found, figures.judge(found, self.target), corner, torch.ones(2))
            layers.append(_tag(corner, f"step {then}"))
        self.draw(layers)
        return verdicts

    def _frame(
        self, best: Mapping[str, Tensor], verdicts: Sequence[str], corner: Tensor, scale: Tensor, names: bool = False
    ) -> list[Layer]:
        """Detections of one frame. names: those of the classes and of the looks as well, and where the objects are."""

        def boxes(rows: Tensor, role: Role, width: float, labels: Sequence[str] = ()) -> Boxes:
            moved = rows * scale.repeat(2) + corner.repeat(2)
            return Boxes(moved, role, labels=labels if names else (), width=width, name=None if names else "")

        objects = roles.GROUND_TRUTH._replace(dash="dotted")
        layers = [boxes(self.target["boxes"], objects, 2.0)] if names else []
        for verdict, role in figures.VERDICT_LOOKS.items():
            rows = [i for i, one in enumerate(verdicts) if one == verdict]
            texts = [self.classes[best["labels"][i] - 1] for i in rows]
            layers.append(boxes(best["boxes"][rows], role, 3.0 if names else 2.0, texts))
        return layers


def _tag(corner: Sequence[float], text: str) -> Points:
    """A text in the upper left corner of a frame."""
    return Points([(float(corner[0]), float(corner[1]) + TAG)], Role(GROUND), radius=0.0, labels=[text])
