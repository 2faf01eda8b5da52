"""What `make` and uv install from stand-ins for the indexes: which torch, which tools, and what make says of it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uv
from indexes import Indexes
from wheels import write_wheel

ROOT = Path(__file__).parents[1]
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "rcnn-tutorial"
version = "1"
dependencies = ["torch>=2.11", "torchvision>=0.26"]
optional-dependencies = { lab = ["jupyterlab"], dev = ["rcnn-tutorial[lab]", "pytest"] }
"""
BUILD_BACKEND = """
from pathlib import Path
from wheels import write_wheel
NEEDS = ["torch", "torchvision", 'jupyterlab; extra == "lab"', 'jupyterlab; extra == "dev"', 'pytest; extra == "dev"']
def build_editable(folder, config_settings=None, metadata_directory=None):
    return write_wheel(Path(folder), "rcnn_tutorial", "1", NEEDS, files={"rcnn_tutorial.pth": ""}).name
"""

ENTRY_POINT = "[console_scripts]\nrcnn-tutorial = rcnn_tutorial:main\n"


class Class:
    """A clone of a small project with our Makefile, and indexes that have what it needs."""

    def __init__(self, folder: Path, indexes: Indexes, environment: Path):
        self.clone, self.indexes = folder / "clone", indexes
        (self.clone / "rcnn_tutorial").mkdir(parents=True)
        shutil.copytree(environment, self.clone / ".venv", symlinks=True)
        shutil.copy(ROOT / "Makefile", self.clone)
        shutil.copy(ROOT / "tests" / "wheels.py", self.clone)
        texts = {
            "pyproject.toml": PYPROJECT,
            "backend.py": BUILD_BACKEND,
            "rcnn_tutorial/__main__.py": "print('opened')",
        }
        for name, text in texts.items():
            (self.clone / name).write_text(text, encoding="utf-8")

    def make(self, target: str, code: int = 0, **variables: str) -> str:
        """What `make target` says on stderr; it must end with this code."""
        environment = self.indexes.environment() | {"PYTHON": sys.executable} | variables
        done = subprocess.run(["make", target], cwd=self.clone, env=environment, capture_output=True, encoding="utf-8")
        assert done.returncode == code, done.stderr
        if code:
            return done.stderr
        assert target != "lab" or done.stdout == "opened\n"
        return done.stderr

    def installed(self) -> dict[str, str]:
        """Version by name of what lies in the environment; pip and the like left out."""
        (site,) = self.clone.glob(".venv/lib/python*/site-packages")
        found = dict(path.name.removesuffix(".dist-info").split("-") for path in site.glob("*.dist-info"))
        return {name: version for name, version in found.items() if name not in ("pip", "setuptools", "uv")}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment as `make` creates it, to be copied: creating one takes seconds."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def room(tmp_path, environment):
    with Indexes(tmp_path) as indexes:
        for name in ("jupyterlab", "pytest"):
            indexes.add(name, "9")
        for name in ("torch", "torchvision"):
            indexes.add(name, "2.99")
            indexes.add(name, "2.99+cpu", backend="cpu")
            indexes.add(name, "2.99+cu128", backend="cu128")
        script = f'#!/bin/sh\nexec {uv.find_uv_bin()} "$@"\n'
        indexes.add("uv", "99", files={"uv-99.data/scripts/uv": script})
        yield Class(tmp_path, indexes, environment)


LAB = {"rcnn_tutorial": "1", "jupyterlab": "9"}


def torches(version: str) -> dict[str, str]:
    return {"torch": version, "torchvision": version}


@pytest.mark.parametrize(
    ("variables", "build", "told"),
    [
        ({"UV_TORCH_BACKEND": "cpu"}, "2.99+cpu", "cpu"),
        ({"UV_CUDA_DRIVER_VERSION": "570.26"}, "2.99+cu128", "auto"),  # as where such a driver is found
    ],
)
def test_the_build_that_fits_the_machine_comes_from_pytorchs_own_index(room, variables, build, told):
    said = room.make("lab", **variables)
    assert room.installed() == LAB | torches(build)
    assert f"torch {build}, 0.0 GB in .venv, by uv --torch-backend={told}\n" in said


def test_the_size_that_is_told_is_measured(room):
    room.indexes.add("jupyterlab", "10", files={"large.txt": "x" * 300_000_000})
    said = room.make("lab", UV_TORCH_BACKEND="cpu")
    assert float(re.search(r"([0-9.]+) GB in \.venv", said)[1]) == pytest.approx(0.3, abs=0.11)


