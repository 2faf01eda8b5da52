"""The warp against pieces cut by hand, linear layers against what they must recover, detections of known scores."""

import pytest
import torch
import torch.nn.functional as F

from rcnn_tutorial.boxes import encode
from rcnn_tutorial.config import InferenceConfig
from rcnn_tutorial.errors import ConfigError, DataError
from rcnn_tutorial.stages.rcnn import MEAN, fit_boxes, fit_ridge, linear, rcnn_detect, ridge, warp

COLOR = torch.tensor(MEAN)[:, None, None]  # (3, 1, 1)


def rois(*boxes) -> torch.Tensor:
    return torch.tensor(boxes).reshape(-1, 4).float()


def test_the_whole_image_at_its_own_size_is_the_image():
    image = torch.rand(3, 24, 24)
    torch.testing.assert_close(warp(image, rois([0, 0, 24, 24]), 24, context=0)[0], image)


def test_a_roi_is_cut_and_stretched_to_a_square():
    image = torch.rand(3, 40, 60)
    piece = warp(image, rois([8, 4, 40, 20]), 16, context=0)[0]  # 32 x 16 pixels, halved along x alone
    expected = image[:, 4:20, 8:40].unflatten(2, (16, 2)).mean(dim=3)  # the sample lies midway between two pixels
    torch.testing.assert_close(piece, expected)


def test_context_is_counted_in_pixels_of_the_warped_piece():
    """48 x 96 pixels fill 192 x 192 of 224 x 224, so the 16 around are 16 * 48 / 192 = 4 pixels along x, 8 along y."""
    image = torch.zeros(3, 200, 200)
    image[:, 50 - 8 : 146 + 8, 60 - 4 : 108 + 4] = 1
    piece = warp(image, rois([60, 50, 108, 146]), 224, context=16)[0]
    assert piece[:, 3:-3, 3:-3].min() > 0.999  # up to the blur between two pixels, all of what is lit ...
    larger = warp(image, rois([60, 50, 108, 146]), 224, context=20)[0]
    assert larger[:, :3].max() < 0.1 and larger[:, :, :2].max() < 0.1  # ... and nothing beyond


def test_the_roi_itself_lies_in_the_middle():
    image = F.interpolate(torch.rand(1, 3, 10, 10), size=(60, 60), mode="bilinear")[0]
    inner, whole = (warp(image, rois([20, 20, 44, 44]), size, context) for size, context in ((48, 0), (64, 8)))
    torch.testing.assert_close(whole[:, :, 8:-8, 8:-8], inner, atol=1e-5, rtol=0)


def test_outside_the_image_is_the_mean_color():
    image = torch.ones(3, 32, 32)
    piece = warp(image, rois([0, 0, 32, 32]), 48, context=8)[0]
    border = torch.cat([piece[:, :7].flatten(1), piece[:, -7:].flatten(1), piece[:, :, :7].flatten(1)], dim=1)
    torch.testing.assert_close(border, COLOR[:, 0].expand_as(border))
    torch.testing.assert_close(piece[:, 9:-9, 9:-9], torch.ones(3, 30, 30))
    black = warp(image, rois([0, 0, 32, 32]), 48, context=8, mean=(0, 0, 0))[0]
    assert black[:, :7].abs().max() == 0


def test_no_roi_an_empty_roi_and_one_outside():
    image = torch.rand(3, 20, 30)
    assert warp(image, rois(), 48).shape == (0, 3, 48, 48)
    assert warp(image, rois([5, 5, 5, 5]), 48).isfinite().all()
    torch.testing.assert_close(warp(image, rois([90, 90, 99, 99]), 48)[0], COLOR.expand(3, 48, 48))


def clusters(count: int = 200, classes: int = 3):
    """Features (R, 8) around one point a class, and their labels."""
    labels = torch.arange(count) % (classes + 1)
    return torch.randn(classes + 1, 8)[labels] * 5 + torch.randn(count, 8) * 0.1, labels


def test_ridge_recovers_a_linear_rule():
    features = torch.randn(50, 4)
    rule, bias = torch.randn(4, 2, dtype=torch.double), torch.tensor([3.0, -2.0], dtype=torch.double)
    weights = ridge(features, features.double() @ rule + bias, penalty=1e-9)
    torch.testing.assert_close(weights, torch.cat([rule, bias[None]]), atol=1e-6, rtol=0)


