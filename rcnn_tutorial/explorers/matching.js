// Which object each detection speaks of: `evaluation/matching.py` in the browser. All in double precision, as there.
//
// detections: an object { boxes, labels, scores } a photo, (D, 4), (D,), (D,). targets: { boxes, labels, difficult }.

import { range } from "./boxes.js";

const TINY = 2 ** -1022; // the smallest normal number of double precision

// Intersection over union of two boxes; `boxIou` of boxes.js rounds to single precision.
export function iouOf(a, b) {
  const width = Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0);
  const height = Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / Math.max(area(a) + area(b) - width * height, TINY);
}

// Every detection with the object of its photo that it overlaps most, found before or not; best score first:
// [{ label, score, overlap, object, order, photo, box }, ...]. `overlap` is -1 where there is no such object; `object`
// and `order` count objects and detections through all photos.
//
// ownClass: among the objects of the detection's class; false: among those of all other classes.
export function match(detections, targets, ownClass = true) {
  const rows = [];
  let objects = 0;
  detections.forEach((found, photo) => {
    const target = targets[photo];
    found.boxes.forEach((box, i) => {
      const own = (g) => (found.labels[i] === target.labels[g]) === ownClass;
      const ious = target.boxes.map((object, g) => (own(g) ? iouOf(box, object) : -1)); // (G,)
      const best = ious.reduce((at, iou, g) => (iou > (ious[at] ?? -1) ? g : at), 0);
      const told = { label: found.labels[i], score: found.scores[i], overlap: ious[best] ?? -1 };
      rows.push({ ...told, object: objects + best, order: rows.length, photo, box });
    });
    objects += target.labels.length;
  });
  return rows.sort((a, b) => b.score - a.score || a.order - b.order);
}

// Which are right and which neutral, of what is matched: { right, neutral }, (D,) of true and false each.
//
// Right is the first detection whose best object has an IoU above the threshold; on a difficult one all are neutral.
// difficult: (G,) of the objects of all photos in a row.
export function judge(matches, difficult, threshold) {
  const found = new Set();
  const right = matches.map(({ overlap, object }) => {
    const first = overlap > threshold && !difficult[object] && !found.has(object);
    if (first) found.add(object);
    return first;
  });
  return { right, neutral: matches.map(({ overlap, object }) => overlap > threshold && difficult[object]) };
}

// Which objects of a target are difficult, (G,); none where it does not say.
export const difficultOf = (target) => target.difficult ?? range(target.labels.length).map(() => false);
