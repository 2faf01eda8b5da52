// From the classifier's outputs to detections: `stages/inference.py` in the browser.

import { clip, decode, range } from "./boxes.js";
import { descending, nms } from "./nms.js";

const f = Math.fround;
// Boxes above which torchvision's `batched_nms`, on a CPU, takes class by class, with the boxes where they are.
const TRICK = 1000;

// Every ROI's box as every class would have it, clipped, in original pixels: { shape: [R, C + 1, 4], data }.
//
// coefficients: { shape: [R, C + 1, 4], data }. rois: (R, 4). means, stds: (4,) of the coefficients. scale: of the
// photo as the network sees it. size: [height, width] of the photo as it was given.
export function classBoxes({ shape, data }, rois, { means, stds, scale, size }) {
  const boxes = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += 4) {
    const coefficients = range(4).map((k) => f(f(data[at + k] * f(stds[k])) + f(means[k])));
    const box = decode(coefficients, rois[Math.floor(at / (4 * shape[1]))]);
    boxes.set(clip(box.map((corner) => f(corner / f(scale))), size), at);
  }
  return { shape, data: boxes };
}

// One ROI's box as every class would have it: (C + 1, 4). row: which ROI; the rest as in `classBoxes`.
export function classBoxesOf(row, { shape: [, count], data }, rois, normalization) {
  const own = { shape: [1, count, 4], data: data.subarray(4 * count * row, 4 * count * (row + 1)) };
  const found = classBoxes(own, [rois[row]], normalization);
  return range(count).map((label) => boxAt(found, 0, label));
}

// A ROI's box of one class. boxes: { shape: [R, C + 1, 4], data }.
export function boxAt({ shape, data }, roi, label) {
  const at = 4 * (roi * shape[1] + label);
  return [data[at], data[at + 1], data[at + 2], data[at + 3]];
}

// The class (1..C) that a ROI most looks like. probabilities: (C + 1,).
export const likeliest = (probabilities) => probabilities.indexOf(Math.max(...probabilities.slice(1)), 1);

// Threshold, suppress within each class, keep the `most` best of all classes: [{ box, label, score, roi }], best first.
//
// every: { shape: [R, C + 1, 4], data }. candidates: [{ label, score, roi }], ROI by ROI. threshold: the IoU of NMS.
export function detect(every, candidates, threshold, most) {
  const boxes = candidates.map(({ label, roi }) => boxAt(every, roi, label));
  const keep = (boxes.length > TRICK ? classByClass : sideBySide)(boxes, candidates, threshold, most);
  return keep.map((i) => ({ ...candidates[i], box: boxes[i] }));
}

// [{ label, score, roi }] of all scores above a threshold, ROI by ROI. probabilities: (R, C + 1); column 0, background,
// is no detection. valid: (R,), false for padded ROIs.
export function candidatesAbove(probabilities, valid, threshold) {
  const found = [];
  probabilities.forEach((scores, roi) => {
    for (let label = 1; valid[roi] && label < scores.length; label++)
      if (scores[label] > f(threshold)) found.push({ label, score: scores[label], roi });
  });
  return found;
}

// All classes at once, each moved so far that it meets no other: the boxes are rounded as torchvision's are.
function sideBySide(boxes, candidates, threshold, most) {
  const largest = boxes.reduce((max, box) => Math.max(max, ...box), -Infinity);
  const offset = ({ label }) => f(label * f(largest + 1));
  const moved = boxes.map((box, i) => box.map((corner) => f(corner + offset(candidates[i]))));
  return nms(moved, candidates.map(({ score }) => score), threshold, most);
}

function classByClass(boxes, candidates, threshold, most) {
  const rowsOf = new Map(); // label -> its candidates
  candidates.forEach(({ label }, i) => rowsOf.has(label) ? rowsOf.get(label).push(i) : rowsOf.set(label, [i]));
  const keep = [...rowsOf.values()].flatMap((rows) => {
    const kept = nms(rows.map((i) => boxes[i]), rows.map((i) => candidates[i].score), threshold, most);
    return kept.map((place) => rows[place]);
  }).sort((a, b) => a - b);
  return descending(keep.map((i) => candidates[i].score)).slice(0, most).map((place) => keep[place]);
}
