"""What the kernel knows of every explorer and what the page shows of it, in the same terms, so that they compare."""

from __future__ import annotations

import inspect

from browser_lab import OpenExplorer, OpenNotebook

ROUNDS = 200  # a page and a kernel that correct each other without end would never come to rest


def explorer_states(namespace: dict) -> dict[str, dict]:
    """Runs in the kernel. Variable's name -> what a page has to show: summary, frames, handles and readouts."""
    import ipywidgets as widgets

    from rcnn_tutorial.explorers.explorer import Explorer, Several

    def readout(control):
        if isinstance(control, widgets.Dropdown):
            return control.label
        if isinstance(control, widgets.Checkbox):
            return control.value
        if isinstance(control, Several):
            return [option in control.value for option in control.options]
        if isinstance(control, widgets.Play):
            return "player"  # its place is that of the slider it moves
        if isinstance(control, widgets.SelectionSlider):
            return [control.options[control.index][0], control.index]
        if hasattr(control, "readout_format"):
            return [format(control.value, control.readout_format), control.value]
        if isinstance(control, widgets.Label):
            return control.value
        return [child.description for child in getattr(control, "children", ())] or control.description

    explorers = {name: value for name, value in namespace.items() if isinstance(value, Explorer)}
    return {
        name: {
            "summary": explorer.summary,
            "frames": [canvas.frame["count"] for canvas in explorer.canvases],
            "handles": [list(map(list, canvas.handles.values())) for canvas in explorer.canvases],
            "controls": [readout(control) for control in explorer.controls.values()],
        }
        for name, explorer in explorers.items()
        if not name.startswith("_") or name[1:].isdigit()  # `_3`: the third cell has shown it, without a name
    }


IN_THE_KERNEL = inspect.getsource(explorer_states)
# A last cell: JupyterLab sends all cells at once, so it comes before whatever the page answers meanwhile.
SNAPSHOT = f"{IN_THE_KERNEL}\n_states_after_the_last_cell = explorer_states(globals())"
ON_THE_PAGE = """(root) => {
    const readout = (control) => {
        const [list] = control.querySelectorAll("select");
        if (list) return list.selectedOptions[0].text.replaceAll("\\u00a0", " ");
        const ticks = [...control.querySelectorAll("input[type=checkbox]")];
        const ticked = ticks.map((tick) => tick.checked);
        if (ticks.length) return control.querySelector(".rcnn-several") ? ticked : ticked[0];
        if (control.matches(".widget-play")) return "player";
        const slider = control.querySelector(".noUi-handle");
        const text = control.querySelector(".widget-readout")?.textContent.replace("\\u2212", "-");
        if (slider) return [text, Number(slider.getAttribute("aria-valuetext"))];
        const buttons = [...control.querySelectorAll("button")];
        return buttons.length ? buttons.map((button) => button.textContent) : control.textContent;
    };
    const numbers = (text) => text.match(/-?[0-9.]+ to -?[0-9.]+/g).flatMap((range) => range.split(" to ").map(Number));
    const box = (handle) => numbers(handle.ariaValueText);
    const canvases = [...root.querySelectorAll(".rcnn-canvas")];
    return {
        summary: root.querySelector(".rcnn-summary").textContent,
        labels: canvases.map((canvas) => canvas.querySelector("canvas").ariaLabel),
        frames: canvases.map((canvas) => Number(canvas.querySelector("canvas").dataset.count)),
        handles: canvases.map((canvas) => [...canvas.querySelectorAll(".rcnn-handle")].map(box)),
        controls: [...root.querySelectorAll(".rcnn-main > *, .rcnn-more > *")].map(readout),
    };
}"""


def kernel_states(notebook: OpenNotebook) -> dict[str, dict]:
    """Of every explorer that has a name or was shown, as the kernel has them now."""
    return notebook.ask_kernel(IN_THE_KERNEL, "explorer_states(globals())")


def states_after_the_last_cell(notebook: OpenNotebook) -> dict[str, dict]:
    """As they were when the last cell ended, before the page could answer anything."""
    return notebook.ask_kernel("", "_states_after_the_last_cell")


def page_state(explorer: OpenExplorer) -> dict:
    """Of one explorer, as the reader sees it."""
    return explorer.root.evaluate(ON_THE_PAGE)


def at_rest(notebook: OpenNotebook, explorer: OpenExplorer) -> tuple[dict[str, dict], dict]:
    """Kernel's states and the page's, once three looks in a row find the same: messages under way have arrived."""
    looks: list = []
    for _ in range(ROUNDS):
        notebook.round_trip()
        looks.append((kernel_states(notebook), page_state(explorer)))
        if len(looks) >= 3 and looks[-1] == looks[-2] == looks[-3]:
            return looks[-1]
    raise AssertionError(f"page and kernel do not come to rest: {looks[-2:]}")


def disagreements(kernel: dict, page: dict) -> list[str]:
    """Where the page shows something else than the kernel has: summary, picture, boxes, readouts."""
    found = [
        f"{part}: kernel {kernel[part]!r}, page {page[part]!r}"
        for part in ("summary", "frames")
        if kernel[part] != page[part]
    ]
    found += [f"label of a picture: {label!r}" for label in page["labels"] if label != kernel["summary"]]
    for ours, shown in zip(kernel["handles"], page["handles"], strict=True):
        moved = [[box[0], box[2], box[1], box[3]] for box in ours]  # it says x from, to; y from, to
        found += [f"boxes: kernel {moved}, page {shown}"] * (moved != shown)
    for ours, shown in zip(kernel["controls"], page["controls"], strict=True):
        found += [f"control: kernel {ours!r}, page {shown!r}"] * (not same_readout(ours, shown))
    return found


def same_readout(ours, shown) -> bool:
    """A slider has a text and a place, which may differ by a rounding error of the browser's; all else is equal."""
    if isinstance(ours, list) and isinstance(ours[0], str) and isinstance(ours[1], int | float):
        return ours[0] == shown[0] and abs(ours[1] - shown[1]) < 1e-6
    return ours == shown
