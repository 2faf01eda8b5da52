// The square chart of `precision_recall.py` and `reliability.py`: two axes from 0 to 1.

import { lines, PALETTE, PLAIN, role, words } from "./scene.js";
import { general } from "./text.js";

export const SIZE = [400, 420]; // [H, W] of the chart, in units of its own
export const [LEFT, RIGHT, UP, DOWN, LETTER] = [46, 16, 40, 50, 19]; // what surrounds the axes; height of type there

// [across, upward] as a place of the chart.
export function chartPlace([x, y]) {
  const [height, width] = SIZE;
  return [LEFT + x * (width - LEFT - RIGHT), height - DOWN - y * (height - UP - DOWN)];
}

// Two axes from 0 to 1 with their names.
export function chartAxes(acrossName, upwardName) {
  const [ticks, [height, width]] = [[0, 0.5, 1], SIZE];
  const grid = [...ticks.map((t) => [[0, t], [1, t]]), ...ticks.map((t) => [[t, 0], [t, 1]])];
  const across = ticks.map((t) => chartPlace([t, 0])).map(([x, y]) => [x, y + 15]);
  const upward = ticks.map((t) => chartPlace([0, t])).map(([x, y]) => [x - 14, y]);
  const numbers = ticks.map((t) => general(t));
  const below = [...across.slice(1), [(LEFT + width - RIGHT) / 2, height - 13]];
  return [
    lines(grid.map((line) => line.map(chartPlace)), role(PALETTE[9]), { width: 1, opacity: 0.4 }),
    words(below, [...numbers.slice(1), acrossName], PLAIN, { letter: LETTER }),
    words([[6, 14]], [upwardName], PLAIN, { letter: LETTER, align: "left" }),
    words(upward, numbers, PLAIN, { letter: LETTER, align: "right" }),
  ];
}
