// Crop pooling, RoIAlign and RoIPool: `stages/crop_pooling.py` and the geometry of `figures/crop_pooling.py` in the
// browser.
//
// A map is { shape: [channels, rows, columns], data }. Positions are [x, y] and count cells: 0 is the center of the
// first cell. `cells` is [rows, columns] of the map. Theta is [[a, b, c], [d, e, f]]. Numbers are rounded to single
// precision where torch's are.

import { centerAndSize, range } from "./boxes.js";

const f = Math.fround;
export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

// ---- where each method reads

// The affine matrix that maps the output square [-1, 1]^2 onto a ROI.
export function cropTheta(roi, stride, [rows, columns]) {
  const [x1, y1, x2, y2] = roi.map((side) => f(f(side) / stride));
  const along = (low, high, count) => {
    const extent = Math.max(count - 1, 1);
    return [f(f(high - low) / extent), f(f(f(f(low + high) - count) + 1) / extent)];
  };
  const [[width, x], [height, y]] = [along(x1, x2, columns), along(y1, y2, rows)];
  return [[width, 0, x], [0, height, y]];
}

// The corners of a box turned about its center, clockwise on the screen: (4, 2), from what was the top left.
export function roiCorners(roi, degrees) {
  const [x, y, width, height] = centerAndSize(roi);
  const angle = f(f(degrees) * f(Math.PI / 180));
  const [cosine, sine] = [f(Math.cos(angle)), f(Math.sin(angle))];
  return [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]].map(([u, v]) => {
    const [right, down] = [f(u * width), f(v * height)];
    return [f(x + f(f(right * cosine) - f(down * sine))), f(y + f(f(right * sine) + f(down * cosine)))];
  });
}

// Theta of a box that may be turned, from its corners (4, 2).
export function cornerTheta(corners, stride, [rows, columns]) {
  const [topLeft, topRight, , bottomLeft] = corners.map((corner) => corner.map((at) => f(at / stride)));
  return [columns - 1, rows - 1].map((last, i) => {
    const [right, down] = [topRight, bottomLeft].map((end) => f(f(end[i] - topLeft[i]) / 2));
    const center = f(f(topRight[i] + bottomLeft[i]) / 2);
    return [2 * right, 2 * down, f(2 * center - last)].map((number) => f(number / Math.max(last, 1)));
  });
}

// Where a crop's values lie in the map's own [-1, 1]^2: (size * size, 2), row by row.
export function affineGrid(theta, size, alignCorners) {
  const places = evenly(size).map((at) => (alignCorners || size === 1 ? at : f(f(at * (size - 1)) / size)));
  const exact = size <= 8 ? f : (x) => x; // larger products torch computes with fused multiplications and additions
  const along = ([a, b, c], x, y) => f(f(f(x * a) + exact(y * b)) + c);
  return places.flatMap((y) => places.map((x) => theta.map((row) => along(row, x, y))));
}

// From -1 to 1 in `count` places, as torch.linspace has them; one lies in the middle.
function evenly(count) {
  const step = f(2 / (count - 1));
  if (count === 1) return [0];
  return range(count).map((i) => (2 * i < count - 1 ? f(i * step - 1) : f(1 - (count - 1 - i) * step)));
}

// Where `gridSample` reads for each value of the crop, in cells: (size * size, 2).
export function samplePositions(theta, size, [rows, columns], alignCorners) {
  const along = (at, count) =>
    alignCorners ? f(f(f(at + 1) / 2) * (count - 1)) : f(f(f(f(at + 1) * count) - 1) / 2);
  return affineGrid(theta, size, alignCorners).map(([x, y]) => [along(x, columns), along(y, rows)]);
}

// Where RoIAlign reads along x and along y, `counts` points a bin each way: { axes: [size * columns, size * rows] }.
export function alignPositions(roi, size, stride) {
  const [x1, y1, x2, y2] = roi.map((side) => f(f(side) / stride));
  const counts = [x2 - x1, y2 - y1].map((side) => Math.ceil(Math.max(side, 1) / size));
  const axes = [[x1, x2], [y1, y2]].map(([start, end], i) => {
    const [side, points] = [Math.max(end - start, 1), size * counts[i]];
    return range(points).map((k) => f(start + f(f((k + 0.5) * f(side)) / points)));
  });
  return { axes, counts };
}

// RoIAlign's bins as boxes in pixels, row by row: (size * size, 4).
export function alignBins(roi, size, stride) {
  const [x1, y1, x2, y2] = roi.map(f);
  const [width, height] = [f(x2 - x1), f(y2 - y1)].map((side) => f(Math.max(side, stride) / size));
  return range(size).flatMap((row) => range(size).map((column) => {
    const [x, y] = [f(x1 + f(column * width)), f(y1 + f(row * height))];
    return [x, y, f(x + width), f(y + height)];
  }));
}

