"""What holds for all source files: text has an encoding, files and functions are short, no test waits for a clock."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = (sorted((ROOT / name).rglob("*.py")) for name in ("rcnn_tutorial", "tests"))


def calls_in(path: Path):
    """(call, name of what is called, its keywords) for every call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield node, name, {keyword.arg: keyword.value for keyword in node.keywords}


def depends_on_the_locale(call: ast.Call, name: str, keywords: dict) -> bool:
    """Whether a file or a pipe is text here, in no encoding that is named."""
    if "encoding" in keywords:
        return False
    if name == "open" and isinstance(call.func, ast.Name):
        return "b" not in ast.unparse([*call.args[1:2], keywords.get("mode", ast.Constant("r"))][0])
    of_a_path = isinstance(call.func, ast.Attribute) and name in ("read_text", "write_text")
    return of_a_path or "text" in keywords and name in ("run", "Popen", "check_output")


def depends_on_the_system(call: ast.Call, name: str, keywords: dict) -> bool:
    """Whether text is written with the line ends of the system at hand, other ones on Windows."""
    if name == "write_text":
        return "newline" not in keywords
    if name != "open" or not isinstance(call.func, ast.Name) or ast.unparse(call.args[0]) == "os.devnull":
        return False
    mode = ast.literal_eval([*call.args[1:2], keywords.get("mode", ast.Constant("r"))][0])
    return "b" not in mode and "r" not in mode and "newline" not in keywords


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_written_has_the_same_line_ends_everywhere(path):
    assert [found[0].lineno for found in calls_in(path) if depends_on_the_system(*found)] == []


@pytest.mark.parametrize("path", [*PACKAGE, *TESTS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_has_an_encoding(path):
    lines = [found[0].lineno for found in calls_in(path) if depends_on_the_locale(*found)]
    assert lines == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("path.read_text()", True),
        ("path.write_text('a', encoding='utf-8')", False),
        ("read_text(path)", False),
        ("open(path)", True),
        ("open(path, 'rb')", False),
        ("open(path, mode='wb')", False),
        ("os.open(path, flags)", False),
        ("subprocess.run(command, text=True)", True),
        ("axes.set(text=True)", False),
    ],
)
def test_what_depends_on_the_locale(source, expected, tmp_path):
    path = tmp_path / "source.py"
    path.write_text(source, encoding="utf-8")
    (call,) = calls_in(path)
    assert depends_on_the_locale(*call) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("open(path, 'a', encoding='utf-8')", True),
        ("open(path, 'w', encoding='utf-8', newline='\\n')", False),
        ("open(path, 'wb')", False),
        ("open(path, encoding='utf-8')", False),
        ("open(os.devnull, 'w', encoding='utf-8')", False),
        ("path.write_text('a', encoding='utf-8')", True),
    ],
)
def test_what_depends_on_the_system(source, expected):
    (call,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
    assert depends_on_the_system(call, name, {word.arg: word.value for word in call.keywords}) == expected


def test_no_test_sleeps():
    """A browser's tests excepted, where nothing tells that a page is at rest. A sleep of 0 lets other tasks run."""
    sleeps = [
        f"{path.relative_to(ROOT)}, line {call.lineno}"
        for path in TESTS
        if "browser" not in path.parts
        for call, name, _ in calls_in(path)
        if name == "sleep" and ast.unparse(call.args) != "0"
    ]
    assert sleeps == []


def test_files_and_functions_are_short():
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    for path in [*PACKAGE, *TESTS, *(ROOT / "rcnn_tutorial").rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path
        if path.suffix == ".py":
            found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, functions)]
            assert [node.name for node in found if node.end_lineno - node.lineno >= 40] == [], path
