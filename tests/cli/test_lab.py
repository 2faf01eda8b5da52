"""rcnn-tutorial lab: served here alone, on a copy, at its start page; what it says of the copy."""

import os
import tempfile
from pathlib import Path

import pytest

from rcnn_tutorial.cli import lab
from rcnn_tutorial.course import files


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_lab_serves_the_course_on_this_machine_alone(run, user, allowed, monkeypatch, tmp_path):
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(files, "working_folder", lambda: tmp_path / "course")
    assert run(["lab", "--port", 9999, "--no-browser"]) == 0
    (options,) = started
    assert (
        f"--ServerApp.root_dir={tmp_path / 'course'}" in options
        and "--LabApp.default_url=/lab/tree/start.ipynb" in options
    )
    assert (tmp_path / "course" / "start.ipynb").exists()
    assert "--ServerApp.ip=127.0.0.1" in options and "--ServerApp.port=9999" in options
    assert "--no-browser" in options
    assert ("--allow-root" in options) is allowed
    assert set(lab.WITHOUT_NETWORK) <= set(options)
    assert not any("token" in option or "password" in option for option in options)  # Jupyter's own stay on


def test_what_keeps_jupyterlab_from_asking_the_network_are_options_of_it():
    from jupyterlab.labapp import LabApp

    app = LabApp()
    app.parse_command_line([*lab.WITHOUT_NETWORK])
    assert (app.extension_manager, app.news_url) == ("readonly", None)
    assert app.check_for_updates_class.__name__ == "NeverCheckForUpdate"


def test_the_copy_of_a_clone_is_unknown_to_git():
    clone = files.course_folder().parent
    assert files.working_folder() == clone / "course"
    assert "/course/" in (clone / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_lab_tells_in_a_line_what_it_wrote_and_in_another_what_it_kept(run, monkeypatch, tmp_path, capsys):
    from jupyterlab.labapp import LabApp

    started, mine = [], tmp_path / "mine"
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    mine.mkdir()
    for name in ("00_tour.ipynb", "README.md"):
        (mine / name).write_text("my own", encoding="utf-8")
    assert run(["lab", mine, "--no-browser"]) == 0
    wrote, kept = capsys.readouterr().err.splitlines()
    there = [path for path in mine.rglob("*.*") if path.suffix in (".ipynb", ".md")]
    assert wrote == f"{mine}: {len(there) - 2} files written"
    assert kept.startswith(f"{mine}: new editions of 00_tour.ipynb, README.md; yours are kept")
    assert f"--ServerApp.root_dir={mine}" in started[0]
    assert (mine / "00_tour.ipynb").read_text(encoding="utf-8") == "my own"
    for name in ("00_tour.ipynb", "README.md"):
        (mine / name).unlink()
    assert run(["lab", mine, "--no-browser"]) == run(["lab", mine, "--no-browser"]) == 0
    assert capsys.readouterr().err == f"{mine}: 2 files written\n"


def test_lab_says_where_jupyter_keeps_its_files_without_a_home(run, monkeypatch, tmp_path, complaint):
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", lambda _: started.append(os.environ["JUPYTER_CONFIG_DIR"]))
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "JUPYTER_CONFIG_DIR").write_text("no folder", encoding="utf-8")
    assert run(["lab", tmp_path / "mine"]) == 0
    assert (text := complaint()).startswith(f"rcnn-tutorial: {tmp_path / 'JUPYTER_CONFIG_DIR'}: cannot be written to")
    assert str(Path(started[0]).parent) in text
