// Twin of `suppression.py`: suppression as a game, on few enough boxes to follow each of them. `anchors.js` says how a
// twin is made; here `draw` also returns `aside`, what the list beside the picture (`ranking.js`) shows.

import { boxIou, range } from "./boxes.js";
import { descending, nmsSteps } from "./nms.js";
import { pointedAt } from "./ranking.js";
import { AFTER, BEFORE, boxes as boxLayer, CHOSEN, OTHER } from "./scene.js";
import { fixed, roundHalfEven } from "./text.js";

const f = Math.fround;
const BY_Y = "by bottom y";
const REACH = 12; // image pixels around a box within which a click means it
const [OPEN, NOW, FALLS, KEPT, GONE] = ["open", "in hand", "falls", "kept", "removed"]; // what a box is in a step

export const NMSExplorer = {
  draw(controls, tensors, ranges) {
    const { boxes, size } = tensors;
    const { game, ranks, last, step, state } = gameOf(controls, tensors, ranges);
    const ious = state.now === null ? null : boxes.map((box) => boxIou(boxes[state.now], box)); // (N,)
    const rows = descending(ranks).map((row) => listed(row, state, ious, tensors));
    const heads = ["Box", "Score", "Bottom", ious ? `IoU ${letter(state.now)}` : "IoU", "State"];
    const words = inWords(step, game, state, controls.threshold, tensors);
    return {
      scenes: [{ layers: layersOf(state, boxes, ious) }],
      summary: controls.verdict ? `${controls.verdict} ${words}` : words,
      ranges: { step: { max: last } },
      set: { step, verdict: undefined }, // what the reader's answer was worth is said once
      aside: { rows, heads, size, step, last, reach: REACH },
    };
  },

  // The reader clicks a box: it is the one to be kept next.
  clicked(point, controls, tensors, ranges) {
    const { state } = gameOf(controls, tensors, ranges);
    const rows = tensors.boxes.map((box, row) => ({ row, what: state.whats[row], box }));
    const row = pointedAt(point, rows, REACH);
    return row === null ? null : answer(row, controls, tensors, ranges);
  },

  // From the list: { go: 1 } and { go: -1 } step, { pick: 3 } says that box 3 is kept next.
  heard({ go, pick }, controls, tensors, ranges) {
    if (go === undefined) return pick in tensors.boxes ? answer(pick, controls, tensors, ranges) : null;
    const step = Math.min(Math.max(controls.step + go, 0), ranges.step.max);
    return step === controls.step ? null : { step };
  },
};

// The name of box `row`, and those of several: "A, C".
const letter = (row) => String.fromCharCode(65 + row);
const letters = (rows) => rows.map(letter).join(", ");

// All steps, and where the game stands. Whoever looks at the result goes on looking at the result.
function gameOf({ order, threshold, step: asked }, { boxes, scores }, ranges) {
  const ranks = order === BY_Y ? boxes.map((box) => box[3]) : scores; // (N,)
  const game = [...nmsSteps(boxes, ranks, f(threshold))];
  const last = boxes.length ? game.length + 1 : 0;
  const step = asked >= ranges.step.max ? last : Math.min(asked, last);
  return { game, ranks, last, step, state: replay(game, step, boxes.length) };
}

// Where the game stands in step 1, 2, ...; 0 is before the first, game.length + 1 the result. `whats`: (N,) what each
// box is. `by`: (N,) which box has removed it. `now`: the box that this step keeps, or null.
function replay(game, step, count) {
  const [whats, by] = [Array(count).fill(OPEN), Array(count).fill(null)];
  game.slice(0, step).forEach(({ kept, suppressed }, i) => {
    const present = i + 1 === step;
    whats[kept] = present ? NOW : KEPT;
    for (const row of suppressed) [whats[row], by[row]] = [present ? FALLS : GONE, kept];
  });
  const now = whats.indexOf(NOW);
  return { whats, by, now: now < 0 ? null : now };
}

const rowsThatAre = (what, { whats }) => range(whats.length).filter((row) => whats[row] === what);

// ---- the reader's hand

// The reader says that this box is kept next: say whether and why; if so, take the step.
function answer(row, controls, tensors, ranges) {
  const { game, ranks, step, state } = gameOf(controls, tensors, ranges);
  if (step >= game.length) return { verdict: "The game is over: no box is open." };
  const wrong = whyNot(row, state, tensors.boxes) ?? notFirst(row, game[step].kept, ranks, controls.order);
  if (wrong) return { verdict: `✗ Not ${letter(row)}: ${wrong}.` };
  const [best, digits] = controls.order === BY_Y ? ["lowest bottom", 0] : ["best open score", 2];
  return { verdict: `✓ Right, ${letter(row)} has the ${best}, ${fixed(ranks[row], digits)}.`, step: step + 1 };
}

