// A photo's segments of one color each: `segments` of `stages/selective_search.py` in the browser.
//
// Felzenszwalb, Huttenlocher 2004: neighbors join if the edge between them is less steep than what either side has
// inside, with an allowance that is the larger, the smaller the segment. Python leaves it to scikit-image, whose
// rounding is kept. Edges of one cost, which drawings have, it takes in an order that depends on the processor; here
// they are taken in the order of their numbers, so that of a drawing segments may differ. A picture is three planes,
// Float64Array (H * W) each; size is [height, width].

import { range } from "./boxes.js";

const f = Math.fround;
// The white of daylight (D65), and how much red, green and blue add to each of X, Y, Z.
const WHITE = [0.95047, 1, 1.08883];
const TO_XYZ = [[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]];
const SIGMA = 0.8; // pixels
const LEAST = 50; // pixels: smaller segments join a neighbor

// Every pixel's segment, numbered from 0 in the order of their first pixels: Int32Array (H * W).
// planes: of `labOf`. scale: the larger, the larger the segments.
export function segmentsOf(planes, size, scale) {
  const pixels = size[0] * size[1];
  const smooth = planes.map((plane) => blurred(plane, size, SIGMA, mirrored));
  const edges = edgesBetween(smooth, size);
  const order = Uint32Array.from(range(edges.costs.length)).sort((a, b) => edges.costs[a] - edges.costs[b] || a - b);
  const forest = { parents: Int32Array.from(range(pixels)), sizes: new Int32Array(pixels).fill(1) };
  const steepest = new Float64Array(pixels); // the last edge inside each segment, by its root
  const allowed = (root) => f(steepest[root] + scale / 255 / forest.sizes[root]);
  for (const edge of order) {
    const [one, other] = [edges.from[edge], edges.to[edge]].map((pixel) => rootOf(forest.parents, pixel));
    if (one === other || edges.costs[edge] >= Math.min(allowed(one), allowed(other))) continue;
    steepest[join(forest, one, other)] = edges.costs[edge];
  }
  for (const edge of order) {
    const [one, other] = [edges.from[edge], edges.to[edge]].map((pixel) => rootOf(forest.parents, pixel));
    if (one !== other && Math.min(forest.sizes[one], forest.sizes[other]) < LEAST) join(forest, one, other);
  }
  return numbered(forest.parents);
}

// ---- colors

// The planes of L, a and b, each from 0 to 1. colors: the planes of red, green and blue, from 0 to 1.
export function labOf([red, green, blue]) {
  const planes = range(3).map(() => new Float64Array(red.length));
  red.forEach((_, i) => {
    const rgb = [red[i], green[i], blue[i]].map(linear);
    const [x, y, z] = TO_XYZ.map((row, k) => curved((rgb[0] * row[0] + rgb[1] * row[1] + rgb[2] * row[2]) / WHITE[k]));
    const lab = [(116 * y - 16) / 100, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255];
    planes.forEach((plane, k) => { plane[i] = lab[k]; });
  });
  return planes;
}

const linear = (value) => (value > 0.04045 ? ((value + 0.055) / 1.055) ** 2.4 : value / 12.92);
const curved = (value) => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116);

// ---- blur

// A plane blurred by a Gaussian of `sigma` pixels. outside(place, length): which value stands for one outside.
export function blurred(plane, [height, width], sigma, outside) {
  const weights = range(Math.floor(4 * sigma + 0.5) + 1).map((x) => Math.exp((-0.5 / sigma ** 2) * x ** 2));
  const sum = weights.reduce((total, weight, x) => total + (x ? 2 : 1) * weight, 0);
  const shares = weights.map((weight) => weight / sum); // of the middle, then of its two neighbors, and so on
  const down = alongLines(plane, range(width), { length: height, step: width }, shares, outside);
  return alongLines(down, range(height).map((y) => y * width), { length: width, step: 1 }, shares, outside);
}

export const mirrored = (place, length) => {
  const round = ((place % (2 * length)) + 2 * length) % (2 * length);
  return round < length ? round : 2 * length - 1 - round;
};
export const repeated = (place, length) => Math.min(Math.max(place, 0), length - 1);

// Weighted sums of neighbors along lines of `length` values that are `step` apart and begin at `starts`.
function alongLines(values, starts, { length, step }, shares, outside) {
  const result = new Float64Array(values.length);
  const pairs = range(length).map((i) => shares.map((_, k) => [i - k, i + k].map((at) => step * outside(at, length))));
  for (const start of starts) {
    pairs.forEach((pair, i) => {
      let sum = shares[0] * values[start + step * i];
      for (let k = shares.length - 1; k; k--) {
        const [before, after] = pair[k];
        sum += (values[start + before] + values[start + after]) * shares[k];
      }
      result[start + step * i] = sum;
    });
  }
  return result;
}

// ---- edges and segments

// Between each pixel and those beside and below it, diagonals too: { from, to, costs }, (E,) each; cost: how far their
// colors are apart.
function edgesBetween([first, second, third], [height, width]) {
  const ways = [[1, 0], [0, 1], [1, 1], [-1, 1]]; // so far down, so far right
  const lines = ways.map(([down, right]) => {
    const [top, bottom] = [Math.max(0, -down), height - Math.max(0, down)]; // the rows from which this way leads
    return { top, bottom, right, step: down * width + right };
  });
  const count = lines.reduce((sum, { top, bottom, right }) => sum + (bottom - top) * (width - right), 0);
  const edges = { from: new Int32Array(count), to: new Int32Array(count), costs: new Float64Array(count) };
  let edge = 0;
  for (const { top, bottom, right, step } of lines)
    for (let y = top; y < bottom; y++)
      for (let x = 0; x < width - right; x++, edge++) {
        const [from, to] = [y * width + x, y * width + x + step];
        const [a, b, c] = [first[to] - first[from], second[to] - second[from], third[to] - third[from]];
        edges.from[edge] = from;
        edges.to[edge] = to;
        edges.costs[edge] = Math.sqrt(a * a + b * b + c * c);
      }
  return edges;
}

// The first pixel of a pixel's segment.
function rootOf(parents, pixel) {
  while (parents[pixel] !== pixel) {
    parents[pixel] = parents[parents[pixel]];
    pixel = parents[pixel];
  }
  return pixel;
}

// Two segments become one; returns its root.
function join({ parents, sizes }, one, other) {
  const [root, joined] = one < other ? [one, other] : [other, one];
  parents[joined] = root;
  sizes[root] += sizes[joined];
  return root;
}

function numbered(parents) {
  const numbers = new Map();
  return parents.map((_, pixel) => {
    const root = rootOf(parents, pixel);
    if (!numbers.has(root)) numbers.set(root, numbers.size);
    return numbers.get(root);
  });
}
