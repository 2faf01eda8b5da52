// The explorers on a photo of the reader's own: what the constructors of the Python classes make of it.
//
// A template is an explorer as `explorers/twin.py` exports it, without what depends on the photo (`own_photo.py`). A
// function for each kind gives that: { controls: name -> what is other about it, presets, images, sizes and handles
// (one a picture), tensors }. The objects of a reader's photo are not known, so that there are none.

import { gridOf } from "./anchor_grid.js";
import { range } from "./boxes.js";
import { channelsOf } from "./crops.js";
import { boxAt, classBoxes } from "./inference.js";
import { descending } from "./nms.js";
import { channelsFirst, colorsOf, grayOf, inColors, scaledPhoto, shrunk, withRoom } from "./pixels.js";
import { labOf, segmentsOf } from "./segmentation.js";
import { group } from "./selective_search.js";
import { nearestStep, nested } from "./state.js";
import { fewOfEachCluster } from "./suppression.js";
import { fixed, roundHalfEven } from "./text.js";
import { roiOf } from "./tour_views.js";

const f = Math.fround;
const ROOM = 0.16; // around the photo of anchors, in shares of its longer side
const MOST_OF_A_CLASS = 12; // ROIs in the list
const MOST_BOXES = 12; // in the game of suppression
const [SMALLEST, LARGEST] = [8, 256]; // pixels: sides of the movable object, the least and the first

// The explorer on another photo.
// template: unpacked. trace: { name: { shape, data } }, see `export_trace.named_tensors`. photo: ImageData.
export function onPhoto(template, trace, photo) {
  const { controls, presets, images, sizes = [], handles = [], tensors } = KINDS[template.kind](template, trace, photo);
  const canvasOf = (canvas, i) => {
    const size = sizes[i] ?? images[i]?.shape.slice(0, 2) ?? canvas.size;
    return { ...canvas, image: images[i] ?? null, size, handles: handles[i] ?? canvas.handles };
  };
  return {
    ...template,
    controls: template.controls.map((control) => ({ ...control, ...controls?.[control.name] })),
    presets: presets ?? template.presets,
    canvases: template.canvases.map(canvasOf),
    tensors: { ...template.tensors, ...tensors },
  };
}

