"""When the explorers of a page are all there: a picture and its handles come after the sentence, once decoded."""

from __future__ import annotations

# Every picture is that of the last change. What waits for a photo is hidden, and not waited for.
DRAWN = """(() => {
    const places = [...document.querySelectorAll("[data-explorer]:not([hidden] *)")];
    const pictures = [...document.querySelectorAll("[data-explorer] .rcnn-canvas")];
    const drawn = (picture) => picture.dataset.frame === picture.querySelector("canvas").dataset.count;
    return places.every((place) => place.querySelector("canvas")) && pictures.every(drawn);
})()"""


def wait_until_drawn(page) -> None:
    """Until the explorers of a page of Chromium show what they say."""
    page.wait_for_function(f"() => {DRAWN}")  # a bare expression is refused by the policy of our pages


def open_drawn(page, address: str) -> None:
    """Open an address in a page of Chromium, and wait until its explorers are drawn."""
    page.goto(address)
    wait_until_drawn(page)
