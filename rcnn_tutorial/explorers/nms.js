// Non-maximum suppression of `stages/nms.py`.

import { boxArea, range, TINY } from "./boxes.js";
import { keepLast } from "./once.js";

const f = Math.fround;

// Indices of the highest rank first; of equal ranks the first one.
export function descending(ranks) {
  return range(ranks.length).sort((a, b) => ranks[b] - ranks[a] || a - b);
}

// Indices of the boxes that greedy suppression keeps, at most so many, in the order of `ranks`: (K,). They are the
// `kept` of `nmsSteps`, sooner: a box is compared with those of like size only.
//
// boxes: (N, 4). ranks: (N,), highest first. threshold: boxes whose IoU with a kept one exceeds it are removed; it is
// not rounded to single precision, as in torchvision.
export function nms(boxes, ranks, threshold, most = Infinity) {
  const { order, sorted } = inOrder(boxes, ranks);
  const shelfOf = shelves(sorted, threshold);
  const kept = []; // places in the order
  for (let k = 0; k < order.length && kept.length < most; k++) {
    const shelf = shelfOf(k);
    if (shelf.some((places) => isSuppressed(sorted, places, k, threshold))) continue;
    shelf[0].push(k); // among those of its own size
    kept.push(k);
  }
  return kept.map((k) => order[k]);
}

// A function that gives, for box k, three lists of kept boxes: those of like size, the smaller ones, the larger ones.
// All others are so much smaller or larger that the IoU, at most the smaller area over the larger, cannot exceed the
// threshold.
function shelves({ area }, threshold) {
  const step = Math.max(-Math.log(threshold), 1e-3) * 1.001; // of the logarithm of areas; a little more than needed
  const all = new Map();
  const shelf = (number) => all.get(number) ?? all.set(number, []).get(number);
  return (k) => {
    const number = Math.floor(Math.log(Math.max(area[k], TINY)) / step);
    return [shelf(number), shelf(number - 1), shelf(number + 1)];
  };
}

// The same, one kept box at a time: { kept, suppressed, remaining }, indices of boxes. Here the threshold is rounded.
export function* nmsSteps(boxes, ranks, threshold) {
  const { order, sorted } = inOrder(boxes, ranks);
  let places = range(order.length); // in the order of `ranks`
  while (places.length) {
    const [kept, ...others] = places;
    const [suppressed, remaining] = [[], []];
    for (const k of others) (isSuppressed(sorted, [kept], k, f(threshold)) ? suppressed : remaining).push(k);
    places = remaining;
    yield { kept: order[kept], suppressed: suppressed.map((k) => order[k]), remaining: remaining.map((k) => order[k]) };
  }
}

// The order of the ranks, and the boxes in it; at another threshold it is the same.
const inOrder = keepLast((boxes, ranks) => {
  const order = descending(ranks);
  return { order, sorted: columns(boxes, order) };
});

// The boxes in this order, a column for each side and for the area: of 12 000 boxes there are millions of pairs.
function columns(boxes, order) {
  const [x1, y1, x2, y2] = range(4).map((side) => Float32Array.from(order, (i) => boxes[i][side]));
  return { x1, y1, x2, y2, area: Float32Array.from(order, (i) => boxArea(boxes[i])) };
}

// Whether box k overlaps one of the kept by more than the threshold (`boxIou` of
// columns, for boxes with x1 <= x2 and y1 <= y2).
function isSuppressed({ x1, y1, x2, y2, area }, kept, k, threshold) {
  const [left, top, right, bottom, own] = [x1[k], y1[k], x2[k], y2[k], area[k]];
  for (let place = 0; place < kept.length; place++) {
    const i = kept[place];
    if (x1[i] >= right || x2[i] <= left || y1[i] >= bottom || y2[i] <= top) continue; // most lie far apart
    const width = f(Math.min(x2[i], right) - Math.max(x1[i], left));
    const height = f(Math.min(y2[i], bottom) - Math.max(y1[i], top));
    const intersection = f(width * height);
    if (f(intersection / Math.max(f(f(area[i] + own) - intersection), TINY)) > threshold) return true;
  }
  return false;
}
