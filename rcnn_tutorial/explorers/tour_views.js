// What every stage leaves behind, drawn onto the photo: `figures/tour.py` in the browser.
//
// A tour is what `tour_tensors` of `tour.py` gives: one photo on its way through a detector. It follows one ROI, that
// which became the best detection. Each view returns { layers, sentence }, and where the image is not the photo
// { image, size } too.

import { generateAnchors } from "./anchor_grid.js";
import { centerAndSize, clip, range } from "./boxes.js";
import { classBoxesOf, likeliest } from "./inference.js";
import { softmax } from "./losses.js";
import { once } from "./once.js";
import { AFTER, ANCHOR, boxes, CHOSEN, heatmap, OTHER, PLAIN, points, PROPOSAL, ROI } from "./scene.js";
import { fixed, general, tally, thousands } from "./text.js";

const f = Math.fround;
const BEST = 20; // proposals that are drawn; all of them would hide the photo

// ---- the followed ROI

// Its index: that of the best detection, or of the best proposal where nothing is detected.
export const roiOf = ({ detections }) => detections.roi_indices[0] ?? 0;
// The anchor that it started as.
export const anchorOf = (tour) => tour.proposals.anchor_indices[roiOf(tour)];
export const probabilitiesOf = (tour) => softmax(tour.scores[roiOf(tour)]); // (C + 1,)

export const labelOf = (tour) => likeliest(probabilitiesOf(tour)); // the class (1..C) that it most looks like

// Its box as every class has it, on the photo: (C + 1, 4).
export function everyBoxOf(tour) {
  const { class_coefficients: coefficients, rois, proposal_targets: config, scale, size } = tour;
  const normalization = { means: config.target_means, stds: config.target_stds, scale, size };
  return classBoxesOf(roiOf(tour), coefficients, rois, normalization);
}

// ---- what the views share

export const shapesOf = ({ anchors: { scales, ratios } }) => scales.length * ratios.length; // a cell
export const anchorsOf = once(({ response, stride, anchors }) =>
  generateAnchors([response.length, response[0].length], stride, anchors)); // (N, 4)

// Boxes in scaled pixels as boxes on the photo.
export function toPhoto({ scale, size }, rows) {
  return rows.map((box) => clip(box.map((side) => f(side / f(scale))), size));
}

// A crop's points, row by row, from corner to corner of a box: (size * size, 2).
export function gridIn([x1, y1, x2, y2], size) {
  const along = (start, end) => range(size).map((k) => start + (k * (end - start)) / Math.max(size - 1, 1));
  return along(y1, y2).flatMap((y) => along(x1, x2).map((x) => [x, y]));
}

function heat({ stride, scale, viridis }, values, name, limits = {}) {
  const side = stride / scale; // of a cell, pixels of the photo
  const extent = [0, 0, values[0].length * side, values.length * side];
  return heatmap(values, viridis, { ...limits, extent, opacity: 0.65, name });
}

function followedAnchor(tour) {
  return boxes(toPhoto(tour, [anchorsOf(tour)[anchorOf(tour)]]), ANCHOR, { name: "the anchor that is followed" });
}

// ---- the views

// What comes in.
function viewPhoto({ size: [height, width] }) {
  return { layers: [], sentence: `${width} × ${height} pixels, three colors, values from 0 to 1.` };
}

// The image as the head sees it, its values stretched to what a screen can show.
function viewPreprocessed({ scaled, scale, stretched, limits: [low, high] }) {
  const [height, width] = scaled;
  const values = `values from ${fixed(low, 2)} to ${fixed(high, 2)}.`;
  const taken = "the data set's mean taken away";
  const sentence = `scaled by ${fixed(scale, 4)} to ${width} × ${height} pixels, ${taken}; ${values}`;
  return { layers: [], sentence, image: stretched, size: scaled };
}

// How strongly each cell of the feature map responds, all channels together.
function viewFeatures(tour) {
  const { response, channels, stride, scale } = tour;
  const cells = `${response.length} × ${response[0].length} cells of ${channels} numbers each`;
  const apart = `one cell every ${stride} scaled pixels (${fixed(stride / scale, 1)} of the photo)`;
  const layers = [heat(tour, response, "mean of the channels' absolute values")];
  return { layers, sentence: `${cells}, ${apart}. Yellow cells respond most.` };
}

// The grid, and the shapes of one cell, among them the anchor of the followed ROI.
function viewAnchors(tour) {
  const [anchors, shapes] = [anchorsOf(tour), shapesOf(tour)];
  const cells = anchors.length / shapes;
  const centers = range(cells).map((cell) => centerAndSize(anchors[cell * shapes]).slice(0, 2)); // (cells, 2)
  const first = Math.floor(anchorOf(tour) / shapes) * shapes;
  const layers = [
    points(centers.map((center) => center.map((at) => f(at / f(tour.scale)))), PLAIN, { radius: 1.5 }),
    boxes(toPhoto(tour, anchors.slice(first, first + shapes)), PLAIN, { width: 1.5, name: "the shapes of one cell" }),
    followedAnchor(tour),
  ];
  const count = `${thousands(cells)} cells × ${shapes} shapes = ${thousands(anchors.length)} anchors`;
  const drawn = "Drawn: the shapes of one cell; the dashed one is followed from here on.";
  return { layers, sentence: `${count}, the same on every image of this size. ${drawn}` };
}

