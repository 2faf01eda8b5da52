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
    module for an import that is not there, for a circle of imports, for a form that is not known, and for `</script`,
    which would end the page's script.
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
        for names, other in _IMPORT.findall(sources[name]):
            _place(other, sources, done, (*above, name))
            _check_names(name, names, other, sources[other])
        done[name] = _wrapped(name, sources[name])


def _check_names(name: str, names: str, other: str, text: str) -> None:
    """Raise DataError where the module `name` imports what the module `other`, with its text, does not export."""
    wanted = [one.split(" as ")[0].strip() for one in names.split(",")]
    missing = [one for one in wanted if one and one not in _exports(text)]
    if missing:
        raise DataError(f"{name}: imports {', '.join(missing)} from {other}, which exports no such name")


def _exports(text: str) -> list[str]:
    """The names that a module exports."""
    names = [one for found in _EXPORT.findall(text) for one in re.findall(r"\w+", found)]
    return names + [one.strip() for found in _DEFAULT.findall(text) for one in found.split(",")]


def _wrapped(name: str, text: str) -> str:
    """A module as a function that is called and returns what it exports."""
    if "</script" in text.lower():
        raise DataError(f"{name}: contains </script, which would end the page's script; write <\\/script")
    body = _IMPORT.sub(lambda found: f'const {{{_renamed(found[1])}}} = modules["{found[2]}"];', text)
    body = _DEFAULT.sub("", _EXPORT.sub("", body))
    unknown = _ANY.search(re.sub(r"`(?:[^`\\]|\\.)*`", "", body))
    if unknown:
        raise DataError(f"{name}: {unknown[0].strip()!r} is of no form that course/bundle.py knows; see its docstring")
    return f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {", ".join(_exports(text))} }};\n}})();'


def _renamed(names: str) -> str:
    return re.sub(r"(\w+) as (\w+)", r"\1: \2", names)
