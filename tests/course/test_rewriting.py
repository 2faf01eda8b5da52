"""A folder that is written anew holds what a fresh one would; what others put there stays."""

import hashlib
from pathlib import Path

import pytest

from rcnn_tutorial.course import rewriting
from rcnn_tutorial.course.rewriting import LIST, write_anew
from rcnn_tutorial.errors import DataError

FIRST = {"index.html": b"one", "photo/graph_0.js": b"piece", "photo/deep/graph_1.js": b"piece"}


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} - {LIST}


def test_what_is_no_longer_written_goes_with_its_folders(tmp_path):
    write_anew(tmp_path, FIRST)
    assert (tmp_path / "photo/deep/graph_1.js").read_bytes() == b"piece"
    write_anew(tmp_path, {"index.html": b"two"})
    assert names_in(tmp_path) == {"index.html"} and (tmp_path / "index.html").read_bytes() == b"two"
    assert (tmp_path / LIST).read_text(encoding="utf-8") == f"{hashlib.sha256(b'two').hexdigest()}  index.html\n"


def test_what_others_put_there_or_changed_stays(tmp_path):
    (tmp_path / "photo").mkdir()
    (tmp_path / "photo/mine.txt").write_bytes(b"mine")
    write_anew(tmp_path, FIRST)
    (tmp_path / "photo/graph_0.js").write_bytes(b"changed")
    write_anew(tmp_path, {"index.html": b"two"})
    assert names_in(tmp_path) == {"index.html", "photo", "photo/mine.txt", "photo/graph_0.js"}


def test_a_writing_that_breaks_off_is_known_to_the_next(tmp_path, monkeypatch):
    write = rewriting.write_atomically

    def broken(path, content):
        if path.name == "graph_1.js":
            raise DataError("full")
        write(path, content)

    write_anew(tmp_path, {"index.html": b"zero", "old.html": b"old"})
    with monkeypatch.context() as patch:
        patch.setattr(rewriting, "write_atomically", broken)
        with pytest.raises(DataError, match="full"):
            write_anew(tmp_path, FIRST)
    assert names_in(tmp_path) == {"index.html", "old.html", "photo", "photo/graph_0.js"}
    write_anew(tmp_path, {"index.html": b"two"})
    assert names_in(tmp_path) == {"index.html"}


def test_a_list_that_leads_elsewhere_or_is_none_removes_nothing(tmp_path):
    (tmp_path / "near.txt").write_bytes(b"near")
    digest = hashlib.sha256(b"near").hexdigest()
    folder = tmp_path / "site"
    folder.mkdir()
    lines = f"{digest}  ../near.txt\n{digest}  {tmp_path / 'near.txt'}\nno line\n"
    lines += "".join(f"{digest}  {name}\n" for name in ("..\\near.txt", "C:near.txt", "near\0.txt"))
    (folder / LIST).write_bytes(lines.encode() + b"\xff\n")
    write_anew(folder, {"index.html": b"one"})
    assert (tmp_path / "near.txt").read_bytes() == b"near" and names_in(folder) == {"index.html"}


def test_a_list_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refuse(*_, **options):
        raise PermissionError(13, "Permission denied")

    write_anew(tmp_path, FIRST)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(DataError, match=f"{LIST}: cannot be read .Permission denied.; remove it, or allow it"):
        write_anew(tmp_path, {"index.html": b"two"})
    assert names_in(tmp_path) == {"photo", "photo/deep", *FIRST}
