// What a picture shows: `scene.py` and `roles.py` in the browser. Each function makes a layer as `canvas.js` draws it,
// equal to what `canvas.py` sends for the same layer.
//
// `look`, the last argument, has what a layer may have: `name` in the legend (undefined: the role's; "": none), `width`
// of the line and `opacity`, and what the functions name.

export const PALETTE = [
  "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#332288", "#882255", "#BBBBBB",
];
export const [RED, GREEN, BLUE, YELLOW, WHITE] = [PALETTE[5], PALETTE[2], PALETTE[4], PALETTE[3], "#FFFFFF"];
const CLASS_COLORS = ["#882255", "#56B4E9", "#BBBBBB", "#999933", "#AA4499", "#CC79A7", "#E69F00", "#C9B1FF"];
export const GROUND = "#404040";
export const DASHES = { solid: [], dashed: [8, 5], dotted: [2, 4], dashdot: [10, 4, 2, 4] };
const MANY = 200; // above this many items a layer has no rim

export const role = (color, dash = "solid", name = "") => ({ color, dash, name });
export const PLAIN = role(WHITE);
export const OTHER = role(WHITE, "dotted", "other classes");
export const GROUND_TRUTH = role(YELLOW, "dashdot", "object");
export const BEFORE = role(RED, "dashed", "before");
export const AFTER = role(GREEN, "solid", "after");
export const CHOSEN = role(BLUE, "solid", "chosen");
export const [ANCHOR, PROPOSAL] = [{ ...BEFORE, name: "anchor" }, { ...AFTER, name: "proposal" }];
export const [BACKGROUND, FOREGROUND] = [{ ...BEFORE, name: "background" }, { ...AFTER, name: "foreground" }];
export const ROI = { ...BEFORE, name: "ROI" };

// What the controls say cannot be drawn; the message is the sentence's end, "Not possible: ...".
export class Impossible extends Error {}

export const classColor = (label) => CLASS_COLORS[(label - 1) % CLASS_COLORS.length];

// Black or white, whichever stands out more on a color.
export function inkOn(color) {
  const [red, green, blue] = [1, 3, 5].map((i) => {
    const c = parseInt(color.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? "#000000" : "#FFFFFF";
}

function layer(kind, data, role, { name = role.name, width = 3, opacity = 1 }) {
  return { color: role.color, ink: inkOn(role.color), dash: DASHES[role.dash], width, opacity, name, kind, data };
}

// Numbers of any nesting; `count` of items tells whether there are few enough for a rim.
function numbers(kind, items, role, look) {
  const flat = [];
  const add = (item) => (typeof item === "number" ? flat.push(item) : item.forEach(add));
  items.forEach(add);
  return { ...layer(kind, Float32Array.from(flat), role, look), rim: items.length <= MANY };
}

// Boxes [[x1, y1, x2, y2], ...]. `fill`: opacity of the inside. `labels`: a text each, or none. `hover`: a text each,
// or a function of the index.
export function boxes(items, role = PLAIN, { fill = 0, labels = [], hover = [], ...look } = {}) {
  const textOf = typeof hover === "function" ? hover : (i) => hover[i] ?? "";
  const texts = { labels: labels.join("\n"), hover: typeof hover === "function" || hover.length > 0, fill };
  return { ...numbers("boxes", items, role, look), ...texts, textOf };
}

// Points [[x, y], ...]. `shape`: dot, ring or cross. `radius`: screen pixels. `labels`: a text each, or none.
export function points(items, role = PLAIN, { shape = "dot", radius = 3, labels = [], ...look } = {}) {
  return { ...numbers("points", items, role, look), shape, radius, labels: labels.join("\n") };
}

// Words at points. `letter`: their height in the picture's coordinates. `align`: left, center or right. `turned`: up.
export function words(items, texts = [], role = PLAIN, style = {}) {
  const { letter = 12, align = "center", turned = false, ...look } = style;
  return { ...numbers("words", items, role, look), words: texts.join("\n"), letter, align, turned };
}

// Lines through as many points each, [[[x, y], ...], ...]. `closed`: back to the first. `arrow`: a head at the last.
export function lines(items, role = PLAIN, { closed = false, arrow = false, ...look } = {}) {
  return { ...numbers("lines", items, role, look), points: items[0]?.length ?? 1, closed, arrow };
}

// Numbers (h, w) as colors. `colors`: the 256 of the map, (256, 3). `low`, `high`: the values of the first and the
// last; by themselves the smallest and the largest. `extent`: x1, y1, x2, y2; null: the whole picture.
export function heatmap(rows, colors, { low, high, extent = null, ...look } = {}) {
  const values = rows.flat();
  const least = low ?? values.reduce((a, b) => Math.min(a, b));
  const most = high ?? values.reduce((a, b) => Math.max(a, b));
  const span = Math.max(most - least, 1e-12);
  const data = new Uint8ClampedArray(4 * values.length);
  values.forEach((value, i) => {
    const share = Math.fround(Math.fround(value - Math.fround(least)) / Math.fround(span)) || 0;
    data.set([...colors[Math.min(Math.max(Math.floor(share * 256), 0), 255)], 255], 4 * i);
  });
  const stops = [0, 128, 255].map((stop) => hex(colors[stop]));
  return { ...layer("pixels", data, PLAIN, look), shape: [rows.length, rows[0].length], extent, stops };
}

// A small image, (h, w, 3) of 0 to 255 as a flat array, every pixel a sharp square.
export function picture(rgb, [height, width], { extent = null, ...look } = {}) {
  return { ...layer("pixels", rgba(rgb, height * width), PLAIN, look), shape: [height, width], extent };
}

// The layers that show something, so that the legend names what is there.
export const notEmpty = (layers) => layers.filter(({ data }) => data.length);

// Colors of so many pixels with a fourth number each, as a canvas takes them.
export function rgba(rgb, count) {
  const data = new Uint8ClampedArray(4 * count).fill(255);
  for (let i = 0; i < 3 * count; i++) data[i + Math.floor(i / 3)] = rgb[i]; // a fourth value after each three
  return data;
}

const hex = (rgb) => `#${rgb.map((c) => c.toString(16).padStart(2, "0")).join("")}`;
