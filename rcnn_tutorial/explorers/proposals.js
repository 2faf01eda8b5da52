// The proposal layer of `stages/proposal.py` for one image: anchors become a few hundred promising boxes.

import { clip, decode, range } from "./boxes.js";
import { descending, nms } from "./nms.js";

// The best anchors by foreground probability, decoded and clipped to the image, best first:
// { boxes, scores, anchorIndices }, (K, ...) each.
//
// foreground: (N,). coefficients: (N, 4). available: (N,), false for anchors of padded cells. anchors: (N, 4). size:
// [height, width] of the image. most: K, or fewer where there are fewer.
export function candidates({ foreground, coefficients, available }, anchors, size, most) {
  const ranks = foreground.map((probability, i) => (available[i] ? probability : -1)); // (N,)
  const order = descending(ranks).slice(0, most); // (K,)
  const boxes = order.map((i) => clip(decode(coefficients[i], anchors[i]), size)); // (K, 4)
  return { boxes, scores: order.map((i) => ranks[i]), anchorIndices: order };
}

// What non-maximum suppression leaves of the candidates, at most so many; padded cells are not valid.
export function proposals({ boxes, scores, anchorIndices }, threshold, most) {
  const kept = nms(boxes, scores, threshold, most); // (R,)
  const valid = kept.map((i) => scores[i] >= 0);
  return {
    boxes: kept.map((i, r) => (valid[r] ? boxes[i] : [0, 0, 0, 0])),
    scores: kept.map((i, r) => (valid[r] ? scores[i] : 0)),
    anchorIndices: kept.map((i) => anchorIndices[i]),
    valid,
  };
}

// The first proposals of a list.
export function first({ boxes, scores, anchorIndices, valid }, count) {
  const cut = (list) => list.slice(0, count);
  return { boxes: cut(boxes), scores: cut(scores), anchorIndices: cut(anchorIndices), valid: cut(valid) };
}

// The objects' own boxes behind the proposals, with score 1 and no anchor (-1). truth: { boxes, labels }.
export function appendGroundTruth({ boxes, scores, anchorIndices, valid }, truth) {
  const are = truth.labels.map((label) => label > 0);
  return {
    boxes: [...boxes, ...truth.boxes],
    scores: [...scores, ...are.map(Number)],
    anchorIndices: [...anchorIndices, ...range(are.length).map(() => -1)],
    valid: [...valid, ...are],
  };
}
