"""Pictures of lesson 01: the fixed mean, and what is detected in photos that were prepared wrongly."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.figures.detections import detections_scene
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device
from rcnn_tutorial.scene import Points, Scene

_SPREAD = 2.7  # normalized values from -2.7 to 2.7 become black to white; ImageNet's run from -2.12 to 2.64


def paint_right_half(image: Tensor) -> Tensor:
    """The image (3, H, W) with its right half painted over, white in a dark image, black in a bright one."""
    painted = image.clone()
    painted[:, :, image.shape[2] // 2 :] = 1.0 if image.mean() < 0.5 else 0.0
    return painted


def subtract_mean(image: Tensor, mean: Tensor, config: PreprocessingConfig) -> Tensor:
    """(image - mean) / std with a mean (3,) of our choice and the config's std. image: (3, H, W)."""
    return (image - mean[:, None, None]) / image.new_tensor(config.std)[:, None, None]


@from_any_device
def mean_figure(image: Tensor, config: PreprocessingConfig) -> Figure:
    """The photo, whole and half painted over, after subtracting a fixed mean and after subtracting its own.

    image: (3, H, W) in [0, 1]. The number under each picture is the red value at the ring, which no paint touches.
    """
    height, width = image.shape[-2:]
    y, x = height // 2, width // 4  # the middle of the left half
    ring = Points([(x + 0.5, y + 0.5)], shape="ring", radius=8)
    titles = ("given", "minus the fixed mean", "minus its own mean")
    scenes = []
    for photo in (image, paint_right_half(image)):
        fixed = subtract_mean(photo, photo.new_tensor(config.mean), config)
        own = subtract_mean(photo, photo.mean(dim=(1, 2)), config)
        for values, title in zip((photo, fixed, own), titles, strict=True):
            shown = photo if values is photo else values / (2 * _SPREAD) + 0.5
            caption = f"red at the ring: {float(values[0, y, x]):.2f}"
            scenes.append(Scene(shown, [ring], title if photo is image else "", caption))
    figure = figure_of(scenes, 10.5, columns=3)
    figure.axes[0].set_ylabel("the photo", fontsize=13)
    figure.axes[3].set_ylabel("its right half painted", fontsize=13)
    return figure


@from_any_device
def inputs_figure(ways: Mapping[str, tuple[Tensor, dict[str, Tensor]]], classes: Sequence[str]) -> Figure:
    """One photo prepared in several ways, as the network takes its colors, each with what is detected there.

    ways: name -> the image (3, H, W), [0, 1] is black to white, and its detections as `detections_figure` takes them.
    """
    scenes = [detections_scene(image, found, classes, name) for name, (image, found) in ways.items()]
    return figure_of(scenes, 10.5, columns=3, legend="")
