"""Setting up: what `make` installs and when, what it says on a machine that lacks something, what the wheel carries."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import torch

import rcnn_tutorial

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Stands in for python, pip and uv: it writes down how it was called, and builds what the real ones would.
FAKE_PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
case "$*" in
*version_info*) [ -z "$OLD" ] ;;
*ensurepip*) [ -z "$NO_VENV" ] ;;
"-m venv --clear "*) rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m pip install --quiet uv") [ -z "$NO_UV" ] && cp "$0" .venv/bin/uv ;;
"pip install "*) [ -z "$UV_FAILS" ] ;;
"-m pip install --quiet --editable "*) [ -z "$PIP_FAILS" ] ;;
esac
"""


class Project:
    """A folder with the project's Makefile and a Python that only writes down what it is asked for."""

    def __init__(self, folder: Path):
        self.folder, self.log = folder, folder.parent / "log"
        folder.mkdir()
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        self.python = folder.parent / "fake-python"
        self.python.write_text(FAKE_PYTHON, encoding="utf-8")
        self.python.chmod(0o755)

    def make(self, target: str, **variables: str):
        """(exit code, stderr, calls) of `make target`."""
        self.log.write_text("", encoding="utf-8")
        ours = ("MAKE", "MFLAGS", "WORKERS")  # what the make that runs these tests has set
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment = clean | {"PYTHON": str(self.python), "LOG": str(self.log)} | variables
        done = subprocess.run(["make", target], cwd=self.folder, env=environment, capture_output=True, encoding="utf-8")
        return done.returncode, done.stderr, self.log.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def installs(calls):
    return [call for call in calls if "--editable" in call]


def test_first_make_creates_the_environment_and_installs_with_uv(project):
    code, _, calls = project.make("test")
    assert code == 0
    assert "fake-python -m venv --clear .venv" in calls
    (install,) = installs(calls)
    assert install.startswith("uv pip install ") and install.endswith(" --torch-backend=auto --editable .[dev]")
    assert calls[-1].startswith("python -m pytest ") and " -n auto " in calls[-1]
    assert " -n 8 " in project.make("test", WORKERS="8")[2][-1]


def test_nothing_is_installed_again_until_pyproject_changes(project):
    project.make("test")
    settings = project.folder / "pyproject.toml"
    settings.touch()  # as after a git checkout: newer, but the same
    _, _, calls = project.make("test")
    assert [call.split()[:3] for call in calls] == [["python", "-m", "pytest"]]
    settings.write_text(settings.read_text(encoding="utf-8") + "\n# another line\n", encoding="utf-8")
    _, _, calls = project.make("test")
    assert len(installs(calls)) == 1 and not any("-m venv" in call for call in calls)


def test_each_target_installs_what_it_needs_and_no_more(project):
    for target, extras in (("lab", ["lab"]), ("lab", []), ("test", ["dev"]), ("test", []), ("lab", [])):
        calls = installs(project.make(target)[2])
        assert [call.split("[")[1] for call in calls] == [f"{extra}]" for extra in extras], target


def test_a_new_pyproject_makes_the_tests_tools_be_installed_again_too(project):
    project.make("test")
    with open(project.folder / "pyproject.toml", "a", encoding="utf-8") as settings:
        settings.write("\n# another line\n")
    assert [call[-5:] for call in installs(project.make("lab")[2])] == ["[lab]"]
    assert [call[-5:] for call in installs(project.make("test")[2])] == ["[dev]"]


def test_a_copied_project_does_not_run_the_code_of_the_one_it_was_copied_from(project):
    project.make("test")
    shutil.copytree(project.folder, project.folder.parent / "copy")
    project.folder = project.folder.parent / "copy"
    assert len(installs(project.make("test")[2])) == 1


def test_pip_takes_the_place_of_uv(project):
    code, errors, calls = project.make("test", NO_UV="1")
    assert code == 0 and "uv cannot be had" in errors
    (install,) = installs(calls)
    assert install.startswith("python -m pip install ") and install.endswith(" --editable .[dev]")


def test_pip_is_tried_when_uv_fails(project):
    code, _, calls = project.make("test", UV_FAILS="1")
    assert code == 0 and [call.split()[0] for call in installs(calls)] == ["uv", "python"]


