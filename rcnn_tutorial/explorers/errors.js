// The twin of `errors.py`; `anchors.js` says how a twin is made.

import { range } from "./boxes.js";
import { difficultOf, iouOf, judge, match } from "./matching.js";
import { AFTER, BEFORE, boxes, CHOSEN, GROUND_TRUTH, Impossible, PALETTE, role } from "./scene.js";
import { fixed, general } from "./text.js";

const f = Math.fround;
const ALL = "all kinds";
const KINDS = ["class", "location", "both", "duplicate", "background", "missed"];
const [CLASS, LOCATION, BOTH, DUPLICATE, BACKGROUND, MISSED] = [0, 1, 2, 3, 4, 5];
const [RIGHT, IGNORED] = [-1, -2];
const LOOKS = [ // in the order of drawing; the label of a box says its kind too: there are more kinds than dashes
  [RIGHT, { ...AFTER, name: "right" }],
  [CLASS, { ...CHOSEN, dash: "dashdot", name: "class" }],
  [LOCATION, role(PALETTE[0], "dashed", "location")],
  [BOTH, role(PALETTE[6], "dashdot", "both")],
  [DUPLICATE, role(PALETTE[1], "dotted", "duplicate")],
  [BACKGROUND, { ...BEFORE, name: "background" }],
  [IGNORED, role(PALETTE[9], "dotted", "on a difficult object")],
];
const NOT_FOUND = { ...GROUND_TRUTH, dash: "dotted", name: "missed" };
const UNCOUNTED = role(PALETTE[9], "dashdot", "difficult object");

export const ErrorExplorer = {
  draw({ photo = 1, threshold, foreground, background, kind: shown }, { photos, found: all, targets, classes }) {
    const [{ image, size }, target] = [photos[photo - 1], targets[photo - 1]];
    const found = scoring(all[photo - 1], threshold);
    if (!(background >= 0 && background < foreground && foreground < 1)) throw contradiction(foreground, background);
    const errors = findErrors(found, target, foreground, background);
    const shows = (kind) => kind < 0 || shown === ALL || shown === KINDS[kind];
    const here = { found, target, errors, classes, shows };
    const kinds = LOOKS.filter(([kind]) => kind !== IGNORED || errors.kinds.includes(IGNORED));
    const layers = [...objectLayers(here), ...kinds.map(([kind, look]) => kindLayer(here, kind, look))];
    const where = photos.length > 1 ? `Photo ${photo}: ` : "";
    const head = `${where}${counted(errors.kinds.length, "detection")} from score ${fixed(threshold, 2)}`;
    return { scenes: [{ layers, image, size }], summary: `${head}: ${inWords(errors, difficultOf(target))}` };
  },
};

// The detections that reach a score.
function scoring(found, threshold) {
  const rows = range(found.scores.length).filter((i) => found.scores[i] >= f(threshold));
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, rows.map((i) => values[i])]));
}

function contradiction(foreground, background) {
  const [right, low] = ["Right above IoU", "Background up to IoU"];
  const found = `${right} = ${general(foreground)}, ${low} = ${general(background)}`;
  return new Impossible(`${found}: use 0 <= ${low} < ${right} < 1`);
}

// The kind of every detection of a photo, the object that the verdict speaks of (-1 for background), both (D,), and
// whether each object is missed, (G,): `find_errors` of `evaluation/errors.py`, of one photo.
function findErrors(found, target, foreground, background) {
  const [own, other] = [true, false].map((ownClass) => match([found], [target], ownClass)); // (D,), in one order
  const difficult = difficultOf(target);
  const { right, neutral } = judge(own, difficult, foreground);
  const [kinds, objects] = [Array(own.length), Array(own.length)];
  const missed = difficult.map((is) => !is);
  own.forEach(({ overlap, object, order }, i) => {
    const kind = right[i] ? RIGHT : neutral[i] ? IGNORED : kindOf(overlap, other[i].overlap, foreground, background);
    const of = kind === CLASS || kind === BOTH ? other[i].object : object;
    [kinds[order], objects[order]] = [kind, kind === BACKGROUND ? -1 : of];
    if ([RIGHT, CLASS, LOCATION].includes(kind)) missed[of] = false;
  });
  return { kinds, objects, missed };
}

// What a wrong detection is, from its best IoU with an object of its own class and with one of another class.
function kindOf(own, other, foreground, background) {
  if (own > background && own <= foreground) return LOCATION;
  if (other > foreground) return CLASS;
  if (own > foreground) return DUPLICATE;
  return other > background ? BOTH : BACKGROUND;
}

// The objects: difficult ones if there are any, found, and missed.
function objectLayers({ target, errors: { missed }, classes, shows }) {
  const difficult = difficultOf(target);
  const names = target.labels.map((label) => classes[label - 1]);
  const groups = [
    [UNCOUNTED, difficult, 1.5],
    [GROUND_TRUTH, missed.map((is, i) => !is && !difficult[i]), 2],
    ...(shows(MISSED) ? [[NOT_FOUND, missed, 4]] : []),
  ];
  return groups.filter(([look, which]) => look !== UNCOUNTED || which.includes(true)).map(([look, which, width]) => {
    const rows = range(which.length).filter((i) => which[i]);
    const labels = look === NOT_FOUND ? rows.map((i) => `missed ${names[i]}`) : [];
    const hover = rows.map((i) => `object ${i + 1}, ${names[i]}: ${look.name}`);
    return boxes(rows.map((i) => target.boxes[i]), look, { labels, hover, width });
  });
}

// All detections of one kind; its label and its hover text say which, and what it is about.
function kindLayer({ found, target, errors: { kinds, objects }, classes, shows }, kind, look) {
  const rows = shows(kind) ? range(kinds.length).filter((i) => kinds[i] === kind) : [];
  const texts = rows.map((i) => `${classes[found.labels[i] - 1]} ${fixed(found.scores[i], 2)}`);
  const about = (i) => spokenOf(found.boxes[i], objects[i], target, classes);
  const hover = rows.map((i, k) => `${texts[k]}: ${look.name}, ${about(i)}`);
  const labels = kind >= 0 ? texts.map((text) => `${look.name}: ${text}`) : texts;
  return boxes(rows.map((i) => found.boxes[i]), look, { labels, hover, width: kind >= 0 ? 3 : 2.5 });
}

// The object that the verdict on a detection speaks of, and the IoU with it; else with the nearest one.
function spokenOf(box, index, target, classes) {
  if (!target.boxes.length) return "there is no object";
  const ious = target.boxes.map((object) => iouOf(box, object)); // (G,)
  const best = index < 0 ? ious.indexOf(Math.max(...ious)) : index;
  const most = index < 0 ? "no more than " : "";
  return `IoU ${most}${fixed(ious[best], 2)} with object ${best + 1}, ${classes[target.labels[best] - 1]}`;
}

// All six counts, whatever is shown.
function inWords({ kinds, missed }, difficult) {
  const count = (kind) => kinds.filter((one) => one === kind).length;
  const counts = KINDS.slice(0, MISSED).map((name, kind) => `${count(kind)} ${name}`).join(", ");
  const ignored = count(IGNORED) ? `, ${count(IGNORED)} on a difficult object` : "";
  const objects = counted(missed.length - difficult.filter(Boolean).length, "object");
  return `${count(RIGHT)} right, ${counts}${ignored}. ${objects}: ${missed.filter(Boolean).length} missed.`;
}

const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
