"""What stands for photos on the command line: folders and patterns that no shell has expanded."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from rcnn_tutorial.cli.inputs import Input, expand, picture_paths
from rcnn_tutorial.errors import ConfigError, DataError


@pytest.fixture
def album(tmp_path):
    """A folder of four photos, two of them below, with what else may lie there."""
    folder = tmp_path / "album"
    for name in ("b.jpg", "a.PNG", "sub/a.png", "sub/deeper/c [1].jpeg", ".thumbs/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 32), "gray").save(folder / name)
    for name in ("Thumbs.db", "._b.jpg", "notes.txt"):
        (folder / name).write_text("no photo", encoding="utf-8")
    return folder


def names(words, out="out"):
    return [path.as_posix() for path, _ in expand([Path(word) for word in words], Path(out))]


def test_a_folder_means_the_photos_in_it_and_below_sorted(album, monkeypatch, recwarn):
    monkeypatch.chdir(album.parent)
    below = ["album/a.PNG", "album/b.jpg", "album/sub/a.png", "album/sub/deeper/c [1].jpeg"]
    assert names(["album"]) == names([f"album{os.sep}"]) == below
    assert names(["album/sub", "album/b.jpg"]) == [*below[2:], "album/b.jpg"]
    monkeypatch.chdir(album / "sub")
    assert names(["."]) == ["a.png", "deeper/c [1].jpeg"]
    assert names([".."])[:2] == ["../a.PNG", "../b.jpg"]
    assert not recwarn.list


def test_pictures_of_a_folder_keep_their_places_below_it(album, tmp_path):
    inputs = expand([album], tmp_path / "out")
    pictures = [picture.relative_to(tmp_path / "out").as_posix() for picture in picture_paths(inputs, tmp_path / "out")]
    below = ["a_detections.png", "b_detections.jpg", "sub/a_detections.png", "sub/deeper/c [1]_detections.jpg"]
    assert pictures == below


def test_names_that_differ_in_case_are_one_where_the_system_says_so(tmp_path, monkeypatch):
    inputs = [Input(Path("a/cat.jpg")), Input(Path("b/Cat.jpg"))]
    assert len(picture_paths(inputs, tmp_path)) == 2
    monkeypatch.setattr("os.path.normcase", str.lower)  # as on Windows
    with pytest.raises(ConfigError, match="Cat_detections.jpg is taken by another of the images"):
        picture_paths(inputs, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["b.jpg"]),
        ("?.*", ["a.PNG", "b.jpg"]),
        ("[b-z].jpg", ["b.jpg"]),
        ("sub/*/c*", ["sub/deeper/c [1].jpeg"]),
        ("**/a.png", ["sub/a.png"]),
        ("sub/deeper/c [1].jpeg", ["sub/deeper/c [1].jpeg"]),
        ("s*", ["sub/a.png", "sub/deeper/c [1].jpeg"]),
    ],
)
def test_a_pattern_is_expanded_unless_a_file_bears_its_name(pattern, expected, album, monkeypatch):
    monkeypatch.chdir(album)
    assert names([pattern]) == expected


@pytest.mark.parametrize("words", [["*.webp"], ["photo[1].jpg"], ["b.jpg", "none/*"]])
def test_a_pattern_that_nothing_fits_is_one_line(words, run, album, complaint, monkeypatch):
    monkeypatch.chdir(album)
    assert run(["detect", *words]) == 1
    assert f"error: {Path(words[-1])}: no file fits this pattern" in complaint()
    assert not (album / "detections").exists()


def test_a_folder_without_photos_is_one_line(run, tmp_path, complaint):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no photo", encoding="utf-8")
    assert run(["detect", tmp_path / "empty", "--out", tmp_path / "out"]) == 1
    assert f"error: {tmp_path / 'empty'}: holds no photo" in complaint()


def test_films_of_a_folder_are_left_out_with_a_warning(run, album, capsys):
    (album / "sub" / "a.mp4").touch()
    (album / "out").mkdir()
    (album / "out" / "b.mp4").touch()  # of an earlier command
    with pytest.warns(UserWarning, match=r"left out: \S+a.mp4: in a folder only photos are searched; name its films"):
        assert len(expand([album], album / "out")) == 4
    (album.parent / "films").mkdir()
    (album.parent / "films" / "a.mp4").touch()
    assert run(["detect", album.parent / "films"]) == 1
    assert "name its films" in capsys.readouterr().err


def test_what_is_named_twice_comes_once_and_two_of_one_name_are_refused(run, album, complaint, monkeypatch):
    monkeypatch.chdir(album)
    assert names(["b.jpg", "*.jpg", "sub", "b.jpg", "sub"]) == ["b.jpg", "sub/a.png", "sub/deeper/c [1].jpeg"]
    assert run(["detect", "a.PNG", "sub/a.png"]) == 2
    assert "is taken by another of the images" in complaint()


def test_a_second_command_leaves_out_the_pictures_of_the_first(run, weights, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run(["detect", ".", "--weights", weights, "--json"]) == 0
        assert [entry["image"] for entry in json.loads(capsys.readouterr().out)] == ["first.png", "second.jpg"]
    assert sorted(os.listdir("detections")) == ["first_detections.png", "second_detections.jpg"]
    assert names(["detections"], out="detections")[0] == "detections/first_detections.png"
    Path("first.png").unlink()
    Path("second.jpg").unlink()
    with pytest.raises(DataError, match="holds no photo but the pictures in detections"):
        expand([Path(".")], Path("detections"))


def test_a_pattern_leaves_out_what_a_system_keeps(run, weights, photos, tmp_path, capsys):
    (tmp_path / "Thumbs.db").write_bytes(b"no picture")
    assert run(["detect", tmp_path / "[fT]*.*", "--weights", weights, "--out", tmp_path / "out", "--json"]) == 0
    output = capsys.readouterr()
    assert [entry["image"] for entry in json.loads(output.out)] == [photos[0]]
    assert f"left out: {tmp_path / 'Thumbs.db'}" in output.err
