// Twin of `crop_pooling.py`; `anchors.js` says how twins are made.

import { range } from "./boxes.js";
import {
  affineGrid, alignBins, alignPositions, cellBoxes, channelsOf, clamp, cornerTheta, cropTheta, gridSample, poolBins,
  roiAlign, roiCorners, roiPool, samplePositions,
} from "./crops.js";
import { BEFORE, boxes, heatmap, lines, OTHER, picture, PLAIN, points, role, WHITE } from "./scene.js";
import { fixed, rounded } from "./text.js";

const f = Math.fround;
const [PHOTO, CELLS, FEATURES] = ["photo, pixels", "photo, cells", "features"];
const UNTURNED = role(WHITE, "dotted", "the ROI before it was turned");
const HULL = role(WHITE, "dotted", "outermost samples");

export const CropPoolingExplorer = {
  draw(controls, tensors) {
    const { method, size, map } = controls;
    const turns = method === "crop";
    const [rotation, roi] = [turns ? controls.rotation : 0, controls.roi.map(f)];
    const [cells, stride] = chosenMap(controls, tensors);
    const asked = { ...controls, ...tensors, rotation, roi, stride, cells: cells.shape.slice(1) };
    const [reading, summary] = READS[method](asked);
    const crop = { shape: [cells.shape[0], size, size], data: cropped(cells, asked) };
    const limits = limitsOf(cells);
    const first = points([[0.5, 0.5]], PLAIN, { shape: "ring", radius: 9, name: "first value" });
    const extent = cellBoxes([[0, 0, cells.shape[2], cells.shape[1]]], stride)[0];
    const ground = map === PHOTO ? [] : [shown(cells, limits, tensors, extent)]; // the photo itself is there already
    const turnable = { roi: turns ? tensors.most_degrees : 0 };
    const result = { layers: [shown(crop, limits, tensors), first], size: [size, size] };
    return {
      scenes: [{ layers: [...ground, ...reading], turnable }, result],
      summary,
      set: { rotation, angles: { roi: rotation } },
      rest: resting(method, map, tensors),
    };
  },

  // The slider says how far the reader has turned the ROI by its grip.
  changed: (name, { angles }) => (name === "angles" ? { set: { rotation: angles.roi } } : {}),
};

// The controls that can do nothing.
function resting(method, map, { methods }) {
  const upright = { rotation: `${methods[method]} cuts upright boxes only`, align_corners: "only crop pooling has it" };
  return { ...(method === "crop" ? {} : upright), ...(map === FEATURES ? {} : { channel: "the map is the photo" }) };
}

// What the crop is cut from, and how many pixels lie between its cells.
function chosenMap({ map, channel }, { photo, features, stride }) {
  const [, rows, columns] = features.shape;
  if (map === PHOTO) return [photo, 1];
  if (map === CELLS) return [cellColors(photo, stride, [rows, columns]), stride];
  return [{ shape: [1, rows, columns], data: channelsOf(features)[channel] }, stride];
}

// The photo's mean color around the pixel that each cell stands for: (3, rows, columns).
function cellColors(photo, stride, [rows, columns]) {
  const [, height, width] = photo.shape;
  const reach = (cell, last) => range(stride).map((k) => clamp(cell * stride - Math.floor(stride / 2) + k, 0, last));
  const [ys, xs] = [[rows, height - 1], [columns, width - 1]].map(([count, last]) =>
    range(count).map((cell) => reach(cell, last)));
  const means = channelsOf(photo).flatMap((values) => ys.flatMap((down) => {
    const sums = columnSums(values, width, down); // (width)
    return xs.map((across) => across.reduce((sum, x) => sum + sums[x], 0) / stride ** 2);
  }));
  return { shape: [3, rows, columns], data: Float32Array.from(means) };
}

// Each column's sum over the rows `down`.
function columnSums(values, width, down) {
  const sums = new Float64Array(width);
  for (const y of down) for (let x = 0; x < width; x++) sums[x] += values[y * width + x];
  return sums;
}

// The crop's values, (channels * size * size).
function cropped(cells, { method, roi, size, stride, align_corners: alignCorners, ...asked }) {
  if (method === "align") return Float32Array.from(roiAlign(cells, roi, size, stride).flat());
  if (method === "pool") return Float32Array.from(roiPool(cells, roi, size, stride).flat());
  const grid = affineGrid(thetaOf({ roi, stride, ...asked }), size, alignCorners);
  return Float32Array.from(gridSample(cells, grid, alignCorners).flat());
}

// Where the crop lies on the map.
function thetaOf({ roi, rotation, stride, cells }) {
  return rotation ? cornerTheta(roiCorners(roi, rotation), stride, cells) : cropTheta(roi, stride, cells);
}

// The smallest and the largest value of a map of one channel.
function limitsOf({ shape, data }) {
  if (shape[0] === 3) return {};
  return { low: data.reduce((a, b) => Math.min(a, b)), high: data.reduce((a, b) => Math.max(a, b)) };
}

