// Horizontal bars as layers: `bars.py` in the browser.

import { boxes, lines, PLAIN, points } from "./scene.js";

export const SIZE = [700, 460]; // height and width of a canvas for bars, in its own coordinates
export const TOP = 8;
const [LEFT, LONGEST] = [6, 280]; // where the bars begin; the length of a bar of 1
const SHORTEST = 8; // what would be a shorter bar is its text alone

// One bar under the other, each `height` high with its gap; at their left end a line.
//
// rows: { text, share, role, hollow } each, `share` from 0 to 1; hollow bars have an outline only, and one without a
// text is a gap.
export function bars(rows, height) {
  const there = rows.map((bar, row) => ({ ...bar, box: boxOf(row, bar.share, height) })).filter((bar) => bar.text);
  const kinds = new Map(); // the bars of one look, in the order of their first
  for (const bar of there) {
    const kind = JSON.stringify([bar.role, bar.hollow ?? false]);
    kinds.set(kind, [...(kinds.get(kind) ?? []), bar]);
  }
  const axis = lines([[[LEFT, 0], [LEFT, SIZE[0]]]], PLAIN, { width: 1.5 });
  return [axis, ...[...kinds.values()].flatMap(alike)];
}

// Bars of one look, and their texts.
function alike(rows) {
  const { role, hollow } = rows[0];
  const long = rows.filter(({ box: [x1, , x2] }) => x2 - x1 >= SHORTEST);
  const ends = rows.map(({ box: [, y1, x2, y2] }) => [x2, (y1 + y2) / 2]);
  const outline = { ...role, dash: hollow ? "dotted" : "solid" };
  return [
    boxes(long.map(({ box }) => box), outline, { width: 1.5, fill: hollow ? 0 : 0.6, name: "" }),
    points(ends, role, { radius: 1, labels: rows.map(({ text }) => text), name: "" }),
  ];
}

// A dashed line across all bars at a length, with a text at its foot.
export function mark(share, text) {
  const x = LEFT + LONGEST * share;
  return line([[x, 0], [x, SIZE[0]]], [x, SIZE[0] - 14], text);
}

// A dashed line between two bars, with a text at its right end if there is one.
export function level(y, text = "") {
  return line([[LEFT, y], [SIZE[1], y]], [LEFT + LONGEST + 64, y], text);
}

function line(ends, place, text) {
  const layers = [lines([ends], { ...PLAIN, dash: "dashed" }, { width: 2 })];
  return text ? [...layers, points([place], PLAIN, { radius: 1, labels: [text], name: "" })] : layers;
}

function boxOf(row, share, height) {
  const gap = Math.min(8, height / 4);
  const top = TOP + row * height;
  return [LEFT, top, LEFT + LONGEST * Math.min(share, 1), top + height - gap];
}
