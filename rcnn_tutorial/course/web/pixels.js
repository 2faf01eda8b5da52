// A photo's pixels in the forms that explorers take; where nothing else is said, bytes: { shape: [height, width, 3],
// data }. trace, photo, config: see `on_photo.js`.

import { range } from "./boxes.js";
import { once } from "./once.js";
import { GROUND } from "./scene.js";
import { roundHalfEven } from "./text.js";

const f = Math.fround;

// Without the fourth number of every pixel.
export const colorsOf = once(({ width, height, data }) => {
  const colors = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) colors[3 * i + c] = data[4 * i + c];
  return { shape: [height, width, 3], data: colors };
});

// The photo as the detector sees it, but in colors.
export const scaledPhoto = (trace, config) => inColors(trace["preprocessed.images"], config.preprocessing);

export function inColors({ shape: [, height, width], data }, { mean, std }) {
  const colors = new Uint8ClampedArray(3 * height * width); // rounds
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < height * width; i++)
      colors[3 * i + c] = 255 * (data[c * height * width + i] * std[c] + mean[c]);
  return { shape: [height, width, 3], data: new Uint8Array(colors.buffer) };
}

export function channelsFirst({ shape: [height, width], data }) {
  const planes = new Uint8Array(data.length);
  for (let i = 0; i < height * width; i++) for (let c = 0; c < 3; c++) planes[c * height * width + i] = data[3 * i + c];
  return { shape: [3, height, width], data: planes };
}

export function grayOf(photo) {
  const { shape, data } = colorsOf(photo);
  const gray = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) gray.fill(Math.round((data[i] + data[i + 1] + data[i + 2]) / 3), i, i + 3);
  return { shape, data: gray };
}

// The picture in the middle of a dark one, with `room` pixels around it.
export function withRoom({ shape: [height, width], data }, room) {
  const [high, wide] = [height + 2 * room, width + 2 * room];
  const result = new Uint8Array(3 * high * wide).fill(parseInt(GROUND.slice(1, 3), 16));
  for (let y = 0; y < height; y++)
    result.set(data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((y + room) * wide + room));
  return { shape: [high, wide, 3], data: result };
}

// The photo with at most `longest` pixels a side, means of squares of whole pixels, as bytes and as three planes of
// numbers from 0 to 1: `shrunk` of `own_photo.py`.
export function shrunk({ width, height, data }, longest) {
  const side = Math.min(Math.ceil(Math.max(width, height) / longest), width, height);
  const [high, wide] = [height, width].map((length) => Math.floor(length / side));
  const planes = range(3).map((channel) => new Float64Array(high * wide).map((_, i) => {
    const [top, left] = [side * Math.floor(i / wide), side * (i % wide)];
    let sum = 0;
    for (let y = top; y < top + side; y++)
      for (let x = left; x < left + side; x++) sum += data[4 * (y * width + x) + channel];
    return f(sum / side ** 2 / 255);
  }));
  const bytes = new Uint8Array(3 * high * wide).map((_, i) => roundHalfEven(f(planes[i % 3][Math.floor(i / 3)] * 255)));
  return { image: { shape: [high, wide, 3], data: bytes }, planes };
}