def test_ridge_is_the_minimum():
    """The gradient of the penalized squares is 0 there; the penalty is a share of the features' mean square."""
    x, y = torch.randn(30, 4).double() + 2, torch.randn(30, 2).double()
    weights = ridge(x, y, penalty=0.5).requires_grad_()
    strength = 0.5 * (x - x.mean(dim=0)).square().sum(dim=0).mean()
    (linear(x, weights) - y).square().sum().add(strength * weights[:-1].square().sum()).backward()
    torch.testing.assert_close(weights.grad, torch.zeros_like(weights), atol=1e-9, rtol=0)


def test_features_of_another_size_give_the_same_scores():
    features, labels = clusters()
    small, large = (linear(x, fit_ridge(x, labels, 3)) for x in (features, 1000 * features))
    torch.testing.assert_close(small, large, atol=1e-6, rtol=0)


def test_every_class_wins_on_its_own_examples():
    features, labels = clusters()
    weights = fit_ridge(features, labels, 3, penalty=1e-3)
    assert weights.shape == (9, 4) and weights.dtype == torch.double
    scores = linear(features, weights)
    assert torch.equal(scores.argmax(dim=1), labels)
    torch.testing.assert_close(
        scores.sum(dim=1), torch.ones(len(scores)).double()
    )  # the goals' sum is 1, so theirs too


def test_a_class_without_examples_is_never_seen_and_equal_features_say_how_frequent_it_is():
    features, labels = torch.ones(10, 4), torch.tensor([0] * 9 + [2])
    scores = linear(features, fit_ridge(features, labels, 3))
    torch.testing.assert_close(scores[0], torch.tensor([0.9, 0, 0.1, 0]).double())


def test_box_regression_recovers_the_shift_of_each_class():
    features = torch.rand(60, 5)
    labels = torch.arange(60) % 3
    rule = torch.randn(3, 5, 4)
    coefficients = torch.einsum("rd,rdk->rk", features, rule[labels])
    weights = fit_boxes(features, labels, coefficients, classes=4, penalty=1e-9)
    said = linear(features, weights)  # (R, 5, 4)
    for label in (1, 2):
        torch.testing.assert_close(
            said[labels == label, label].float(), coefficients[labels == label], atol=1e-4, rtol=0
        )
    assert said[:, [0, 3, 4]].abs().max() == 0  # background, and classes that nobody has seen


def test_detections_of_known_scores():
    """Two proposals on one object, one on another: the lower of the two goes, and boxes move as their class says."""
    proposals = rois([10, 10, 30, 30], [11, 10, 31, 30], [60, 60, 80, 90])
    features = torch.eye(3)
    classifier = torch.tensor([[0.1, 0.9, 0], [0.3, 0.7, 0], [0.2, 0, 0.8], [0, 0, 0]]).double()  # (3 + 1, C + 1)
    moved = rois([12, 10, 32, 34])
    regression = torch.zeros(4, 3, 4).double()
    regression[0, 1] = encode(moved, proposals[:1])[0]
    config = InferenceConfig(score_threshold=0.05)
    found = rcnn_detect(features, proposals, classifier, regression, (85, 100), config)
    assert found.labels.tolist() == [1, 2] and found.roi_indices.tolist() == [0, 2]
    torch.testing.assert_close(found.scores, torch.tensor([0.9, 0.8]))
    torch.testing.assert_close(found.boxes, torch.cat([moved, rois([60, 60, 80, 85])]))  # clipped to 85 rows
    unmoved = rcnn_detect(features, proposals, classifier, None, (100, 100), config)
    torch.testing.assert_close(unmoved.boxes, proposals[[0, 2]])
    assert len(rcnn_detect(features[:0], proposals[:0], classifier, regression, (85, 100), config).boxes) == 0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: warp(torch.rand(3, 9, 9), rois([0, 0, 9, 9]), 32, context=16), ConfigError, "context = 16, size = 32"),
        (lambda: warp(torch.rand(3, 9, 9), rois([0, 0, 9, 9]), 32, context=-1), ConfigError, "context = -1"),
        (lambda: warp(torch.rand(1, 9, 9), rois([0, 0, 9, 9])), DataError, "shape"),
        (lambda: fit_ridge(torch.rand(2, 3), torch.tensor([0, 4]), 3), DataError, "labels from 0 to 4"),
        (lambda: fit_ridge(torch.rand(2, 3), torch.tensor([0, 1]), 3, penalty=0), ConfigError, "penalty = 0"),
        (lambda: fit_ridge(torch.rand(0, 3), torch.zeros(0), 3), ConfigError, "0 examples"),
    ],
)
def test_what_cannot_work_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
