"""The environment check: what it asks for is what pyproject.toml asks for, and what is missing is named in words."""

import importlib.metadata
import tomllib
from email.message import Message
from pathlib import Path

import pytest

from rcnn_tutorial.course import environment
from rcnn_tutorial.course.environment import check_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(monkeypatch):
    """The project of this folder, installed: what pyproject.toml asks for, package by package."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = Message()
    for requirement in [*told["dependencies"], 'an-extra>=1; extra == "dev"']:
        metadata["Requires-Dist"] = requirement
    metadata["Requires-Python"] = told["requires-python"]
    monkeypatch.setattr(importlib.metadata, "metadata", {environment.PROJECT: metadata}.__getitem__)
    return dict(requirement.split(">=") for requirement in told["dependencies"])


def test_it_asks_for_what_pyproject_asks_for(project):
    told = [str(finding.statement) for finding in check_environment().findings]
    assert told[: len(project) + 1] == [
        "Python is 3.11 or newer", *(f"{name} is {lowest} or newer" for name, lowest in project.items())
    ]  # fmt: skip


def test_a_clone_that_is_not_installed_is_told_so(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    report = check_environment()
    assert not report.passed and "rcnn-tutorial is installed: False\n    install the project" in repr(report)


def test_everything_is_in_place_where_the_tests_run(project):
    report = check_environment()
    assert report.passed
    assert repr(report).startswith("Everything is in place: Python, the packages,") and "\n" not in repr(report)


def test_an_old_or_missing_package_is_named_with_its_remedy(project, monkeypatch):
    versions = {name: "99.0" for name in project} | {"torch": "2.5.1+cpu"}
    del versions["anywidget"]

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    report = check_environment()
    text = repr(report)
    assert not report.passed
    assert 'torch is 2.11 or newer: False\n    found 2.5.1+cpu; run: pip install --upgrade "torch>=2.11"' in text
    assert "anywidget is 0.9.13 or newer: False\n    it is not installed; run: pip install" in text
    assert text.endswith("see the lines that say False.")
    assert "True" not in text and "torchvision is" not in text


def test_an_old_python_is_named():
    assert not environment._python("3.10.4", "3.11").holds
    assert "found 3.10.4" in str(environment._python("3.10.4", "3.11"))


@pytest.mark.parametrize(
    "error", [RuntimeError("operator torchvision::nms does not exist\nmore"), ImportError("libtorch.so: not found")]
)
def test_a_torchvision_of_another_torch_is_recognized(error, monkeypatch):
    def broken(name):
        raise error

    monkeypatch.setattr(environment.importlib, "import_module", broken)
    finding = environment._compiled_torchvision()
    assert not finding.holds
    assert str(error).splitlines()[0] in finding.remedy and "pip install --upgrade torch torchvision" in finding.remedy


def test_a_missing_asset_is_named():
    finding = environment._asset("no-such-file.bin")
    assert not finding.holds and "no-such-file.bin" in finding.remedy
