// The twin of `reliability.py`; `anchors.js` says how a twin is made.

import { areaAp, curveOf } from "./average_precision.js";
import { range } from "./boxes.js";
import { chartAxes, chartPlace, LEFT, RIGHT, SIZE, UP } from "./chart.js";
import { difficultOf, judge, match } from "./matching.js";
import { boxes, lines, PALETTE, points, RED, role, WHITE, words, YELLOW } from "./scene.js";
import { fixed, thousands } from "./text.js";

const f = Math.fround;
const SHARE = role(PALETTE[1], "solid", "share right");
const HONEST = role(WHITE, "dashed", "honest: score = share right");
const BIN = role(YELLOW, "dotted", "bin in hand");

export const ReliabilityExplorer = {
  draw({ temperature, bin, bins, iou }, { found, targets, classes }) {
    const hot = found.map((one) => ({ ...one, scores: one.scores.map((score) => heat(score, temperature)) }));
    const matches = match(hot, targets);
    const verdicts = judge(matches, targets.flatMap(difficultOf), iou);
    const result = reliability(matches, verdicts, bins);
    const chosen = Math.min(bin, bins) - 1;
    const meanAp = meanApOf(matches, verdicts, targets, classes);
    return {
      scenes: [{ layers: diagram(result, chosen) }],
      summary: inWords(result, temperature, chosen, meanAp),
      ranges: { bin: { max: bins } },
    };
  },

  // More bins: each can be taken in hand.
  changed(name, { bins }, before, tensors, ranges) {
    return name === "bins" ? { ranges: { bin: { max: Math.max(ranges.bin.max, bins) } } } : {};
  },

  // A click takes the bin under it in hand.
  clicked([x], { bins }) {
    const share = (x - LEFT) / (SIZE[1] - LEFT - RIGHT);
    return { bin: Math.min(Math.max(Math.ceil(share * bins), 1), bins) };
  },
};

// A score with its logit divided by a temperature.
function heat(score, temperature) {
  return temperature === 1 ? score : 1 / (1 + Math.exp(-Math.log(score / (1 - score)) / temperature));
}

// Scores beside what came of them, in bins of equal width from 0 to 1: `evaluation/reliability.py` in the browser.
//
// { confidence, right, counts }, (bins,) each, and the expected calibration error, NaN without a detection.
function reliability(matches, { right, neutral }, bins) {
  const judged = matches.map(({ score }, i) => ({ score, right: Number(right[i]) })).filter((_, i) => !neutral[i]);
  const binOf = ({ score }) => Math.min(Math.floor(score * bins), bins - 1);
  const of = range(bins).map((bin) => judged.filter((one) => binOf(one) === bin));
  const mean = (rows, name) => rows.reduce((sum, row) => sum + row[name], 0) / rows.length;
  const confidence = of.map((rows, bin) => (rows.length ? mean(rows, "score") : (bin + 0.5) / bins));
  const share = of.map((rows) => (rows.length ? mean(rows, "right") : 0));
  const far = of.reduce((sum, rows, bin) => sum + rows.length * Math.abs(confidence[bin] - share[bin]), 0);
  return { confidence, right: share, counts: of.map((rows) => rows.length), error: far / judged.length };
}

// The mean over the classes that have objects of AP by area; NaN without any.
function meanApOf(matches, { right, neutral }, targets, classes) {
  const labels = targets.flatMap((target) => target.labels.filter((_, i) => !difficultOf(target)[i]));
  const aps = range(classes.length).map((i) => i + 1).filter((label) => labels.includes(label)).map((label) => {
    const mine = (flags) => flags.filter((_, i) => matches[i].label === label);
    const objects = labels.filter((one) => one === label).length;
    return areaAp(curveOf({ right: mine(right), neutral: mine(neutral) }, objects));
  });
  return aps.reduce((sum, ap) => sum + ap, 0) / aps.length;
}

// Bars of the bins that hold something, their distance from the diagonal, their numbers on top.
function diagram({ confidence, right, counts, error }, chosen) {
  const bins = counts.length;
  const filled = range(bins).filter((bin) => counts[bin]); // (K,)
  const bars = filled.map((bin) => [...chartPlace([bin / bins, right[bin]]), ...chartPlace([(bin + 1) / bins, 0])]);
  const ends = filled.map((bin) => [[confidence[bin], confidence[bin]], [confidence[bin], right[bin]]].map(chartPlace));
  const tops = filled.map((bin) => [chartPlace([(bin + 0.5) / bins, 1])[0], UP - 9]);
  const numbers = filled.map((bin) => (counts[bin] < 1000 ? `${counts[bin]}` : `${fixed(counts[bin] / 1000, 0)}k`));
  const distance = Number.isNaN(error) ? "distance" : `distance, mean ${fixed(error, 3)}`;
  const column = [...chartPlace([chosen / bins, 1]), ...chartPlace([(chosen + 1) / bins, 0])];
  return [
    ...chartAxes("score", "share right, and how many"),
    boxes(bars, SHARE, { fill: 0.5, width: 1.5 }),
    lines([[[0, 0], [1, 1]].map(chartPlace)], HONEST, { width: 2 }),
    lines(ends, role(RED), { width: 4, name: distance }),
    points(ends.map(([, end]) => end), SHARE, { radius: 5, name: "" }),
    words(tops, numbers, undefined, { letter: Math.min(15, (0.6 * (SIZE[1] - LEFT - RIGHT)) / bins) }),
    boxes([column], BIN, { width: 2 }),
  ];
}

function inWords({ confidence, right, counts, error }, temperature, bin, meanAp) {
  const [total, bins] = [counts.reduce((a, b) => a + b, 0), counts.length];
  if (!total) return "No detection to judge: nothing to measure.";
  const mean = (values) => fixed(values.reduce((sum, value, i) => sum + value * f(counts[i] / total), 0), 2);
  const ap = Number.isNaN(meanAp) ? "no AP: no object" : `mAP ${fixed(meanAp, 3)}`;
  const all = `mean score ${mean(confidence)}, share right ${mean(right)}. Mean distance ${fixed(error, 3)}; ${ap}. `;
  const head = `Temperature ${fixed(temperature, 2)}: ${thousands(total)} detections, ${all}`;
  const ends = `Scores ${fixed(bin / bins, 2)} to ${fixed((bin + 1) / bins, 2)}`;
  if (!counts[bin]) return `${head}${ends}: no detection.`;
  const said = `mean score ${fixed(confidence[bin], 2)}, share right ${fixed(right[bin], 2)}`;
  return `${head}${ends}: ${thousands(counts[bin])} detections, ${said}.`;
}
