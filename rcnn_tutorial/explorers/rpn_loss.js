// Twins of `rpn_loss.py`; `anchors.js` says how a twin is made.

import { anchorSizes, generateAnchors, gridOf, insideImage } from "./anchor_grid.js";
import { boxIou, centerAndSize, clip, decode, encode, range } from "./boxes.js";
import { smoothL1 } from "./losses.js";
import { keepLast, once } from "./once.js";
import { randomKeys } from "./sampling.js";
import {
  AFTER, BACKGROUND, boxes, FOREGROUND, GROUND, GROUND_TRUTH, lines, notEmpty, PALETTE, PLAIN, points, RED, role, WHITE,
  YELLOW,
} from "./scene.js";
import { nearestStep } from "./state.js";
import { assignAnchors, BACKGROUND as LOW, DONT_CARE, FOREGROUND as HIGH, sampleLabels } from "./targets.js";
import { fixed, general, roundHalfEven, thousands } from "./text.js";

const f = Math.fround;
const [BOTH, NONE, ALL] = ["all objects", "none", "all anchors inside"];
const TYPE_B = { ...FOREGROUND, name: "type B" };
const TYPE_A = role(WHITE, "solid", "type A");
const BEST = role(WHITE, "dashed", "a best anchor");
const LEFT_OUT = role(PALETTE[1], "solid", "foreground, left out");
const UNDECIDED = role(PALETTE[9], "solid", "don't care, inside");
const AIMED = role(PALETTE[6], "dotted", "where encode leads it");
const FEW = 4; // anchors of one object that are drawn whole
const STEP = 1e-5; // of the difference quotient that is the slope
const ARRIVED = f(0.999); // the IoU from which an anchor counts as moved onto its object
const SLIDERS = ["center_x", "center_y", "object_width", "object_height"];

export const AnchorLabelExplorer = {
  draw(controls, tensors, ranges) {
    const told = SLIDERS.map((name) => controls[name]);
    const moved = told.some((value, i) => value !== placeOf(controls.object)[i]);
    const movable = moved ? boxAround(told) : controls.object;
    const { anchors, inside, centers, names } = prepared(tensors);
    const truth = groundTruth(controls.objects_counted, movable, tensors); // (G, 4)
    const assignment = assigned(controls.positive, controls.negative, truth, tensors);
    const sampling = { batch_size: controls.batch, foreground_fraction: controls.fraction };
    const sampled = sampleLabels(assignment.labels, keysOf(anchors.length, controls.seed), sampling); // (N,)
    const every = controls.show === ALL;
    const marks = markLayers(assignment, sampled, { centers, inside, every });
    const objects = controls.objects_counted === BOTH ? tensors.objects : [];
    const few = fewLayers(assignment, truth, anchors, names);
    const layers = [...marks.below, boxes(objects, GROUND_TRUTH), ...few, ...marks.above];
    return {
      scenes: [{ layers: notEmpty(layers) }],
      summary: inWords(assignment, sampled, every, inside.some(Boolean)),
      set: moved ? { object: movable } : {},
      rest: resting(assignment, every, ranges.positive.min),
    };
  },

  // The reader moves the object on the picture: the sliders follow.
  changed(name, { object }, before, tensors, ranges) {
    if (name !== "object") return {};
    const place = placeOf(object);
    return { set: Object.fromEntries(SLIDERS.map((slider, i) => [slider, nearestStep(place[i], ranges[slider])])) };
  },
};

// Center and size of the movable object in whole pixels, as the sliders have them.
const placeOf = (box) => centerAndSize(box.map(f)).map(roundHalfEven);
const boxAround = ([x, y, width, height]) => [x - width / 2, y - height / 2, x + width / 2, y + height / 2];

// What no control changes: the anchors, whether each is inside, where its mark is drawn, and the shapes' names.
const prepared = once(({ size, stride, anchors: config, anchor_targets: targets }) => {
  const anchors = generateAnchors(gridOf(size, stride), stride, config); // (N, 4)
  const inside = anchors.map((anchor) => insideImage(anchor, size, targets.border)); // (N,)
  const names = anchorSizes(config).map(([width, height]) => `${general(width)}×${general(height)}`); // (A,)
  return { anchors, inside, centers: spreadCenters(anchors, config, stride), names };
});

// The anchors' centers, those of one cell moved apart into a small grid: ratios down, scales across. (N, 2)
function spreadCenters(anchors, { ratios, scales }, stride) {
  const apart = stride / (Math.max(ratios.length, scales.length) + 1);
  const offsets = ratios.flatMap((_, row) =>
    scales.map((_, column) => [column - (scales.length - 1) / 2, row - (ratios.length - 1) / 2].map((x) => x * apart)));
  return anchors.map((anchor, i) => {
    const [[x, y], [right, down]] = [centerAndSize(anchor), offsets[i % offsets.length]];
    return [x + right, y + down];
  });
}

