// What a notebook stores of a widget stands before its live view. JupyterLab hides it by a style, which also brings it
// back when the kernel is gone; elsewhere (Colab, VS Code) it is found and hidden here. One text with canvas.js or
// form.js.

// Hides the outputs before the one that holds `el`; returns what brings them back. marks: selectors of what they hold,
// that of the nearest first.
function hideStills(el, marks) {
  let stills = [];
  const seen = new ResizeObserver(() => {
    seen.disconnect(); // a view is put on the page after it is made
    stills = el.closest(".jp-OutputArea-child") ? [] : stillsBefore(el, marks);
    for (const still of stills) still.style.display = "none";
  });
  seen.observe(el);
  return () => {
    seen.disconnect();
    for (const still of stills) still.style.removeProperty("display");
  };
}

function stillsBefore(el, marks) {
  const holds = (output, mark) => output.matches(mark) || output.querySelector(mark) !== null;
  for (let output = el; output; output = output.parentElement) {
    const stills = [];
    for (let at = output.previousElementSibling; at && stills.length < marks.length; at = at.previousElementSibling)
      stills.push(at);
    const live = stills.some((still) => holds(still, ".rcnn-canvas, .rcnn-ask")); // these belong to another cell
    if (stills.length === marks.length && !live && stills.every((still, i) => holds(still, marks[i]))) return stills;
  }
  return [];
}