// How probably each cell's best anchor is an object.
function viewScores(tour) {
  const { foreground, response } = tour;
  const [shapes, columns] = [shapesOf(tour), response[0].length];
  const best = (cell) => Math.max(...foreground.slice(cell * shapes, (cell + 1) * shapes));
  const values = response.map((line, row) => line.map((_, column) => best(row * columns + column)));
  const name = "foreground probability of a cell's best anchor";
  const likely = thousands(foreground.filter((probability) => probability > 0.5).length);
  const sentence = `two scores and four coefficients for each of ${thousands(foreground.length)} anchors; ${likely} ` +
    "look more like an object than like background. Yellow: the best anchor of the cell is surely an object.";
  return { layers: [heat(tour, values, name, { low: 0, high: 1 }), followedAnchor(tour)], sentence };
}

// The boxes that survive ranking and suppression, and how the followed anchor was changed.
function viewProposals(tour) {
  const all = toPhoto(tour, tour.proposals.boxes.filter((_, row) => tour.proposals.valid[row]));
  const best = all.slice(0, BEST);
  const layers = [
    boxes(best, OTHER, { width: 1.5, name: `the ${best.length} best proposals` }),
    followedAnchor(tour),
    boxes([all[roiOf(tour)]], PROPOSAL, { name: "the proposal it became" }),
  ];
  const moved = `${thousands(tour.foreground.length)} anchors moved by their coefficients, cut at the border, ranked`;
  const left = `${all.length} proposals are left. The followed one is number ${roiOf(tour) + 1} by score.`;
  return { layers, sentence: `${moved}, thinned out: ${left}` };
}

// Where the crop of the followed ROI is read, and what comes out, all channels together.
function viewCrop(tour) {
  const { crop, scale, stride, channels, viridis } = tour;
  const [roi, size] = [tour.rois[roiOf(tour)], crop.length];
  const corners = roi.map((side) => f(side / f(scale)));
  const [columns, rows] = [0, 1].map((i) => fixed(f(f(roi[i + 2] - roi[i]) / stride), 1));
  const layers = [
    heatmap(crop, viridis, { extent: around(corners, size, 1), opacity: 0.65, name: "the crop, mean absolute value" }),
    points(gridIn(corners, size), PLAIN, { radius: 1.5 }),
    boxes(toPhoto(tour, [roi]), AFTER, { name: "the ROI" }),
  ];
  const read = `whatever its size, ${size} × ${size} points of it are read, in all ${channels} channels.`;
  return { layers, sentence: `the ROI covers ${columns} × ${rows} cells of the feature map; ${read}` };
}

// A box with half a point's square around the points in its corners. least: pixels that its sides count at least.
export function around([x1, y1, x2, y2], size, least = 0) {
  const [right, down] = [x2 - x1, y2 - y1].map((side) => Math.max(side, least) / Math.max(size - 1, 1) / 2);
  return [x1 - right, y1 - down, x2 + right, y2 + down];
}

// One box a class for the followed ROI.
function viewClassBoxes(tour) {
  const [every, label, { classes, rois, vector }] = [everyBoxOf(tour), labelOf(tour), tour];
  const name = classes[label - 1];
  const layers = [
    boxes(every.filter((_, other) => other > 0 && other !== label), OTHER, { width: 1.2 }),
    boxes(toPhoto(tour, [rois[roiOf(tour)]]), ROI),
    boxes([every[label]], CHOSEN, { labels: [name], name: `box of the class ${name}` }),
  ];
  const gives = `gives ${every.length} scores and 4 × ${every.length} coefficients. It most looks like: ${name}.`;
  return { layers, sentence: `one vector of ${thousands(vector)} numbers for the ROI ${gives}` };
}

// What is left after a threshold and suppression within each class.
function viewDetections({ detections, classes, shown }) {
  const good = range(detections.scores.length).filter((i) => detections.scores[i] >= f(shown));
  const names = good.map((i) => classes[detections.labels[i] - 1]);
  const labels = good.map((i, k) => `${names[k]} ${fixed(detections.scores[i], 2)}`);
  const limit = general(shown);
  const found = names.length ? `scored ${limit} or more: ${tally(names)}` : `none is scored ${limit} or more`;
  const left = `${detections.scores.length} boxes are left of all classes' after suppression`;
  const layer = boxes(good.map((i) => detections.boxes[i]), AFTER, { labels, name: "detections" });
  return { layers: [layer], sentence: `${left}; ${found}.` };
}

export const VIEWS = [
  viewPhoto, viewPreprocessed, viewFeatures, viewAnchors, viewScores, viewProposals, viewCrop, viewClassBoxes,
  viewDetections,
];