// The objects that count, cut off at the image's border as an annotator would: (G, 4).
const groundTruth = keepLast((counted, movable, { size, objects }) => {
  if (counted === NONE) return [];
  return [clip(movable.map(f), size), ...(counted === BOTH ? objects : [])];
});

// Every anchor's label before sampling, as `assignAnchors` gives it.
const assigned = keepLast((positive, negative, truth, tensors) => {
  const { anchors, inside } = prepared(tensors);
  const overlaps = { positive_overlap: positive, negative_overlap: negative };
  return assignAnchors(anchors, truth, inside, { ...tensors.anchor_targets, ...overlaps });
});

// A random number for each anchor, as in the layer.
const keysOf = keepLast((count, seed) => randomKeys(Array(count).fill(true), seed));

// Which controls can do nothing now.
function resting({ labels, overlaps }, every, least) {
  const shown = Object.fromEntries(["batch", "fraction", "seed"].map((name) => [name, "all anchors are shown"]));
  const some = labels.includes(HIGH) ? {} : { fraction: "there is no foreground" };
  const unreached = largest(overlaps) < f(least) ? { positive: `no anchor reaches IoU ${general(least)}` } : {};
  return { ...(every ? shown : some), ...unreached };
}

const largest = (numbers) => numbers.reduce((a, b) => Math.max(a, b), 0);

// The marks of the anchors, those `below` the boxes and those `above`. every: not only the sampled ones.
function markLayers({ labels, typeA, typeB }, sampled, { centers, inside, every }) {
  const where = (holds) => centers.filter((_, i) => holds(i));
  const chosen = (i) => (every ? labels : sampled)[i] === HIGH;
  const left = (i) => !every && labels[i] === HIGH && sampled[i] !== HIGH;
  // 5 000 crosses would hide the photo
  const low = every ? { shape: "dot", radius: 1.2 } : { shape: "cross", radius: 2.5 };
  const undecided = where((i) => every && inside[i] && labels[i] === DONT_CARE);
  return {
    below: [
      points(where((i) => (every ? labels : sampled)[i] === LOW), BACKGROUND, low),
      points(undecided, UNDECIDED, { shape: "ring", radius: 2, width: 1 }),
    ],
    above: [
      points(where(left), LEFT_OUT, { shape: "ring", radius: 2, width: 1.5 }),
      points(where((i) => chosen(i) && typeB[i]), TYPE_B, { radius: 3.5 }),
      points(where((i) => chosen(i) && typeA[i]), TYPE_A, { shape: "ring", radius: 5.5 }),
    ],
  };
}

// Of all foreground anchors the best one of each object, with how many it stands for.
//
// Of a single object the best one of each shape, of those four that have most.
function fewLayers({ labels, overlaps, closest, typeB }, truth, anchors, names) {
  const alone = truth.length === 1;
  const rows = range(labels.length).filter((i) => labels[i] === HIGH); // (F,)
  const groups = grouped(rows, (i) => (alone ? i % names.length : closest[i]));
  const few = groups.sort((a, b) => b.length - a.length).slice(0, alone ? FEW : undefined).map((mine) => {
    const best = mine.reduce((one, i) => (overlaps[i] > overlaps[one] ? i : one));
    const text = alone ? `${mine.length} of ${names[best % names.length]}` : `${mine.length}`;
    return { anchor: anchors[best], text, isB: typeB[best], ...aim(anchors[best], truth[closest[best]]) };
  });
  const layers = [[TYPE_B, true], [BEST, false]].map(([look, isB]) => {
    const mine = few.filter((one) => one.isB === isB);
    const texts = { labels: mine.map(({ text }) => text), hover: mine.map(({ targets }) => targets), name: "" };
    return boxes(mine.map(({ anchor }) => anchor), look, texts);
  });
  return [boxes(few.filter(({ misses }) => misses).map(({ aimed }) => aimed), AIMED), ...layers];
}

// Rows of the same key, the smallest key first.
function grouped(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups.keys()].sort((a, b) => a - b).map((key) => groups.get(key));
}

// What an anchor is to predict for its object, where that leads, and whether it misses the object.
function aim(anchor, object) {
  const targets = encode(object, anchor);
  const aimed = decode(targets, anchor);
  const inWords = targets.map((target) => fixed(target, 2)).join(", ");
  return { targets: `targets ${inWords}`, aimed, misses: boxIou(aimed, object) < ARRIVED };
}

// sampled: (N,) labels that the loss uses. every: all anchors are shown.
function inWords({ labels, overlaps, typeA, typeB }, sampled, every, someInside) {
  if (!someInside) return "No anchor lies inside the image, so nothing can be learned from it.";
  const among = (numbers, label) => thousands(numbers.filter((one) => one === label).length);
  const [a, b, both] = [typeA, typeB, typeA.map((is, i) => is && typeB[i])].map((kind) => kind.filter(Boolean).length);
  const types = `${among(labels, HIGH)} foreground (${a} type A, ${b} type B${both ? `, ${both} both)` : ")"}`;
  const best = `best IoU ${fixed(largest(overlaps), 4)}.`;
  if (every) return `${types}, ${among(labels, LOW)} background, ${among(labels, DONT_CARE)} don't care; ${best}`;
  return `${types}, ${best} In the loss: ${among(sampled, HIGH)} foreground, ${among(sampled, LOW)} background.`;
}

