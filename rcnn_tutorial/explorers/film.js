// One scene while a detector learns: what it detects now, large, and at four earlier steps, small. `film.py` in the
// browser. What is found is { boxes: (D, 4), labels: (D,), scores: (D,) }.

import { boxIou, range } from "./boxes.js";
import { nms } from "./nms.js";
import { AFTER, BEFORE, boxes as boxLayer, CHOSEN, GROUND, GROUND_TRUTH, points, role } from "./scene.js";

const SHOWN = 6; // the best detections of a frame
const GAP = 4; // pixels between two frames
const TAG = 20; // pixels from the top of a frame to the foot of its text
export const [RIGHT, OTHER_CLASS, ELSEWHERE] = ["right", "misnamed", "elsewhere"];
const LOOKS = [
  { ...AFTER, name: RIGHT },
  { ...CHOSEN, dash: "dashdot", name: OTHER_CLASS },
  { ...BEFORE, name: ELSEWHERE },
];

// The detections of now and of earlier steps, and the verdicts on those of now. before: [{ step, found }], found null:
// not there yet. scene: { objects: (G, 4), labels: (G,), classes, frame: [width, height], corners: x, y of the small
// frames }.
export function filmLayers(found, step, before, scene) {
  const { frame: [width, height], corners } = scene;
  const scale = [(2 * width + GAP) / width, (2 * height + GAP) / height];
  const { layers: large, verdicts } = frameLayers(found, [0, 0], scale, scene, true);
  const small = before.flatMap(({ step: then, found: its }, i) => {
    const [x, y] = corners[i];
    const veil = boxLayer([[x, y, x + width, y + height]], role(GROUND), { fill: 0.75, name: "", width: 0 });
    const layers = its ? frameLayers(its, corners[i], [1, 1], scene, false).layers : [veil];
    return [...layers, tag(corners[i], `step ${then}`)];
  });
  return { layers: [...large, tag([0, 0], `now: step ${step}`), ...small], verdicts };
}

// Detections of one frame. named: the names of the classes and of the looks as well, and where the objects are.
function frameLayers(found, [x, y], [across, down], { objects, labels, classes }, named) {
  const best = bestPlaces(found, SHOWN);
  const verdicts = judge(best, { boxes: objects, labels });
  const layer = (rows, look, width, texts = []) => {
    const moved = rows.map(([x1, y1, x2, y2]) => [x1 * across + x, y1 * down + y, x2 * across + x, y2 * down + y]);
    return boxLayer(moved, look, { labels: named ? texts : [], width, ...(named ? {} : { name: "" }) });
  };
  const kinds = LOOKS.map((look) => {
    const rows = range(verdicts.length).filter((row) => verdicts[row] === look.name);
    const texts = rows.map((row) => classes[best.labels[row] - 1]);
    return layer(rows.map((row) => best.boxes[row]), look, named ? 3 : 2, texts);
  });
  return { layers: named ? [layer(objects, { ...GROUND_TRUTH, dash: "dotted" }, 2), ...kinds] : kinds, verdicts };
}

// A text in the upper left corner of a frame.
const tag = ([x, y], text) => points([[x, y + TAG]], role(GROUND), { radius: 0, labels: [text] });

// The `count` best detections (fewer where there are fewer) that lie in different places.
function bestPlaces({ boxes, labels, scores }, count) {
  const keep = nms(boxes, scores, 0.5, count);
  return { boxes: keep.map((row) => boxes[row]), labels: keep.map((row) => labels[row]) };
}

// What each detection of one scene is, best first: RIGHT, OTHER_CLASS or ELSEWHERE. Right is a detection of the
// object's class with IoU > 0.5, once an object, as the evaluation counts.
function judge(found, target) {
  const taken = new Set();
  return found.boxes.map((box, row) => {
    const overlaps = target.boxes.map((object) => boxIou(box, object)); // (G,)
    const touching = range(overlaps.length).filter((i) => overlaps[i] > 0.5);
    const free = touching.filter((i) => target.labels[i] === found.labels[row] && !taken.has(i));
    if (!free.length) return touching.some((i) => target.labels[i] !== found.labels[row]) ? OTHER_CLASS : ELSEWHERE;
    taken.add(free.reduce((best, i) => (overlaps[i] > overlaps[best] ? i : best)));
    return RIGHT;
  });
}
