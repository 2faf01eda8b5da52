"""ESLint reads every script of the widgets and of the pages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rcnn_tutorial.course.scripts import PARTS, sources

CONFIG = Path(__file__).with_name("eslint.config.mjs")
ESLINT = Path(os.environ.get("ESLINT", Path(__file__).parents[2] / "build/node_modules/eslint/bin/eslint.js"))


def problems(folder: Path, scripts: dict[str, str]) -> str:
    """What ESLint says of scripts by name; empty: nothing."""
    shutil.copy(CONFIG, folder)
    for name, text in scripts.items():
        (folder / name).write_text(text, encoding="utf-8")
    run = subprocess.run(["node", ESLINT, "."], cwd=folder, capture_output=True, encoding="utf-8")
    assert run.returncode in (0, 1), run.stderr
    return run.stdout.strip()


def test_no_script_has_a_problem(tmp_path):
    assert problems(tmp_path, {name: text for name, text in sources().items() if name not in PARTS}) == ""


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("export function f(x) { eval(x); }", "no-eval"),
        ("export function f(x) { const y = x; }", "no-unused-vars"),
        ("export const f = (x) => x.replaceAll(1, 2);", "newer than ES2020"),
        ("export const f = (x) => x?.at(-1);", "newer than ES2020"),
        ("export const f = (x) => structuredClone(x);", "no-undef"),
        ("export function f(x) { x.y ??= 1; }", "Parsing error"),
        (f"export const f = {' ' * 120}1;", "max-len"),
    ],
)
def test_a_problem_is_found(line, rule, tmp_path):
    assert rule in problems(tmp_path, {"a.js": f"{line}\n"})
