"""What a finger has to hit on an open page, and how high it is."""

from __future__ import annotations

LEAST = 44  # screen pixels
# With everything unfolded: of a box or a round button its label, of a handle all that takes hold of it.
HEIGHTS = """() => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    for (const more of document.querySelectorAll(".rcnn-presets [aria-expanded=false]")) more.click();
    const height = (parts) => {
        const boxes = parts.map((part) => part.getBoundingClientRect());
        return Math.max(...boxes.map(({ bottom }) => bottom)) - Math.min(...boxes.map(({ top }) => top));
    };
    const labelled = (target) => ["checkbox", "radio", "file"].includes(target.type);
    const grips = (target) => target.querySelectorAll("i, .rcnn-turn");
    const parts = (target) => (labelled(target) ? [target.labels[0]] : [target, ...grips(target)]);
    const seen = (target) => parts(target)[0].checkVisibility();
    return [...document.querySelectorAll("button, input, select, textarea, summary, .rcnn-handle")].filter(seen)
        .map((target) => [target.outerHTML.slice(0, 120), height(parts(target))]);
}"""


def small_targets(page) -> list[str]:
    """Those that are less than 44 pixels high."""
    return [f"{height}: {element}" for element, height in page.evaluate(HEIGHTS) if height < LEAST]
