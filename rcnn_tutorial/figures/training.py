"""Pictures of a training run: its losses, what it detects on the way, its precision and recall, where gradients go.

What the explorer shares comes first: the losses' look, the moving average, and the verdict on a detection.
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torchvision.ops import nms

from rcnn_tutorial import roles
from rcnn_tutorial.boxes import box_iou
from rcnn_tutorial.devices import to_cpu
from rcnn_tutorial.evaluation import Curve
from rcnn_tutorial.figures.drawing import figure_of
from rcnn_tutorial.figures.inference_nms import ELEVEN_RECALLS, best_precision
from rcnn_tutorial.figures.style import from_any_device, plots
from rcnn_tutorial.model import FasterRCNN
from rcnn_tutorial.scene import Boxes, Scene
from rcnn_tutorial.training import DETECTOR_LOSSES, RPN_LOSSES, StepReport

LOSSES = RPN_LOSSES + DETECTOR_LOSSES
RIGHT, OTHER_CLASS, ELSEWHERE = "right", "misnamed", "elsewhere"
VERDICT_LOOKS = {
    RIGHT: roles.AFTER._replace(name=RIGHT),
    OTHER_CLASS: roles.CHOSEN._replace(dash="dashdot", name=OTHER_CLASS),
    ELSEWHERE: roles.BEFORE._replace(name=ELSEWHERE),
}
WINDOW = 10  # steps of the moving average
PARTS = ("head", "rpn.rpn_net", "rpn.scores", "rpn.coefficients", "tail", "classification")
MARKERS = "osD^v"
CURVES = (*roles.PALETTE[:3], *roles.PALETTE[4:6])  # the colors of curves: without the yellow, which is faint on white


def moving_average(values: Sequence[float], window: int = WINDOW) -> list[float]:
    """The mean of each value and the window - 1 before it; at the start, of as many as there are."""
    total = np.cumsum([0.0, *values])
    return [float(total[i + 1] - total[max(i + 1 - window, 0)]) / min(i + 1, window) for i in range(len(values))]


def best_places(found: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """The `count` best detections (fewer where there are fewer) that lie in different places.

    The detector suppresses within a class alone: early on, one place holds a detection of nearly every class.
    """
    keep = nms(found["boxes"], found["scores"], 0.5)[:count]
    return {name: values[keep] for name, values in found.items()}


def judge(found: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> list[str]:
    """What each detection of one scene is, best first: RIGHT, OTHER_CLASS or ELSEWHERE.

    found: boxes (D, 4), labels (D,), best score first. target: boxes (G, 4), labels (G,), in the same pixels. Right
    is a detection of the object's class with IoU > 0.5, once an object, as the evaluation counts.
    """
    found, target = to_cpu(found), to_cpu(target)
    iou = box_iou(found["boxes"], target["boxes"])  # (D, G)
    verdicts, taken = [], set()
    for overlaps, label in zip(iou, found["labels"], strict=True):
        touching = (overlaps > 0.5).nonzero()[:, 0].tolist()
        free = [i for i in touching if target["labels"][i] == label and i not in taken]
        if free:
            taken.add(max(free, key=lambda i: float(overlaps[i])))
            verdicts.append(RIGHT)
        else:
            wrong_class = any(target["labels"][i] != label for i in touching)
            verdicts.append(OTHER_CLASS if wrong_class else ELSEWHERE)
    return verdicts


# ---- losses and learning rates


@from_any_device
def loss_figure(reports: Sequence[StepReport], title: str = "") -> Figure:
    """A panel for each loss of a run, with its own scale: every step thin, the mean of ten steps thick.

    The phases of alternating training are numbered as their names are; a loss that rests for one leaves a gap.
    """
    with plots(10, 5.2, 2, 2, sharex=True) as (figure, grid):
        for axes, name in zip(grid.T.flat, LOSSES, strict=True):  # the RPN's at the left
            steps = [report.step for report in reports if name in report.losses]
            values = [report.losses[name] for report in reports if name in report.losses]
            for run in _stretches(steps):
                axes.plot(steps[run], values[run], color=CURVES[0], linewidth=0.8)
                axes.plot(steps[run], moving_average(values[run]), color=CURVES[0], linewidth=3)
            _mark_phases(axes, reports)
            axes.set(ylabel="loss", ylim=(0, 1.25 * max(values, default=1)), title=name)
            axes.margins(x=0.01)
        for axes in grid[1]:
            axes.set_xlabel("step")
        figure.suptitle(title)
    return figure


def _stretches(steps: Sequence[int]) -> list[slice]:
    """The runs of consecutive steps, as slices of the sequence."""
    ends = [i + 1 for i in range(len(steps)) if i + 1 == len(steps) or steps[i + 1] != steps[i] + 1]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _mark_phases(axes: Axes, reports: Sequence[StepReport]) -> None:
    starts = {report.phase: report.step for report in reversed(reports)}  # the first step of each
    for name, start in starts.items() if len(starts) > 1 else ():
        axes.axvline(start - 0.5, color="#888888", linewidth=1)
        number = name.partition(":")[0]
        axes.text(start, 0.97, number, transform=axes.get_xaxis_transform(), va="top", fontsize=12)


@from_any_device
def compare_figure(runs: Mapping[str, Sequence[StepReport]], names: Sequence[str] = LOSSES) -> Figure:
    """The losses of several training runs, as moving averages.

    names: the losses that are added up. At most five runs.
    """
    what = "sum of the losses" if len(names) > 1 else names[0]
    with plots(9, 3.8) as (figure, axes):
        for i, (name, reports) in enumerate(runs.items()):
            steps = [report.step for report in reports]
            totals = [sum(report.losses.get(loss, 0.0) for loss in names) for report in reports]
            look = {"marker": MARKERS[i], "markevery": max(1, len(steps) // 10), "markersize": 8}
            axes.plot(steps, moving_average(totals), label=name, **look)
        axes.set(xlabel="step", ylabel=f"{what}\n(mean of {WINDOW} steps)")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@from_any_device
def schedule_figure(schedules: Mapping[str, Sequence[float]]) -> Figure:
    """Learning rates over a run, each as a share of its own highest. schedules: name -> rate of every step."""
    with plots(8, 3.2) as (figure, axes):
        for i, (name, rates) in enumerate(schedules.items()):
            share = np.linspace(0, 1, len(rates))
            look = {"marker": MARKERS[i], "markevery": max(1, len(rates) // 8), "markersize": 8}
            axes.plot(share, np.asarray(rates) / max(rates), label=name, **look)
        axes.set(xlabel="share of the steps done", ylabel="learning rate / highest", ylim=(0, 1.08))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


# ---- detections


@from_any_device
def progress_figure(
    image: Tensor, target: Mapping[str, Tensor], moments: Mapping[str, Mapping[str, Tensor]], classes: Sequence[str]
) -> Figure:
    """One scene at several moments of training, each with its best detections.

    moments: title -> detections, of which `best_places` picks six. image: (3, H, W) in [0, 1]. target: boxes (G, 4)
    in its pixels, labels (G,). The boxes are right (solid), in the place of an object but misnamed (dash-dotted), or
    elsewhere (dashed).
    """
    scenes = []
    for title, found in moments.items():
        best = best_places(found, 6)
        verdicts = judge(best, target)
        layers = [
            Boxes(box[None], VERDICT_LOOKS[verdict], labels=[classes[label - 1]])
            for box, label, verdict in zip(best["boxes"], best["labels"], verdicts, strict=True)
        ]
        layers += [Boxes(torch.zeros(0, 4), role) for role in reversed(VERDICT_LOOKS.values())]  # a whole legend
        counts = f"{verdicts.count(RIGHT)} of {len(target['labels'])} right"
        scenes.append(Scene(image, layers[::-1], title, f"{counts}, {verdicts.count(OTHER_CLASS)} misnamed"))
    columns = min(len(scenes), 3)  # more would be too small to read from the last row of a class
    return figure_of(scenes, 3.4 * columns, columns, legend="shared")


def mean_precision(curves: Mapping[str, Curve]) -> np.ndarray:
    """Precision at recall 0, 0.1, ... 1, averaged over the classes with objects: (11,). Its mean is the VOC07 mAP."""
    known = [best_precision(curve) for curve in curves.values() if curve.objects]
    return np.mean(known, axis=0) if known else np.zeros(len(ELEVEN_RECALLS))


@from_any_device
def precision_recall_figure(moments: Mapping[str, Mapping[str, Curve]]) -> Figure:
    """The curve of every class at the last moment, and their mean at each one. moments: name -> class -> curve."""
    with plots(9.5, 4.4) as (figure, axes):
        last = list(moments.values())[-1]
        for curve in last.values():
            if curve.objects:
                axes.plot(curve.recall.numpy(), curve.precision.numpy(), color="#AAAAAA", linewidth=1)
        axes.plot([], [], color="#AAAAAA", linewidth=1, label="each class, at the end")
        for i, (name, curves) in enumerate(moments.items()):
            mean = mean_precision(curves)
            label = f"{name}: mAP {mean.mean():.3f}"
            look = {"color": CURVES[i], "marker": MARKERS[i], "markersize": 8, "linewidth": 3}
            axes.plot(ELEVEN_RECALLS, mean, label=label, **look)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), xlabel="recall", ylabel="precision")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@from_any_device
def recall_figure(recalls: Mapping[str, Mapping[int, float]]) -> Figure:
    """Proposal recall of several detectors, as bars. recalls: name -> {proposals an image: recall}."""
    counts = list(next(iter(recalls.values())))
    width = 0.8 / len(recalls)
    with plots(9.5, 4.2) as (figure, axes):
        for i, (name, recall) in enumerate(recalls.items()):
            places = np.arange(len(counts)) + (i - (len(recalls) - 1) / 2) * width
            look = {"color": CURVES[i], "hatch": ("", "//", "..", "xx", "\\\\")[i], "edgecolor": "black"}
            bars = axes.bar(places, [recall[count] for count in counts], 0.92 * width, label=name, **look)
            axes.bar_label(bars, fmt="%.2f", fontsize=12)
        axes.set(xticks=range(len(counts)), xticklabels=counts, ylim=(0, 1.1))
        axes.set(xlabel="best proposals of an image", ylabel="share of the objects covered")
        figure.legend(loc="outside upper center", ncols=len(recalls), handlelength=1.6, columnspacing=1.4)
    return figure


# ---- gradients


def gradient_norms(model: FasterRCNN, images: Sequence[Tensor], targets: Sequence[dict]) -> dict[str, dict]:
    """How strongly each loss pulls at each part of the model: {loss: {part: norm of the gradient}}.

    images, targets: as the model takes them, on any device.

    None where no path leads from the loss to the part, which is not the same as a gradient of 0. A copy of the model is
    asked: its gradients, the modes of its parts and the batch norms' statistics stay.
    """
    model = copy.deepcopy(model).train()
    generator = torch.Generator(model.device).manual_seed(0)
    losses = model([image.to(model.device) for image in images], targets, generator)
    return {name: {part: _norm(loss, model.get_submodule(part)) for part in PARTS} for name, loss in losses.items()}


def _norm(loss: Tensor, part: torch.nn.Module) -> float | None:
    parameters = [parameter for parameter in part.parameters() if parameter.requires_grad]
    if not parameters:
        return None
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    known = [gradient for gradient in gradients if gradient is not None]
    return float(torch.stack([gradient.norm() for gradient in known]).norm()) if known else None


@from_any_device
def gradient_figure(tables: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> Figure:
    """Tables of the norms of gradients: a filled cell where a loss reaches a part of the detector.

    tables: title -> loss -> part -> norm, as `gradient_norms` gives them. Cells that only later tables
    fill get a heavy red frame.
    """
    first = next(iter(tables.values()))
    with plots(8.6, 3.6 * len(tables), len(tables), squeeze=False) as (figure, grid):
        for axes, (title, norms) in zip(grid[:, 0], tables.items(), strict=True):
            for row, (loss, parts) in enumerate(norms.items()):
                for column, (part, norm) in enumerate(parts.items()):
                    _draw_cell(axes, column, row, norm, new=norm is not None and first[loss][part] is None)
            parts = list(next(iter(norms.values())))
            names = [part.removeprefix("rpn.").replace("fication", "-\nfication") for part in parts]
            axes.set_xticks(range(len(parts)), [name.replace("coefficients", "coeffi-\ncients") for name in names])
            axes.set(yticks=range(len(norms)), yticklabels=list(norms), title=title)
            axes.set(xlim=(-0.5, len(parts) - 0.5), ylim=(len(norms) - 0.5, -0.75))
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.plot([0.6, 3.4], [-0.58, -0.58], color="#555555", linewidth=1.5)
            axes.text(2, -0.6, "RPN", ha="center", va="center", backgroundcolor="white", fontsize=12)
    return figure


def _draw_cell(axes: Axes, column: int, row: int, norm: float | None, new: bool) -> None:
    face = "#F4F4F4" if norm is None else "#CFE8DE"
    edge, width = (roles.RED, 3.5) if new else ("white", 2)
    rim = {"facecolor": face, "edgecolor": edge, "linewidth": width}
    axes.add_patch(Rectangle((column - 0.45, row - 0.42), 0.9, 0.84, **rim))
    text = "none" if norm is None else f"{norm:.3f}"
    axes.text(column, row, text, ha="center", va="center", fontsize=13, color="#6B6B6B" if norm is None else "black")
