"""The wheelhouse: for each machine the wheels that fit it, PyTorch's CPU builds; a text whose lines install from it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uv
from indexes import Indexes
from wheels import write_wheel

from rcnn_tutorial import __version__
from rcnn_tutorial.course import wheelhouse
from rcnn_tutorial.course.wheelhouse import PLATFORMS, main, write_wheelhouse
from rcnn_tutorial.errors import DataError

OWN = f"rcnn_tutorial-{__version__}-py3-none-any.whl"
TAGS = {
    "linux-x86_64": "cp312-cp312-manylinux_2_28_x86_64",
    "linux-aarch64": "cp312-cp312-manylinux_2_28_aarch64",
    "macos-arm64": "cp312-cp312-macosx_14_0_arm64",
    "windows-amd64": "cp312-cp312-win_amd64",
}
COMMAND = "import sys, torch\ndef main(): print('opened', torch.__version__, *sys.argv[1:])\n"
ENTRY = "[console_scripts]\nrcnn-tutorial = rcnn_tutorial:main\n"


def own_wheel(folder: Path) -> Path:
    """One that stands in for the project's: the lab needs what the package alone does not."""
    files = {"rcnn_tutorial/__init__.py": COMMAND, f"rcnn_tutorial-{__version__}.dist-info/entry_points.txt": ENTRY}
    return write_wheel(folder, "rcnn_tutorial", __version__, ["torch", 'jupyterlab; extra == "lab"'], files)


@pytest.fixture
def indexes(tmp_path, monkeypatch):
    """Indexes with JupyterLab, which needs something on Windows; the tests add torch."""
    with Indexes(tmp_path) as indexes:
        indexes.add("jupyterlab", "9", 'winpty; os_name == "nt"')
        indexes.add("winpty", "3", tag=TAGS["windows-amd64"])
        environment = indexes.environment()
        for name in os.environ.keys() - environment:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(wheelhouse, "_own_wheel", own_wheel)
        yield indexes


@pytest.fixture
def torch_for_all(indexes):
    """A torch for each machine; the plain index's for Linux comes with GPU libraries."""
    indexes.add("gpu_libraries", "1")
    for name, tag in TAGS.items():
        indexes.add("torch", "2.99", *["gpu-libraries"] * name.startswith("linux"), tag=tag)
        indexes.add("torch", "2.99+cpu", backend="cpu", tag=tag)
    return indexes


def names(written: list[Path]) -> set[str]:
    return {path.name for path in written}


def test_every_machine_finds_its_wheels_and_pytorchs_cpu_build(torch_for_all, tmp_path):
    written = write_wheelhouse(tmp_path / "stick", list(PLATFORMS), ["3.12"])
    torches = {f"torch-2.99+cpu-{tag}.whl" for tag in TAGS.values()}
    others = {OWN, "jupyterlab-9-py3-none-any.whl", f"winpty-3-{TAGS['windows-amd64']}.whl", "INSTALL.txt"}
    assert names(written) == torches | others == {path.name for path in (tmp_path / "stick").iterdir()}
    text = written[-1].read_text(encoding="utf-8")
    assert all(name in text for name in PLATFORMS) and "Python 3.12" in text and "py -3.12 -m venv" in text


def test_only_what_is_asked_for(torch_for_all, tmp_path):
    written = write_wheelhouse(tmp_path / "stick", ["macos-arm64"], ["3.12"])
    assert names(written) - {OWN, "INSTALL.txt"} == {
        f"torch-2.99+cpu-{TAGS['macos-arm64']}.whl",
        "jupyterlab-9-py3-none-any.whl",
    }


def test_where_pytorchs_own_index_does_not_answer_the_plain_one_is_taken_on_request_only(
    torch_for_all, tmp_path, capsys, monkeypatch
):
    torch_for_all.pytorch = "refuses"
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    words = [str(tmp_path / "stick"), "--platform", "linux-x86_64", "--python", "3.12"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "linux-x86_64" in told and "--plain" in told
    assert main([*words, "--plain"]) == 0
    assert capsys.readouterr().out.endswith("stick: 4 wheels, 0.0 GB; INSTALL.txt says what to type\n")
    assert {path.name for path in (tmp_path / "stick").iterdir()} == {
        OWN,
        "INSTALL.txt",
        "gpu_libraries-1-py3-none-any.whl",
        "jupyterlab-9-py3-none-any.whl",
        f"torch-2.99-{TAGS['linux-x86_64']}.whl",
    }


def test_the_lines_of_the_text_install_from_the_folder_alone_and_open_the_course(indexes, tmp_path, monkeypatch):
    indexes.add("torch", "2.99+cpu", backend="cpu")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = write_wheelhouse(tmp_path / "stick", ["linux-x86_64"], [here])[-1].read_text(encoding="utf-8")
    unix, uv_line = re.search(r"^Linux, macOS\n(.+?)\n\n", text, re.M | re.S)[1], text.splitlines()[-1]
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / f"python{here}").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    (commands / f"python{here}").chmod(0o755)
    (commands / "uvx").write_text(f'#!/bin/sh\nexec {uv.find_uv_bin()} tool run "$@"\n', encoding="utf-8")
    (commands / "uvx").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    indexes.asked.clear()
    for lines in (unix, uv_line):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # what uv keeps from the time with a network
        done = subprocess.run(["sh", "-ec", lines], cwd=tmp_path / "stick", capture_output=True, encoding="utf-8")
        assert done.stdout.endswith(f"opened 2.99+cpu lab {tmp_path}/home/rcnn_course\n"), done.stderr
    assert indexes.asked == []


def test_a_version_that_nobody_has_is_named(indexes, tmp_path):
    with pytest.raises(
        DataError, match="^windows-amd64, Python 3.12: uv finds no versions that fit .*--plain.*: .*torch"
    ):
        write_wheelhouse(tmp_path / "stick", ["windows-amd64"], ["3.12"])


def test_the_wheel_is_the_projects_own(tmp_path, monkeypatch):
    assert wheelhouse._own_wheel(tmp_path) == tmp_path / OWN and (tmp_path / OWN).stat().st_size > 1_000_000
    monkeypatch.setattr(wheelhouse, "course_folder", lambda: tmp_path / "rcnn_tutorial" / "_notebooks")
    with pytest.raises(DataError, match="in a clone$"):
        wheelhouse._own_wheel(tmp_path)