// The whole cells of which RoIPool keeps the largest, row by row: first column and row, and those behind the last.
export function poolBins(roi, size, stride, [rows, columns], edge = (k, count) => (k * count) / size) {
  const [x1, y1, x2, y2] = roi.map((side) => Math.floor(f(f(side) / stride) + 0.5));
  const [across, down] = [poolEdges(x1, x2, size, columns, edge), poolEdges(y1, y2, size, rows, edge)];
  return down.flatMap(([top, bottom]) => across.map(([left, right]) => [left, top, right, bottom]));
}

// `edge`: where bin k of `count` cells begins, before it is rounded.
function poolEdges(first, last, size, cells, edge) {
  const count = Math.max(last - first + 1, 1); // the last cell counts too
  const whole = (k) => [Math.floor(edge(k, count)), Math.ceil(edge(k + 1, count))];
  return range(size).map((k) => whole(k).map((at) => clamp(first + at, 0, cells)));
}

// Bins of whole cells as boxes in pixels, each cell a square around the pixel `stride * index`.
export const cellBoxes = (bins, stride) => bins.map((bin) => bin.map((edge) => (edge - 0.5) * stride));

// ---- what it reads

// Bilinear samples with zeros outside, as `F.grid_sample` takes them. grid: (N, 2) in [-1, 1]. Returns (channels, N).
export function gridSample(map, grid, alignCorners) {
  const [, rows, columns] = map.shape;
  const along = (at, count) =>
    alignCorners ? f(f(at + 1) * ((count - 1) / 2)) : f(f(f(at + 1) * (count / 2)) - 0.5);
  const corners = grid.map(([x, y]) => {
    const [across, down] = [bothSides(along(x, columns)), bothSides(along(y, rows))];
    const four = down.flatMap(([row, n]) => across.map(([column, w]) => [row, column, f(w * n)]));
    const inside = four.filter(([row, column]) => row >= 0 && row < rows && column >= 0 && column < columns);
    return inside.map(([row, column, weight]) => [row * columns + column, weight]);
  });
  return channelsOf(map).map((values) =>
    corners.map((four) => four.reduce((sum, [cell, weight]) => f(sum + values[cell] * weight), 0)));
}

// The cell before a position and the one after, each with its weight.
function bothSides(at) {
  const low = Math.floor(at);
  const after = f(at - low);
  return [[low, f(1 - after)], [low + 1, after]];
}

// Each bin's mean of bilinear samples, as torchvision's `roi_align` has it: (channels, size * size). A bilinear weight
// is one along y times one along x, and a bin's samples form a grid; so the mean has a weight a row times one a column.
export function roiAlign(map, roi, size, stride) {
  const [, rows, columns] = map.shape;
  const { axes, counts } = alignPositions(roi, size, stride);
  const [across, down] = [columns, rows].map((cells, i) =>
    range(size).map((k) => meanWeights(axes[i].slice(k * counts[i], (k + 1) * counts[i]), cells)));
  return channelsOf(map).map((values) =>
    down.flatMap((ys) => across.map((xs) => weightedSum(values, columns, ys, xs))));
}

// The cells [cell, weight] that the places of a bin touch along one axis, with the mean of their weights.
function meanWeights(places, cells) {
  const weights = new Map();
  for (const [cell, weight] of places.flatMap((at) => neighbors(at, cells)))
    weights.set(cell, (weights.get(cell) ?? 0) + weight / places.length);
  return [...weights];
}

// The cell before a position and the one after, each with its weight; none for a position beyond the map.
function neighbors(at, cells) {
  if (at < -1 || at > cells) return [];
  const low = Math.min(Math.floor(Math.max(at, 0)), cells - 1);
  const after = low === cells - 1 ? 0 : Math.max(at, 0) - low;
  return [[low, 1 - after], [Math.min(low + 1, cells - 1), after]];
}

function weightedSum(values, columns, ys, xs) {
  let sum = 0;
  for (const [row, down] of ys) {
    let line = 0;
    for (const [column, across] of xs) line += across * values[row * columns + column];
    sum += down * line;
  }
  return sum;
}

// The largest value of each bin of whole cells, 0 of an empty one: (channels, size * size).
export function roiPool(map, roi, size, stride) {
  const [, rows, columns] = map.shape;
  const single = (k, count) => f(k * f(count / size)); // torchvision's rounding now and then takes in a cell more
  const bins = poolBins(roi, size, stride, [rows, columns], single);
  return channelsOf(map).map((values) => bins.map(([left, top, right, bottom]) => {
    let most = -Infinity;
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) most = Math.max(most, values[row * columns + column]);
    }
    return most === -Infinity ? 0 : most;
  }));
}

// The channels of a map as typed arrays of rows * columns numbers, without a copy.
export function channelsOf({ shape: [channels, rows, columns], data }) {
  const count = rows * columns;
  return range(channels).map((channel) => data.subarray(channel * count, (channel + 1) * count));
}
