// Twin of `inference_nms.py`: the final detections. `anchors.js` says how a twin is made.

import { candidatesAbove, detect } from "./inference.js";
import { boxes as boxLayer, classColor, DASHES, GROUND_TRUTH, role } from "./scene.js";
import { fixed, thousands } from "./text.js";

const ALL = "all classes";
const LISTED = 6; // classes that the summary counts

export const DetectionExplorer = {
  draw({ score_threshold: least, threshold, most, class_name: shown }, tensors) {
    const { boxes, probabilities, valid, objects, classes } = tensors;
    const above = candidatesAbove(probabilities, valid, least); // of all classes
    const candidates = shown === ALL ? above : above.filter(({ label }) => classes[label - 1] === shown);
    const found = detect(boxes, candidates, threshold, most);
    const labels = [...new Set(found.map(({ label }) => label))]; // the class of the best first
    const dashes = Object.keys(DASHES);
    const layers = labels.map((label, i) => classLayer(label, found, classes[label - 1], dashes[i % dashes.length]));
    return {
      scenes: [{ layers: [boxLayer(objects, GROUND_TRUTH, { width: 2 }), ...layers] }],
      summary: inWords(found, candidates.length, least, classes),
    };
  },
};

// All detections of one class; the dash tells classes apart where the color does not.
function classLayer(label, found, name, dash) {
  const mine = found.filter((one) => one.label === label);
  const texts = mine.map(({ score }) => `${name} ${fixed(score, 2)}`);
  return boxLayer(mine.map(({ box }) => box), role(classColor(label), dash, name), { labels: texts, hover: texts });
}

function inWords(found, candidates, least, classes) {
  const above = `above ${fixed(least, 2)}`;
  if (!found.length) return `No box of any class shown scores ${above}: nothing detected.`;
  const counts = new Map(); // label -> detections
  for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]);
  const listed = most.slice(0, LISTED).map(([label, count]) => `${count} ${classes[label - 1]}`).join(", ");
  const more = most.length > LISTED ? ` and ${most.length - LISTED} more classes` : "";
  return `${thousands(candidates)} boxes score ${above}; ${found.length} are left: ${listed}${more}.`;
}
