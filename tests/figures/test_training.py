"""What the figures compute, against the evaluation and by hand; and figures of what they are given."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rcnn_tutorial.config import toy_config
from rcnn_tutorial.data.toy import ToyScenes
from rcnn_tutorial.evaluation import precision_recall, voc_ap
from rcnn_tutorial.figures import training as figures
from rcnn_tutorial.model import build_model
from rcnn_tutorial.training import DETECTOR_LOSSES, RPN_LOSSES, StepReport

CLASSES = ("circle", "star")
TARGET = {"boxes": torch.tensor([[10.0, 10, 50, 50], [60, 60, 100, 100]]), "labels": torch.tensor([1, 2])}


def detections(boxes, labels):
    scores = torch.linspace(0.9, 0.1, len(boxes))
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64), "scores": scores}


FOUND = detections(
    [[12, 10, 52, 50], [8, 10, 48, 50], [62, 60, 102, 100], [200, 0, 220, 20], [60, 60, 100, 100]], [1, 1, 1, 2, 2]
)


def reports(count, phases=("joint",), losses=figures.LOSSES):
    each = -(-count // len(phases))
    return [
        StepReport(i + 1, phases[i // each], {name: 2 - i / count for name in losses}, 4.0, 0.1, 1.0, 0.1, 8)
        for i in range(count)
    ]


def test_moving_average_starts_with_what_there_is():
    assert figures.moving_average([4.0, 2.0, 6.0, 1.0], 3) == pytest.approx([4, 3, 4, 3])
    assert figures.moving_average([5.0, 7.0], 10) == [5, 6]
    assert figures.moving_average([]) == []


def test_every_detection_gets_its_verdict():
    verdicts = figures.judge(FOUND, TARGET)
    assert verdicts == [figures.RIGHT, figures.ELSEWHERE, figures.OTHER_CLASS, figures.ELSEWHERE, figures.RIGHT]


def test_without_objects_or_detections():
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    assert figures.judge(detections([], []), TARGET) == []
    assert figures.judge(FOUND, nothing) == [figures.ELSEWHERE] * 5
    assert len(figures.best_places(detections([], []), 4)["boxes"]) == 0


def test_best_places_are_different_places():
    best = figures.best_places(FOUND, 6)
    assert best["boxes"].tolist() == FOUND["boxes"][[0, 2, 3]].tolist()
    assert best["labels"].tolist() == [1, 1, 2]
    assert len(figures.best_places(FOUND, 2)["scores"]) == 2


def test_the_mean_of_the_mean_precision_is_the_map():
    curves = precision_recall([FOUND], [TARGET], (*CLASSES, "ring"))
    assert figures.mean_precision(curves).mean() == pytest.approx(voc_ap([FOUND], [TARGET], (*CLASSES, "ring")).mean)
    assert figures.mean_precision({}).tolist() == [0.0] * 11


@pytest.fixture(scope="module")
def batch():
    dataset = ToyScenes("train", 4, size=(64, 64), max_objects=3)
    return dataset, *zip(*[dataset[i] for i in range(2)], strict=True)


def toy_model(classes, detach_rois=True):
    config = toy_config(classes)
    config = replace(config, preprocessing=replace(config.preprocessing, target_size=64, max_size=128))
    torch.manual_seed(0)
    return build_model(replace(config, crop_pooling=replace(config.crop_pooling, detach_rois=detach_rois)))


def test_gradients_go_where_the_course_says(batch):
    dataset, images, targets = batch
    joint = figures.gradient_norms(toy_model(dataset.classes), images, targets)
    free = figures.gradient_norms(toy_model(dataset.classes, detach_rois=False), images, targets)
    reached = {loss: {part for part, norm in parts.items() if norm is not None} for loss, parts in joint.items()}
    detector = {"head", "tail", "classification"}
    assert reached == {
        "rpn_cross_entropy": {"head", "rpn.rpn_net", "rpn.scores"},
        "rpn_loss_box": {"head", "rpn.rpn_net", "rpn.coefficients"},
        "cross_entropy": detector,
        "loss_box": detector,
    }
    for loss in DETECTOR_LOSSES:
        assert free[loss]["rpn.rpn_net"] > 0 and free[loss]["rpn.coefficients"] > 0
        assert free[loss]["rpn.scores"] is None
    for loss in RPN_LOSSES:
        assert free[loss] == pytest.approx(joint[loss])


def test_measuring_gradients_changes_nothing(batch):
    dataset, images, targets = batch
    model = toy_model(dataset.classes).eval()
    model.tail.train()
    model.head.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    norms = figures.gradient_norms(model, images, targets)
    assert norms["cross_entropy"]["head"] is None and norms["cross_entropy"]["tail"] > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.tail.training and not model.head.training and not model.head.stem.training
    assert not model.training and all(parameter.grad is None for parameter in model.parameters())


def test_every_panel_shows_its_data(drawn_pixels):
    image = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    curves = precision_recall([FOUND], [TARGET], CLASSES)
    phases = ("1: RPN", "2: detector", "3: RPN on fixed head", "4: detector on fixed head")
    table = {loss: dict.fromkeys(figures.PARTS, 0.5) for loss in figures.LOSSES}
    empty = {loss: dict.fromkeys(figures.PARTS) for loss in figures.LOSSES}
    recall = {50: 0.2, 100: 0.5, 300: 1.0}
    made = [
        figures.loss_figure(reports(30), "joint"),
        figures.loss_figure(reports(8, phases, RPN_LOSSES)),
        figures.compare_figure({"AdamW": reports(30), "SGD": reports(12)}),
        figures.schedule_figure({"step": [1.0, 1.0, 0.1], "cosine": [0.1, 1.0, 0.5, 0.0]}),
        figures.progress_figure(image, TARGET, {"step 0": detections([], []), "step 20": FOUND}, CLASSES),
        figures.precision_recall_figure({"step 0": precision_recall([detections([], [])], [TARGET], CLASSES)}),
        figures.precision_recall_figure({"step 0": curves, "step 60": curves}),
        figures.recall_figure({"joint": recall, "alternating": recall}),
        figures.gradient_figure({"detached": empty, "not detached": table}),
    ]
    panels = [drawn_pixels(figure) for figure in made]
    assert [len(counts) for counts in panels] == [4, 4, 1, 1, 2, 1, 1, 1, 2]
    assert all(count > 1000 for counts in panels for count in counts), panels


def test_schedules_are_drawn_over_the_share_of_their_steps():
    axes = figures.schedule_figure({"step": [2.0, 2.0, 0.2], "cosine": [0.1, 1.0, 0.5, 0.0]}).axes[0]
    assert axes.get_legend_handles_labels()[1] == ["step", "cosine"]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 1, pytest.approx(0.1)], [0.1, 1, 0.5, 0]]
    assert [(min(line.get_xdata()), max(line.get_xdata()) <= 1) for line in axes.lines] == [(0, True)] * 2


def test_recall_is_a_bar_for_each_number_of_proposals_and_detector():
    axes = figures.recall_figure({"joint": {50: 0.2, 300: 1.0}, "alternating": {50: 0.3, 300: 0.9}}).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [0.2, 1.0, 0.3, 0.9]
    assert [text.get_text() for text in axes.texts] == ["0.20", "1.00", "0.30", "0.90"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["50", "300"]


def test_comparing_one_loss_leaves_out_the_others():
    run = reports(12)
    for names in (figures.LOSSES, ["loss_box"]):
        line = figures.compare_figure({"AdamW": run}, names).axes[0].lines[0]
        sums = [sum(report.losses[name] for name in names) for report in run]
        assert list(line.get_ydata()) == pytest.approx(figures.moving_average(sums))


def test_many_moments_stand_in_rows_of_three():
    image = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    moments = {f"step {step}": FOUND for step in range(5)}
    axes = figures.progress_figure(image, TARGET, moments, CLASSES).axes
    assert [one.get_title() for one in axes] == [*moments, ""]
    assert [one.axison for one in axes] == [True] * 5 + [False]


def test_a_loss_that_rests_leaves_a_gap():
    run = reports(3) + [report._replace(step=report.step + 10) for report in reports(2)]
    for axes in figures.loss_figure(run).axes:
        means = [line for line in axes.lines if line.get_linewidth() == 3]
        assert [list(line.get_xdata()) for line in means] == [[1, 2, 3], [11, 12]]


def test_every_loss_has_a_panel_and_a_scale_of_its_own_and_phases_are_numbered():
    losses = dict(zip(figures.LOSSES, (0.7, 0.02, 2.4, 90.0), strict=True))
    run = [report._replace(losses=losses) for report in reports(4, ("1: RPN", "2: detector"))]
    figure = figures.loss_figure(run, "joint")
    assert figure.get_suptitle() == "joint"
    tops = {axes.get_title(): axes.get_ylim()[1] for axes in figure.axes}
    assert tops == pytest.approx({name: 1.25 * value for name, value in losses.items()})
    for axes in figure.axes:
        assert {text.get_text(): text.get_position()[0] for text in axes.texts} == {"1": 1, "2": 3}


def test_only_new_paths_are_framed():
    empty = {"loss_box": {"rpn.rpn_net": None, "tail": 0.1}}
    full = {"loss_box": {"rpn.rpn_net": 0.2, "tail": 0.1}}
    upper, lower = figures.gradient_figure({"on": empty, "off": full}).axes
    assert [patch.get_linewidth() for patch in upper.patches] == [2, 2]
    assert [patch.get_linewidth() for patch in lower.patches] == [3.5, 2]
    assert [text.get_text() for text in lower.texts[:2]] == ["0.200", "0.100"]


def test_the_precision_recall_figure_tells_the_map():
    curves = precision_recall([FOUND], [TARGET], CLASSES)
    labels = figures.precision_recall_figure({"step 9": curves}).axes[0].get_legend_handles_labels()[1]
    assert labels[-1] == f"step 9: mAP {np.mean(figures.mean_precision(curves)):.3f}"
