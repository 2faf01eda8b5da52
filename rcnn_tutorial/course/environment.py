"""Is everything installed that the course needs? Says in words what is not. Imports nothing heavy by itself."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.version import Version

from rcnn_tutorial.assets import asset_path
from rcnn_tutorial.errors import DataError

PROJECT = "rcnn-tutorial"
INSTALL = "install the project: call make, or run: pip install -e ."
ASSETS = ("voc.safetensors", "toy.safetensors", "samples/boxes.json", "samples/lake.jpg")


class Finding(NamedTuple):
    """One thing that must hold, whether it does, and if not, what to do about it."""

    statement: str
    holds: bool
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.statement}: {self.holds}" + ("" if self.holds else f"\n    {self.remedy}")


class Report(NamedTuple):
    """All findings; shown as a verdict, or as those that do not hold, each with its remedy."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether the course can run here."""
        return all(finding.holds for finding in self.findings)

    def __repr__(self) -> str:
        missing = [str(finding) for finding in self.findings if not finding.holds]
        if missing:
            return "\n".join([*missing, "Something is missing: see the lines that say False."])
        return "Everything is in place: Python, the packages, torchvision beside torch, the course's own files."


def check_environment() -> Report:
    """Look at Python, the packages' versions, torchvision's compiled half, and the course's own files."""
    try:
        project = importlib.metadata.metadata(PROJECT)  # what pyproject.toml said when it was installed
    except importlib.metadata.PackageNotFoundError:
        return Report((Finding(f"{PROJECT} is installed", False, INSTALL),))
    needed = [Requirement(text) for text in project.get_all("Requires-Dist")]
    findings = [_python(platform.python_version(), _lowest(Requirement("python" + project["Requires-Python"])))]
    findings += [_package(package.name, _lowest(package)) for package in needed if package.marker is None]  # no extras
    return Report((*findings, _compiled_torchvision(), *(_asset(name) for name in ASSETS)))


def _lowest(requirement: Requirement) -> str:
    """The version in `name>=version`, the only form in which pyproject.toml asks for a package."""
    (bound,) = requirement.specifier
    return bound.version


def _python(found: str, lowest: str) -> Finding:
    remedy = f"found {found}: install a newer Python and create the environment again"
    return Finding(f"Python is {lowest} or newer", Version(found) >= Version(lowest), remedy)


def _package(name: str, lowest: str) -> Finding:
    remedy = f'run: pip install --upgrade "{name}>={lowest}"'
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(f"{name} is {lowest} or newer", False, f"it is not installed; {remedy}")
    return Finding(f"{name} is {lowest} or newer", Version(found) >= Version(lowest), f"found {found}; {remedy}")


def _compiled_torchvision() -> Finding:
    """Torchvision's operators load only beside the torch that they were built for."""
    statement = "torchvision fits torch"
    remedy = "run: pip install --upgrade torch torchvision"
    try:
        torch, ops = importlib.import_module("torch"), importlib.import_module("torchvision.ops")
        kept = ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # a build for another torch raises any
        return Finding(statement, False, f"{type(error).__name__}: {str(error).splitlines()[0]}; {remedy}")
    return Finding(statement, kept.tolist() == [0], remedy)


def _asset(name: str) -> Finding:
    try:
        asset_path(name)
    except DataError as error:
        return Finding(f"{name} is there", False, str(error))
    return Finding(f"{name} is there", True)
