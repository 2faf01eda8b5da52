"""What an extra brings and is not there: one line says what to type, before anything is done."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rcnn_tutorial import cli
from rcnn_tutorial.course import __main__ as course
from rcnn_tutorial.course import site
from rcnn_tutorial.errors import ConfigError
from rcnn_tutorial.extras import require

ROOT = Path(__file__).parents[1]


@pytest.fixture
def without(monkeypatch):
    """A function that makes modules as good as not installed."""
    return lambda *names: [monkeypatch.setitem(sys.modules, name, None) for name in names]


def test_what_is_there_passes_and_what_is_not_is_named(without):
    require("site", "this", "nbclient", "ipykernel")
    without("nbclient", "ipykernel")
    with pytest.raises(ConfigError, match="^this needs nbclient and ipykernel, not installed here; "):
        require("site", "this", "nbclient", "ipykernel")
    with pytest.raises(ConfigError, match='needs no_such_module, .*; run: pip install "rcnn-tutorial\\[site\\]"$'):
        require("site", "this", "json", "no_such_module")


@pytest.mark.parametrize(
    ("call", "missing", "extra"),
    [
        (lambda folder: cli.main(["lab", folder]), "jupyterlab", "lab"),
        (
            lambda folder: cli.main(["evaluate", "--data", "toy", "--weights", "toy", "--errors", "--out", folder]),
            "jinja2",
            "site",
        ),
        (lambda folder: site.main([folder]), "mistune", "site"),
        (lambda folder: course.main([f"{folder}/no.ipynb"]), "nbclient", "site"),
    ],
    ids=["lab", "evaluate", "site", "course"],
)
def test_a_command_without_its_extra_says_so_in_one_line_and_does_nothing(
    call, missing, extra, without, tmp_path, capsys
):
    without(missing)
    assert call(str(tmp_path / "new")) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert f" needs {missing}, not installed here; " in told.err
    assert told.err.endswith(f'run: pip install "rcnn-tutorial[{extra}]"\n')
    assert list(tmp_path.iterdir()) == []


def required_in(path: Path):
    """(extra, modules) of every call of `require` in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
            extra, _, *modules = node.args
            yield extra.value, {module.value.replace("_", "-") for module in modules}


def test_an_extra_that_is_named_brings_what_is_wanted():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    brings = {extra: {requirement.split(">=")[0] for requirement in needed} for extra, needed in told.items()}
    required = [found for path in (ROOT / "rcnn_tutorial").rglob("*.py") for found in required_in(path)]
    assert {extra for extra, _ in required} == {"lab", "onnx", "site", "dev"}
    assert all(modules <= brings[extra] for extra, modules in required)


def test_the_commands_of_python_m_say_the_same():
    """Where jinja2 is there and the rest is not, as with torch alone, which brings it."""
    for module in ("rcnn_tutorial.course", "rcnn_tutorial.course.site"):
        code = (
            "import sys, runpy; sys.modules.update(mistune=None, nbclient=None); sys.argv[1:] = [];"
            f"runpy.run_module({module!r}, run_name='__main__')"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"python -m {module} needs ") and done.stderr.count("\n") == 1
