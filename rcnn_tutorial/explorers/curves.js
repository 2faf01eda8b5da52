// The curves of a training: a panel for each loss with a scale of its own, one for recall and one for mAP. `curves.py`
// in the browser. A series is [[step, value], ...].

import { GROUND, lines, PALETTE, PLAIN, points, role, WHITE } from "./scene.js";
import { general } from "./text.js";

const [COLUMN, ROW] = [230, 170]; // what a panel takes of the picture, in its coordinates, with
const [LEFT, TOP, RIGHT, FOOT] = [52, 30, 12, 30]; // the room around the curves for their numbers and titles
const DIGITS = [1, 2, 3, 4, 6, 8, 10]; // where an axis may end
const WINDOW = 10; // steps of the moving average
const NOW = role(WHITE);
const EARLIER = [role(PALETTE[1], "dashed"), role(PALETTE[0], "dotted"), role(PALETTE[6], "dashdot")];
const TEXT = role(GROUND);

// All panels of a run. series: panel -> series, as far as the run went. earlier: name -> the same of an earlier run, at
// most three. panels: the names of the RPN's panels, and of the detector's. measures: [recall, mAP]. steps: how long
// the axes are. name: the run's. The panels stand in two columns.
export function curveLayers({ series, earlier, panels, measures, steps, name }) {
  const known = Object.entries(earlier).slice(0, EARLIER.length); // [name, series by panel]
  const curves = panels.flatMap((names, i) => names.flatMap((panel, k) => {
    const runs = known.map(([, run]) => run[panel].filter(([step]) => step <= steps));
    return panelLayers(panel, [i, k], series[panel], runs, measures, steps);
  }));
  const legend = known.map(([text], i) => lines([], { ...EARLIER[i], name: text }));
  return [...curves, lines([], { ...NOW, name }), ...legend];
}

// Axes and curves of one quantity, without entries in the legend. corner: column and row of the panel.
function panelLayers(panel, corner, values, runs, measures, steps) {
  const measured = measures.includes(panel);
  const all = [values, ...runs].flat().map(([, value]) => value);
  const highest = all.length ? all.reduce((a, b) => Math.max(a, b)) : 1;
  const least = [1, 0.2][measures.indexOf(panel)] ?? 0;
  const place = new Place(corner, steps, Math.max(least, roundUp(highest)));
  const every = lines(nonempty(place.points(values)), role(WHITE), { name: "", width: 1, opacity: 0.5 });
  return [
    ...place.axes(panel),
    ...runs.flatMap((pairs, i) => place.curve(pairs, EARLIER[i], measured, { width: 2.5, opacity: 0.8 })),
    ...(measured ? [] : [every]),
    ...place.curve(values, NOW, measured, { width: 4 }),
  ];
}

// Where a panel lies in the picture, and what its axes count.
class Place {
  constructor([column, row], steps, top) {
    const [x, y] = [column * COLUMN, row * ROW];
    const sides = { left: x + LEFT, right: x + COLUMN - RIGHT, high: y + TOP, low: y + ROW - FOOT };
    Object.assign(this, { x, steps, top, ...sides });
  }

  // (step, value) pairs as points of the picture: (K, 2).
  points(pairs) {
    const [across, up] = [(this.right - this.left) / this.steps, (this.low - this.high) / this.top];
    return pairs.map(([step, value]) => [this.left + step * across, this.low - value * up]);
  }

  // What is measured now and then: dots, joined. A loss: the mean of ten steps; of a single step it is a dot.
  curve(pairs, look, measured, more) {
    const means = movingAverage(pairs.map(([, value]) => value));
    const places = this.points(measured ? pairs : pairs.map(([step], i) => [step, means[i]]));
    const dots = measured || pairs.length === 1 ? [points(places, role(look.color), { name: "", radius: 4 })] : [];
    return [lines(nonempty(places), look, { name: "", ...more }), ...dots];
  }

  // The title, which is what the upward axis counts; lines at 0, half and top; the steps.
  axes(title) {
    const { x, steps, top, left, right, high, low } = this;
    const [middle, half, foot] = [(high + low) / 2, (left + right) / 2, low + FOOT];
    const level = [high, middle].map((y) => [[left, y], [right, y]]);
    const edge = [[[left, high], [left, low]], [[left, low], [right, low]]];
    const counted = ["step", String(Math.floor(steps / 2)), String(steps)];
    const texts = [top, top / 2, 0].map((value) => general(value));
    if (texts[1].length > 4) texts[1] = ""; // no room for more
    const said = (places, labels) => points(places, TEXT, { radius: 0, labels });
    return [
      lines(level, PLAIN, { name: "", width: 1, opacity: 0.25 }),
      lines(edge, PLAIN, { name: "", width: 1, opacity: 0.7 }),
      said([[left - 6, high]], [title]),
      said([high, middle, low].map((y) => [x, y + 12]), texts),
      said([left, half + 4, right - 30].map((at) => [at, foot]), counted),
    ];
  }
}

// One line, or none where it has no points.
const nonempty = (places) => (places.length ? [places] : []);

// The mean of each value and the nine before it; at the start, of as many as there are.
function movingAverage(values) {
  const total = [0];
  for (const value of values) total.push(total[total.length - 1] + value);
  return values.map((_, i) => (total[i + 1] - total[Math.max(i + 1 - WINDOW, 0)]) / Math.min(i + 1, WINDOW));
}

// The smallest number of one of DIGITS and a power of ten that is not below `value`; 0.01 at least.
function roundUp(value) {
  const power = Math.max(value, 0.01).toExponential().split("e")[1];
  return DIGITS.map((digit) => Number(`${digit}e${power}`)).find((top) => top >= value);
}
