// Twins of `three_generations.py`: segments that merge and the boxes they give; one ROI as two generations see it.
// `anchors.js` says how a twin is made.

import { boxIou, centerAndSize, range } from "./boxes.js";
import { affineGrid, channelsOf, cropTheta, gridSample, roiAlign, roiPool } from "./crops.js";
import { once } from "./once.js";
import { AFTER, BEFORE, boxes as boxLayer, CHOSEN, GROUND_TRUTH, heatmap, notEmpty, OTHER } from "./scene.js";
import { fixed, thousands } from "./text.js";

const f = Math.fround;
const REGIONS = "regions";
const COVERED = 0.5; // the IoU from which a box counts as covering an object
const DRAWN = 300; // boxes at most: more are a gray veil
const [BEST, OTHERS] = [{ ...AFTER, name: "box, best for an object" }, { ...OTHER, name: "other boxes" }];
const CUT = { ...BEFORE, name: "what is cut" };

export const SelectiveSearchExplorer = {
  draw({ view, count, merges }, tensors) {
    if (view === REGIONS) return { ...regions(merges, tensors), rest: { count: "this view shows regions" } };
    return { ...proposed(count, tensors), rest: { merges: "this view shows the boxes of all merges" } };
  },
};

// ---- the regions after so many merges

function regions(done, { segments, colors, boxes, merges, similarities, terms, traits, objects }) {
  const [, height, width] = segments.shape;
  const names = namesAfter(merges, done); // (S,) of every segment its region
  const pair = done ? merges[done - 1].map((region) => boxes[region]) : [];
  const merged = [
    boxLayer(pair, { ...BEFORE, name: "merged last" }),
    boxLayer([boxes[merges.length + done]], { ...AFTER, name: "became" }),
  ];
  const left = thousands(merges.length + 1 - done);
  const sentence = `${thousands(merges.length + 1)} segments, ${thousands(done)} merges: ${left} regions are left.`;
  const alike = done ? traits.map((name, i) => `${name} ${fixed(terms[done - 1][i], 2)}`).join(", ") : "";
  const similarity = done ? ` The last merge had a similarity of ${fixed(similarities[done - 1], 2)}: ${alike}.` : "";
  return {
    scenes: [{
      layers: notEmpty([boxLayer(objects, GROUND_TRUTH, { width: 2 }), ...(done ? merged : [])]),
      image: withBorders(segments, names, colors),
      size: [height, width],
    }],
    summary: sentence + similarity,
  };
}

// The region that each of the S segments belongs to after the first `done` merges: (S,). merges: (S - 1, 2).
function namesAfter(merges, done) {
  const count = merges.length + 1;
  const names = range(count + done);
  for (let region = count + done - 1; region >= count; region--)
    for (const part of merges[region - count]) names[part] = names[region];
  return names.slice(0, count);
}

// Regions in their colors with a dark line where two meet: { shape: [H, W, 3], data }. colors: (K, 3) in [0, 1].
function withBorders({ shape: [, height, width], data: segments }, names, colors) {
  const shades = names.map((name) => Uint8ClampedArray.from(colors[name], (color) => f(color * 255)));
  const data = new Uint8ClampedArray(3 * height * width);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const name = names[segments[at]];
      if ((x && names[segments[at - 1]] !== name) || (y && names[segments[at - width]] !== name)) continue;
      const shade = shades[segments[at]];
      for (let c = 0; c < 3; c++) data[3 * at + c] = shade[c];
    }
  }
  return { shape: [height, width, 3], data };
}

// ---- the boxes of all merges

// Each box once, those of the last merges first: (R, 4).
const lastFirst = once(({ boxes }) => [...new Map([...boxes].reverse().map((box) => [String(box), box])).values()]);

function proposed(count, tensors) {
  const { photo, segments, objects, names } = tensors;
  const [all, size] = [lastFirst(tensors), segments.shape.slice(1)];
  const first = all.slice(0, count);
  const overlaps = objects.map((object) => first.map((box) => boxIou(object, box))); // (G, count)
  const best = overlaps.map((row) => row.reduce((a, b) => Math.max(a, b))); // (G,)
  const places = overlaps.map((row, i) => row.indexOf(best[i])); // (G,)
  const covering = places.filter((_, i) => best[i] >= COVERED);
  const others = range(Math.min(count, DRAWN)).filter((place) => !covering.includes(place));
  const layers = [
    boxLayer(others.map((place) => all[place]), OTHERS, { width: 1, opacity: 0.5 }),
    boxLayer(covering.map((place) => all[place]), BEST),
    ...ticked(best, objects, names),
  ];
  const few = count > DRAWN ? ` The first ${DRAWN} are drawn.` : "";
  const summary = covered(best, names, `The first ${thousands(count)} of ${thousands(all.length)} boxes`) + few;
  return { scenes: [{ layers: notEmpty(layers), image: photo, size }], summary };
}

// The objects, ticked where a box covers them, and crossed where none does. best: (G,).
function ticked(best, objects, names) {
  const missed = [(fit) => fit < COVERED, "✗", "missed", "dotted"];
  const found = [(fit) => fit >= COVERED, "✓", "covered", GROUND_TRUTH.dash];
  return [missed, found].map(([holds, sign, word, dash]) => {
    const rows = range(objects.length).filter((row) => holds(best[row]));
    const labels = rows.map((row) => `${sign} ${names[row]}`);
    return boxLayer(rows.map((row) => objects[row]), { ...GROUND_TRUTH, dash, name: `object, ${word}` }, { labels });
  });
}

