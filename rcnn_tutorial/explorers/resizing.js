// How large a photo becomes, and what is seen of it then: `stages/preprocessing.py` in the browser.
//
// To scale is, along each axis, a sum of a few source pixels for every new one: { first, weights } each.

import { range } from "./boxes.js";
import { roundHalfEven } from "./text.js";

const f = Math.fround;

// The factor that brings the short side to `target`, unless the long side would then exceed `most`.
export function scaleFor([height, width], target, most) {
  const [short, long] = [Math.min(height, width), Math.max(height, width)];
  const scale = target / short;
  return roundHalfEven(scale * long) > most ? most / long : scale;
}

// [height, width] after scaling.
export const scaledSize = (size, scale) => size.map((side) => Math.max(1, roundHalfEven(side * scale)));

// Bilinear scaling of `count` pixels by exactly `scale`, to `length` pixels; beyond the last pixel it is repeated.
export function bilinear(count, scale, length) {
  const last = count - 1;
  return range(length).map((at) => {
    const place = Math.max(f(f(f(1 / scale) * (at + 0.5)) - 0.5), 0);
    const first = Math.min(Math.floor(place), last);
    const share = first === last ? 0 : f(place - first);
    return { first, weights: share ? [1 - share, share] : [1] };
  });
}

// Every pixel as it is.
export const unscaled = (count) => range(count).map((first) => ({ first, weights: [1] }));

// First one scaling, then means of its pixels, so that `length` are left.
export function averaged(scaling, length) {
  return range(length).map((at) => {
    const start = Math.floor((at * scaling.length) / length);
    const parts = scaling.slice(start, Math.ceil(((at + 1) * scaling.length) / length));
    const [first, end] = [parts[0].first, Math.max(...parts.map((part) => part.first + part.weights.length))];
    const weights = new Array(end - first).fill(0);
    for (const part of parts)
      part.weights.forEach((weight, k) => (weights[part.first - first + k] += weight / parts.length));
    return { first, weights };
  });
}

// A part of a photo { shape: [3, H, W], data } scaled along both axes: flat (height, width, 3).
//
// top, left: where the part begins. rows, columns: { first, weights } of each new row and column, counted from there.
export function resampled(photo, [top, left], rows, columns) {
  const count = 3 * columns.length;
  const high = Math.max(...rows.map(({ first, weights }) => first + weights.length));
  const across = sideBySide(columns, left);
  const narrow = new Float32Array(high * count); // all rows of the part, scaled across: the narrower, the less to add
  for (let y = 0; y < high; y++) mixColumns(photo, top + y, across, narrow, y * count);
  const result = new Float32Array(rows.length * count);
  rows.forEach((row, y) => mixRows(narrow, row, result.subarray(y * count, (y + 1) * count)));
  return result;
}

// All weights in one row, and where each column's begin there and in the source.
function sideBySide(columns, left) {
  const begins = [0];
  for (const { weights } of columns) begins.push(begins[begins.length - 1] + weights.length);
  const firsts = columns.map(({ first }) => left + first);
  const weights = Float32Array.from(columns.flatMap((column) => column.weights));
  return { begins: Int32Array.from(begins), firsts: Int32Array.from(firsts), weights };
}

// The weighted sums of a row's pixels, three colors each, to `result` from `at` on.
function mixColumns({ shape: [, height, width], data }, row, { begins, firsts, weights }, result, at) {
  const [green, blue] = [height * width, 2 * height * width]; // away from red
  for (let x = 0; x < firsts.length; x++) {
    const shift = row * width + firsts[x] - begins[x];
    let r = 0, g = 0, b = 0; // no lists here: this runs 10^6 times
    for (let k = begins[x]; k < begins[x + 1]; k++) {
      r += weights[k] * data[shift + k];
      g += weights[k] * data[shift + k + green];
      b += weights[k] * data[shift + k + blue];
    }
    result[at + 3 * x] = r;
    result[at + 3 * x + 1] = g;
    result[at + 3 * x + 2] = b;
  }
}

// The weighted sum of a few rows that are as long as `result`.
function mixRows(values, { first, weights }, result) {
  weights.forEach((weight, k) => {
    const from = (first + k) * result.length;
    for (let i = 0; i < result.length; i++) result[i] += weight * values[from + i];
  });
}
