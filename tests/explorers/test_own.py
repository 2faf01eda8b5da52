"""The reader's functions in the explorers: the package's own change nothing, wrong ones show, bad ones are refused."""

import pytest
import torch

from rcnn_tutorial import guarded
from rcnn_tutorial.config import BackboneConfig, Config, PreprocessingConfig
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.explorers.anchors import AnchorExplorer, IoUExplorer
from rcnn_tutorial.explorers.classification import ClassificationExplorer
from rcnn_tutorial.explorers.crop_pooling import CropPoolingExplorer
from rcnn_tutorial.explorers.errors import ConfusionExplorer, ErrorExplorer, ReliabilityExplorer
from rcnn_tutorial.explorers.explorer import Explorer
from rcnn_tutorial.explorers.inference_nms import DetectionExplorer
from rcnn_tutorial.explorers.preprocessing import PreprocessingExplorer
from rcnn_tutorial.explorers.rpn_loss import AnchorLabelExplorer, SmoothL1Explorer
from rcnn_tutorial.explorers.suppression import BY_Y, NMSExplorer
from rcnn_tutorial.explorers.three_generations import GenerationsExplorer
from rcnn_tutorial.model import build_model
from rcnn_tutorial.scene import Picture

IMAGE = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))
LARGE = torch.full((3, 600, 800), 0.5)
OBJECTS = torch.tensor([[20.0, 15, 70, 80]])
# A; B and C on it, of which only B overlaps it by more than half; D apart.
FOUR = torch.tensor([[10.0, 10, 50, 50], [14, 10, 54, 50], [30, 10, 70, 50], [80, 60, 120, 90]])
SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6])
CONFIG = Config(
    classes=("cat", "dog", "bird"),
    preprocessing=PreprocessingConfig(target_size=96, max_size=128),
    backbone=BackboneConfig(name="small"),
)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine may run a right answer slowly: here only what never ends takes too long."""
    monkeypatch.setattr(guarded, "PATIENCE", 3600.0)


@pytest.fixture(scope="module")
def trace():
    torch.manual_seed(0)
    with torch.no_grad():
        return build_model(CONFIG).eval().trace([IMAGE])


def detections(trace):
    explorer = DetectionExplorer(IMAGE, trace, CONFIG)
    explorer.score_threshold.value = 0.1
    return explorer


def crops(trace):
    return CropPoolingExplorer(IMAGE, trace.features[0], OBJECTS[0])


def errors(_trace, kind=ErrorExplorer):
    found = {"boxes": FOUR, "labels": torch.tensor([1, 1, 2, 1]), "scores": SCORES}
    return kind(IMAGE, found, {"boxes": FOUR[[0, 3]], "labels": torch.tensor([1, 2])}, CONFIG.classes)


def scores(_trace):
    found = {"boxes": FOUR, "labels": torch.ones(4, dtype=torch.long), "scores": SCORES}
    return ReliabilityExplorer(found, {"boxes": FOUR[:1], "labels": torch.tensor([1])}, CONFIG.classes)


MAKE = {  # class -> what builds it of a trace
    AnchorExplorer: lambda _: AnchorExplorer(LARGE, objects=OBJECTS * 5),
    IoUExplorer: lambda _: IoUExplorer(IMAGE),
    AnchorLabelExplorer: lambda _: AnchorLabelExplorer(LARGE),
    SmoothL1Explorer: lambda _: SmoothL1Explorer(),
    NMSExplorer: lambda _: NMSExplorer(IMAGE, FOUR, SCORES),
    DetectionExplorer: detections,
    PreprocessingExplorer: lambda _: PreprocessingExplorer(IMAGE, OBJECTS),
    CropPoolingExplorer: crops,
    ClassificationExplorer: lambda trace: ClassificationExplorer(IMAGE, trace, CONFIG),
    GenerationsExplorer: lambda trace: GenerationsExplorer(IMAGE, trace.features[0]),
    ErrorExplorer: errors,
    ConfusionExplorer: lambda trace: errors(trace, ConfusionExplorer),
    ReliabilityExplorer: scores,
}
ALL = [(kind, name) for kind in MAKE for name in kind.replaceable]
every_function = pytest.mark.parametrize(("kind", "name"), ALL, ids=lambda one: getattr(one, "__name__", one))
WRONG = {  # name -> a wrong result from the right one; what is not here is twice the right one
    "anchor_sizes": lambda right: right.flip(1),
    "anchor_grid": lambda right: right + 8,
    "label_anchors": lambda right: right.clamp(min=0),
    "nms": lambda right: right[:1],
    "error_kinds": lambda right: ["background"] * len(right),
    "detections": lambda right: (right[0] + 5, *right[1:]),
}


def package(kind, name):
    return kind.replaceable[name].package


def wrong(kind, name):
    return lambda *given: WRONG.get(name, lambda right: right * 2)(package(kind, name)(*given))


def picture(explorer) -> list:
    return [layer for canvas in explorer.canvases for layer in canvas.layers]


def alike(some: list, others: list) -> bool:
    """Whether two pictures say the same and have the same numbers."""
    texts = [
        [(layer.legend, *getattr(layer, "labels", ()), *getattr(layer, "words", ())) for layer in layers]
        for layers in (some, others)
    ]
    numbers = [
        [layer.rgba() if isinstance(layer, Picture) else layer.data for layer in layers] for layers in (some, others)
    ]
    return texts[0] == texts[1] and all(guarded.same(a, b) for a, b in zip(*numbers, strict=True))


def test_every_explorer_that_takes_functions_is_here():
    known, left = set(), [Explorer]
    while left:
        kinds = left.pop().__subclasses__()
        left += kinds
        known |= {kind for kind in kinds if kind.replaceable and kind.__module__.startswith("rcnn_tutorial.")}
    assert known == set(MAKE)


@every_function
def test_the_package_s_function_gives_the_same_picture(kind, name, trace):
    explorer = MAKE[kind](trace)
    before, said = picture(explorer), explorer.summary
    assert explorer.use(**{name: package(kind, name)}) is explorer
    assert explorer.summary == f"With your {name}, which agrees with the package's. {said}"
    assert alike(picture(explorer), before)


@every_function
def test_a_wrong_function_shows_in_picture_and_words_until_it_is_taken_back(kind, name, trace):
    explorer = MAKE[kind](trace)
    before, said = picture(explorer), explorer.summary
    if kind is NMSExplorer:
        explorer.step.value = explorer.step.max
        before, said = picture(explorer), explorer.summary
    explorer.use(**{name: wrong(kind, name)})
    assert explorer.summary.startswith(f"With your {name}: ") and "package's" in explorer.summary
    assert not alike(picture(explorer), before)
    assert explorer.canvas.possible and explorer.figure().get_supxlabel().replace("\n", " ") == explorer.summary
    explorer.use()
    assert explorer.summary == said and alike(picture(explorer), before)


@every_function
def test_what_is_not_written_yet_is_the_package_s(kind, name, trace):
    explorer = MAKE[kind](trace)
    before, said = picture(explorer), explorer.summary
    explorer.use(**{name: lambda *_: None})
    assert explorer.summary == f"Your {name} is not written yet; the package's is used. {said}"
    assert explorer.canvas.possible and alike(picture(explorer), before)


def raises(*_):
    raise ValueError("no way")


def spoils(first, *_):
    first.zero_()
    return first


BAD = {
    "raises": (raises, "stops with ValueError: no way (line "),
    "wants no arguments": (lambda: 0, "stops with TypeError: "),
    "text": (lambda *_: "four", "returns a str"),
    "wrong shape": (lambda *_: torch.zeros(2, 3, 5), "returns shape (2, 3, 5)"),
    "not finite": (lambda *_: [[float("nan")]], "infinite or NaN"),
    "an object": (lambda *_: object, "returns a type"),
}


@every_function
@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_drawn_is_refused_in_words_over_the_last_picture(kind, name, bad, trace):
    explorer, (function, sentence) = MAKE[kind](trace), BAD[bad]
    before = picture(explorer)
    explorer.use(**{name: function})
    assert explorer.summary.startswith(f"Not possible: your {name} ") and explorer.summary.endswith(".")
    assert sentence in explorer.summary or name in ("detections", "error_kinds")  # three things; words
    assert not explorer.canvas.possible and alike(picture(explorer), before)
    explorer.use()
    assert explorer.canvas.possible


def test_an_error_quotes_the_reader_s_line():
    explorer = IoUExplorer(IMAGE).use(iou=raises)
    line = raises.__code__.co_firstlineno + 1
    assert explorer.summary == (
        f'Not possible: your iou stops with ValueError: no way (line {line}: raise ValueError("no way")).'
    )


def test_a_function_that_changes_its_input_is_told_so():
    explorer = IoUExplorer(IMAGE).use(iou=spoils)
    assert explorer.summary == "Not possible: your iou changes its input; let it work on a copy."


def test_an_endless_loop_is_stopped_and_waited_for_once(endless):
    calls = []

    def looping(a, b):
        calls.append(1)
        endless()

    explorer = IoUExplorer(IMAGE).use(iou=looping)
    assert "your iou is still running" in explorer.summary and endless.ended()
    explorer.press("Inside")
    assert "your iou is still running" in explorer.summary and calls == [1]


@pytest.mark.parametrize(
    ("functions", "sentence"),
    [
        ({"nsm": len}, r"use\(nsm=...\): no such function here; there is nms"),
        ({"nms": [0, 2]}, r"use\(nms=...\): pass the function itself"),
    ],
)
def test_what_is_no_function_of_the_explorer_is_refused_at_once(functions, sentence):
    with pytest.raises(ConfigError, match=sentence):
        NMSExplorer(IMAGE, FOUR, SCORES).use(**functions)


# ---- single explorers


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [([0, 4], "returns 4; an index"), ([0.5], "returns 0.5; an index"), ([2, 2], "twice"), ([], "keeps none of 4")],
)
def test_an_nms_must_return_rows(kept, sentence):
    assert sentence in NMSExplorer(IMAGE, FOUR, SCORES).use(nms=lambda *_: kept).summary


def test_the_game_is_played_by_the_reader_s_nms():
    explorer = NMSExplorer(IMAGE, FOUR, SCORES).use(nms=lambda *_: [0, 1])
    assert explorer.summary.startswith("With your nms: A, B; with the package's: A, C, D. ")
    explorer.answer(0)
    assert "✓ Yes, A is kept next." in explorer.summary and "removes D." in explorer.summary
    explorer.answer(3)
    assert "✗ Not D: A removed it, their IoU is 0.00." in explorer.summary
    explorer.step.value = explorer.step.max
    assert explorer.summary.endswith("2 kept: A, B; 2 removed. Mean score kept 0.85.")
    explorer.order.value = BY_Y
    assert "with the package's: D, A, C." in explorer.summary  # it gets the order that is chosen


def test_a_targets_other_box_is_drawn():
    explorer = AnchorLabelExplorer(LARGE).use(encode=lambda boxes, references: torch.zeros(len(boxes), 4))
    (aimed,) = [layer for layer in explorer.canvas.layers if layer.legend == "where encode leads it"]
    assert aimed.boxes.tolist() == [[264.0, 168.0, 520.0, 424.0]]  # the anchor itself


def test_foreground_of_no_type_is_drawn_and_a_label_is_one_of_three():
    explorer = AnchorLabelExplorer(LARGE)
    explorer.use(label_anchors=lambda anchors, *_: torch.ones(len(anchors)))
    assert "5,944 foreground (2 type A, 18 type B, 2 both)" in explorer.summary
    assert "foreground, of no type" in [layer.legend for layer in explorer.canvas.layers]
    explorer.use(label_anchors=lambda anchors, *_: torch.full((len(anchors),), 2))
    assert explorer.summary == "Not possible: your label_anchors returns 2; a label is 1, 0 or -1."


def test_a_wrong_iou_stands_beside_the_right_one():
    explorer = IoUExplorer(IMAGE).use(iou=lambda a, b: [[0.5]])
    labels = [label for layer in explorer.canvas.layers for label in getattr(layer, "labels", ())]
    assert labels[-1].startswith("IoU 0.5000, not 0.3") and "With your iou: 0.5000; with the package's: 0.3" in (
        explorer.summary
    )


def test_detections_by_the_reader_s_nms_or_by_the_reader_s_detections(trace):
    explorer = detections(trace)
    everything = explorer.use(nms=lambda boxes, *_: range(len(boxes))).summary
    explorer.use().threshold.value = 1.0
    assert everything.endswith(explorer.summary)  # nothing is suppressed
    explorer.use(nms=len, detections=len)
    assert explorer.summary == "Not possible: your nms and your detections at once: use one of them."
    boxes = torch.zeros(1, 4)
    explorer.use(detections=lambda *_: (boxes, [9], [0.5]))
    assert explorer.summary == "Not possible: your detections returns the label 9; there are 1 to 3."
    explorer.use(detections=lambda *_: (boxes, [1, 2], [0.5]))
    assert "returns shape (2,), where (1,) is needed" in explorer.summary


def test_a_scale_that_cannot_be_drawn_is_refused():
    explorer = PreprocessingExplorer(IMAGE).use(scale_factor=lambda *_: 600)
    assert explorer.summary == "Not possible: your scale_factor returns 600, which makes 128 pixels 76,800."


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        (["right"], "returns 1 word; a list of 4 words is needed"),
        (["right", "wrong", "both", "class"], "returns 'wrong'; the words are right, class, location, both"),
        ("right", "returns a str; a list of 4 words is needed"),
        ([0, 1, 2, 3], "returns 0; the words are right"),
    ],
)
def test_kinds_of_errors_are_a_known_word_each(kinds, sentence):
    assert sentence in errors(None).use(error_kinds=lambda *_: kinds).summary


def test_the_counts_are_by_the_reader_s_kinds():
    explorer = errors(None).use(error_kinds=lambda *_: ["right", "right", "background", "class"])
    assert explorer.summary.startswith("With your error_kinds: 2 right, 1 background, 1 class; with the package's: ")
    assert "4 detections from score 0.30: 2 right, 1 class, 0 location, 0 both, 0 duplicate, 1 background." in (
        explorer.summary
    )
    assert explorer.foreground.disabled and explorer.background.disabled
