// The twin of `precision_recall.py`; `anchors.js` says how a twin is made.

import { areaAp, bestPrecision, curveOf, ELEVEN_RECALLS, elevenPointAp } from "./average_precision.js";
import { range } from "./boxes.js";
import { chartAxes, chartPlace } from "./chart.js";
import { difficultOf, judge, match } from "./matching.js";
import { AFTER, BEFORE, boxes, GROUND_TRUTH, lines, OTHER, PALETTE, points, role, WHITE, YELLOW } from "./scene.js";
import { fixed } from "./text.js";

const f = Math.fround;
const MOST_RANKS = 15; // detections, up to which each has its number on the chart
const [RIGHT_ONE, WRONG_ONE] = [{ ...AFTER, name: "right" }, { ...BEFORE, name: "wrong" }];
const NEUTRAL_ONE = role(PALETTE[1], "dashdot", "on a difficult object");
const BELOW = { ...OTHER, name: "below the threshold" };
const AS_ANNOTATED = role(PALETTE[6], "dotted", "as annotated");

export const CurveExplorer = {
  draw({ threshold, object = 1, iou, box }, tensors) {
    const { photos, found, targets, movable } = tensors;
    const [photo, row] = movable.length ? movable[object - 1] : [0, -1];
    const hand = { photo, row, box: movable.length ? box.map(f) : null, moved: false };
    hand.moved = row >= 0 && hand.box.some((side, i) => side !== targets[photo].boxes[row][i]);
    const now = rankingOf(found, hand.moved ? withMoved(targets, hand) : targets, iou);
    const count = now.rows.filter(({ score }) => score >= threshold).length;
    const { image, size } = photos[photo];
    return {
      scenes: [{ layers: photoLayers(now, hand, count, tensors), image, size }, { layers: chart(now, count) }],
      summary: inWords(now, hand, count, threshold, iou, tensors),
    };
  },

  // An object that is newly taken in hand lies where it is annotated.
  changed(name, { object }, before, { movable, targets }) {
    if (name !== "object") return {};
    const [photo, row] = movable[object - 1];
    return { set: { box: targets[photo].boxes[row] } };
  },

  // A click on the chart: the threshold that ends the list at the nearest detection.
  clicked([x, y], { object = 1, iou, box }, { found, targets, movable }, ranges, picture) {
    const [photo, row] = movable[object - 1] ?? [0, -1];
    const now = rankingOf(found, row < 0 ? targets : withMoved(targets, { photo, row, box: box.map(f) }), iou);
    if (picture !== 1 || !now.rows.length || !now.objects) return undefined;
    const away = placesOf(now).map(([across, up]) => (across - x) ** 2 + (up - y) ** 2);
    const nearest = away.indexOf(Math.min(...away));
    return { threshold: Math.floor(now.rows[nearest].score * 100 + 1e-4) / 100 };
  },
};

// The targets with the object in hand where it is now.
function withMoved(targets, { photo, row, box }) {
  const there = targets[photo].boxes.map((one, i) => (i === row ? box : one));
  return targets.map((target, i) => (i === photo ? { ...target, boxes: there } : target));
}

// The class's detections in order, each judged on these targets: right above the threshold of the IoU.
function rankingOf(found, targets, iou) {
  const rows = match(found, targets);
  const difficult = targets.flatMap(difficultOf);
  const verdicts = judge(rows, difficult, iou);
  const objects = difficult.filter((is) => !is).length;
  return { rows, ...verdicts, objects, ...curveOf(verdicts, objects) };
}

const placesOf = ({ recall, precision }) => recall.map((at, i) => chartPlace([at, precision[i]]));
const isWrong = ({ right, neutral }) => (i) => !right[i] && !neutral[i];

// ---- the photo

// The class's detections and objects on the photo; `count` detections reach the threshold.
function photoLayers(now, { photo, row, moved }, count, { targets, movable }) {
  const target = targets[photo];
  const others = target.boxes.filter((_, i) => i !== row);
  const groups = [[WRONG_ONE, isWrong(now)], [RIGHT_ONE, (i) => now.right[i]]];
  if (now.neutral.includes(true)) groups.unshift([NEUTRAL_ONE, (i) => now.neutral[i]]);
  const here = range(now.rows.length).filter((i) => now.rows[i].photo === photo);
  const reach = here.filter((i) => i < count);
  return [
    boxes(others, GROUND_TRUTH, { width: 2, name: movable.length ? "" : "object" }),
    ...(moved ? [boxes([target.boxes[row]], AS_ANNOTATED, { width: 2 })] : []),
    detectionLayer(now, here.filter((i) => i >= count), BELOW, { width: 1.5, opacity: 0.8 }),
    ...groups.map(([look, which]) => detectionLayer(now, reach.filter(which), look, {})),
  ];
}