const KINDS = {
  StoryExplorer: onTour,
  TourExplorer: onTour,

  PreprocessingExplorer({ controls }, trace, photo) {
    const aspect = controls.find(({ name }) => name === "aspect");
    return {
      controls: { aspect: { value: nearestStep(photo.width / photo.height, aspect) } },
      images: [],
      tensors: { photo: channelsFirst(colorsOf(photo)) },
    };
  },

  AnchorExplorer({ config, controls, presets }, trace) {
    const image = scaledPhoto(trace, config);
    const size = image.shape.slice(0, 2);
    const room = roundHalfEven(ROOM * Math.max(...size));
    const stride = controls.find(({ name }) => name === "stride").value;
    const [rows, columns] = gridOf(size, stride);
    return {
      controls: {
        column: { value: Math.floor(columns / 2), max: columns - 1 },
        row: { value: Math.floor(rows / 2), max: rows - 1 },
        border: { max: 8 * Math.ceil(room / 8) },
      },
      presets: mapped(presets, (preset) => ({ ...preset, ...middleCell(size, preset.stride) })),
      images: [withRoom(image, room)],
      tensors: { size, room },
    };
  },

  IoUExplorer({ examples }, trace, photo) {
    const size = [photo.height, photo.width];
    const { shifted: start, ...presets } = mapped(examples, (pair) => twoBoxes(pair, size));
    return { presets, images: [colorsOf(photo)], handles: [start], tensors: { size } };
  },

  AnchorLabelExplorer({ config, presets }, trace) {
    const image = scaledPhoto(trace, config);
    const size = image.shape.slice(0, 2);
    const [height, width] = size;
    const start = placed(size, Math.max(SMALLEST, Math.min(LARGEST, height, width)));
    const controls = mapped(start, (value) => ({ value }));
    const most = { center_x: width, center_y: height, object_width: width, object_height: height };
    for (const [name, side] of Object.entries(most))
      controls[name].max = name.startsWith("object") ? Math.max(side, SMALLEST + 1) : side;
    return {
      controls,
      presets: mapped(presets, (preset) => (preset.object ? placed(size, preset.object_width) : preset)),
      images: [image],
      handles: [{ object: start.object }],
      tensors: { size },
    };
  },

  ProposalTargetExplorer(template, trace, photo) {
    const anchors = nested(trace.anchors); // (N, 4)
    const size = nested(trace["preprocessed.sizes"]);
    return {
      images: [grayOf(photo)],
      sizes: [size],
      tensors: {
        foreground: nested(trace["rpn.foreground"]),
        coefficients: nested(trace["rpn.coefficients"]),
        anchors,
        available: anchors.map(() => true),
        grid: trace.features.shape.slice(1),
        size,
      },
    };
  },

  CropPoolingExplorer({ config }, trace) {
    const image = scaledPhoto(trace, config);
    const roi = middleOf(image);
    const { features } = trace;
    return {
      controls: { channel: { value: mostVaried(channelsOf(features)), max: features.shape[0] - 1 } },
      presets: cropPresets(roi, image.shape[1]),
      images: [image],
      handles: [{ roi }],
      tensors: { photo: channelsFirst(image), features },
    };
  },

  ClassificationExplorer({ tensors: { classes } }, trace, photo) {
    const probabilities = nested(trace["proposed.probabilities"]); // (R, C + 1)
    const start = indexOfLargest(probabilities.map((row) => Math.max(...row.slice(1))));
    return {
      controls: { roi: { options: listed(probabilities, classes, start), value: start } },
      images: [colorsOf(photo)],
      tensors: {
        rois: nested(trace["proposals.boxes"]),
        scores: nested(trace["proposed.scores"]),
        coefficients: trace["proposed.coefficients"],
        size: nested(trace["preprocessed.original_sizes"]),
        scale: scaleOf(trace),
      },
    };
  },

  NMSExplorer({ config, presets }, trace, photo) {
    const { boxes, scores } = ofTheSurestClass(trace, config);
    const rows = boxes.length > MOST_BOXES ? fewOfEachCluster(boxes, scores) : descending(scores);
    const last = Math.max(rows.length, 1) + 1;
    const image = colorsOf(photo);
    const few = { boxes: rows.map((row) => boxes[row]), scores: rows.map((row) => scores[row]) };
    return {
      controls: { step: { max: last } },
      presets: mapped(presets, (preset) => ({ ...preset, step: last })),
      images: [image],
      tensors: { ...few, size: image.shape.slice(0, 2) },
    };
  },

  DetectionExplorer({ config }, trace, photo) {
    const probabilities = nested(trace["proposed.probabilities"]); // (R, C + 1)
    return {
      images: [colorsOf(photo)],
      tensors: { boxes: boxesOfClasses(trace, config), probabilities, valid: probabilities.map(() => true) },
    };
  },

  SelectiveSearchExplorer({ scale, longest }, trace, photo) {
    const { image, planes } = shrunk(photo, longest);
    const size = image.shape.slice(0, 2);
    const lab = labOf(planes);
    const segments = segmentsOf(lab, size, scale);
    const hierarchy = group(lab, segments, size);
    const [merges, count] = [hierarchy.merges.length, new Set(hierarchy.boxes.map(String)).size];
    const regions = (done) => ({ view: "regions", merges: done });
    const boxes = (number) => ({ view: "boxes", count: Math.min(number, count) });
    return {
      controls: { count: { value: boxes(100).count, max: count }, merges: { max: merges } },
      presets: {
        Segments: regions(0),
        "Half merged": regions(Math.floor(merges / 2)),
        "100 regions": regions(Math.max(0, merges - 99)),
        "30 boxes": boxes(30),
        "All boxes": boxes(count),
      },
      images: [image],
      tensors: {
        ...hierarchy,
        segments: { shape: [1, ...size], data: segments },
        colors: meanColors(planes, segments, hierarchy.merges),
        photo: image,
      },
    };
  },

  GenerationsExplorer({ config, presets }, trace) {
    const image = scaledPhoto(trace, config);
    const part = (shares) => ({ roi: partOf(image, shares).map(roundHalfEven) });
    return {
      presets: { ...presets, Tall: part([0.45, 0.1, 0.55, 0.9]), Wide: part([0.1, 0.42, 0.9, 0.58]) },
      images: [image],
      handles: [{ roi: middleOf(image) }],
      tensors: { photo: channelsFirst(image), features: trace.features },
    };
  },
};