// A piece of a map: as a picture where it has three channels, else in the whole map's colors.
function shown({ shape: [channels, rows, columns], data }, limits, { viridis }, extent = null) {
  const count = rows * columns;
  const color = (i) => [data[i], data[count + i], data[2 * count + i]];
  if (channels === 3) return picture(range(count).flatMap(color), [rows, columns], { extent });
  const values = range(rows).map((row) => Array.from(data.subarray(row * columns, (row + 1) * columns)));
  return heatmap(values, viridis, { ...limits, extent });
}

// What each method reads: layers and a sentence.
const READS = { crop: readCrop, align: readAlign, pool: readPool };

// The sample grid of crop pooling.
function readCrop(asked) {
  const { roi, size, stride, rotation, cells, align_corners: alignCorners } = asked;
  const positions = samplePositions(thetaOf(asked), size, cells, alignCorners); // (size * size, 2)
  const places = positions.map((position) => position.map((at) => f(at * stride))); // in pixels
  const ends = [0, size - 1, size * size - 1, size * (size - 1)].map((k) => places[k]);
  const layers = [
    ...(rotation ? [boxes([roi], UNTURNED)] : []),
    ...(alignCorners ? [] : [lines([ends], HULL, { closed: true })]),
    ...pointLayers(places, `${size * size} samples`),
  ];
  const beyond = (at, count) => at < f(-1e-3) || at > f(count - 1 + f(1e-3));
  const outside = positions.filter(([x, y]) => beyond(x, cells[1]) || beyond(y, cells[0])).length;
  const turned = rotation ? `, turned by ${rotation}°` : "";
  const faded = outside ? ` ${outside} lie beyond the map's last centers, where it fades to 0.` : "";
  return [layers, `${roiInWords(roi)}${turned}: ${size} × ${size} samples${stepsInWords(places, size)}.${faded}`];
}

// How far the samples lie apart, across and down.
function stepsInWords(places, size) {
  if (size === 1) return "";
  const [across, down] = [places[1], places[size]].map(([x, y]) => Math.hypot(x - places[0][0], y - places[0][1]));
  return `, ${fixed(rounded(across, 3), 1)} pixels apart across, ${fixed(rounded(down, 3), 1)} down`;
}

// RoIAlign's bins and the points that it averages in each.
function readAlign({ roi, size, stride, most_points: most }) {
  const { axes, counts } = alignPositions(roi, size, stride);
  const bins = alignBins(roi, size, stride); // (size * size, 4)
  const layers = [boxes(bins, OTHER, { width: 2, name: "bins, from each the mean" })];
  const few = axes[0].length * axes[1].length <= most;
  if (few) layers.push(...pointLayers(binByBin(axes, counts, size, stride), "points"));
  const each = `${size} × ${size} bins of ${sidesInWords(sidesOf(bins[0]))} pixels`;
  const mean = `RoIAlign takes the mean of ${counts.join(" × ")} points`;
  return [layers, `${roiInWords(roi)}: ${mean} in each of ${each}.`];
}

// RoIAlign's points in pixels, those of a bin together, bins and points row by row: (N, 2).
function binByBin([xs, ys], [columns, rows], size, stride) {
  const bin = (places, count, k) => places.slice(k * count, (k + 1) * count).map((at) => f(at * stride));
  return range(size).flatMap((row) => range(size).flatMap((column) =>
    bin(ys, rows, row).flatMap((y) => bin(xs, columns, column).map((x) => [x, y]))));
}

// RoIPool's bins of whole cells.
function readPool({ roi, size, stride, cells }) {
  const bins = poolBins(roi, size, stride, cells); // (size * size, 4) cells
  const first = [0, 1].map((i) => Math.min(...bins.map((bin) => bin[i])));
  const behind = [2, 3].map((i) => Math.max(...bins.map((bin) => bin[i])));
  const outermost = [...first, ...behind.map((edge) => edge - 1)].map((cell) => cell * stride); // centers, pixels
  const moved = Math.max(...outermost.map((side, i) => Math.abs(f(side - roi[i]))));
  const sides = sidesOf(roi).map((side) => f(side / stride));
  const was = stride === 1 ? "" : `${sidesInWords(sides, 2)} to `;
  const whole = behind.map((edge, i) => edge - first[i]).join(" × ");
  const layer = boxes(cellBoxes(bins, stride), BEFORE, { width: 2, name: "bins, from each the largest value" });
  const by = `moving a side by up to ${fixed(moved, 1)} pixels`;
  return [[layer], `${roiInWords(roi)}: RoIPool rounds ${was}${whole} cells, ${by}.`];
}

// The points at which a method reads, the first one ringed.
function pointLayers(places, name) {
  const radius = places.length <= 64 ? 4 : 2.5;
  return [points(places, BEFORE, { radius, name }), points(places.slice(0, 1), PLAIN, { shape: "ring", radius: 9 })];
}

// Its place and its sides.
function roiInWords(roi) {
  return `ROI at (${fixed(roi[0], 0)}, ${fixed(roi[1], 0)}), ${sidesInWords(sidesOf(roi), 0)} pixels`;
}

const sidesOf = ([x1, y1, x2, y2]) => [f(x2 - x1), f(y2 - y1)];
const sidesInWords = ([width, height], digits = 1) => `${fixed(width, digits)} × ${fixed(height, digits)}`;
