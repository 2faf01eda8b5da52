"""The reliability diagram to work with: bins as the evaluation counts them, the temperature, nothing to show."""

import pytest
import torch

from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.evaluation import voc_ap
from rcnn_tutorial.evaluation.reliability import reliability
from rcnn_tutorial.explorers.precision_recall import LEFT, RIGHT, SIZE
from rcnn_tutorial.explorers.reliability import ReliabilityExplorer, calibration_error, heat
from rcnn_tutorial.scene import Words


def image_of(boxes, scores=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    image = {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.long)}
    return image if scores is None else image | {"scores": torch.tensor(scores)}


# Ten detections that score 0.95, of which six are right; ten that score 0.35, of which four are: too sure.
CELLS = [[30 * i, 0, 30 * i + 20, 20] for i in range(20)]
FOUND = image_of(CELLS, [0.95] * 10 + [0.35] * 10)
TARGET = image_of([*CELLS[:6], *CELLS[10:14]])


@pytest.fixture
def explorer():
    return ReliabilityExplorer(FOUND, TARGET, ["cup"])


def test_it_counts_as_the_evaluation(explorer):
    assert explorer.summary == (
        "Temperature 1.00: 20 detections, mean score 0.65, share right 0.50. Mean distance 0.200; mAP 0.886. "
        "Scores 0.90 to 1.00: 10 detections, mean score 0.95, share right 0.60."
    )
    assert explorer.result.error == pytest.approx(reliability([FOUND], [TARGET]).error)
    counts = next(layer for layer in reversed(explorer.canvas.layers) if isinstance(layer, Words))
    assert list(counts.words) == ["10", "10"]


def test_the_temperature_moves_the_scores_and_not_the_ap(explorer):
    before = explorer.summary.partition("mAP ")[2][:5]
    errors = {}
    for temperature in (0.25, 1.0, 2.0, 4.0):
        explorer.temperature.value = temperature
        assert f"mAP {before}" in explorer.summary
        errors[temperature] = explorer.result.error
        heated = FOUND | {"scores": heat(FOUND["scores"], temperature)}
        assert voc_ap([heated], [TARGET], ["cup"], "voc").mean == pytest.approx(float(before), abs=5e-4)
    assert errors[4.0] < errors[1.0] < errors[0.25]  # it was too sure
    explorer.press("Best temperature")
    assert explorer.temperature.value > 1 and explorer.result.error <= min(errors.values())


def test_heat_by_hand():
    assert heat(torch.tensor([0.5, 0.9, 0.0, 1.0]), 2.0).tolist() == pytest.approx([0.5, 0.75, 0.0, 1.0], abs=1e-6)
    assert heat(torch.tensor([0.3]), 1.0).item() == pytest.approx(0.3)
    with pytest.raises(ConfigError, match="temperature = 0: use a positive number"):
        heat(torch.tensor([0.3]), 0.0)


def test_a_click_takes_a_bin_in_hand(explorer):
    explorer.canvas.clicked = [LEFT + 0.35 * (SIZE[1] - LEFT - RIGHT), 200.0]
    assert explorer.bin.value == 4 and explorer.summary.endswith(
        "Scores 0.30 to 0.40: 10 detections, mean score 0.35, share right 0.40."
    )
    explorer.canvas.clicked = [1.0, 1.0]
    assert explorer.bin.value == 1 and explorer.summary.endswith("Scores 0.00 to 0.10: no detection.")
    explorer.set(bin=10, bins=2)
    assert explorer.bin.value == 2 and "Scores 0.50 to 1.00" in explorer.summary


@pytest.mark.parametrize("found", [image_of([], []), FOUND])
@pytest.mark.parametrize("target", [image_of([]), TARGET])
def test_nothing_to_measure_gives_a_sentence(found, target):
    explorer = ReliabilityExplorer([found], [target], ["cup"])
    if not len(found["boxes"]):
        assert explorer.summary == "No detection to judge: nothing to measure."
        assert explorer.presets["Best temperature"] == {"temperature": 1.0}
    elif not len(target["boxes"]):
        assert (
            "20 detections, mean score 0.65, share right 0.00" in explorer.summary
            and "no AP: no object" in explorer.summary
        )
    assert "nan" not in explorer.summary
    explorer.figure()


def test_the_calibration_error_of_scores_alone_is_the_evaluation_s():
    generator = torch.Generator().manual_seed(0)
    for bins in (1, 3, 10, 15):
        scores = torch.rand(20, generator=generator)
        found = FOUND | {"scores": scores}
        right = torch.tensor([i < 6 or 10 <= i < 14 for i in range(20)])
        assert calibration_error(scores, right, bins) == pytest.approx(reliability([found], [TARGET], bins).error)