function onTour({ tensors }, trace, photo) {
  return { images: [colorsOf(photo)], tensors: { tour: { ...tensors.tour, ...tourOf(trace, photo) } } };
}

const mapped = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));

// ---- tensors

const scaleOf = (trace) => nested(trace["preprocessed.scales"]);

// The first of the largest; null of none.
function indexOfLargest(values) {
  return values.length ? values.reduce((best, value, i) => (value > values[best] ? i : best), 0) : null;
}

// The channel that varies most.
function mostVaried(channels) {
  const variance = (values) => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  };
  return indexOfLargest(Array.from(channels, variance));
}

// ---- selective search

// The mean color of every region, segments first, then merged ones: (2 S - 1, 3).
function meanColors(planes, segments, merges) {
  const count = merges.length + 1;
  const sums = range(count).map(() => [0, 0, 0, 0]); // of red, green and blue; pixels
  segments.forEach((segment, i) => {
    planes.forEach((plane, k) => { sums[segment][k] += plane[i]; });
    sums[segment][3] += 1;
  });
  for (const [one, other] of merges) sums.push(sums[one].map((x, k) => x + sums[other][k]));
  return sums.map(([red, green, blue, pixels]) => [red / pixels, green / pixels, blue / pixels]);
}

// ---- the tour

// What `tour_tensors` of `tour.py` has of a photo.
function tourOf(trace, photo) {
  const [seen, colors] = [trace["preprocessed.images"], colorsOf(photo)];
  const limits = [Math.min, Math.max].map((extreme) => seen.data.reduce((a, b) => extreme(a, b)));
  const detections = partsOf(trace, "detections", ["boxes", "labels", "scores", "roi_indices"]);
  const proposals = partsOf(trace, "proposals", ["boxes", "anchor_indices"]);
  return {
    photo: colors,
    stretched: stretched(seen, limits),
    size: colors.shape.slice(0, 2),
    scaled: seen.shape.slice(1),
    scale: scaleOf(trace),
    limits,
    response: strengthOf(trace.features),
    crop: strengthOf(cropOf(trace, roiOf({ detections }))),
    foreground: nested(trace["rpn.foreground"]),
    coefficients: nested(trace["rpn.coefficients"]),
    rois: proposals.boxes,
    scores: nested(trace["proposed.scores"]),
    class_coefficients: trace["proposed.coefficients"],
    proposals: { ...proposals, valid: proposals.boxes.map(() => true) },
    detections,
  };
}

const partsOf = (trace, stage, names) =>
  Object.fromEntries(names.map((name) => [name, nested(trace[`${stage}.${name}`])]));

// The image as the detector sees it, its lowest value black and its highest white.
function stretched(image, [low, high]) {
  const reach = Math.max(high - low, 1e-6);
  return inColors(image, { mean: Array(3).fill(-low / reach), std: Array(3).fill(1 / reach) });
}

// One ROI's crop: { shape: [channels, size, size], data }.
function cropOf(trace, roi) {
  const { shape: [, channels, size], data } = trace["proposed.crops"];
  const numbers = channels * size * size;
  return { shape: [channels, size, size], data: data.subarray(roi * numbers, (roi + 1) * numbers) };
}

// The mean of the channels' absolute values: (rows, columns). map: { shape: [channels, rows, columns], data }.
function strengthOf(map) {
  const [channels, rows, columns] = map.shape;
  const sums = new Float64Array(rows * columns);
  for (const values of channelsOf(map)) values.forEach((value, i) => { sums[i] += Math.abs(value); });
  return nested({ shape: [rows, columns], data: sums.map((sum) => sum / channels) });
}

