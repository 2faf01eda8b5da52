"""rcnn-tutorial detect: the model's detections in the photo's pixels, pictures beside them, nothing replaced."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from rcnn_tutorial.checkpoints import load_model
from rcnn_tutorial.data import TOY_CLASSES, read_image


def test_detect_json_holds_the_models_detections_in_the_photos_pixels(run, weights, photos, capsys, tmp_path):
    out = tmp_path / "out"
    assert run(["detect", *photos, "--weights", weights, "--score", 0, "--out", out, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [entry["image"] for entry in result] == photos
    model = load_model(weights)
    for entry in result:
        with torch.inference_mode():
            (expected,) = model([read_image(entry["image"])])
        assert len(entry["detections"]) == len(expected["boxes"]) > 0
        columns = (expected[name] for name in ("boxes", "labels", "scores"))
        for found, box, label, score in zip(entry["detections"], *columns, strict=True):
            assert found["label"] == TOY_CLASSES[label - 1]
            assert found["score"] == pytest.approx(float(score), abs=1e-4)
            assert found["box"] == pytest.approx(box.tolist(), abs=0.01)


def test_detect_draws_pictures_of_the_photos_size_and_leaves_the_photos_alone(run, weights, photos, capsys, tmp_path):
    before = [Path(photo).read_bytes() for photo in photos]
    out = tmp_path / "new" / "folder"
    assert run(["detect", *photos, "--weights", weights, "--score", 0, "--out", out]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["first_detections.png", "second_detections.jpg"]
    with Image.open(out / "first_detections.png") as first, Image.open(out / "second_detections.jpg") as second:
        assert (first.format, first.size) == ("PNG", (96, 80))
        assert (second.format, second.size) == ("JPEG", (80, 96))
        assert first.tobytes() != Image.open(photos[0]).tobytes()
    assert [Path(photo).read_bytes() for photo in photos] == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{photos[0]}: 20 objects, drawn in {out / 'first_detections.png'}"
    assert lines[1].split()[0] in TOY_CLASSES


def test_detect_keeps_what_is_scored_at_least_score(run, weights, photos, capsys, tmp_path):
    def scores(threshold):
        run(["detect", photos[0], "--weights", weights, "--score", threshold, "--out", tmp_path / "out", "--json"])
        return [item["score"] for item in json.loads(capsys.readouterr().out)[0]["detections"]]

    everything = scores(0)
    middle = sorted(everything)[len(everything) // 2] - 5e-5  # scores are printed to four places
    assert scores(middle) == [score for score in everything if score >= middle]
    assert scores(1) == []


def test_detect_with_results_on_stdout_and_progress_on_stderr(run, weights, photos, capsys, tmp_path):
    run(["detect", *photos, "--weights", weights, "--out", tmp_path / "out"])
    output = capsys.readouterr()
    assert "detect: 100%" in output.err and "2/2" in output.err
    assert output.out.count("drawn in") == 2


@pytest.mark.parametrize("bad", ["missing.png", "text.png", "truncated.jpg", "folder"])
def test_detect_stops_at_a_bad_image_before_it_writes_anything(run, bad, weights, photos, capsys, tmp_path):
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    (tmp_path / "truncated.jpg").write_bytes(Path(photos[1]).read_bytes()[:600])
    (tmp_path / "folder").mkdir()
    out = tmp_path / "out"
    assert run(["detect", photos[0], tmp_path / bad, "--weights", weights, "--out", out]) == 1
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and str(tmp_path / bad) in output.err
    assert not out.exists()


def test_detect_leaves_out_what_a_system_keeps_beside_photos(run, weights, photos, capsys, tmp_path):
    for name in ("Thumbs.db", ".DS_Store"):
        (tmp_path / name).write_bytes(b"no picture")
    out = tmp_path / "out"
    assert (
        run(["detect", tmp_path / "Thumbs.db", photos[0], tmp_path / ".DS_Store", "--weights", weights, "--out", out])
        == 0
    )
    assert capsys.readouterr().err.count("left out: ") == 2 and len(list(out.iterdir())) == 1
    assert run(["detect", tmp_path / "Thumbs.db", "--weights", weights, "--out", out]) == 1
    assert "Thumbs.db" in capsys.readouterr().err


def test_detect_never_replaces_a_photo_or_another_picture(run, weights, photos, capsys, tmp_path):
    twin = tmp_path / "first_detections.png"
    twin.write_bytes(Path(photos[0]).read_bytes())
    same = tmp_path / "folder" / "first.png"
    same.parent.mkdir()
    same.write_bytes(twin.read_bytes())
    for images in ([photos[0], twin], [photos[0], same]):
        assert run(["detect", *images, "--weights", weights, "--out", tmp_path]) == 2
        assert "first_detections.png is taken" in capsys.readouterr().err
    assert twin.read_bytes() == Path(photos[0]).read_bytes()


@pytest.mark.parametrize("content", [None, b"junk", b""])
def test_detect_with_unusable_weights(run, content, photos, capsys, tmp_path):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert run(["detect", photos[0], "--weights", path, "--out", tmp_path / "out"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error
    assert not (tmp_path / "out").exists()


def test_detect_refuses_a_checkpoint_of_others(run, photos, capsys, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    assert run(["detect", photos[0], "--weights", path]) == 1
    assert str(path) in capsys.readouterr().err


def test_output_folder_that_is_a_file_is_one_line(run, weights, photos, capsys, tmp_path):
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    assert run(["detect", photos[0], "--weights", weights, "--out", tmp_path / "out"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "not written" in error and "name another place" in error


def test_a_link_to_itself_is_one_line(run, capsys, tmp_path):
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert run(["detect", tmp_path / "loop.jpg", "--out", tmp_path / "out"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "loop.jpg" in error
