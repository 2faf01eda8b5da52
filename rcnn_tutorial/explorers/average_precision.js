// Precision and recall of one class, and average precision: `evaluation/average_precision.py` in the browser.

import { range } from "./boxes.js";

// The curve while the score threshold falls: { precision, recall }, (D,) each, from the verdicts, best score first.
export function curveOf({ right, neutral }, objects) {
  let [hits, misses] = [0, 0];
  const counts = right.map((is, i) => {
    hits += is ? 1 : 0;
    misses += !is && !neutral[i] ? 1 : 0;
    return [hits, hits + misses];
  });
  return {
    precision: counts.map(([some, all]) => some / Math.max(all, 1)),
    recall: counts.map(([some]) => (objects ? some / objects : NaN)),
  };
}

// The best precision at a recall or beyond; 0 where the recall is never reached.
export function bestPrecision({ precision, recall }, at) {
  return precision.reduce((best, one, i) => (recall[i] >= at ? Math.max(best, one) : best), 0);
}

export const ELEVEN_RECALLS = range(11).map((i) => i * 0.1); // of VOC 2007

// VOC 2007: the mean over recalls 0, 0.1, ... 1 of the best precision at that recall or beyond.
export function elevenPointAp(curve) {
  return ELEVEN_RECALLS.reduce((sum, at) => sum + bestPrecision(curve, at), 0) / ELEVEN_RECALLS.length;
}

// VOC 2010 and later: the area under the curve, each precision raised to the best one at that recall or beyond.
export function areaAp({ precision, recall }) {
  let [area, best] = [0, 0];
  for (let i = precision.length - 1; i >= 0; i--) {
    best = Math.max(best, precision[i]);
    area += best * (recall[i] - (recall[i - 1] ?? 0));
  }
  return area;
}