// ---- anchors

// The cell in the middle of the grid, where a preset is about another grid.
function middleCell(size, stride) {
  if (!stride) return {};
  const [row, column] = gridOf(size, stride).map((cells) => Math.floor(cells / 2));
  return { row, column };
}

// Two boxes of whole pixels, one at least, from shares of the photo's sides.
function twoBoxes(pair, [height, width]) {
  const [first, second] = pair.map((shares) => {
    const [x1, y1, x2, y2] = shares.map((share, i) => roundHalfEven(f(f(share) * (i % 2 ? height : width))));
    return [x1, y1, Math.max(x2, x1 + 1), Math.max(y2, y1 + 1)];
  });
  return { first, second };
}

// The movable object in the middle of the photo, for handle and sliders.
function placed([height, width], side) {
  const [x, y] = [Math.floor(width / 2), Math.floor(height / 2)];
  const object = [x - side / 2, y - side / 2, x + side / 2, y + side / 2];
  return { object, center_x: x, center_y: y, object_width: side, object_height: side };
}

// ---- crops

// A box (4,) in pixels, given in shares of the picture's sides.
const partOf = ({ shape: [height, width] }, shares) => shares.map((share, i) => share * (i % 2 ? height : width));
// Where a ROI starts.
const middleOf = (image) => partOf(image, [0.3, 0.3, 0.7, 0.7]).map((side) => roundHalfEven(f(side)));

// What the lesson asks about, from where the ROI starts, on a photo of this width.
function cropPresets([x1, y1, x2, y2], width) {
  const [middle, half] = [(x1 + x2) / 2, Math.max(roundHalfEven((x2 - x1) / 8), 2) / 2];
  const photo = { map: "photo, pixels", size: 14 };
  return {
    "Thin ROI": { roi: [middle - half, y1, middle + half, y2] },
    "Right border": { roi: [width - (x2 - x1), y1, width, y2] },
    "Pool size 2": { size: 2 },
    Photo: photo,
    Turned: { ...photo, rotation: 30 },
    "align_corners off": { align_corners: false },
  };
}

// ---- classes

// The surest few proposals of each class, and `start`, as options [name, row]; the class of the surest comes first,
// background last. probabilities: (R, C + 1).
function listed(probabilities, classes, start) {
  const likeliest = probabilities.map(indexOfLargest);
  const surest = probabilities.map((row, i) => row[likeliest[i]]);
  const groups = new Map();
  for (const row of descending(surest)) {
    const group = groups.get(likeliest[row]) ?? [];
    groups.set(likeliest[row], group);
    if (group.length < MOST_OF_A_CLASS || row === start) group.push(row);
  }
  const labels = [...[...groups.keys()].filter((label) => label > 0), 0];
  const options = labels.flatMap((label) =>
    (groups.get(label) ?? []).map((row, i) => [`${classes[label]} ${i + 1} (${fixed(surest[row], 2)})`, row]));
  return options.length ? options : [["none", null]];
}

// Every ROI's box as every class would have it, in pixels of the photo: { shape: [R, C + 1, 4], data }.
function boxesOfClasses(trace, { proposal_targets: { target_means: means, target_stds: stds } }) {
  const size = nested(trace["preprocessed.original_sizes"]);
  const normalization = { means, stds, scale: scaleOf(trace), size };
  return classBoxes(trace["proposed.coefficients"], nested(trace["proposals.boxes"]), normalization);
}

// The boxes (R, 4) and scores (R,) of the class that has the largest probability.
function ofTheSurestClass(trace, config) {
  const probabilities = nested(trace["proposed.probabilities"]); // (R, C + 1)
  const classes = range(trace["proposed.probabilities"].shape[1]).slice(1);
  const best = classes.map((label) => probabilities.reduce((most, row) => Math.max(most, row[label]), 0));
  const label = classes[indexOfLargest(best)];
  const every = boxesOfClasses(trace, config);
  return {
    boxes: probabilities.map((_, row) => boxAt(every, row, label)),
    scores: probabilities.map((row) => row[label]),
  };
}
