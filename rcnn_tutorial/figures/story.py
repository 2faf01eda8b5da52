"""One box's story: a cell of the grid, its anchors, the one that becomes a detection, and how, moment by moment.

`moments` turns a `Tour` into the pictures of a short film; the explorer plays them, `write_film` keeps them.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.atomic import write_atomically
from rcnn_tutorial.boxes import box_iou, clip, decode, encode
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.tour import Tour, to_photo
from rcnn_tutorial.scene import Boxes, Heatmap, Layer, Points, Scene
from rcnn_tutorial.stages.inference import class_boxes

STEPS = 8  # pictures of a movement
RIVALS = 12  # drawn; all that a box beats would hide the photo


class Moment(NamedTuple):
    """One picture of the film."""

    chapter: str
    layers: list[Layer]
    sentence: str


class Chapter(NamedTuple):
    """What happens to the followed box in one stage, from share 0 to share 1 of the movement."""

    title: str
    steps: int
    tell: Callable[[Tour, float], tuple[list[Layer], str]]


def moments(tour: Tour) -> list[Moment]:
    """The whole film of a tour's followed box, in order."""
    film = []
    for chapter in CHAPTERS:
        for step in range(1, chapter.steps + 1):
            film.append(Moment(chapter.title, *chapter.tell(tour, step / chapter.steps)))
    return film


def tell_cell(tour: Tour, _share: float) -> tuple[list[Layer], str]:
    """Where the box begins: the cell of its anchor."""
    row, column = divmod(tour.anchor // _shapes(tour), tour.trace.features.shape[-1])
    corner = torch.tensor([column, row, column + 1, row + 1]) * tour.stride / tour.scale
    sentence = f"One of the feature map's cells, row {row}, column {column}: {tour.stride} scaled pixels wide."
    return [Boxes(corner[None], roles.CHOSEN, fill=0.4, name="the cell")], sentence


def tell_anchors(tour: Tour, share: float) -> tuple[list[Layer], str]:
    """The cell's anchors, one after the other."""
    anchors = _of_the_cell(tour)
    shown = anchors[: round(share * len(anchors))]
    layers = [*tell_cell(tour, 1)[0], Boxes(to_photo(tour, shown), roles.OTHER, name="anchors of the cell")]
    return layers, f"{len(shown)} of its {len(anchors)} anchors: the same shapes at every cell, whatever the photo."


def tell_chosen(tour: Tour, _share: float) -> tuple[list[Layer], str]:
    """What the RPN says of the followed anchor."""
    score = float(tour.trace.rpn.foreground[0, tour.anchor])
    others = Boxes(to_photo(tour, _of_the_cell(tour)), roles.OTHER, width=1.5, opacity=0.5, name="")
    return [others, _anchor(tour)], f"The RPN finds that this one holds an object, with probability {score:.2f}."


def tell_move(tour: Tour, share: float) -> tuple[list[Layer], str]:
    """The RPN's four coefficients, taken a little further with every picture."""
    anchor, t = tour.trace.anchors[tour.anchor], tour.trace.rpn.coefficients[0, tour.anchor].detach()
    box = clip(decode(share * t, anchor), tour.trace.preprocessed.sizes[0])
    numbers = ", ".join(f"t_{name} {value:+.2f}" for name, value in zip("xywh", t.tolist(), strict=True))
    layers = [_anchor(tour), Boxes(to_photo(tour, box[None]), roles.PROPOSAL)]
    return layers, f"Its coefficients move and stretch it: {numbers}. Now it is a proposal."


def tell_rivals(tour: Tour, share: float) -> tuple[list[Layer], str]:
    """Boxes that say the same with a lower score fall."""
    threshold, rivals = tour.config.proposals.nms_threshold, _rivals(tour)
    left = rivals[: round((1 - share) * min(len(rivals), RIVALS))]
    layers = [Boxes(to_photo(tour, left), roles.BEFORE, width=1.5, name="rivals"), _proposal(tour)]
    over = f"score lower and overlap it with IoU above {threshold:g}"
    sentence = f"Other boxes that {over}: {len(rivals):,}. Suppression removes them."
    return layers, sentence


def tell_crop(tour: Tour, share: float) -> tuple[list[Layer], str]:
    """The points that are read from the feature map, row by row; at the end what they hold."""
    size = tour.trace.proposed.crops.shape[-1]
    x1, y1, x2, y2 = to_photo(tour, tour.trace.proposed.rois[0, tour.roi][None])[0].tolist()
    points = torch.cartesian_prod(torch.linspace(y1, y2, size), torch.linspace(x1, x2, size)).flip(1)
    layers = [_proposal(tour), Points(points[: round(share * size) * size], radius=4.0, name="points that are read")]
    if share == 1:
        crop = tour.trace.proposed.crops[tour.roi].detach().abs().mean(dim=0)  # (size, size)
        right, down = (x2 - x1) / max(size - 1, 1) / 2, (y2 - y1) / max(size - 1, 1) / 2  # half of a point's square
        extent = x1 - right, y1 - down, x2 + right, y2 + down
        layers.insert(0, Heatmap(crop, extent=extent, opacity=0.65, name="the crop"))
    return layers, f"Crop pooling reads {size} x {size} points of it, in {tour.trace.features.shape[1]} channels."


def tell_scores(tour: Tour, _share: float) -> tuple[list[Layer], str]:
    """The classes that the ROI looks like."""
    probabilities = tour.trace.proposed.probabilities[0, tour.roi].detach()  # (C + 1,)
    names = ("background", *tour.config.classes)
    best = probabilities.topk(3)
    texts = [f"{names[i]} {p:.2f}" for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]
    sentence = f"Scores for {len(names)} classes, background among them; the best three: {', '.join(texts)}."
    return [_proposal(tour, texts[0])], sentence


def tell_class_box(tour: Tour, share: float) -> tuple[list[Layer], str]:
    """The chosen class's own coefficients move the box once more."""
    roi, box = to_photo(tour, tour.trace.proposed.rois[0, tour.roi][None])[0], _class_box(tour)
    name = tour.config.classes[tour.label - 1]
    moved = decode(share * encode(box, roi), roi)
    layers = [Boxes(roi[None], roles.ROI), Boxes(moved[None], roles.CHOSEN, name=f"box of the class {name}")]
    return layers, f"The four coefficients of the class {name} move it a second time."


def tell_detection(tour: Tour, _share: float) -> tuple[list[Layer], str]:
    """What the reader of the detections gets."""
    name = tour.config.classes[tour.label - 1]
    score = float(tour.trace.proposed.probabilities[0, tour.roi, tour.label])
    layer = Boxes(_class_box(tour)[None], roles.AFTER, labels=[f"{name} {score:.2f}"], name="detection")
    return [layer], f"Suppression within the class leaves it standing: {name}, {score:.2f}."


CHAPTERS = (
    Chapter("A cell", 1, tell_cell),
    Chapter("Its anchors", 9, tell_anchors),
    Chapter("One of them", 1, tell_chosen),
    Chapter("The move", STEPS, tell_move),
    Chapter("The rivals", STEPS, tell_rivals),
    Chapter("The crop", 7, tell_crop),
    Chapter("The scores", 1, tell_scores),
    Chapter("The second move", STEPS, tell_class_box),
    Chapter("A detection", 1, tell_detection),
)


def write_film(tour: Tour, path: Path, width: float = 5.2, rest: int = 1200, step: int = 160) -> None:
    """The film as an animated WebP or GIF, by the path's ending.

    width: inches, 100 pixels each. rest, step: milliseconds of a chapter's last picture and of the others.
    """
    film = moments(tour)
    pictures = _of_one_size([_picture(tour, moment, width) for moment in film])
    ends = [i + 1 == len(film) or film[i + 1].chapter != moment.chapter for i, moment in enumerate(film)]
    times = [rest if end else step for end in ends]
    file = io.BytesIO()
    options = {"quality": 60} if path.suffix == ".webp" else {}
    kind = path.suffix.removeprefix(".").upper()
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=times, loop=0, **options)
    write_atomically(path, file.getvalue())


