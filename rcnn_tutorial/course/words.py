"""The lessons' words that hold in a notebook alone, and what a page says in their place.

On a page nothing is run and nothing has to wake, the trainings of 08 are recorded, and exercises are to be read.
"""

from collections.abc import Mapping

ON_A_PAGE: Mapping[str, str] = {
    "Run all cells (*Run > Run All Cells*), then press the triangle: one": "Press **Play**: one",
    "with the slider, on any photo;": "with the slider (in the notebook on any photo);",
    "Press **Start**: the RPN's": "This training was recorded; move **Step**: the RPN's",
    "Go back to the monitor under *One picture*; it holds the finished run. Each of its buttons sets the controls for "
    "a new run and keeps the old ones as pale curves. Decide what you expect, then **Start**.": (
        "Decide what you expect; the answers tell what came out. To try it, open the notebook: each button of its "
        "monitor sets the controls for a new run, and **Start** trains."
    ),
    "(60 steps are enough to answer: *More*, then *Steps in all*.)": "",
    "The next cell runs the whole training in the monitor above, step after step as `train` does, from its first "
    "weights, and then judges it on 500 scenes that it has never seen. (■ in the toolbar stops it; what was learned "
    "stays.)": (
        "The next cell ran the whole training in the monitor above, step after step as `train` does, from its first "
        "weights, and then judged it on 500 scenes that it had never seen."
    ),
    "Write the function, run the cell, read the answer.": (
        "To be read here; in the notebook (`make lab`) you write each function, run its cell, and read the answer."
    ),
}


def on_a_page(text: str) -> str:
    """A lesson's Markdown as its page has it."""
    for words, instead in ON_A_PAGE.items():
        text = text.replace(words, instead)
    return text
