// Segments that merge two by two: `group` of `stages/selective_search.py` in the browser.
//
// Uijlings, van de Sande, Gevers, Smeulders 2013, algorithm 1. Planes and size as in `segmentation.js`.

import { range, sum } from "./boxes.js";
import { Queue } from "./queue.js";
import { blurred, repeated } from "./segmentation.js";
import { roundHalfEven } from "./text.js";

const [COLOR_BINS, TEXTURE_BINS, ORIENTATIONS] = [25, 10, 8];
const STEEPEST = 0.1; // the last bin of texture begins here

// All regions of one grouping: { boxes (2 S - 1, 4), merges (S - 1, 2), similarities (S - 1,), terms (S - 1, 4) }.
// labels: (H * W), every pixel's segment.
export function group(planes, labels, size) {
  const regions = described(planes, labels, size);
  const neighbors = touching(labels, size, regions.length); // a set each
  const queue = new Queue(sooner);
  const compare = (one, others) => {
    for (const other of others) {
      const terms = alike(regions[one], regions[other], labels.length);
      queue.push({ rank: roundHalfEven(sum(terms) * 1e9) / 1e9, pair: [one, other].sort((a, b) => a - b), terms });
    }
  };
  neighbors.forEach((others, region) => compare(region, [...others].filter((other) => other > region)));
  const [merges, terms] = [[], []];
  while (queue.length) {
    const next = queue.pop();
    const [one, other] = next.pair;
    if (!neighbors[one] || !neighbors[other]) continue; // one of them has been merged with a third
    const whole = regions.push(union(regions[one], regions[other])) - 1;
    replaceBoth(neighbors, one, other, whole);
    compare(whole, neighbors[whole]);
    merges.push(next.pair);
    terms.push(next.terms);
  }
  return { boxes: regions.map(({ box }) => box), merges, similarities: terms.map(sum), terms };
}

// The more similar pair first; of equally similar ones that of the lowest numbers.
function sooner(a, b) {
  return b.rank - a.rank || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1];
}

// In the sets of neighbors the whole of two regions takes their place.
function replaceBoth(neighbors, one, other, whole) {
  neighbors[whole] = new Set([...neighbors[one], ...neighbors[other]]);
  for (const gone of [one, other]) {
    neighbors[whole].delete(gone);
    neighbors[gone] = null;
  }
  for (const region of neighbors[whole]) {
    neighbors[region].delete(one);
    neighbors[region].delete(other);
    neighbors[region].add(whole);
  }
}

// ---- what is compared: { size, box, colors (75), textures (240) } of a region, histograms whose sum is 1

// Similarity of two regions in color, texture, size and fill (equations 1 to 4). pixels: of the photo.
function alike(one, other, pixels) {
  const size = one.size + other.size;
  const [x1, y1, x2, y2] = enclosing(one.box, other.box);
  const empty = (x2 - x1) * (y2 - y1) - size; // of neither region
  const [color, texture] = [shared(one.colors, other.colors), shared(one.textures, other.textures)];
  return [color, texture, 1 - size / pixels, 1 - empty / pixels];
}

function shared(one, other) {
  let total = 0;
  for (let i = 0; i < one.length; i++) total += Math.min(one[i], other[i]);
  return total;
}

const enclosing = (one, other) => one.map((side, i) => (i < 2 ? Math.min : Math.max)(side, other[i]));

// Two regions as one; nothing looks at the pixels again.
function union(one, other) {
  const size = one.size + other.size;
  const [mine, yours] = [one.size / size, other.size / size];
  const mixed = (name) => one[name].map((share, i) => mine * share + yours * other[name][i]);
  return { size, box: enclosing(one.box, other.box), colors: mixed("colors"), textures: mixed("textures") };
}

// Every segment: (S,).
function described(planes, labels, size) {
  const count = labels.reduce((most, label) => Math.max(most, label), 0) + 1;
  const [sizes, boxes] = outlines(labels, size, count);
  const colors = histograms(planes, labels, count, COLOR_BINS);
  const textures = histograms(derivatives(planes, size), labels, count, TEXTURE_BINS);
  return range(count).map((i) => ({ size: sizes[i], box: boxes[i], colors: colors[i], textures: textures[i] }));
}

// Pixels and box of every segment: (S,), (S, 4).
function outlines(labels, [, width], count) {
  const sizes = new Array(count).fill(0);
  const boxes = range(count).map(() => [Infinity, Infinity, 0, 0]);
  labels.forEach((label, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    sizes[label] += 1;
    boxes[label] = enclosing(boxes[label], [x, y, x + 1, y + 1]);
  });
  return [sizes, boxes];
}

// How fast each channel rises in eight directions, 0 where it falls, in shares of STEEPEST: (8 * 3, H * W).
function derivatives(planes, size) {
  const slopes = planes.map((plane) => {
    const smooth = blurred(plane, size, 1, repeated);
    return { down: slope(smooth, size, 0), right: slope(smooth, size, 1) };
  });
  return range(ORIENTATIONS).flatMap((turn) => {
    const angle = (turn * 2 * Math.PI) / ORIENTATIONS;
    const rise = ({ down, right }, i) => Math.cos(angle) * right[i] + Math.sin(angle) * down[i];
    return slopes.map((one) => one.down.map((_, i) => Math.max(rise(one, i), 0) / STEEPEST));
  });
}

// The change from pixel to pixel along an axis: half the way between both neighbors, at the border that to the one.
function slope(plane, size, axis) {
  const [length, step] = [size[axis], axis ? 1 : size[1]];
  return plane.map((_, i) => {
    const place = Math.floor(i / step) % length;
    const [before, after] = [place - 1, place + 1].map((at) => repeated(at, length));
    const at = (other) => plane[i + (other - place) * step];
    return before === after ? 0 : (at(after) - at(before)) / (after - before);
  });
}

// Of every segment the share of its values in each bin of [0, 1], channel by channel: (S, C * bins).
function histograms(channels, labels, count, bins) {
  const sizes = new Array(count).fill(0);
  const tables = range(count).map(() => new Float64Array(channels.length * bins));
  for (const label of labels) sizes[label] += channels.length;
  channels.forEach((values, channel) => labels.forEach((label, i) => {
    tables[label][channel * bins + Math.min(Math.floor(values[i] * bins), bins - 1)] += 1;
  }));
  return tables.map((table, label) => table.map((number) => number / sizes[label]));
}

// The neighbors of every segment: those with a pixel beside, above or below one of its own: (S,) sets.
function touching(labels, [, width], count) {
  const neighbors = range(count).map(() => new Set());
  labels.forEach((label, i) => {
    for (const next of [(i + 1) % width ? i + 1 : -1, i + width]) {
      const other = labels[next];
      if (other === undefined || other === label) continue;
      neighbors[label].add(other);
      neighbors[other].add(label);
    }
  });
  return neighbors;
}
