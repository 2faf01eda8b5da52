"""What is imported is declared, with the extra that it takes; what is heavy is imported only where it is wanted."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from rcnn_tutorial.course.files import course_folder, notebook_paths

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = {
    "IPython": "ipython",
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "jupyter_core": "jupyter-core",
    "skimage": "scikit-image",
    "websocket": "websocket-client",
    "yaml": "pyyaml",
}  # where the package to install has another name than the one to import

# Files that import what an extra brings; all others get along with the package alone.
EXTRA_OF = {
    "rcnn_tutorial/cli/lab.py": "lab",
    "rcnn_tutorial/cli/error_page.py": "site",
    "rcnn_tutorial/course/execute.py": "site",
    "rcnn_tutorial/course/markdown.py": "site",
    "rcnn_tutorial/course/pages.py": "site",
    "rcnn_tutorial/export_trace.py": "onnx",
}
BY_OTHER_WAYS = {
    "ipykernel": "the kernel that nbclient starts",
    "pytest-xdist": "an option of pytest",
    "nbval": "an option of pytest",
    "hatchling": "a command",
    "ruff": "a command",
    "mypy": "a command",
}
OF_GOLDEN_FILES = {"tidecv", "fontTools"}  # scripts that made files of the tests; they say how to install these


def packages_of(requirements):
    """The names of what is asked for: "torch>=2.11" asks for torch."""
    return {re.match(r"[a-z0-9-]+", text)[0] for text in requirements} - {PROJECT["name"]}


BASE = packages_of(PROJECT["dependencies"])
EXTRAS = {name: packages_of(needed) for name, needed in PROJECT["optional-dependencies"].items()}
FILES = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "rcnn_tutorial").rglob("*.py"))}
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def imports_in(source: str):
    """Names of the modules that Python text imports, anywhere."""
    return imports_of(ast.walk(ast.parse(source)))


def imports_at_once(source: str):
    """Names of the modules that Python text imports where it is itself imported."""
    return imports_of(ast.parse(source).body)


def imports_of(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages_in(source: str, own: set[str]):
    """The distributions that Python text imports, without Python's and our `own` modules."""
    roots = {name.split(".")[0] for name in imports_in(source)} - set(sys.stdlib_module_names) - own
    return {DISTRIBUTIONS.get(root, root) for root in roots}


def packages_of_file(path: Path, own: set[str] = frozenset({"rcnn_tutorial"})):
    return packages_in(path.read_text(encoding="utf-8"), own)


def modules_that_need_an_extra():
    """Those of EXTRA_OF that cannot even be imported without it. `cli.lab` can: it asks for the extra when it runs."""
    for name, extra in EXTRA_OF.items():
        roots = {module.split(".")[0] for module in imports_at_once(FILES[name].read_text(encoding="utf-8"))}
        if {DISTRIBUTIONS.get(root, root) for root in roots} & EXTRAS[extra]:
            yield name.removesuffix(".py").replace("/", ".")


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_imports_is_declared(name):
    more = EXTRAS[EXTRA_OF[name]] if name in EXTRA_OF else set()
    imported = packages_of_file(FILES[name])
    assert imported <= BASE | more
    assert name not in EXTRA_OF or imported & more, "it needs no extra; take it from the list"


@pytest.mark.parametrize("name", [name for name in FILES if name not in EXTRA_OF])
def test_the_package_alone_imports_no_file_that_needs_an_extra(name):
    imported = set(imports_at_once(FILES[name].read_text(encoding="utf-8")))
    assert imported.isdisjoint(modules_that_need_an_extra())


def test_what_is_declared_is_imported():
    imported = {name: packages_of_file(path) for name, path in FILES.items()}
    assert set().union(*imported.values()) >= BASE
    for extra in ("lab", "site"):
        used = [packages for name, packages in imported.items() if EXTRA_OF.get(name) == extra]
        assert set().union(*used, BY_OTHER_WAYS) >= EXTRAS[extra], extra
    assert BASE.isdisjoint(EXTRAS["lab"] | EXTRAS["site"])


