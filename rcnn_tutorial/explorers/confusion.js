// The twin of `confusion.py`; `anchors.js` says how a twin is made.

import { boxIou, range, sum } from "./boxes.js";
import { difficultOf, iouOf } from "./matching.js";
import {
  AFTER, BEFORE, boxes, GROUND_TRUTH, heatmap, inkOn, lines, OTHER, PLAIN, role, WHITE, words,
} from "./scene.js";
import { fixed, roundHalfEven } from "./text.js";

const f = Math.fround;
const [NOTHING, NOT_FOUND] = ["background", "not found"]; // the background as truth, and as what the detector says
const TRUTH = { ...GROUND_TRUTH, name: "truth" };
const [RIGHT_SAID, WRONG_SAID] = [{ ...AFTER, name: "said, right" }, { ...BEFORE, name: "said, wrong" }];
const OTHERS = { ...OTHER, name: "other objects" };
const CELL = role(WHITE, "solid", "cell in hand");
const [LETTER, MOST_LETTERS] = [13, 14]; // height of the type of a matrix; letters of a name beside it

export const ConfusionExplorer = {
  draw({ truth, said, member, threshold, iou }, tensors) {
    const { counts, members } = confusionMatrix(tensors, threshold, iou);
    const mine = inOrder(members[truth][said], tensors.found);
    const number = Math.min(member, Math.max(mine.length, 1));
    const behind = memberView(mine[number - 1], number, iou, tensors);
    const { image, size } = tensors.photos[behind.photo];
    const [most, widest] = tensors.most_of_photo;
    const width = Math.max(1, Math.min(widest, roundHalfEven((most * size[1]) / size[0])));
    const idle = mine.length ? "the cell has no second member" : "the cell is empty";
    return {
      scenes: [{ layers: matrixLayers(counts, [truth, said], tensors) }, { layers: behind.layers, image, size, width }],
      summary: `${inWords(counts, [truth, said], tensors.classes)} ${behind.sentence}`.trim(),
      ranges: { member: { max: Math.max(mine.length, 1) } },
      rest: mine.length < 2 ? { member: idle } : {},
    };
  },

  // Another cell: its first member.
  changed(name) {
    return ["truth", "said"].includes(name) ? { set: { member: 1 } } : {};
  },

  // A click on a cell takes it in hand.
  clicked([x, y], controls, { margin, cell: [wide, high], classes }, ranges, picture) {
    const [row, column] = [Math.floor((y - margin) / high), Math.floor((x - margin) / wide)];
    const is = (at) => at >= 0 && at <= classes.length;
    return picture === 0 && is(row) && is(column) ? { truth: row, said: column } : undefined;
  },
};

// What is there (row) and what is said (column), 0 the background: `counts` and, of each cell, the `members` behind it,
// { photo, detection, object } with -1 for none; (C + 1, C + 1) each. `evaluation/confusion.py` in the browser.
function confusionMatrix({ found, targets, classes }, threshold, iou) {
  const members = range(classes.length + 1).map(() => range(classes.length + 1).map(() => []));
  found.forEach((said, photo) => {
    for (const [detection, object] of pairs(said, targets[photo], threshold, iou))
      members[targets[photo].labels[object] ?? 0][said.labels[detection] ?? 0].push({ photo, detection, object });
  });
  return { counts: members.map((row) => row.map((cell) => cell.length)), members };
}

// [detection or -1, object or -1] of one photo: every detection with enough score, then the objects left over.
function pairs(found, target, threshold, iou) {
  const [difficult, taken, all] = [difficultOf(target), new Set(), []];
  const rows = range(found.scores.length).filter((i) => found.scores[i] >= f(threshold));
  for (const detection of rows.sort((a, b) => found.scores[b] - found.scores[a] || a - b)) {
    const ious = target.boxes.map((object, g) => (taken.has(g) ? -1 : iouOf(found.boxes[detection], object))); // (G,)
    const best = ious.indexOf(Math.max(...ious));
    if (best < 0 || ious[best] <= iou) all.push([detection, -1]);
    else if (!difficult[best]) all.push([detection, best]);
    if (best >= 0 && ious[best] > iou && !difficult[best]) taken.add(best);
  }
  const left = range(difficult.length).filter((g) => !taken.has(g) && !difficult[g]);
  return [...all, ...left.map((g) => [-1, g])];
}

// The members of a cell, the best score first.
function inOrder(members, found) {
  const score = ({ photo, detection }) => (detection >= 0 ? found[photo].scores[detection] : 0);
  return [...members].sort((a, b) => score(b) - score(a));
}

// ---- the matrix

function matrixLayers(counts, cell, { size, margin, cell: [wide, high], classes, viridis }) {
  const corner = (row, column) => [margin + column * wide, margin + row * high];
  const boxOf = (row, column) => [...corner(row, column), ...corner(row + 1, column + 1)];
  const places = range(counts.length).flatMap((row) => range(counts.length).map((column) => boxOf(row, column)));
  const shares = counts.map((row) => row.map((count) => f(count / Math.max(sum(row), 1)))); // of its row
  const extent = [...places[0].slice(0, 2), ...places[places.length - 1].slice(2)];
  const hover = (i) => {
    const [row, column] = [Math.floor(i / counts.length), i % counts.length];
    return `${cellName(row, column, classes)}: ${counts[row][column]}`;
  };
  return [
    heatmap(shares, viridis, { low: 0, high: 1, extent, name: "share of the row" }),
    boxes(places.slice(0, 1), role("#808080"), { fill: 1, width: 1, name: "" }), // nothing there, nothing said
    lines(rules(boxOf(1, 1), margin, size), PLAIN, { width: 1, opacity: 0.6 }),
    ...numberLayers(counts, shares, places, viridis),
    ...nameLayers(classes, margin, [wide, high]),
    boxes(places, CELL, { name: "", opacity: 0, width: 1, hover }),
    boxes([boxOf(...cell)], CELL, { width: 3 }),
  ];
}

