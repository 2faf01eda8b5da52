"""A home that cannot be written to: where Jupyter, IPython and matplotlib keep their files then, and what is said."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from rcnn_tutorial.course.places import find_places
from rcnn_tutorial.errors import DataError

VARIABLES = (
    "JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR",
)  # fmt: skip
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A home of its own, and no variable that names another place."""
    for name in (*VARIABLES, "XDG_DATA_HOME", "XDG_CONFIG_HOME", "APPDATA", "PROGRAMDATA"):
        monkeypatch.setenv(name, "")  # so that what the tested code sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # a test's worker may end without the usual cleaning
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "home"


def named() -> dict[str, Path]:
    return {name: Path(os.environ[name]) for name in VARIABLES if name in os.environ}


def test_a_home_that_can_be_written_to_is_used(home):
    assert find_places() == "" and named() == {} and home.is_dir()


def test_without_a_home_that_is_a_folder_a_temporary_one_takes_everything(home):
    home.write_text("", encoding="utf-8")  # not even root can write into it
    said = find_places()
    temporary = Path(re.search(r"until this command ends, (\S+) takes", said)[1])
    assert said.startswith(f"{home}") and said.count("\n") == 0 and "set HOME to" in said
    assert "JUPYTER_CONFIG_DIR" in named() and "JUPYTER_DATA_DIR" in named()
    for path in named().values():
        assert path.parent == temporary and path.is_dir() and path.stat().st_mode & 0o77 == 0
    assert find_places() == ""  # what Jupyter derives from them, such as its runtime folder, can be written to


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nowhere"])
def test_a_folder_that_was_named_and_cannot_be_written_to_is_the_only_one_that_moves(
    home, variable, place, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(variable, str(tmp_path / place))
    assert find_places().startswith(f"{tmp_path / place}: cannot be written to (")
    assert named().keys() == {variable}  # Jupyter has its runtime folder in that of its data, its settings likewise
    assert named()[variable] != tmp_path / place and named()[variable].is_dir()


def test_a_user_that_the_system_does_not_know_gets_a_home(home, monkeypatch):
    import pwd

    def unknown(_):
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert find_places().startswith("this user has no home; until this command ends, ")
    assert Path.home().is_dir() and named() == {}


def test_a_machine_without_any_place_is_an_error_that_says_what_to_set(home, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    home.write_text("", encoding="utf-8")
    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(DataError, match=r"nor is there another place \(No space left on device\); set TMPDIR to a"):
        find_places()


def test_a_lesson_runs_without_a_home_and_leaves_nothing_behind(home, tmp_path):
    home.write_text("", encoding="utf-8")
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": ""}})
    notebook.cells = [nbformat.v4.new_code_cell("import os, matplotlib.pyplot\nprint(os.environ['MPLCONFIGDIR'])")]
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    command = [sys.executable, "-m", "rcnn_tutorial.course", tmp_path / "lesson.ipynb"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"{home}") and "UserWarning" not in done.stderr
    (output,) = nbformat.read(tmp_path / "lesson.ipynb", as_version=4).cells[0].outputs  # no warning of matplotlib's
    assert output.name == "stdout" and not Path(output.text.strip()).parent.exists()
