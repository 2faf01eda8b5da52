"""Modules of a page as one script: what is imported comes first, and what is not understood is refused."""

import pytest

from rcnn_tutorial.course.bundle import bundle
from rcnn_tutorial.course.scripts import sources
from rcnn_tutorial.errors import DataError

TWO = {
    "a.js": 'import { one as first, Two } from "./b.js";\nexport const [x, y] = [first(), new Two().it];\n',
    "b.js": "export function one() { return 1; }\nexport class Two { it = 2; }\nconst hidden = 3;\n",
}


def test_what_is_imported_comes_first_and_once():
    script = bundle(["a.js", "b.js"], TWO)
    assert (
        script.index('modules["b.js"] =') < script.index('modules["a.js"] =') and script.count('modules["b.js"] =') == 1
    )
    assert 'const { one: first, Two } = modules["b.js"];' in script
    assert "return { x, y };" in script and "hidden }" not in script


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"a.js": 'import { x } from "./b.js";'}, "b.js: a.js imports it, and there is no such module"),
        ({}, "a.js: the page imports it"),
        ({"a.js": 'import { x } from "./a.js";\nexport const x = 1;'}, "a.js: imports itself by way of a.js"),
        ({"a.js": 'import * as b from "./b.js";'}, "'import \\* as b from \"./b.js\";' is of no form"),
        ({"a.js": "export let x = 1;"}, "'export let x = 1;' is of no form"),
        ({"a.js": "export default function f() {}"}, "is of no form"),
        (
            {"a.js": 'import { x, y as z } from "./b.js";', "b.js": "export const x = 1;\nconst y = 2;"},
            "a.js: imports y from b.js, which exports no such name",
        ),
        ({"a.js": 'export const x = "</SCRIPT>";'}, "a.js: contains </script"),
    ],
)
def test_what_is_not_understood_is_refused(texts, says):
    with pytest.raises(DataError, match=says):
        bundle(["a.js"], texts)


def test_every_module_of_the_package_is_bundled():
    modules = {name: text for name, text in sources().items() if "export " in text}
    script = bundle(modules, modules)
    assert all(f'modules["{name}"] = ' in script for name in modules)


def test_no_module_evaluates_text_or_asks_a_network():
    for name, text in sources().items():
        for word in ("eval(", "new Function", "fetch(", "XMLHttpRequest", "WebSocket", "import("):
            assert word not in text, (name, word)