// Why a box that is not open cannot be kept next; of an open one undefined.
function whyNot(row, { whats, by }, boxes) {
  if ([KEPT, NOW].includes(whats[row])) return "it is kept already";
  if (![FALLS, GONE].includes(whats[row])) return undefined;
  return `${letter(by[row])} removed it, their IoU is ${fixed(boxIou(boxes[by[row]], boxes[row]), 2)}`;
}

// Why another open box comes before this one; of the first undefined.
function notFirst(row, first, ranks, order) {
  if (row === first) return undefined;
  if (ranks[row] === ranks[first]) return "an open box ties with it and comes first in the list";
  const [more, digits] = order === BY_Y ? ["ends lower", 0] : ["scores more", 2];
  return `an open box ${more} than ${fixed(ranks[row], digits)}`;
}

// ---- the picture and the list

// The five kinds of boxes, each in a color, dash and width of its own; those that count lie on top.
function layersOf(state, boxes, ious) {
  const group = (what, look, { text = letter, ...more }) => {
    const rows = rowsThatAre(what, state);
    const labels = text ? rows.map(text) : [];
    return boxLayer(rows.map((row) => boxes[row]), look, { labels, name: what, ...more });
  };
  return [
    group(GONE, { ...BEFORE, dash: "dotted" }, { text: null, width: 1.5, opacity: 0.45 }),
    group(OPEN, { ...OTHER, dash: "solid" }, { width: 2 }),
    group(KEPT, AFTER, { width: 4 }),
    group(FALLS, BEFORE, { text: (row) => `${letter(row)} IoU ${fixed(ious[row], 2)}`, width: 4 }),
    group(NOW, { ...CHOSEN, dash: "dashdot" }, { width: 6 }),
  ];
}

// A line of the list.
function listed(row, { whats, by }, ious, { boxes, scores }) {
  const [what, gone] = [whats[row], whats[row] === GONE];
  const iou = ious && [OPEN, FALLS].includes(what) ? fixed(ious[row], 2) : "";
  const fate = gone ? `✗ by ${letter(by[row])}` : what;
  const cells = [fixed(scores[row], 2), fixed(boxes[row][3], 0), iou, fate];
  const said = gone ? `removed by ${letter(by[row])}` : what;
  const look = { row, name: letter(row), what: what.replace(" ", "-"), box: boxes[row] };
  return { ...look, cells, words: `${letter(row)}, ${said}, score ${cells[0]}` };
}

function inWords(step, game, state, threshold, { boxes, scores }) {
  if (!boxes.length) return "No box: nothing to suppress.";
  const [last, iou] = [game.length, fixed(threshold, 2)];
  const ask = step < last ? "Which is next?" : "No box is open.";
  if (step === 0) return `${boxes.length} open boxes, NMS IoU ${iou}. Which one is kept first? Click it.`;
  if (step > last) {
    const rows = rowsThatAre(KEPT, state);
    const mean = f(rows.reduce((sum, row) => sum + scores[row], 0) / rows.length);
    const kept = `${rows.length} kept: ${letters(rows)}; ${boxes.length - last} removed`;
    return `NMS IoU ${iou}: ${kept}. Mean score kept ${fixed(mean, 2)}.`;
  }
  const fallen = letters(rowsThatAre(FALLS, state));
  const removes = fallen ? `removes ${fallen} (IoU above ${iou})` : "removes none";
  return `Step ${step} of ${last}: ${letter(state.now)} is kept, ${removes}. ${ask}`;
}

// ---- which boxes take part

// Rows of a few boxes that tell the story, best score first: (K,), K <= 10. boxes: (N, 4). scores: (N,). Of the first
// three boxes that suppression at `threshold` keeps each, and with it boxes that it removes, from the nearest to the
// farthest by IoU: four with the first, two with the others. Boxes that score below `least` take part only where there
// are no others.
export function fewOfEachCluster(boxes, scores, threshold = 0.3, least = 0.1) {
  const able = range(scores.length).filter((row) => scores[row] >= f(least));
  const among = able.length ? able : range(scores.length);
  const steps = nmsSteps(among.map((row) => boxes[row]), among.map((row) => scores[row]), f(threshold));
  const chosen = [4, 2, 2].flatMap((count) => {
    const { value: step } = steps.next();
    if (!step) return [];
    const kept = among[step.kept];
    const fallen = step.suppressed.map((row) => among[row]);
    const nearest = descending(fallen.map((row) => boxIou(boxes[kept], boxes[row]))).map((place) => fallen[place]);
    return [kept, ...spread(nearest.length, count).map((place) => nearest[place])];
  });
  return descending(chosen.map((row) => scores[row])).map((place) => chosen[place]);
}

// At most `count` places of 0, ..., length - 1, at even distances, without the ends.
function spread(length, count) {
  const parts = Math.min(count, length) + 1;
  return [...new Set(range(parts).slice(1).map((part) => roundHalfEven(f((part * (length - 1)) / parts))))];
}