def test_what_tests_import_is_declared_and_the_other_way_round():
    own = {"rcnn_tutorial", *(path.stem for path in TESTS), *(path.parent.name for path in TESTS)} | OF_GOLDEN_FILES
    imported = set().union(*(packages_of_file(path, own) for path in TESTS))
    assert imported <= BASE.union(*EXTRAS.values()) | {"comm"}  # of ipywidgets
    assert EXTRAS["dev"] | EXTRAS["browser"] <= imported | BY_OTHER_WAYS.keys()
    assert "rcnn-tutorial[lab,onnx,site]" in PROJECT["optional-dependencies"]["dev"]


@pytest.mark.parametrize("path", notebook_paths(course_folder()), ids=lambda path: path.stem)
def test_lessons_run_with_the_package_alone(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    source = "\n".join(re.sub(r"^\s*[%!].*$", "", cell.source, flags=re.MULTILINE) for cell in cells)
    assert packages_in(source, {"rcnn_tutorial"}) <= BASE
    assert set(imports_in(source)).isdisjoint(modules_that_need_an_extra())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch.nn as nn, os", {"torch"}),
        ("from PIL import Image", {"pillow"}),
        ("def f():\n    from skimage.color import rgb2lab", {"scikit-image"}),
        ("from rcnn_tutorial.cli import lab", set()),
        ("from . import lab", set()),
    ],
)
def test_which_packages_are_found(source, found):
    assert packages_in(source, {"rcnn_tutorial"}) == found


def test_which_files_need_an_extra_to_be_imported():
    assert set(EXTRA_OF) - {f"{name.replace('.', '/')}.py" for name in modules_that_need_an_extra()} == {
        "rcnn_tutorial/cli/lab.py"
    }


def test_which_imports_count_at_once():
    source = "import a\nfrom b import c\ndef f():\n    import d"
    assert set(imports_at_once(source)) == {"a", "b", "b.c"}


THIRD_PARTY = {
    "torch", "torchvision", "numpy", "matplotlib", "PIL", "ipywidgets", "IPython", "anywidget", "tqdm", "safetensors",
    "pycocotools", "skimage", "scipy", "defusedxml", "psutil", "nbformat", "packaging", "traitlets", "jupyterlab",
    "jupyter_core", "jinja2", "latex2mathml", "mistune", "pygments", "nbclient", "ipykernel", "segno",
}  # fmt: skip
FOR_PICTURES = {"matplotlib", "skimage", "scipy", "IPython", "ipywidgets", "anywidget", "jupyterlab", "jinja2"}


def loaded_after(code: str) -> set[str]:
    """Names of the packages that a fresh Python has imported after `code`."""
    code += "; import sys; print('\\n' + ' '.join({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True, timeout=300
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("code", "too_early"),
    [
        ("import rcnn_tutorial", THIRD_PARTY),
        ("from rcnn_tutorial import cli; cli.build_parser().format_help()", THIRD_PARTY),
        ("import rcnn_tutorial.course.site, rcnn_tutorial.course.__main__", THIRD_PARTY),
        ("import rcnn_tutorial.course.environment", THIRD_PARTY - {"packaging"}),
        ("import rcnn_tutorial.course.handout", THIRD_PARTY - {"nbformat", "traitlets", "jupyter_core"}),
        ("import rcnn_tutorial.model, rcnn_tutorial.checkpoints", FOR_PICTURES | {"pycocotools"}),
        ("import rcnn_tutorial.training, rcnn_tutorial.evaluation", FOR_PICTURES | {"pycocotools"}),
    ],
)
def test_what_is_heavy_is_not_imported_before_it_is_wanted(code, too_early):
    loaded = loaded_after(code)
    assert "rcnn_tutorial" in loaded
    assert not loaded & too_early


def test_the_names_of_what_may_be_too_early_are_those_that_are_declared():
    declared = BASE | EXTRAS["lab"] | EXTRAS["site"]
    assert {DISTRIBUTIONS.get(name, name) for name in THIRD_PARTY} - {"scipy"} == declared
