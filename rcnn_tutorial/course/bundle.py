"""The modules of a page as one script, because a page that was opened from a disk may not load others.

Modules are ES modules of a narrow form, and what this does not know it refuses: `import { a, b as c } from "./x.js";`,
`export function`, `export const`, `export class`, `export default { a };`. Each becomes a function that is called at
once and returns what the module exports.
"""

import re
from collections.abc import Iterable, Mapping

from rcnn_tutorial.errors import DataError

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.-]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+|\[[^\]]*\]))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default \{([^}]*)\};$", re.MULTILINE)
_ANY = re.compile(r"^\s*(?:import|export)\b.*$", re.MULTILINE)


def bundle(entries: Iterable[str], sources: Mapping[str, str]) -> str:
    """One script that runs the modules `entries` and, each before those that import it, all that they import.

    sources: name -> text of each module. What a module exports is in `modules["name"]`. Raises DataError naming the
    module for an import that is not there, for a circle of imports, and for a form that is not known.
    """
    done: dict[str, str] = {}
    for entry in entries:
        _place(entry, sources, done, ())
    return "\n".join(['"use strict";', "const modules = {};", *done.values()])


def _place(name: str, sources: Mapping[str, str], done: dict[str, str], above: tuple[str, ...]) -> None:
    """Put a module into `done`, after those that it imports. above: the modules that wait for it."""
    if name in above:
        raise DataError(f"{name}: imports itself by way of {', '.join(above[above.index(name) :])}")
    if name not in sources:
        raise DataError(f"{name}: {above[-1] if above else 'the page'} imports it, and there is no such module")
    if name not in done:
        for _, other in _IMPORT.findall(sources[name]):
            _place(other, sources, done, (*above, name))
        done[name] = _wrapped(name, sources[name])


def _wrapped(name: str, text: str) -> str:
    """A module as a function that is called and returns what it exports."""
    names = [one for found in _EXPORT.findall(text) for one in re.findall(r"\w+", found)]
    names += [one.strip() for found in _DEFAULT.findall(text) for one in found.split(",")]
    body = _IMPORT.sub(lambda found: f'const {{{_renamed(found[1])}}} = modules["{found[2]}"];', text)
    body = _DEFAULT.sub("", _EXPORT.sub("", body))
    unknown = _ANY.search(re.sub(r"`(?:[^`\\]|\\.)*`", "", body))
    if unknown:
        raise DataError(f"{name}: {unknown[0].strip()!r} is of no form that course/bundle.py knows; see its docstring")
    return f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {", ".join(names)} }};\n}})();'


def _renamed(names: str) -> str:
    return re.sub(r"(\w+) as (\w+)", r"\1: \2", names)
