// Arithmetic on boxes that every stage shares: `boxes.py` in the browser.
//
// A box is [x1, y1, x2, y2] in pixels with continuous corners; functions take one box, or a pair of them. Numbers are
// rounded to single precision after each step, as torch's are, so that comparisons with a threshold come out alike.

const f = Math.fround;
export const MAX_LOG_SCALE = f(Math.log(100000));
export const MIN_SIDE = f(1e-6);
export const TINY = 2 ** -126; // the smallest normal number of single precision

// Area in square pixels. The box is not taken apart: this runs a hundred thousand times a picture.
export function boxArea(box) {
  return f(f(box[2] - box[0]) * f(box[3] - box[1]));
}

// Intersection over union, in [0, 1]; 0 where both boxes are empty.
export function boxIou(a, b) {
  const width = Math.max(f(Math.min(a[2], b[2]) - Math.max(a[0], b[0])), 0);
  const height = Math.max(f(Math.min(a[3], b[3]) - Math.max(a[1], b[1])), 0);
  const intersection = f(width * height);
  const union = f(f(boxArea(a) + boxArea(b)) - intersection);
  return f(intersection / Math.max(union, TINY));
}

// The largest IoU of each object with any of the boxes, (G,); 0 where there is no box.
export function bestOverlaps(objects, boxes) {
  return objects.map((object) => boxes.reduce((best, box) => Math.max(best, boxIou(object, box)), 0));
}

// [center x, center y, width, height] of a box.
export function centerAndSize([x1, y1, x2, y2]) {
  return [f(f(x1 + x2) / 2), f(f(y1 + y2) / 2), f(x2 - x1), f(y2 - y1)];
}

// The coefficients [t_x, t_y, t_w, t_h] that turn a reference box into a box.
export function encode(box, reference) {
  const [x, y, w, h] = centerAndSize(box);
  const [rx, ry, rw, rh] = centerAndSize(reference);
  const [wide, high] = [rw, rh].map((side) => Math.max(side, MIN_SIDE));
  const log = (side, of) => f(Math.log(f(Math.max(side, MIN_SIDE) / of)));
  return [f(f(x - rx) / wide), f(f(y - ry) / high), log(w, wide), log(h, high)];
}

// The box that the coefficients make of a reference box, the inverse of `encode`.
export function decode([tx, ty, tw, th], reference) {
  const [rx, ry, rw, rh] = centerAndSize(reference);
  const [x, y] = [f(rx + f(tx * rw)), f(ry + f(ty * rh))];
  const [w, h] = [[tw, rw], [th, rh]].map(([t, side]) => f(side * f(Math.exp(Math.min(t, MAX_LOG_SCALE)))));
  return [f(x - f(w / 2)), f(y - f(h / 2)), f(x + f(w / 2)), f(y + f(h / 2))];
}

// Corners that lie outside an image of [height, width] pixels move onto its border.
export function clip([x1, y1, x2, y2], [height, width]) {
  const [onX, onY] = [width, height].map((side) => (at) => Math.min(Math.max(at, 0), side));
  return [onX(x1), onY(y1), onX(x2), onY(y2)];
}

// A box moved by [x, y], or by as much both ways.
export function shifted([x1, y1, x2, y2], by) {
  const [dx, dy] = Array.isArray(by) ? by : [by, by];
  return [f(x1 + dx), f(y1 + dy), f(x2 + dx), f(y2 + dy)];
}

// 0, 1, ..., count - 1
export function range(count) {
  const numbers = [];
  for (let i = 0; i < count; i++) numbers.push(i); // Array.from is slow, and a photo has 17 100 anchors
  return numbers;
}

export const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
