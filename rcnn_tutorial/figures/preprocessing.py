"""Pictures of the second notebook: the fixed mean, the 600 / 1000 rule, and what resizing to a size does to boxes."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcnn_tutorial import roles
from rcnn_tutorial.config import PreprocessingConfig
from rcnn_tutorial.figures.detections import detections_scene
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.scene import Points, Scene
from rcnn_tutorial.stages.preprocessing import resize, scale_for

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


@from_any_device
def rule_figure(config: PreprocessingConfig, photos: Mapping[str, tuple[int, int]]) -> Figure:
    """Both sides of a scaled photo over its aspect: where the rule's one limit ends and the other begins.

    photos: name -> (height, width), marked on the curves.
    """
    sides = torch.linspace(1000, 4000, 301).round()  # (301,) long sides of photos whose short side is 1000
    scales = torch.tensor([scale_for(1000, int(side), config.target_size, config.max_size) for side in sides])
    with plots(9, 4.6) as (figure, axes):
        axes.plot(sides / 1000, scales * sides, color=roles.BLUE, linestyle="dashed", label="long side")
        axes.plot(sides / 1000, scales * 1000, color=roles.GREEN, label="short side")
        turn = config.max_size / config.target_size
        axes.axvline(turn, color="#777777", linewidth=1, linestyle="dotted")
        text = f"{config.max_size} / {config.target_size} = {turn:.2f}"
        axes.text(turn + 0.03, 0.03 * config.max_size, text, color="#444444")
        for name, size in photos.items():
            _mark_photo(axes, name, size, config)
        axes.set(xlabel="long side / short side of the photo", ylabel="pixels after scaling")
        axes.set(xlim=(1, 4), ylim=(0, 1.1 * config.max_size))
        axes.legend(loc="center right")
    return figure


def _mark_photo(axes: Axes, name: str, size: tuple[int, int], config: PreprocessingConfig) -> None:
    """Two dots at the photo's aspect, one a side, and its sizes before and after."""
    short, long = sorted(size)
    scale = scale_for(*size, config.target_size, config.max_size)
    axes.plot([long / short] * 2, [scale * short, scale * long], "o", color="black", markersize=7)
    height, width = (round(scale * side) for side in size)
    text = f"{name}\n{size[0]} × {size[1]}\n→ {height} × {width}"
    side = "left" if long / short < 1.2 else "center"
    axes.text(long / short, scale * short - 0.03 * config.max_size, text, ha=side, va="top", fontsize=12)


def row_errors(height: int, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """How far off the row lies that each scaled row is read from, measured on a ramp, for two ways of resizing.

    Returns the scaled rows' centers, and in scaled pixels the errors of `resize` and of `F.interpolate(size=...)`,
    (R,) each. Rows at the borders, where there is nothing to interpolate with, are left out.
    """
    ramp = (torch.arange(height) + 0.5).double()[None, :, None].expand(3, height, 8)  # each pixel holds its own y
    exact = resize(ramp, scale)  # (3, rows, columns)
    stretched = F.interpolate(ramp[None], size=exact.shape[1:], mode="bilinear")[0]
    rows = (torch.arange(exact.shape[1]) + 0.5).double()
    inner = (rows / scale > 1) & (rows / scale < height - 1)
    return rows[inner], (exact[0, :, 0] * scale - rows)[inner], (stretched[0, :, 0] * scale - rows)[inner]


@from_any_device
def drift_figure(height: int, width: int, config: PreprocessingConfig) -> Figure:
    """Errors of position along the rows of one photo: scaled by the exact factor, and stretched to the rounded size."""
    scale = scale_for(height, width, config.target_size, config.max_size)
    rows, exact, stretched = row_errors(height, scale)
    with plots(9, 3.6) as (figure, axes):
        axes.plot(rows, exact, color=roles.GREEN, label="scale_factor: by the exact factor")
        axes.plot(rows, stretched, color=roles.RED, linestyle="dashed", label="size: stretched to whole pixels")
        title = f"{height} × {width} scaled by {scale:.4f} to {round(height * scale)} × {round(width * scale)}"
        axes.set(xlabel="row of the scaled photo", ylabel="error (pixels)", title=title, xlim=(0, height * scale))
        axes.legend(loc="upper left")
    return figure
