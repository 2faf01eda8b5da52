"""axe-core on an open page: what it finds against WCAG 2 A and AA."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

AXE = Path(os.environ.get("AXE", Path(__file__).parents[2] / "build/node_modules/axe-core/axe.min.js"))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(page, part: str = "html") -> list[str]:
    """Every violation on the page as rule and element; fails where axe-core is missing or did not look.

    part: the selector of what is looked at.
    """
    if not AXE.is_file():
        pytest.fail(f"{AXE} is missing; run: npm install --prefix build axe-core", pytrace=False)
    page.evaluate(AXE.read_text(encoding="utf-8"))  # a page's own policy may refuse every script, a <script> too
    found = page.evaluate(
        "([part, tags]) => axe.run(part, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})",
        [part, RULES],
    )
    assert len(found["passes"]) > 2  # it did look
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]