export const SmoothL1Explorer = {
  draw({ sigma, difference, anchor_width: width }, tensors) {
    const [bend, pixels] = [1 / (sigma * sigma), difference * width];
    const [before, loss, after] = [-STEP, 0, STEP].map((step) => smoothL1(difference + step, sigma));
    const slope = (after - before) / (2 * STEP);
    const place = placeIn(tensors);
    const layers = [
      ...axes(place, tensors),
      ...curves(place, sigma, bend, tensors),
      ...tangent(place, [difference, loss], slope, pixels),
    ];
    const part = Math.abs(difference) < bend ? "Quadratic" : "Linear";
    const text = `${part} part, loss ${fixed(loss, 4)}, slope ${fixed(slope, 4)}, ${fixed(pixels, 1)} pixels. `;
    const where = `Bend at 1 / sigma² = ${fixed(bend, 4)}, ${fixed(bend * width, 1)} pixels.`;
    return { scenes: [{ layers }], summary: text + where };
  },

  clicked([x], controls, { size, margins: { left, right }, reach }) {
    return { difference: ((2 * (x - left)) / (size[1] - left - right) - 1) * reach };
  },
};

// (difference, loss) in the pixels of the drawing, the loss upward.
function placeIn({ size: [height, width], margins: { left, right, up, down }, reach, top }) {
  return ([difference, loss]) => [
    left + ((difference / reach + 1) / 2) * (width - left - right),
    height - down - (loss / top) * (height - up - down),
  ];
}

const minus = (text) => text.replace(/-/g, "−");

// Two axes with titles.
function axes(place, { size, margins: { left, up, down }, reach, top }) {
  const [axis, steps] = [size[0] - down, [-2, -1, 0, 1, 2]];
  const across = steps.map((step) => [minus(`${step}`), [place([step, 0])[0] - 14 + (step >= 0 ? 4 : 0), axis + 27]]);
  const heights = [0, 1, 2].map((step) => [`${step} `, [left - 26, place([0, step])[1] + 9]]);
  const titles = [["loss", [left - 32, up - 8]], ["difference (anchor widths)", [180, axis + 88]]];
  const texts = [...across, ...heights, ...titles];
  const levels = [1, 2].map((step) => [[-reach, step], [reach, step]]);
  const grid = [...levels, ...steps.map((step) => [[step, 0], [step, top]])];
  const corner = [[-reach, top], [-reach, 0], [reach, 0]];
  return [
    lines(grid.map((line) => line.map(place)), role(PALETTE[9]), { width: 1, opacity: 0.4 }),
    lines([corner.map(place)], PLAIN, { width: 2 }),
    points(texts.map(([, at]) => at), role(GROUND), { radius: 0, labels: texts.map(([text]) => text) }),
  ];
}

function curves(place, sigma, bend, { differences, reach, top }) {
  const bends = [-bend, bend].filter((at) => Math.abs(at) <= reach).map((at) => [[at, 0], [at, top]].map(place));
  const curve = (lossOf) => [differences.map((d) => [d, lossOf(d)]).filter(([, loss]) => loss <= top).map(place)];
  const parabola = (d) => f(f(f(sigma * sigma) * f(d * d)) / 2);
  return [
    ...(bends.length ? [lines(bends, role(PALETTE[1], "dotted", "1 / sigma²"), { width: 2 })] : []),
    lines(curve(Math.abs), role(WHITE, "dashed", "|Δ|"), { width: 2 }),
    lines(curve(parabola), role(RED, "dashdot", "sigma² Δ² / 2"), { width: 2 }),
    lines(curve((d) => smoothL1(d, sigma, f)), AFTER, { width: 4, name: "smooth L1" }),
  ];
}

// The point, the line that only touches the curve there, and how many pixels from 0 it is.
function tangent(place, [x, loss], slope, pixels) {
  const ends = [-0.5, 0.5].map((step) => place([x + step, loss + step * slope]));
  const [foot, point] = [place([x, 0]), place([x, loss])];
  const under = [foot[0] - 30, foot[1] + 51]; // between the axis and its title
  return [
    lines([[foot, point]], role(YELLOW, "dotted"), { width: 2 }),
    lines([ends], role(YELLOW, "solid", "tangent"), { width: 3 }),
    points([under], role(YELLOW), { radius: 0, labels: [minus(`${fixed(pixels, 1)} px`)] }),
    points([point], role(YELLOW), { radius: 7, labels: [minus(`slope ${fixed(slope, 2)}`)] }),
  ];
}
