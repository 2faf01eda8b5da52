// One box's story, moment by moment: `figures/story.py` in the browser. A tour is that of `tour_views.js`.

import { boxIou, clip, decode, encode } from "./boxes.js";
import { descending } from "./nms.js";
import { once } from "./once.js";
import { AFTER, ANCHOR, BEFORE, boxes, CHOSEN, heatmap, OTHER, PLAIN, points, PROPOSAL, ROI } from "./scene.js";
import { fixed, general, roundHalfEven, signed, thousands } from "./text.js";
import {
  anchorOf, anchorsOf, around, everyBoxOf, gridIn, labelOf, probabilitiesOf, roiOf, shapesOf, toPhoto,
} from "./tour_views.js";

const f = Math.fround;
const STEPS = 8; // pictures of a movement
const RIVALS = 12; // drawn; all that a box beats would hide the photo

// [title, pictures, what tells it]; each `tell` takes a tour and the share of the movement that is done, and returns
// layers and a sentence.
const CHAPTERS = [
  ["A cell", 1, tellCell],
  ["Its anchors", 9, tellAnchors],
  ["One of them", 1, tellChosen],
  ["The move", STEPS, tellMove],
  ["The rivals", STEPS, tellRivals],
  ["The crop", 7, tellCrop],
  ["The scores", 1, tellScores],
  ["The second move", STEPS, tellClassBox],
  ["A detection", 1, tellDetection],
];

// One moment of the film: { layers, sentence }.
export function momentOf(tour, moment) {
  for (const [title, steps, tell] of CHAPTERS) {
    if (moment < steps) {
      const [layers, sentence] = tell(tour, (moment + 1) / steps);
      return { layers, sentence: `${title}. ${sentence}` };
    }
    moment -= steps;
  }
  throw new RangeError(`no moment ${moment} after the last`);
}

// Where the box begins: the cell of its anchor.
function tellCell(tour) {
  const { response, stride, scale } = tour;
  const [cell, columns] = [Math.floor(anchorOf(tour) / shapesOf(tour)), response[0].length];
  const [row, column] = [Math.floor(cell / columns), cell % columns];
  const corners = [column, row, column + 1, row + 1].map((at) => (at * stride) / scale);
  const sentence = `One of the feature map's cells, row ${row}, column ${column}: ${stride} scaled pixels wide.`;
  return [[boxes([corners], CHOSEN, { fill: 0.4, name: "the cell" })], sentence];
}

// The cell's anchors, one after the other.
function tellAnchors(tour, share) {
  const anchors = ofTheCell(tour);
  const shown = anchors.slice(0, roundHalfEven(share * anchors.length));
  const layers = [...tellCell(tour)[0], boxes(toPhoto(tour, shown), OTHER, { name: "anchors of the cell" })];
  const same = "the same shapes at every cell, whatever the photo.";
  return [layers, `${shown.length} of its ${anchors.length} anchors: ${same}`];
}

// What the RPN says of the followed anchor.
function tellChosen(tour) {
  const score = fixed(tour.foreground[anchorOf(tour)], 2);
  const others = boxes(toPhoto(tour, ofTheCell(tour)), OTHER, { width: 1.5, opacity: 0.5, name: "" });
  return [[others, anchorLayer(tour)], `The RPN finds that this one holds an object, with probability ${score}.`];
}

// The RPN's four coefficients, taken a little further with every picture.
function tellMove(tour, share) {
  const [anchor, t] = [anchorsOf(tour)[anchorOf(tour)], tour.coefficients[anchorOf(tour)]];
  const box = clip(decode(t.map((one) => f(f(share) * one)), anchor), tour.scaled);
  const numbers = t.map((one, i) => `t_${"xywh"[i]} ${signed(one, 2)}`).join(", ");
  const layers = [anchorLayer(tour), boxes(toPhoto(tour, [box]), PROPOSAL)];
  return [layers, `Its coefficients move and stretch it: ${numbers}. Now it is a proposal.`];
}

