"""When the explorers of a page are all there: a picture and its handles come after the sentence, once decoded."""

from __future__ import annotations

DRAWN = "!document.querySelector('[data-explorer]:not(:has(canvas)), [data-explorer] canvas:not([data-count])')"


def open_drawn(page, address: str) -> None:
    """Open an address in a page of Chromium, and wait until its explorers are drawn."""
    page.goto(address)
    page.wait_for_function(f"() => {DRAWN}")  # a bare expression is refused by the policy of our pages
