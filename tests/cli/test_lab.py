"""rcnn-tutorial lab: served here alone, copies that replace nothing."""

import pytest

from rcnn_tutorial.course import files


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_lab_serves_the_course_on_this_machine_alone(run, user, allowed, monkeypatch, tmp_path):
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(files, "course_folder", lambda: tmp_path)
    assert run(["lab", "--port", 9999, "--no-browser"]) == 0
    (options,) = started
    assert f"--ServerApp.root_dir={tmp_path}" in options
    assert "--ServerApp.ip=127.0.0.1" in options and "--ServerApp.port=9999" in options
    assert "--no-browser" in options
    assert ("--allow-root" in options) is allowed
    assert not any("token" in option or "password" in option for option in options)  # Jupyter's own stay on


def test_lab_in_a_folder_copies_the_course_there(run, monkeypatch, tmp_path, capsys):
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    assert run(["lab", tmp_path / "mine", "--no-browser"]) == 0
    assert f"--ServerApp.root_dir={tmp_path / 'mine'}" in started[0]
    assert (tmp_path / "mine" / "00_tour.ipynb").exists() and (tmp_path / "mine" / "README.md").exists()
    (tmp_path / "mine" / "00_tour.ipynb").write_text("mine", encoding="utf-8")
    (tmp_path / "mine" / "README.md").unlink()
    assert run(["lab", tmp_path / "mine", "--no-browser"]) == 0
    assert (tmp_path / "mine" / "00_tour.ipynb").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "mine" / "README.md").exists()
    assert "00_tour.ipynb: kept as it is" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"])
@pytest.mark.parametrize("place", ["file/below", "/proc/nowhere", "file"])
def test_lab_names_a_folder_that_jupyter_cannot_write_to_before_it_copies(
    run, variable, place, monkeypatch, tmp_path, complaint
):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv(variable, str(tmp_path / place))
    assert run(["lab", tmp_path / "mine"]) == 1
    assert str(tmp_path / place) in (text := complaint()) and "set HOME" in text
    assert not (tmp_path / "mine").exists()
