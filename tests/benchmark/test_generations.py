"""The three generations measured: every row is there, parts add up, recall never falls, a blind detector has none."""

import sys
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from rcnn_tutorial.benchmark import generations as case
from rcnn_tutorial.benchmark import opencv
from rcnn_tutorial.benchmark.generations import mean_ap, precisions, recalls, remembered, speeds, taking_turns
from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.generations import PARTS, Run, faster_rcnn
from rcnn_tutorial.stages.inference import Detections


@pytest.fixture(scope="module")
def model():
    return load_model("toy").for_inference()


@pytest.fixture(scope="module")
def scenes():
    return case.toy_scenes("val", 3)


def test_seconds_of_every_generation_and_part(model, scenes):
    rows = speeds(model, [image for image, _ in scenes[:1]], repeats=1, count=20)
    names = [row.name for row in rows]
    assert names == [f"{g}, {part}" for g in ("R-CNN", "Fast R-CNN", "Faster R-CNN") for part in (*PARTS, "in all")]
    seconds = {row.name: row.ours for row in rows}
    assert seconds["R-CNN, network"] == 0 < seconds["R-CNN, per region"] and {row.unit for row in rows} == {"s"}
    assert seconds["Faster R-CNN, in all"] == pytest.approx(sum(row.ours for row in rows[8:11]))


def test_the_first_run_warms_up_and_each_photo_has_its_median():
    figures = iter([99.0, 1.0, 2.0, 9.0, 99.0, 4.0, 4.0, 5.0])  # of two photos, three runs each after the first
    nothing = Detections(torch.zeros(0, 4), *(torch.zeros(0) for _ in range(3)))

    def detect(image):
        return Run(nothing, torch.zeros(0, 4), dict.fromkeys(PARTS, next(figures)))

    taken = taking_turns({"one": detect}, [torch.zeros(1), torch.zeros(1)], repeats=3)
    assert taken == {"one": {**dict.fromkeys(PARTS, 3.0), "in all": 9.0}}  # the mean of the medians 2 and 4


def test_more_proposals_cover_more_objects(model, scenes):
    rows = recalls(model, scenes, counts=(5, 20, 60))
    shares = {row.name: row.ours for row in rows}
    for name in ("selective search", "RPN"):
        few, some, many = (shares[f"recall of {count}, {name}"] for count in (5, 20, 60))
        assert 0 <= few <= some <= many <= 1 and many > 0.5


class FakeSearch:
    """Stands for OpenCV's object: two boxes as left, top, width, height."""

    def setBaseImage(self, pixels):  # noqa: N802 (OpenCV's name)
        self.pixels = pixels

    def switchToSelectiveSearchFast(self):  # noqa: N802
        pass

    def process(self):
        assert self.pixels.dtype == np.uint8 and self.pixels.shape[2] == 3
        assert self.pixels[..., 2].mean() > self.pixels[..., 0].mean()  # blue first, red last
        return np.array([[0, 0, 128, 128], [10, 20, 30, 40]], dtype=np.int32)


@pytest.fixture
def with_opencv(monkeypatch):
    ximgproc = ModuleType("cv2.ximgproc")
    ximgproc.segmentation = SimpleNamespace(createSelectiveSearchSegmentation=FakeSearch)
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    monkeypatch.setitem(sys.modules, "cv2.ximgproc", ximgproc)


def test_opencvs_boxes_are_given_by_their_corners(with_opencv):
    red = torch.tensor([1.0, 0.2, 0.0])[:, None, None].expand(3, 128, 128)
    assert opencv.is_installed()
    assert opencv.opencv_search(red, 300).tolist() == [[0, 0, 128, 128], [10, 20, 40, 60]]
    assert opencv.opencv_search(red, 1).tolist() == [[0, 0, 128, 128]]


@pytest.mark.parametrize("modules", [{"cv2": None, "cv2.ximgproc": None}, {"cv2.ximgproc": ModuleType("cv2.ximgproc")}])
def test_without_opencvs_extra_modules_there_is_no_row_of_it(monkeypatch, model, scenes, modules):
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert not opencv.is_installed()
    assert not any("OpenCV" in row.name for row in recalls(model, scenes[:1], counts=(5,)))


def test_opencv_is_a_row_of_its_own(with_opencv, monkeypatch, model, scenes):
    monkeypatch.setattr(FakeSearch, "setBaseImage", lambda *_: None)
    monkeypatch.setattr(FakeSearch, "process", lambda _: np.array([[0, 0, 128, 128]], dtype=np.int32))
    rows = recalls(model, scenes[:1], counts=(5,))
    assert [row.name for row in rows][-1] == "recall of 5, OpenCV's selective search" and rows[-1].ours == 0


def test_map_of_every_detector_and_ablation(model, scenes):
    rows = precisions(model, case.toy_scenes("train", 3), scenes)
    assert len({row.name for row in rows}) == len(rows) == 8
    assert all(0 <= row.ours <= 1 for row in rows)
    shares = {row.name: row.ours for row in rows}
    assert shares["mAP50, Faster R-CNN"] > 0.9 and shares["mAP50, Fast R-CNN"] > 0.5


def test_a_detector_that_finds_nothing_has_an_map_of_zero(model, scenes):
    def blind(image):
        run = faster_rcnn(model, image)
        return run._replace(detections=Detections(*(column[:0] for column in run.detections)))

    assert mean_ap(blind, scenes, model.classes) == 0.0
    assert mean_ap(partial(faster_rcnn, model), scenes, model.classes) > 0.9


def test_proposals_are_found_once_for_an_image(scenes):
    asked = []
    propose = remembered(lambda image: asked.append(image) or torch.zeros(1, 4))
    assert propose(scenes[0][0]) is propose(scenes[0][0]) and propose(scenes[1][0]) is not propose(scenes[0][0])
    assert len(asked) == 2


def test_the_case_is_all_reports(monkeypatch):
    scenes, asked = case.toy_scenes("val", 1), []
    monkeypatch.setattr(case, "toy_scenes", lambda split, length: asked.append((split, length)) or scenes)
    monkeypatch.setattr(case, "PHOTOS", ("cat",))
    for name in ("speeds", "recalls", "precisions"):
        monkeypatch.setattr(case, name, lambda *arguments, name=name: [name])
    assert case.generations(1) == ["speeds", "recalls", "precisions"]
    assert asked == [("train", case.LEARNED_FROM), ("val", case.SCENES)]
