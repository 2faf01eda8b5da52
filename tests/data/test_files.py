"""The rule by which a named file is found: never outside its folder, never a guess; and what is no data."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcnn_tutorial.data.files import Folder, files_below, is_system_file, read_text, split_name
from rcnn_tutorial.errors import DataError

SOURCE = Path("ann.json")
FILES = ("a.png", "day/a.png", "day/b.JPG", "day/night/c.tif", "d.png", "d.jpg", "e f.png", "notes.txt", "README")
PIECES = st.sampled_from(
    ["a", "day", "night", "..", ".", "/", "\\", "C:", "~", "://", "http", ".png", ".PNG", "?", "%2e%2e", "%2F", "\0"]
    + ["secret.png", "1f0e9c2a-", "\ud800", "\u0301", " ", "folder"]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of FILES, and a file outside that no name may reach."""
    root = tmp_path_factory.mktemp("outside")
    (root / "secret.png").touch()
    for name in FILES:
        path = root / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root / "folder"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.png", "a.png"),
        ("day//a.png", "day/a.png"),
        ("DAY\\B.jpg", "day/b.JPG"),
        ("day/night/c.jpeg", "day/night/c.tif"),
        ("d.png", "d.png"),
        ("notes.txt", "notes.txt"),
        ("README", "README"),
        ("folder/day/a.png", "day/a.png"),
        ("x/Folder/a.png", "a.png"),
        ("/x/folder/day/night/c.tif", "day/night/c.tif"),
        ("file:///x/e%20f.png", "e f.png"),
        ("0123abcd-e f.png", "e f.png"),
    ],
)
def test_found(folder, name, found):
    assert Folder(folder).find(name, SOURCE) == folder / found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("day/c.tif", "no file 'day/c.tif' in"),  # it lies deeper, which may be another one
        ("night/c.tif", "no file"),
        ("x/a.png", "no file"),  # a.png of another folder, perhaps
        ("notes", "no file"),  # no photo
        ("day", "no file"),
        ("d.gif", "may be d.jpg or d.png"),
        ("", "no file ''"),
        (".", "no file '.'"),
        ("/", "leads out of"),
        ("../folder/a.png", "leads out of"),
        ("day/../a.png", "leads out of"),
        ("..\\secret.png", "leads out of"),
        ("/etc/passwd", "leads out of"),
        ("C:secret.png", "leads out of"),
        ("https://x/../secret.png", "leads out of"),
        ("https://x/%2e%2e/secret.png", "leads out of"),
        ("a.png\0", "no file"),
        ("x" * 5000, "no file"),
    ],
)
def test_refused(folder, name, words):
    with pytest.raises(DataError, match=f"ann.json: .*{words}") as caught:
        Folder(folder).find(name, SOURCE)
    assert ";" in str(caught.value) and len(str(caught.value)) < 600


@given(st.lists(PIECES, max_size=8).map("".join))
def test_no_name_leads_out(folder, name):
    try:
        path = Folder(folder).find(name, SOURCE)
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert path.relative_to(folder).as_posix() in FILES and ".." not in path.parts


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(DataError, match="gone: cannot be listed .*; check the folder"):
        Folder(tmp_path / "gone").find("a.png", SOURCE)


def test_two_names_that_differ_in_case_alone_are_told_apart(tmp_path):
    for name in ("a.png", "A.png"):
        (tmp_path / name).touch()
    assert Folder(tmp_path).find("A.png", SOURCE).name == "A.png"
    assert [path.name for path in Folder(tmp_path).named("A")] == ["A.png"]
    with pytest.raises(DataError, match="'a.PNG' may be A.png or a.png"):
        Folder(tmp_path).find("a.PNG", SOURCE)


def test_broken_links_and_folders_are_no_files(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "b.png").mkdir()
    (tmp_path / "c.png").symlink_to(tmp_path / "c.png")
    for name in ("a.png", "b.png", "c.png"):
        with pytest.raises(DataError, match="no file"):
            Folder(tmp_path).find(name, SOURCE)


@pytest.mark.parametrize(
    "name", ["._a.png", ".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini", "__MACOSX", "@eaDir", ".directory"]
)
def test_what_systems_leave_behind(tmp_path, name):
    assert is_system_file(name)
    (tmp_path / name).touch()
    (tmp_path / "a.png").touch()
    assert [path.name for path in files_below(tmp_path, (".png", ".db", ".ini"))] == ["a.png"]
    assert not is_system_file("a.png") and not is_system_file("thumbs.png")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b\\c.png", (["a", "b", "c.png"], False)),
        ("C:\\a\\b.png", (["a", "b.png"], True)),
        ("\\\\server\\share\\b.png", (["server", "share", "b.png"], True)),
        ("http://host/a%20b.png?x=/y#z", (["host", "a b.png"], True)),
        ("./a", (["a"], False)),
    ],
)
def test_names_of_any_system(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_text_of_any_encoding(tmp_path, encoding):
    text = "a \u82f9\u679c " + unicodedata.normalize("NFD", "\u00e9")
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert read_text(tmp_path / "a.txt") == text