// The lines between the background and the classes.
const rules = ([x, y], end, [height, width]) => [[[end, y], [width - 4, y]], [[x, end], [x, height - 4]]];

// The numbers that are not 0, a layer for each ink and size of type.
function numberLayers(counts, shares, places, viridis) {
  const texts = counts.flat().map((count) => (count ? numberIn(count) : ""));
  const looks = new Map();
  shares.flat().forEach((share, i) => {
    const [red, green, blue] = viridis[Math.min(Math.floor(share * 256), 255)];
    const ink = inkOn(`#${((red << 16) | (green << 8) | blue).toString(16).padStart(6, "0")}`);
    const key = `${ink} ${letterOf(texts[i])}`;
    if (texts[i]) looks.set(key, [...(looks.get(key) ?? []), i]);
  });
  const order = [...looks.keys()].map((key) => [key, ...key.split(" ")]);
  order.sort(([, a, small], [, b, large]) => (a < b ? -1 : a > b ? 1 : small - large));
  return order.map(([key, ink, letter]) => {
    const rows = looks.get(key);
    const middles = rows.map((i) => [(places[i][0] + places[i][2]) / 2, (places[i][1] + places[i][3]) / 2]);
    return words(middles, rows.map((i) => texts[i]), role(ink), { letter: Number(letter) });
  });
}

// At most three digits, or thousands.
function numberIn(count) {
  return count < 1000 ? `${count}` : `${fixed(count / 1000, count >= 9950 ? 0 : 1)}k`;
}

// What is longer than three digits is smaller: the cell has its width.
const letterOf = (number) => LETTER * Math.min(1, 3 / Math.max(number.length, 1));

// The names of the rows at their left, those of the columns over them, upward.
function nameLayers(classes, margin, [wide, high]) {
  const texts = classes.map((name) => (name.length <= MOST_LETTERS ? name : `${name.slice(0, MOST_LETTERS - 1)}…`));
  const places = range(classes.length + 1);
  const rows = places.map((i) => [margin - 5, margin + (i + 0.5) * high]);
  const columns = places.map((i) => [margin + (i + 0.5) * wide, margin - 5]);
  return [
    words(rows, [NOTHING, ...texts], PLAIN, { letter: LETTER, align: "right" }),
    words(columns, [NOT_FOUND, ...texts], PLAIN, { letter: LETTER, align: "left", turned: true }),
  ];
}

// ---- what is behind a number

// The photo of a member, what is drawn on it, and a sentence.
function memberView(member, number, iou, { photos, found, targets, classes }) {
  if (!member) return { photo: 0, layers: [], sentence: "" };
  const { photo, detection, object } = member;
  const [said, target] = [found[photo], targets[photo]];
  const layers = [boxes(target.boxes.filter((_, i) => i !== object), OTHERS, { width: 1.5, opacity: 0.8 })];
  const called = (label) => classes[label - 1];
  if (object >= 0) layers.push(boxes([target.boxes[object]], TRUTH, { labels: [called(target.labels[object])] }));
  let told = "no detection from the threshold on takes it";
  if (detection >= 0) {
    const right = object >= 0 && said.labels[detection] === target.labels[object];
    const text = `${called(said.labels[detection])} ${fixed(said.scores[detection], 2)}`;
    layers.push(boxes([said.boxes[detection]], right ? RIGHT_SAID : WRONG_SAID, { labels: [text] }));
    told = `said ${text}, ${nearest(said.boxes[detection], target, object, iou, called)}`;
  }
  const where = photos.length > 1 ? `photo ${photo + 1}` : "here";
  return { photo, layers, sentence: `Member ${number}: ${where}, ${told}.` };
}

// The IoU with the object that a detection takes; of one that takes none, the best with any.
function nearest(box, target, object, iou, called) {
  if (!target.boxes.length) return "no object in the photo";
  const ious = target.boxes.map((one) => boxIou(box, one));
  if (object >= 0) return `IoU ${fixed(ious[object], 2)}`;
  const best = ious.indexOf(Math.max(...ious));
  const taken = ious[best] > f(iou) ? ", which another has taken" : "";
  return `best IoU ${fixed(ious[best], 2)}, with ${called(target.labels[best])}${taken}`;
}

const cellName = (row, column, classes) =>
  `${row ? classes[row - 1] : NOTHING}, ${column ? `said ${classes[column - 1]}` : NOT_FOUND}`;

// The cell's number, and what it is a part of.
function inWords(counts, [row, column], classes) {
  const diagonal = sum(counts.map((numbers, i) => (i ? numbers[i] : 0)));
  const [objects, said] = [sum(counts.slice(1).flat()), sum(counts.flatMap((numbers) => numbers.slice(1)))];
  const whole = `${diagonal} of ${objects} objects called by their name, ${said - diagonal} detections wrong`;
  if (!row && !column) return `Nothing there and nothing said: not counted. ${whole}.`;
  const ofObjects = `${sum(counts[row])} ${classes[row - 1]} objects`;
  const of = row ? ofObjects : `${sum(counts[0])} detections of no object, or of one already taken`;
  return `${cellName(row, column, classes)}: ${counts[row][column]} of ${of}. ${whole}.`;
}
