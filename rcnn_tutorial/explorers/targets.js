// The target layers, `stages/anchor_target.py` and `stages/proposal_target.py`, in the browser: what every anchor and
// every ROI of one image is to learn. Thresholds are rounded to single precision, as torch rounds them.

import { boxIou, encode, range } from "./boxes.js";
import { keepLast } from "./once.js";
import { shuffledCandidates } from "./sampling.js";
import { roundHalfEven } from "./text.js";

const f = Math.fround;
export const [FOREGROUND, BACKGROUND, DONT_CARE] = [1, 0, -1];

// Every anchor's label before sampling, with the overlaps that decided it:
// { labels, overlaps, closest, typeA, typeB }, (N,) each; `closest` is the object of the largest overlap.
//
// anchors: (N, 4). objects: (G, 4). inside: (N,), false for anchors that do not count.
export function assignAnchors(anchors, objects, inside, config) {
  const rows = range(anchors.length).filter((i) => inside[i]); // (R,)
  const table = objects.map((object) => rows.map((i) => boxIou(anchors[i], object))); // (G, R)
  const best = table.map((ious) => ious.reduce((a, b) => Math.max(a, b), 0)); // (G,)
  const all = (value) => Array(anchors.length).fill(value); // (N,)
  const found = { labels: all(DONT_CARE), overlaps: all(0), closest: all(0), typeA: all(false), typeB: all(false) };
  const [high, low] = [f(config.positive_overlap), f(config.negative_overlap)];
  rows.forEach((i, r) => {
    const [overlap, closest] = largest(objects.length, (g) => table[g][r]);
    const typeA = best.some((most, g) => most > 0 && table[g][r] === most);
    const typeB = overlap >= high;
    const foreground = (typeA || typeB) && !(config.clobber_positives && overlap < low);
    [found.overlaps[i], found.closest[i], found.typeA[i], found.typeB[i]] = [overlap, closest, typeA, typeB];
    found.labels[i] = foreground ? FOREGROUND : overlap < low ? BACKGROUND : DONT_CARE;
  });
  return found;
}

// At most batch_size * foreground_fraction foreground, filled up with background, the rest forgotten: (N,).
//
// labels: (N,). keys: (N,) random numbers, the highest of which stay.
export function sampleLabels(labels, keys, config) {
  const most = Math.floor(config.batch_size * config.foreground_fraction);
  const [foregrounds, backgrounds] = shuffledKinds(labels, keys);
  const foreground = foregrounds.slice(0, most);
  const background = backgrounds.slice(0, config.batch_size - foreground.length);
  const sampled = Array(labels.length).fill(DONT_CARE);
  for (const i of [...foreground, ...background]) sampled[i] = labels[i];
  return sampled;
}

// All foreground and all background anchors, in random order: how many of them stay changes neither.
const shuffledKinds = keepLast((labels, keys) =>
  [FOREGROUND, BACKGROUND].map((kind) => shuffledCandidates(labels.map((label) => label === kind), keys)));

// Every ROI's overlap with its closest object, and its kind: { overlaps, closest, foreground, background }, (R,) each.
//
// boxes: (R, 4). valid: (R,), false for padding. objects: (G, 4). Where nothing qualifies all are background.
export function assignRois(boxes, valid, objects, config) {
  const [high, low] = [f(config.background_high), f(config.background_low)];
  const found = boxes.map((box) => largest(objects.length, (g) => boxIou(box, objects[g]))); // (R, 2)
  const overlaps = found.map(([iou]) => iou);
  const foreground = overlaps.map((iou, i) => valid[i] && iou >= f(config.foreground_threshold));
  let background = overlaps.map((iou, i) => valid[i] && iou < high && iou >= low);
  if (!foreground.some(Boolean) && !background.some(Boolean)) background = [...valid];
  return { overlaps, closest: found.map(([, object]) => object), foreground, background };
}

// batch_size ROIs: { chosen, isForeground }, (S,) each, foreground first; `chosen` are indices.
//
// At most foreground_fraction of them are foreground. Kinds that are too few are drawn again in turn: background
// always, foreground only where there is no background. keys: (R,) random numbers, which order the candidates.
export function sampleRois({ foreground, background }, keys, config) {
  const size = config.batch_size;
  const [inFront, behind] = [foreground, background].map((candidates) => shuffledCandidates(candidates, keys, size));
  const most = roundHalfEven(size * config.foreground_fraction);
  const share = behind.length ? Math.min(foreground.filter(Boolean).length, most) : size;
  const pick = (place) => (place < share ? inFront[place % inFront.length] : behind[(place - share) % behind.length]);
  return { chosen: range(size).map(pick), isForeground: range(size).map((place) => place < share) };
}

// The sampled ROIs and what the classifier should say of each: { rois, labels, coefficients, chosen, overlaps },
// (S, ...) each, and the `assignment` before sampling.
//
// proposals: { boxes, valid }. truth: { boxes, labels }, label 0 where padded. keys: (R,) random numbers.
export function proposalTargets({ boxes, valid }, truth, keys, config) {
  const assignment = assignRois(boxes, valid, truth.boxes, config);
  const { chosen, isForeground } = sampleRois(assignment, keys, config);
  const rois = chosen.map((i) => boxes[i]); // (S, 4)
  const objects = chosen.map((i) => assignment.closest[i]); // (S,)
  const labels = objects.map((object, s) => (isForeground[s] ? truth.labels[object] : 0));
  const coefficients = rois.map((roi, s) => normalized(encode(truth.boxes[objects[s]], roi), config)); // (S, 4)
  return { rois, labels, coefficients, chosen, overlaps: chosen.map((i) => assignment.overlaps[i]), assignment };
}

// (t - mean) / std for each of the four coefficients.
export function normalized(coefficients, { target_means: means, target_stds: stds }) {
  return coefficients.map((t, i) => f(f(t - f(means[i])) / f(stds[i])));
}

// The largest of so many numbers from 0 up, and the first place that has it; [0, 0] of none.
function largest(count, numberAt) {
  let [most, at] = [0, 0];
  for (let i = 0; i < count; i++) if (numberAt(i) > most) [most, at] = [numberAt(i), i];
  return [most, at];
}
