"""A folder to install from without a network: `python -m rcnn_tutorial.course.wheelhouse DIR`, or `make wheelhouse`.

It holds the wheels of the project and of all that `rcnn-tutorial lab` needs, for the machines of a class, with
PyTorch's CPU builds, and INSTALL.txt, which says what to type. uv finds out which versions fit a machine that is not
this one; pip fetches their wheels.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rcnn_tutorial import __version__
from rcnn_tutorial.course.files import course_folder
from rcnn_tutorial.errors import DataError, TutorialError
from rcnn_tutorial.extras import require

COMMAND = "python -m rcnn_tutorial.course.wheelhouse"


class Platform(NamedTuple):
    """A kind of machine, as uv names it, and the tags of the wheels that run there, as pip wants them."""

    uv: str
    tags: tuple[str, ...]


def _linux(machine: str) -> Platform:
    """Linux with glibc 2.28 or newer: Debian 10, Ubuntu 20.04. pip does not count down from 2.28 by itself."""
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(17, 29)]
    return Platform(f"{machine}-manylinux_2_28", (*tags, f"manylinux2014_{machine}"))


PLATFORMS = {
    "linux-x86_64": _linux("x86_64"),
    "linux-aarch64": _linux("aarch64"),
    "macos-arm64": Platform("aarch64-apple-darwin", ("macosx_14_0_arm64",)),
    "windows-amd64": Platform("x86_64-pc-windows-msvc", ("win_amd64",)),
}
MACOS = {"MACOSX_DEPLOYMENT_TARGET": "14.0"}  # what uv takes a Mac for; PyTorch's wheels want it
HOME = "$HOME/rcnn_course"  # so spelled, shells and PowerShell know it

INSTALL = """\
rcnn_tutorial, to be installed without a network
================================================

For {platforms}. It takes Python {pythons}, which must be there; below, write the number of yours.
Open a terminal in this folder and type:

Linux, macOS
    python{python} -m venv ~/rcnn
    ~/rcnn/bin/python -m pip install --no-index --find-links . "rcnn-tutorial[lab]"
    ~/rcnn/bin/rcnn-tutorial lab ~/rcnn_course

Windows (PowerShell)
    py -{python} -m venv $HOME\\rcnn
    & $HOME\\rcnn\\Scripts\\python -m pip install --no-index --find-links . "rcnn-tutorial[lab]"
    & $HOME\\rcnn\\Scripts\\rcnn-tutorial lab $HOME\\rcnn_course

The last line of each opens the course in JupyterLab, and is all that it takes the next time. With uv, one line:
    uvx --offline --python {python} --no-index --find-links . --from "rcnn-tutorial[lab]" rcnn-tutorial lab {home}
"""


def write_wheelhouse(folder: Path, platforms: list[str], pythons: list[str], plain: bool = False) -> list[Path]:
    """Fill a folder, which may exist, and return its files, INSTALL.txt last.

    platforms: keys of PLATFORMS. pythons: versions such as "3.12". plain: take PyTorch from the plain index, whose
    builds for Linux come with GPU libraries. Raises DataError where an index does not give what is wanted, or without
    a clone.
    """
    wheel = _own_wheel(folder)
    for name in platforms:
        for python in pythons:
            pins = _pins(wheel, name, python, plain)
            _download(folder, pins, name, python)
    told = INSTALL.format(platforms=", ".join(platforms), pythons=" or ".join(pythons), python=pythons[0], home=HOME)
    (folder / "INSTALL.txt").write_text(told, encoding="utf-8", newline="\n")
    return [*sorted(folder.glob("*.whl")), folder / "INSTALL.txt"]


def _own_wheel(folder: Path) -> Path:
    """Build the project's own wheel, from a clone."""
    clone = course_folder().parent
    if not (clone / "pyproject.toml").is_file():
        raise DataError(f"{clone}: an installed package cannot build its wheel; run {COMMAND} in a clone")
    command = ["hatchling", "build", "-t", "wheel", "-d", folder.resolve()]
    _python_m(command, "hatchling builds no wheel", cwd=clone)
    return folder.resolve() / f"rcnn_tutorial-{__version__}-py3-none-any.whl"


def _pins(wheel: Path, platform: str, python: str, plain: bool) -> str:
    """The versions that fit, a line each, with the index of each in a comment below it."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--emit-index-annotation", "-"]
    command += ["--python-platform", PLATFORMS[platform].uv, "--python-version", python, "--only-binary", ":all:"]
    command += ["--no-emit-package", "rcnn-tutorial"]
    command += [] if plain else ["--torch-backend", "cpu"]
    remedy = "" if plain else " (where PyTorch's own index is out of reach: --plain)"
    wrong = f"{platform}, Python {python}: uv finds no versions that fit{remedy}"
    return _python_m(command, wrong, input=f"rcnn-tutorial[lab] @ {wheel.as_uri()}\n", env=os.environ | MACOS)


def _download(folder: Path, pins: str, platform: str, python: str) -> None:
    """Fetch the wheels of these versions, each from an index that uv found them in."""
    versions = [line for line in pins.splitlines() if re.match(r"[\w.-]+==", line)]
    first, *others = dict.fromkeys(re.findall(r"^ +# from (\S+)$", pins, flags=re.MULTILINE))
    command = ["pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
    command += ["--python-version", python, "--index-url", first]
    command += [word for index in others for word in ("--extra-index-url", index)]
    command += [word for tag in PLATFORMS[platform].tags for word in ("--platform", tag)]
    _python_m([*command, *versions], f"{platform}, Python {python}: pip gets not all wheels")


def _python_m(command: list, wrong: str, **options) -> str:
    """What `python -m` with these words prints. Raises DataError, with what is wrong and what was said, if it fails."""
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, encoding="utf-8", **options)
    if done.returncode:
        raise DataError(f"{wrong}: {' '.join(done.stderr.split())[:400]}")
    return done.stdout


def main(arguments: list[str]) -> int:
    """Fill the folder named, and tell how much it holds."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser = argparse.ArgumentParser(prog=COMMAND, description="Wheels to install from without a network.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    several = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument("--platform", choices=PLATFORMS, help="of the class's machines (default: all four)", **several)
    parser.add_argument("--python", metavar="VERSION", help=f"of the class's machines (default: {here})", **several)
    parser.add_argument(
        "--plain", action="store_true", help="PyTorch from the plain index: on Linux with GPU libraries"
    )
    args = parser.parse_args(arguments)
    try:
        require("dev", COMMAND, "uv", "hatchling")
        written = write_wheelhouse(args.folder, args.platform or list(PLATFORMS), args.python or [here], args.plain)
    except TutorialError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    size = sum(path.stat().st_size for path in written) / 1e9
    print(f"{args.folder}: {len(written) - 1} wheels, {size:.1f} GB; {written[-1].name} says what to type")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
