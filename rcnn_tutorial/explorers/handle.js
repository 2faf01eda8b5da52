// A box that the reader moves, an element over the canvas. One text with canvas.js, which follows.

const SIDES = ["n", "w", "s", "e", "nw", "ne", "sw", "se"]; // each lies over those before it
const PLACES = [[0, -1], [1, 1], [0, 1]]; // of the round grip: above the box, below it, inside at the top
const STEM = matchMedia("(pointer: coarse)").matches ? 44 : 30; // screen pixels between that grip and its side
const TEN_PIXELS = /^(Mac|iP)/.test(navigator.platform) ? "Command" : "Control";

// An element over the picture, so that focus, cursor and speech are the browser's own.
class Handle {
  constructor(parent, style) {
    this.element = add(parent, "div", {
      class: "rcnn-handle", "data-handle": style.key, tabindex: 0, role: "slider",
      "aria-label": style.name, "aria-roledescription": "movable box",
    });
    const grips = SIDES.map((side) => `<i data-side="${side}" style="cursor: ${side}-resize"></i>`).join("");
    this.element.innerHTML = outline(style) + (style.resizable ? grips : "");
    this.grip = add(this.element, "b", { class: "rcnn-turn", style: `color: ${style.color}; --stem: ${STEM}px` });
  }

  // What the reader may do with it; a frame may forbid to turn it.
  restyle(style) {
    this.style = style;
    this.grip.hidden = !style.turnable;
    const resize = style.resizable ? ", with Shift they resize it" : "";
    const turn = style.turnable ? "; Page Up and Page Down turn it, with Shift by ten degrees" : "";
    const said = `Arrow keys move it${resize}, with ${TEN_PIXELS} by ten pixels${turn}`;
    this.element.setAttribute("aria-description", said);
  }

  // `angle`: degrees, clockwise, about the middle of the box.
  put(box, angle, size) {
    Object.assign(this, { box, angle });
    const [x1, y1, x2, y2] = box;
    const text = `x ${x1} to ${x2}, y ${y1} to ${y2}${angle ? `, turned by ${angle}°` : ""}`;
    const value = { min: 0, max: size[1], now: x1, text };
    for (const [name, said] of Object.entries(value)) this.element.setAttribute(`aria-value${name}`, said);
    this.element.style.zIndex = -Math.round((x2 - x1) * (y2 - y1)); // a small box stays within reach over a large one
    this.element.style.rotate = `${angle}deg`;
    lay(this.element, box, size);
  }

  // Put the round grip where the picture has room for it. `scale`: screen pixels an image pixel.
  aim(scale, [height, width]) {
    const [x, y] = middle(this.box);
    const tall = this.box[3] - this.box[1];
    const away = ([side, way]) => [0, (side - 0.5) * tall + (way * STEM) / scale];
    const inside = (at) => at.every((v, i) => v > 10 / scale && v < [width, height][i] - 10 / scale);
    const [side, way] = PLACES.find((place) => inside(plus([x, y], turned(away(place), this.angle)))) ?? PLACES[2];
    this.grip.style.top = `calc(${100 * side}% + ${way * STEM}px)`;
    this.grip.classList.toggle("rcnn-below", way > 0);
  }

  // What its name stands beside: the box, or the upper corner of a turned one.
  named() {
    if (!this.angle) return this.box;
    const [x1, y1, x2] = this.box;
    const center = middle(this.box);
    const corner = plus(center, turned(minus([this.angle > 0 ? x1 : x2, y1], center), this.angle));
    return [...corner, ...corner];
  }

  // The box after it was moved by image pixels, or a side pulled by pixels of the turned frame. The rule of `moved`
  // holds for the box as it is before it is turned, so that turned corners may leave the picture.
  after(box, by, side, size) {
    const next = moved(box, by, side, size);
    if (!side || !this.angle) return next;
    const off = minus(middle(next), middle(box)); // the opposite side stays where it is seen
    return moved(next, minus(turned(off, this.angle), off), "", size).map((v) => Math.round(10 * v) / 10);
  }
}

// ---- points [x, y]

const plus = ([x, y], [dx, dy]) => [x + dx, y + dy];
const minus = ([x, y], [dx, dy]) => [x - dx, y - dy];
const middle = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];

function turned([x, y], degrees) {
  const [cos, sin] = [Math.cos, Math.sin].map((of) => of((degrees * Math.PI) / 180));
  return [x * cos - y * sin, x * sin + y * cos];
}

// Degrees from one point to another around a center, the short way.
function swing(center, from, to) {
  const [before, after] = [from, to].map((point) => minus(point, center)).map(([x, y]) => Math.atan2(y, x));
  const degrees = ((after - before) * 180) / Math.PI;
  return degrees - 360 * Math.round(degrees / 360);
}

// ---- boxes

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
