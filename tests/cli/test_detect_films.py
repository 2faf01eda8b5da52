"""rcnn-tutorial detect on films and cameras: what the model finds in each frame, and an annotated film."""

import itertools
import json
import signal
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from films import make_film, pictures, read_film

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.cli import detect
from rcnn_tutorial.data.films import Film
from rcnn_tutorial.data.images import image_of


@pytest.fixture
def film(tmp_path):
    """Seven frames of 96x80 pixels, 12.5 a second."""
    return make_film(tmp_path / "film.mp4", pictures(7), Fraction(25, 2))


@pytest.fixture
def interrupt(monkeypatch):
    """A function: have Ctrl-C pressed while the frame of this number is searched, once or more often."""

    def interrupt(number: int, times: int = 1):
        calls, search = itertools.count(), detect._detect_one

        def searching(*arguments):
            if next(calls) == number:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)
            return search(*arguments)

        monkeypatch.setattr(detect, "_detect_one", searching)

    return interrupt


class Capture:
    """Stands in for OpenCV's VideoCapture: camera 1 gives three frames, blue first, camera 2 none, 0 is not there."""

    def __init__(self, number: int):
        shown = {1: pictures(3), 2: []}
        self.there, self.frames, self.open = number in shown, iter(shown.get(number, [])), True

    def isOpened(self):  # noqa: N802
        return self.there

    def read(self):
        assert self.open
        pixels = next(self.frames, None)
        return pixels is not None, None if pixels is None else pixels[..., ::-1]

    def release(self):
        self.open = False


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=Capture))


def test_json_holds_the_models_detections_frame_by_frame(run, weights, film, tmp_path, capsys):
    assert run(["detect", film, "--weights", weights, "--score", 0, "--out", tmp_path / "out", "--json"]) == 0
    output = capsys.readouterr()
    (entry,) = json.loads(output.out)
    assert entry["film"] == str(film) and [frame["frame"] for frame in entry["frames"]] == list(range(7))
    assert [frame["time"] for frame in entry["frames"]] == pytest.approx([index * 0.08 for index in range(7)])
    assert "film.mp4: 100%" in output.err and "7/7" in output.err
    model = load_model(weights).for_inference()
    with Film(film) as source, torch.inference_mode():
        for found, frame in zip(entry["frames"], source, strict=True):
            (expected,) = model([image_of(frame.pixels)])
            boxes = [item["box"] for item in found["detections"]]
            assert len(boxes) > 0 and np.array(boxes) == pytest.approx(expected["boxes"].numpy(), abs=0.01)


def test_the_annotated_film_has_every_frame_with_its_boxes(run, weights, film, tmp_path, capsys):
    before = film.read_bytes()
    assert run(["detect", film, "--weights", weights, "--score", 0, "--out", tmp_path / "out"]) == 0
    old, old_times, old_rate = read_film(film)
    new, new_times, new_rate = read_film(tmp_path / "out" / "film.mp4")
    assert len(new) == 7 and new[0].shape == (80, 96, 3) and new_rate == old_rate == Fraction(25, 2)
    assert [float(time) for time in new_times] == pytest.approx([float(time) for time in old_times])
    assert all(np.abs(pixels.astype(int) - other).mean() > 10 for pixels, other in zip(new, old, strict=True))
    assert film.read_bytes() == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{film}: 7 frames searched: 140 objects, drawn in {tmp_path / 'out' / 'film.mp4'}"
    assert lines[1].startswith("  frame 0, 0.00 s: ") and lines[-1].startswith("  frame 6, 0.48 s: ")
    assert len(lines) == 141


def test_boxes_are_drawn_where_they_are(run, weights, film, tmp_path, monkeypatch):
    box = {"boxes": torch.tensor([[16.0, 16, 64, 64]]), "labels": torch.tensor([1]), "scores": torch.tensor([0.9])}
    monkeypatch.setattr(detect, "_detect_one", lambda *_: box)
    gray = make_film(tmp_path / "gray.mp4", [np.full((80, 96, 3), 128, np.uint8)] * 2)
    assert run(["detect", gray, "--weights", weights, "--out", tmp_path / "out"]) == 0
    for pixels in read_film(tmp_path / "out" / "gray.mp4")[0]:
        changed = np.abs(pixels.astype(int) - 128).max(axis=2) > 40  # (80, 96)
        assert changed[40, 14:20].any() and changed[40, 60:66].any() and changed[60:66, 40].any()
        assert not changed[40, 24:56].any() and not changed[40:, 72:].any() and not changed[72:].any()