@pytest.mark.parametrize("pytorch", ["refuses", "silent"])
def test_the_plain_index_takes_over_where_pytorchs_own_does_not_answer(room, pytorch):
    room.indexes.pytorch = pytorch
    said = room.make("lab", ASK_SECONDS="1")
    assert room.installed() == LAB | torches("2.99")
    way = "uv, what was missing from the plain index, as PyTorch's own gave no build for this machine"
    assert f"torch 2.99, 0.0 GB in .venv, by {way}\n" in said


@pytest.mark.parametrize("lacking", ["the build", "an answer", "uv"])
def test_a_build_that_was_asked_for_gives_way_to_no_other(room, lacking):
    if lacking == "uv":
        shutil.rmtree(room.indexes.folder / "simple" / "uv")
    room.indexes.pytorch = "refuses" if lacking == "an answer" else "answers"
    wanted = "cu126" if lacking == "the build" else "cpu"
    said = room.make("lab", code=2, UV_TORCH_BACKEND=wanted)
    assert f"UV_TORCH_BACKEND={wanted}: uv could not install this build; name another, or none" in said
    assert room.installed() == {}


def test_pip_takes_over_where_uv_cannot_be_had(room):
    shutil.rmtree(room.indexes.folder / "simple" / "uv")
    said = room.make("lab")
    assert room.installed() == LAB | torches("2.99")
    assert "uv cannot be had; pip takes its place\n" in said
    assert "torch 2.99, 0.0 GB in .venv, by pip, plain index, as uv did not work\n" in said


def test_lab_goes_without_the_tests_tools_and_the_tests_add_them(room):
    room.make("lab", UV_TORCH_BACKEND="cpu")
    said = room.make("install")  # which chooses a build anew, and keeps the one that is there
    assert room.installed() == LAB | torches("2.99+cpu") | {"pytest": "9"}
    assert "torch 2.99+cpu, " in said


def test_a_build_that_is_there_need_not_come_again(room):
    room.make("lab", UV_TORCH_BACKEND="cpu")
    room.indexes.pytorch = "refuses"
    said = room.make("install", UV_TORCH_BACKEND="cpu")
    assert room.installed() == LAB | torches("2.99+cpu") | {"pytest": "9"}
    assert "6 GB" not in said and "by uv, what was missing from the plain index" in said


@pytest.mark.parametrize("first", ["lab", "install"])
def test_nothing_is_asked_once_it_is_installed(room, first):
    room.make(first, UV_TORCH_BACKEND="cpu")
    room.indexes.asked.clear()
    room.indexes.pytorch = "refuses"
    assert room.make("lab") == room.make(first) == ""
    assert room.indexes.asked == []


@pytest.fixture
def tool(room, tmp_path):
    """A function that calls uv or pip as the README does, beside the wheel of a small project."""
    script = "import torch\ndef main(): print('opened', torch.__version__)\n"
    files = {"rcnn_tutorial/__init__.py": script, "rcnn_tutorial-1.dist-info/entry_points.txt": ENTRY_POINT}
    wheel = write_wheel(tmp_path / "dist", "rcnn_tutorial", "1", ["torch", 'jupyterlab; extra == "lab"'], files)

    def call(*words: str, **variables: str):
        environment = room.indexes.environment() | {"UV_HTTP_RETRIES": "0"} | variables
        words = [word.replace("WHEEL", str(wheel)) for word in words]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")

    return call


def test_uvx_takes_the_build_that_fits_and_later_needs_no_network(room, tool):
    """The README's lines, with uvx by its long name; `auto` may not find the same on every machine that tests."""
    line = (uv.find_uv_bin(), "tool", "run", "--torch-backend=cpu", "--from", "WHEEL[lab]", "rcnn-tutorial", "lab")
    assert tool(*line).stdout == "opened 2.99+cpu\n"
    room.indexes.asked.clear()
    assert tool(*line[:3], "--offline", *line[3:]).stdout == "opened 2.99+cpu\n"
    assert room.indexes.asked == []


def test_uvx_without_the_option_asks_the_plain_index_alone(room, tool):
    room.indexes.pytorch = "refuses"
    line = (uv.find_uv_bin(), "tool", "run", "--torch-backend=auto", "--from", "WHEEL[lab]", "rcnn-tutorial", "lab")
    assert tool(*line).returncode != 0
    assert tool(*line[:3], *line[4:]).stdout == "opened 2.99\n"


def test_pip_asks_the_plain_index_alone(room, tool):
    python = room.clone / ".venv" / "bin" / "python"
    room.indexes.pytorch = "refuses"
    assert tool(str(python), "-m", "pip", "install", "WHEEL[lab]").returncode == 0
    assert tool(str(python.with_name("rcnn-tutorial")), "lab").stdout == "opened 2.99\n"