// Some of the detections, each with its place in the list.
function detectionLayer({ rows }, which, look, more) {
  const labels = look === BELOW ? [] : which.map((i) => `${i + 1}: ${fixed(rows[i].score, 2)}`);
  const hover = which.map((i) => {
    const { score, overlap } = rows[i];
    return `${i + 1} of ${rows.length}: score ${fixed(score, 2)}, IoU ${fixed(Math.max(overlap, 0), 2)}`;
  });
  return boxes(which.map((i) => rows[i].box), look, { labels, hover, ...more });
}

// ---- the chart

// Area, curve, eleven points and, of the first `count` detections, the point that the threshold picks.
function chart(now, count) {
  const axes = chartAxes("recall", "precision");
  if (!now.objects) return axes;
  const places = placesOf(now); // (D, 2)
  const here = range(places.length).slice(0, count).slice(-1); // 0 or 1
  const eleven = ELEVEN_RECALLS.map((at) => chartPlace([at, bestPrecision(now, at)]));
  const kinds = [[WRONG_ONE, "ring", isWrong(now)], [RIGHT_ONE, "dot", (i) => now.right[i]]];
  const dots = kinds.map(([look, shape, which]) => {
    const rows = range(places.length).filter(which);
    const labels = places.length <= MOST_RANKS ? rows.map((i) => `${i + 1}`) : [];
    return points(rows.map((i) => places[i]), look, { shape, radius: 5, labels });
  });
  return [
    ...axes,
    area(now),
    lines(places.length ? [places] : [], role(WHITE), { width: 1.5 }),
    ...dots,
    points(eleven, role(YELLOW), { shape: "cross", radius: 5, name: "11 points" }),
    lines(here.map((i) => guide([now.recall[i], now.precision[i]])), role(WHITE, "dotted"), { width: 2 }),
    points(here.map((i) => places[i]), role(WHITE, "solid", "at the threshold"), { shape: "ring", radius: 11 }),
  ];
}

// What the AP by area adds up: a column for each right detection, as high as the best precision from there on.
function area(now) {
  const columns = now.recall.filter((_, i) => now.right[i]).map((at) =>
    [...chartPlace([at - 1 / now.objects, bestPrecision(now, at)]), ...chartPlace([at, 0])]);
  return boxes(columns, role(PALETTE[1], "solid", "area"), { fill: 0.3, width: 1 });
}

// From a point to both axes.
const guide = ([recall, precision]) => [[recall, 0], [recall, precision], [0, precision]].map(chartPlace);

// ---- words

function inWords(now, hand, count, threshold, iou, { name, found, targets }) {
  const head = `${name}: ${count} of ${now.rows.length} detections score ${fixed(threshold, 2)} or more`;
  if (!now.objects) return `${head}. There is no object of this class: recall and AP have no meaning.`;
  const [right, neutral] = [now.right, now.neutral].map((which) => which.slice(0, count).filter(Boolean).length);
  const precision = count > neutral ? `precision ${fixed(right / (count - neutral), 2)}` : "no precision";
  const annotated = hand.moved ? ` (as annotated ${apInWords(rankingOf(found, targets, iou))})` : "";
  const ap = `AP ${apInWords(now)}${annotated}. `;
  const fate = hand.box ? fateOf(now, hand, count, targets) : "";
  return `${head}, ${right} right: ${precision}, recall ${fixed(right / now.objects, 2)}. ${ap}${fate}`;
}

// Both average precisions.
const apInWords = (curve) => `${fixed(areaAp(curve), 3)} by area, ${fixed(elevenPointAp(curve), 3)} at 11 points`;

// What became of the object in hand.
function fateOf({ rows, right }, { photo, row }, count, targets) {
  const before = targets.slice(0, photo).reduce((sum, { boxes: there }) => sum + there.length, 0);
  const number = before + row; // through all photos
  const mine = range(rows.length).filter((i) => rows[i].object === number && rows[i].overlap >= 0);
  const rank = mine.find((i) => right[i]);
  if (rank !== undefined) {
    const late = rank >= count ? `only below the threshold, score ${fixed(rows[rank].score, 2)}, ` : "";
    return `Detection ${rank + 1} finds the object in hand (${late}IoU ${fixed(rows[rank].overlap, 2)}).`;
  }
  const best = mine.reduce((most, i) => Math.max(most, rows[i].overlap), 0);
  if (best > 0) return `No detection finds the object in hand (best IoU ${fixed(best, 2)}).`;
  return "No detection touches the object in hand.";
}