def _picture(tour: Tour, moment: Moment, width: float) -> Image.Image:
    file = io.BytesIO()
    figure_of([Scene(tour.image, moment.layers, moment.chapter)], width, words=moment.sentence).savefig(file, dpi=100)
    return Image.open(file).convert("RGB")


def _of_one_size(pictures: list[Image.Image]) -> list[Image.Image]:
    """The same pictures with white below and to the right: a figure is as high as its words and its legend need."""
    size = tuple(max(sides) for sides in zip(*(picture.size for picture in pictures), strict=True))
    sheets = [Image.new("RGB", size, "white") for _ in pictures]
    for sheet, picture in zip(sheets, pictures, strict=True):
        sheet.paste(picture)
    return sheets


def _shapes(tour: Tour) -> int:
    return len(tour.config.anchors.scales) * len(tour.config.anchors.ratios)


def _of_the_cell(tour: Tour) -> Tensor:
    """All anchors of the followed one's cell: (A, 4)."""
    count = _shapes(tour)
    first = tour.anchor // count * count
    return tour.trace.anchors[first : first + count]


def _anchor(tour: Tour) -> Layer:
    return Boxes(to_photo(tour, tour.trace.anchors[tour.anchor][None]), roles.ANCHOR, name="the anchor")


def _proposal(tour: Tour, text: str = "") -> Layer:
    box = to_photo(tour, tour.trace.proposals.boxes[0, tour.roi][None])
    return Boxes(box, roles.PROPOSAL, labels=[text] * bool(text))


def _rivals(tour: Tour) -> Tensor:
    """The boxes that overlap the followed one too much and score lower, best first: (N, 4) scaled pixels."""
    boxes = clip(decode(tour.trace.rpn.coefficients[0].detach(), tour.trace.anchors), tour.trace.preprocessed.sizes[0])
    scores, mine = tour.trace.rpn.foreground[0].detach(), tour.trace.proposals.boxes[0, tour.roi]
    lower = scores < scores[tour.anchor]
    rivals = (box_iou(boxes, mine[None])[:, 0] > tour.config.proposals.nms_threshold) & lower  # (N,)
    return boxes[rivals][scores[rivals].argsort(descending=True)]


def _class_box(tour: Tour) -> Tensor:
    """The followed ROI's box as its class has it, on the photo: (4,)."""
    boxes = class_boxes(tour.trace.proposed, tour.trace.preprocessed, tour.config.proposal_targets)
    return boxes[0, tour.roi, tour.label].detach()