// Boxes that say the same with a lower score fall.
function tellRivals(tour, share) {
  const rivals = rivalsOf(tour);
  const left = rivals.slice(0, roundHalfEven((1 - share) * Math.min(rivals.length, RIVALS)));
  const layers = [boxes(toPhoto(tour, left), BEFORE, { width: 1.5, name: "rivals" }), proposalLayer(tour)];
  const over = `score lower and overlap it with IoU above ${general(tour.nms_threshold)}`;
  return [layers, `Other boxes that ${over}: ${thousands(rivals.length)}. Suppression removes them.`];
}

// The points that are read from the feature map, row by row; at the end what they hold.
function tellCrop(tour, share) {
  const { crop, rois, channels, viridis } = tour;
  const [size, [box]] = [crop.length, toPhoto(tour, [rois[roiOf(tour)]])];
  const read = gridIn(box, size).slice(0, roundHalfEven(share * size) * size);
  const held = heatmap(crop, viridis, { extent: around(box, size), opacity: 0.65, name: "the crop" });
  const layers = [proposalLayer(tour), points(read, PLAIN, { radius: 4, name: "points that are read" })];
  const sentence = `Crop pooling reads ${size} x ${size} points of it, in ${channels} channels.`;
  return [share === 1 ? [held, ...layers] : layers, sentence];
}

// The classes that the ROI looks like.
function tellScores(tour) {
  const [probabilities, names] = [probabilitiesOf(tour), ["background", ...tour.classes]];
  const best = descending(probabilities).slice(0, 3);
  const texts = best.map((label) => `${names[label]} ${fixed(probabilities[label], 2)}`);
  const sentence = `Scores for ${names.length} classes, background among them; the best three: ${texts.join(", ")}.`;
  return [[proposalLayer(tour, texts[0])], sentence];
}

// The chosen class's own coefficients move the box once more.
function tellClassBox(tour, share) {
  const [[roi], label] = [toPhoto(tour, [tour.rois[roiOf(tour)]]), labelOf(tour)];
  const name = tour.classes[label - 1];
  const way = encode(everyBoxOf(tour)[label], roi).map((t) => f(f(share) * t));
  const layers = [boxes([roi], ROI), boxes([decode(way, roi)], CHOSEN, { name: `box of the class ${name}` })];
  return [layers, `The four coefficients of the class ${name} move it a second time.`];
}

// What the reader of the detections gets.
function tellDetection(tour) {
  const label = labelOf(tour);
  const [name, score] = [tour.classes[label - 1], fixed(probabilitiesOf(tour)[label], 2)];
  const layer = boxes([everyBoxOf(tour)[label]], AFTER, { labels: [`${name} ${score}`], name: "detection" });
  return [[layer], `Suppression within the class leaves it standing: ${name}, ${score}.`];
}

// All anchors of the followed one's cell: (A, 4).
function ofTheCell(tour) {
  const count = shapesOf(tour);
  const first = Math.floor(anchorOf(tour) / count) * count;
  return anchorsOf(tour).slice(first, first + count);
}

const anchorLayer = (tour) => boxes(toPhoto(tour, [anchorsOf(tour)[anchorOf(tour)]]), ANCHOR, { name: "the anchor" });

function proposalLayer(tour, text = "") {
  const box = toPhoto(tour, [tour.proposals.boxes[roiOf(tour)]]);
  return boxes(box, PROPOSAL, { labels: text ? [text] : [] });
}

// The boxes that overlap the followed one too much and score lower, best first: (N, 4) scaled pixels.
const rivalsOf = once((tour) => {
  const { coefficients, foreground, scaled, nms_threshold: threshold, proposals } = tour;
  const [anchors, mine, score] = [anchorsOf(tour), proposals.boxes[roiOf(tour)], foreground[anchorOf(tour)]];
  const every = anchors.map((anchor, i) => clip(decode(coefficients[i], anchor), scaled)); // (N, 4)
  const rivals = [...every.keys()].filter((i) => foreground[i] < score && boxIou(every[i], mine) > f(threshold));
  return descending(rivals.map((i) => foreground[i])).map((place) => every[rivals[place]]);
});
