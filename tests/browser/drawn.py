"""When the explorers of a page are all there: a picture and its handles come after the sentence, once decoded."""

from __future__ import annotations

from browser_lab import ANSWER_TIMEOUT

# What waits for a photo is hidden, and not waited for.
DRAWN = """!document.querySelector(
    "[data-explorer]:not(:has(canvas), [hidden] *), [data-explorer] canvas:not([data-count])"
)"""


def open_drawn(page, address: str) -> None:
    """Open an address in a page of Chromium, and wait until its explorers are drawn."""
    page.set_default_timeout(ANSWER_TIMEOUT)
    page.goto(address)
    page.wait_for_function(f"() => {DRAWN}")  # a bare expression is refused by the policy of our pages