def test_every_and_frames_choose_what_is_searched_and_how_far(run, weights, film, tmp_path, capsys):
    options = ["--weights", weights, "--score", 0, "--out", tmp_path / "out", "--json"]
    assert run(["detect", film, *options, "--every", 3]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert [frame["frame"] for frame in entry["frames"]] == [0, 3, 6]
    assert len(read_film(tmp_path / "out" / "film.mp4")[0]) == 7
    assert run(["detect", film, *options, "--every", 2, "--frames", 4]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert [frame["frame"] for frame in entry["frames"]] == [0, 2]
    assert len(read_film(tmp_path / "out" / "film.mp4")[0]) == 4


def test_photos_and_films_in_one_command_keep_their_order(run, weights, film, photos, tmp_path, capsys):
    words = [photos[0], film, photos[1]]
    assert run(["detect", *words, "--weights", weights, "--out", tmp_path / "out", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry.get("image") or entry["film"] for entry in entries] == [str(word) for word in words]
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["film.mp4", "first_detections.png", "second_detections.jpg"]


def test_ctrl_c_leaves_a_film_that_plays_and_the_results_so_far(
    run, weights, film, photos, interrupt, tmp_path, capsys
):
    interrupt(1 + 2)  # behind the photo, in the third frame
    out, before = tmp_path / "out", signal.getsignal(signal.SIGINT)
    assert run(["detect", photos[0], film, photos[1], "--weights", weights, "--out", out, "--json"]) == 130
    output = capsys.readouterr()
    first, second = json.loads(output.out)
    assert first["image"] == photos[0] and [frame["frame"] for frame in second["frames"]] == [0, 1, 2]
    error = f"rcnn-tutorial: error: {film}: interrupted after frame 2; what came before is in {out / 'film.mp4'}"
    assert output.err.splitlines()[-1] == error
    assert len(read_film(out / "film.mp4")[0]) == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once_and_leaves_no_half_film(run, weights, film, interrupt, tmp_path, capsys):
    interrupt(2, times=2)
    assert run(["detect", film, "--weights", weights, "--out", tmp_path / "out"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "rcnn-tutorial: error: interrupted"
    assert not list((tmp_path / "out").iterdir())


def test_damage_in_the_middle_keeps_what_came_before(run, weights, tmp_path, monkeypatch, capsys):
    path = make_film(tmp_path / "film.mp4", pictures(4))
    frames = Film.__iter__

    def breaking(self):
        yield from itertools.islice(frames(self), 3)
        self.damage = detect.TutorialError(f"{self.name}: cannot be read beyond frame 2")

    monkeypatch.setattr(Film, "__iter__", breaking)
    assert run(["detect", path, "--weights", weights, "--out", tmp_path / "out", "--json"]) == 1
    output = capsys.readouterr()
    assert len(json.loads(output.out)[0]["frames"]) == len(read_film(tmp_path / "out" / "film.mp4")[0]) == 3
    assert output.err.splitlines()[-1] == f"rcnn-tutorial: error: {path}: cannot be read beyond frame 2"


@pytest.mark.parametrize("content", [None, b"", b"junk" * 999])
def test_a_bad_film_is_one_line_before_anything_is_written(content, run, weights, photos, tmp_path, complaint):
    if content is not None:
        (tmp_path / "bad.mov").write_bytes(content)
    words = ["detect", photos[0], tmp_path / "bad.mov", "--weights", weights, "--out", tmp_path / "out"]
    assert run(words) == 1
    assert f"error: {tmp_path / 'bad.mov'}: " in complaint()
    assert not (tmp_path / "out").exists()


def test_a_film_never_takes_the_place_of_another(run, film, tmp_path, complaint):
    assert run(["detect", film, "--out", tmp_path]) == 2
    assert "film.mp4: the annotated film would take its place; name another folder with --out" in complaint()
    assert run(["detect", film, tmp_path / "film.avi", "--out", tmp_path / "out"]) == 2
    assert f"film.avi: {tmp_path / 'out' / 'film.mp4'} is taken" in complaint()


@pytest.mark.parametrize(
    ("module", "word", "remedy"),
    [("av", "film.mp4", "pip install av"), ("cv2", "camera", "pip install opencv-python-headless")],
)
def test_what_is_not_installed_is_named(module, word, remedy, run, film, tmp_path, monkeypatch, complaint):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    assert run(["detect", word]) == 2
    line = complaint()
    assert "which is not installed" in line and remedy in line


def test_a_camera_is_searched_until_it_ends_or_enough_frames(run, weights, camera, tmp_path, capsys):
    options = ["--weights", weights, "--out", tmp_path / "out", "--json"]
    assert run(["detect", "camera:1", *options, "--frames", 2]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["film"] == "camera:1" and [frame["frame"] for frame in entry["frames"]] == [0, 1]
    frames, times, _ = read_film(tmp_path / "out" / "camera1.mp4")
    assert len(frames) == 2 and frames[0].shape == (80, 96, 3) and times[0] == 0 < times[1]
    assert run(["detect", "camera:1", *options]) == 1
    output = capsys.readouterr()
    assert len(json.loads(output.out)[0]["frames"]) == len(read_film(tmp_path / "out" / "camera1.mp4")[0]) == 3
    assert output.err.splitlines()[-1].startswith("rcnn-tutorial: error: camera:1: gives no more frames")


def test_a_cameras_colors_are_those_of_a_photo(run, weights, camera, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(detect, "_detect_one", lambda model, image, score: seen.append(image) or NOTHING)
    assert run(["detect", "camera:1", "--weights", weights, "--out", tmp_path / "out", "--frames", 1]) == 0
    assert torch.equal(seen[0], image_of(pictures(1)[0]))


NOTHING = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)}


def test_ctrl_c_is_how_a_camera_ends(run, weights, camera, interrupt, tmp_path, capsys):
    interrupt(1)
    assert run(["detect", "camera:1", "--weights", weights, "--out", tmp_path / "out"]) == 0
    assert capsys.readouterr().out.startswith("camera:1: 2 frames searched: ")
    assert len(read_film(tmp_path / "out" / "camera1.mp4")[0]) == 2


@pytest.mark.parametrize(("word", "reason"), [("camera", "camera:0: no such camera"), ("camera:2", "gives no more")])
def test_a_camera_that_is_not_there_or_gives_nothing_is_one_line(
    word, reason, run, weights, camera, tmp_path, complaint
):
    assert run(["detect", word, "--weights", weights, "--out", tmp_path / "out"]) == 1
    assert reason in complaint()
    assert not (tmp_path / "out").exists()


def test_a_file_called_camera_comes_first(run, weights, camera, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.png").rename("camera")
    assert run(["detect", "camera", "--weights", weights]) == 0
    assert capsys.readouterr().out.startswith("camera: ") and (tmp_path / "detections/camera_detections.png").exists()