function covered(best, names, first) {
  if (!best.length) return `${first}. No objects: nothing to cover.`;
  const count = best.filter((fit) => fit >= COVERED).length;
  const listed = best.map((fit, i) => `${names[i]} ${fixed(fit, 2)}`).join(", ");
  return `${first} cover ${count} of ${best.length} objects (IoU ${fixed(COVERED, 2)} or more). Best IoU: ${listed}.`;
}

// ---- a ROI in two generations

export const GenerationsExplorer = {
  draw({ context, size, roi: corners }, tensors) {
    const roi = corners.map(f);
    const cut = cutBox(roi, size, context);
    const crop = strengths(roi, tensors); // (k, k)
    const filled = [context, context, size - context, size - context];
    return {
      scenes: [
        { layers: [boxLayer([cut], CUT)] },
        {
          layers: [boxLayer([filled], CHOSEN, { width: 2, name: "" })],
          image: warped(tensors.photo, cut, size, tensors.mean),
          size: [size, size],
        },
        { layers: [heatmap(crop, tensors.viridis)], size: [crop.length, crop.length] },
      ],
      summary: bothGenerations(centerAndSize(roi).slice(2), size, context, crop.length, tensors.stride),
    };
  },
};

// What R-CNN cuts for a ROI, so that it fills the crop but for `context` pixels a side.
function cutBox(roi, size, context) {
  const [x, y, ...sides] = centerAndSize(roi);
  const [across, down] = sides.map((side) => f(f(f(side / 2) * size) / (size - 2 * context)));
  return [f(x - across), f(y - down), f(x + across), f(y + down)];
}

// The pixels of a box, stretched to a square: { shape: [size, size, 3], data }. photo: { shape: [3, H, W], data } of 0
// to 255. mean: what is outside, (3,) in [0, 1].
function warped(photo, [x1, y1, x2, y2], size, mean) {
  const [, height, width] = photo.shape;
  const [columns, rows] = [neighbors(x1, x2, size, width), neighbors(y1, y2, size, height)];
  const data = new Uint8ClampedArray(3 * size * size);
  channelsOf(photo).forEach((values, channel) => {
    const outside = 255 * mean[channel];
    const at = (row, column) => values[row * width + column] - outside;
    rows.forEach(([[top, a], [bottom, b]], i) => columns.forEach(([[left, c], [right, d]], j) => {
      const [upper, lower] = [c * at(top, left) + d * at(top, right), c * at(bottom, left) + d * at(bottom, right)];
      data[3 * (i * size + j) + channel] = outside + a * upper + b * lower;
    }));
  });
  return { shape: [size, size, 3], data };
}

// Of `size` places spread over a side: the pixel before each and the next, each with its weight; 0 where it is outside.
function neighbors(start, end, size, pixels) {
  const inside = (pixel) => Math.min(Math.max(pixel, 0), pixels - 1);
  const weighed = (pixel, weight) => [inside(pixel), inside(pixel) === pixel ? weight : 0];
  return range(size).map((i) => {
    const at = start + ((i + 0.5) * (end - start)) / size - 0.5; // 0 is the center of the first pixel
    const cell = Math.floor(at);
    return [weighed(cell, cell + 1 - at), weighed(cell + 1, at - cell)];
  });
}

// How strong the map's features are in each value of the ROI's crop: the norm over the channels, (k, k).
function strengths(roi, tensors) {
  const crops = cropPool(roi, tensors); // (channels, k * k)
  const k = tensors.pooling.size;
  const squares = (at) => crops.reduce((sum, crop) => sum + crop[at] ** 2, 0);
  return range(k).map((row) => range(k).map((column) => f(Math.sqrt(squares(row * k + column)))));
}

// The ROI's piece of the map by the configured method: (channels, k * k).
function cropPool(roi, { features, stride, pooling: { method, size, max_pool: halved, align_corners: corners } }) {
  if (method !== "crop") return { align: roiAlign, pool: roiPool }[method](features, roi, size, stride);
  const theta = cropTheta(roi, stride, features.shape.slice(1));
  const crops = gridSample(features, affineGrid(theta, halved ? 2 * size : size, corners), corners);
  return halved ? crops.map((crop) => largestOfFour(crop, size)) : crops;
}

// The largest of two by two values each: (size * size,) of (4 * size * size,).
function largestOfFour(crop, size) {
  const corner = (row, column) => 4 * size * row + 2 * column;
  const four = (at) => Math.max(crop[at], crop[at + 1], crop[at + 2 * size], crop[at + 2 * size + 1]);
  return range(size).flatMap((row) => range(size).map((column) => four(corner(row, column))));
}

function bothGenerations([width, height], size, context, k, stride) {
  const [across, down] = [width, height].map((side) => fixed((size - 2 * context) / Math.max(side, 1e-6), 2));
  const cells = [width, height].map((side) => fixed(side / stride, 1)).join(" × ");
  return `R-CNN stretches the ROI of ${fixed(width, 0)} × ${fixed(height, 0)} pixels ${across} times across, ${down} ` +
    `times down; ${thousands(size * size)} pixels pass the head for this one ROI. Fast R-CNN reads ${k} × ${k} ` +
    `values off the map, where the ROI covers ${cells} cells; no pixel passes the head again.`;
}
