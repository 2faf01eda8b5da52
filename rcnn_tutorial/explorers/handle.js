// A box that the reader moves, and what it takes to put elements over the canvas. One text with canvas.js, which follows.

const SIDES = ["n", "w", "s", "e", "nw", "ne", "sw", "se"]; // each lies over those before it
const TEN_PIXELS = /^(Mac|iP)/.test(navigator.platform) ? "Command" : "Control";

// An element over the picture, so that focus, cursor and speech are the browser's own.
class Handle {
  constructor(parent, style) {
    this.style = style;
    const resize = style.resizable ? ", with Shift they resize it" : "";
    this.element = add(parent, "div", {
      class: "rcnn-handle", "data-handle": style.key, tabindex: 0, role: "slider",
      "aria-label": style.name, "aria-roledescription": "movable box",
      "aria-description": `Arrow keys move it${resize}, with ${TEN_PIXELS} by ten pixels`,
    });
    const grips = SIDES.map((side) => `<i data-side="${side}" style="cursor: ${side}-resize"></i>`).join("");
    this.element.innerHTML = outline(style) + (style.resizable ? grips : "");
  }

  put(box, size) {
    this.box = box;
    const [x1, y1, x2, y2] = box;
    const value = { min: 0, max: size[1], now: x1, text: `x ${x1} to ${x2}, y ${y1} to ${y2}` };
    for (const [name, said] of Object.entries(value)) this.element.setAttribute(`aria-value${name}`, said);
    this.element.style.zIndex = -Math.round((x2 - x1) * (y2 - y1)); // a small box stays within reach over a large one
    lay(this.element, box, size);
  }
}

// Moved as a whole, or by the sides that a compass names ("se"); kept inside the picture and at least a pixel wide.
function moved([x1, y1, x2, y2], [dx, dy], side, [height, width]) {
  if (!side) {
    const [right, down] = [clamp(dx, -x1, width - x2), clamp(dy, -y1, height - y2)];
    return [x1 + right, y1 + down, x2 + right, y2 + down];
  }
  return [
    side.includes("w") ? clamp(x1 + dx, 0, x2 - 1) : x1,
    side.includes("n") ? clamp(y1 + dy, 0, y2 - 1) : y1,
    side.includes("e") ? clamp(x2 + dx, x1 + 1, width) : x2,
    side.includes("s") ? clamp(y2 + dy, y1 + 1, height) : y2,
  ];
}

// Put an element of the sheet over a box of the image.
function lay(element, [x1, y1, x2, y2], [height, width]) {
  const place = { left: x1 / width, top: y1 / height, width: (x2 - x1) / width, height: (y2 - y1) / height };
  for (const [side, share] of Object.entries(place)) element.style[side] = `${100 * share}%`;
}

// The line of a layer around the element that holds it; one that can be resized has squares at its corners.
function outline({ color, ink, dash, width, fill, opacity, resizable }) {
  const line = (look) => `<rect width="100%" height="100%" ${look}/>`;
  const square = (x, y) => `<rect class="rcnn-corner" x="${x}" y="${y}" fill="${color}" stroke="${ink}"/>`;
  const corners = [["0", "0"], ["100%", "0"], ["0", "100%"], ["100%", "100%"]].map(([x, y]) => square(x, y)).join("");
  return `<svg aria-hidden="true" opacity="${opacity}">
    ${line(`fill="${color}" fill-opacity="${fill}" stroke="${ink}" stroke-opacity="0.6" stroke-width="${width + 2}"`)}
    ${line(`fill="none" stroke="${color}" stroke-width="${width}" stroke-dasharray="${dash.join(" ")}"`)}
    ${resizable ? corners : ""}</svg>`;
}

function add(parent, tag, attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}