def test_a_failed_installation_stops_make_and_is_tried_again(project):
    code, _, calls = project.make("test", UV_FAILS="1", PIP_FAILS="1")
    assert code != 0 and not any("pytest" in call for call in calls)
    code, _, calls = project.make("test")
    assert code == 0 and len(installs(calls)) == 1


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({"OLD": "1"}, "is older than 3.11"),
        ({"NO_VENV": "1"}, "apt install python3-venv"),
        ({"PYTHON": "no-such-python"}, "install Python 3.11 or newer"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(variables, advice, project):
    code, errors, _ = project.make("lab", **variables)
    assert code != 0 and advice in errors
    assert not (project.folder / ".venv").exists()


def test_make_lab_runs_the_command(project):
    assert project.make("lab")[2][-1] == "python -m rcnn_tutorial lab"


def test_make_help_lists_every_target(project):
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=project.folder, capture_output=True, encoding="utf-8", check=True
    )
    phony = re.search(r"^\.PHONY: (help .*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    assert {line.split()[1] for line in done.stdout.splitlines()} == set(phony)


@pytest.mark.parametrize("failing, called", [("lint", ["lint"]), ("test", ["lint", "test"])])
def test_ci_checks_and_tests_and_reports_a_failure(tmp_path, failing, called):
    (tmp_path / "make").write_text(f'#!/bin/sh\necho "$PWD $*"\n[ "$1" != {failing} ] || exit 7\n', encoding="utf-8")
    (tmp_path / "make").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([ROOT / ".ci" / "run"], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout.splitlines()) == (7, [f"{ROOT} {target}" for target in called])


def test_dependencies_have_lower_bounds_only():
    required = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
    own = "rcnn-tutorial[lab,onnx,site]"  # the tests need all of it
    assert all(re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", requirement) for requirement in required if requirement != own)
    assert {"torch>=2.11", "torchvision>=0.26"} <= set(required)
    assert PROJECT["requires-python"] == ">=3.11"


def test_wheel_carries_the_course_and_the_assets(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "rcnn_tutorial", source / "rcnn_tutorial")
    for name in ("notebooks/solutions/00.ipynb", "assets/samples/lake.jpg", "tests/test_all.py"):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text("{}", encoding="utf-8")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob(f"rcnn_tutorial-{rcnn_tutorial.__version__}-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = {name.split("/")[1]: archive.read(name).decode() for name in names if ".dist-info/" in name}
    assert {"rcnn_tutorial/_notebooks/solutions/00.ipynb", "rcnn_tutorial/_assets/samples/lake.jpg"} <= names
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rcnn_tutorial").rglob("*.py")}
    assert modules <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"rcnn_tutorial"}
    assert "rcnn-tutorial = rcnn_tutorial.cli:main" in metadata["entry_points.txt"]
    told = re.findall(r"^License-(?:Expression|File): (.*)$", metadata["METADATA"], flags=re.MULTILINE)
    assert told == ["MIT AND CC-BY-2.0", "LICENSE", "NOTICE"]
    extras = re.findall(r"^Provides-Extra: (.*)$", metadata["METADATA"], flags=re.MULTILINE)
    assert extras == sorted(PROJECT["optional-dependencies"])


def test_a_wheel_alone_brings_the_course_and_detects(tmp_path):
    """In an environment with the dependencies and the wheel, and no clone in sight."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv").rglob("site-packages")
    dependencies = Path(torch.__file__).parents[1]
    # A .pth file reads no further .pth files, so that the clone's own stays unread.
    (site / "dependencies.pth").write_text(f"{dependencies}\n", encoding="utf-8")
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(site)
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(code: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        python = next((tmp_path / "venv").glob("*/python"))
        done = subprocess.run([python, "-c", code], cwd=empty, env=environment, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert Path(run("import rcnn_tutorial; print(rcnn_tutorial.__file__)").strip()).is_relative_to(site)
    run("from rcnn_tutorial.cli.lab import folder_to_work_in; folder_to_work_in(None)")
    assert (empty / "rcnn_course" / "solutions" / "00_tour.ipynb").exists()
    detect = """
from PIL import Image; from rcnn_tutorial.cli import main; from rcnn_tutorial.data import load_sample
assert load_sample("lake")[0].shape == (3, 427, 640)
image = load_sample("cat")[0]
Image.fromarray((image * 255).byte().permute(1, 2, 0).numpy()).save("cat.png")
main(["detect", "cat.png", "--json"])
"""
    assert '"label": "cat"' in run(detect)
