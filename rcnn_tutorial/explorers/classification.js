// Twin of `classification.py`; `anchors.js` says how twins are made.

import { bars, level, SIZE, TOP } from "./bars.js";
import { boxIou, encode, range } from "./boxes.js";
import { classBoxesOf, likeliest } from "./inference.js";
import { crossEntropy, smoothL1, softmax } from "./losses.js";
import { boxes, CHOSEN, GROUND_TRUTH, Impossible, OTHER, PLAIN, ROI } from "./scene.js";
import { assignRois, normalized } from "./targets.js";
import { fixed, rounded } from "./text.js";

const f = Math.fround;
const LIKELIEST = "the likeliest class";
const LEAST = f(0.01); // a probability from which a class has a bar of its own
const [ROWS, LARGEST_LOSS] = [9, 4]; // of the bars; the loss of a full bar

export const ClassificationExplorer = {
  draw({ roi: row, class_name: name, target_std: std, box_weight: weight }, tensors) {
    if (row === null) throw new Impossible("the RPN proposes no region on this image; take another one");
    const { classes, truth, scale } = tensors;
    const factor = std / tensors.proposal_targets.target_stds[0]; // how many times as far as trained the boxes move
    const probabilities = softmax(tensors.scores[row]); // (C + 1,)
    const chosen = name === LIKELIEST ? likeliest(probabilities) : classes.indexOf(name);
    const every = boxesOf(row, factor, tensors); // (C + 1, 4)
    const roi = onPhoto(tensors.rois[row], scale);
    const objects = truth ? truth.boxes.map((box) => onPhoto(box, scale)) : [];
    const learned = lossOf(row, { factor, weight, roi, box: every[chosen] }, tensors);
    const text = `Blue: ${classes[chosen]}, probability ${fixed(probabilities[chosen], 3)}`;
    const rows = [...probabilityBars(probabilities, chosen, classes), ...learned.rows];
    return {
      scenes: [
        { layers: boxLayers(roi, every, chosen, { classes, objects }) },
        { layers: barLayers(rows), title: `Scores${truth ? ", loss, IoU" : ""}`, size: SIZE },
      ],
      summary: `${text}${learned.words}${warning(factor)}`,
      rest: learned.rest,
    };
  },
};

const onPhoto = (box, scale) => box.map((side) => f(side / scale)); // scaled pixels as pixels of the photo

// The ROI's box as every class would have it, in pixels of the photo: (C + 1, 4). All four standard deviations are
// scaled alike.
function boxesOf(row, factor, { coefficients, rois, proposal_targets: config, scale, size }) {
  const stds = config.target_stds.map((std) => std * factor);
  return classBoxesOf(row, coefficients, rois, { means: config.target_means, stds, scale, size });
}

function boxLayers(roi, every, chosen, { classes, objects }) {
  const others = range(every.length).filter((label) => label > 0 && label !== chosen);
  const name = [classes[chosen]];
  const hover = others.map((label) => classes[label]);
  return [
    boxes(others.map((label) => every[label]), OTHER, { width: 1, opacity: 0.5, hover }),
    boxes([roi], ROI),
    boxes([every[chosen]], CHOSEN, { width: 5, labels: name, hover: name }),
    boxes(objects, GROUND_TRUTH, { width: 2 }), // on top: a good box hides its object
  ];
}

function barLayers(rows) {
  const height = (SIZE[0] - 2 * TOP) / ROWS;
  const firsts = range(rows.length).filter((i) => /^(class loss|IoU of the ROI)/.test(rows[i].text));
  return [...firsts.flatMap((i) => level(TOP + i * height - 4)), ...bars(rows, height)];
}

// A bar each for classes of at least LEAST, three at most, and the chosen one; one for all others.
function probabilityBars(probabilities, chosen, classes) {
  const order = range(classes.length).sort((a, b) => probabilities[b] - probabilities[a]);
  const rows = order.slice(0, 3).filter((label) => probabilities[label] >= LEAST);
  if (!rows.includes(chosen)) rows.push(chosen);
  const found = rows.map((label) => {
    const [share, role] = [probabilities[label], label === chosen ? CHOSEN : OTHER];
    return { text: `${classes[label]} ${fixed(share, 3)}`, share, role };
  });
  const others = Math.max(0, 1 - rows.reduce((sum, label) => f(sum + probabilities[label]), 0));
  if (rows.length === classes.length) return found;
  return [...found, { text: `${classes.length - rows.length} others ${fixed(others, 3)}`, share: others, role: OTHER }];
}

// What a standard deviation other than the trained one does to the boxes.
const warning = (factor) => (Math.abs(factor - 1) < 1e-6 ? "" : ` Boxes move ${fixed(factor, 2)} times as far.`);

// The ROI's own share of the two losses, were it among those sampled, always in units of the trained std: bars, words,
// and which controls rest. roi, box: on the photo, before and after.
function lossOf(row, { factor, weight, roi, box }, { truth, classes, scale, ...tensors }) {
  const none = "without targets there is no loss";
  if (!truth) return { rows: [], words: ". Without targets there is no loss.", rest: { box_weight: none } };
  const { label, object } = targetOf(tensors.rois[row], truth, tensors.proposal_targets);
  const entropy = crossEntropy(tensors.scores[row], label);
  const first = { text: `class loss ${fixed(entropy, 3)}`, share: entropy / LARGEST_LOSS, role: PLAIN };
  const target = `; target ${classes[label]}.`;
  if (label === 0) {
    const rest = { box_weight: "the target is background, so there is no box loss" };
    return { rows: [first], words: `${target} Class loss ${fixed(entropy, 3)}, no box loss.`, rest };
  }
  const distance = boxLoss(row, label, object, factor, tensors);
  const [before, after] = [roi, box].map((one) => boxIou(one, onPhoto(object, scale)));
  const rows = [
    first,
    { text: `box loss ${fixed(weight * distance, 3)}`, share: (weight * distance) / LARGEST_LOSS, role: PLAIN },
    { text: `IoU of the ROI ${fixed(before, 2)}`, share: before, role: ROI },
    { text: `IoU of blue ${fixed(after, 2)}`, share: after, role: CHOSEN },
  ];
  return { rows, words: `${target} ${sumInWords(entropy, weight, distance)} ${ious(before, after)}`, rest: {} };
}

// A ROI's label and object as the proposal target layer gives them.
function targetOf(roi, { boxes: objects, labels }, config) {
  const { closest, foreground } = assignRois([roi], [true], objects, config);
  return { label: foreground[0] ? labels[closest[0]] : 0, object: objects[closest[0]] };
}

// Smooth L1 of the right class's four coefficients, moved `factor` times as far.
function boxLoss(row, label, object, factor, { coefficients, rois, proposal_targets: config, classification }) {
  const target = normalized(encode(object, rois[row]), config); // (4,)
  const at = 4 * (coefficients.shape[1] * row + label);
  const differences = target.map((t, i) => f(f(coefficients.data[at + i] * f(factor)) - t));
  return differences.reduce((sum, one) => f(sum + smoothL1(one, classification.sigma, f)), 0);
}

// The sum of what is printed, to the last digit.
function sumInWords(entropy, weight, distance) {
  const shown = rounded(entropy, 3) + weight * rounded(distance, 3);
  return `Loss ${fixed(entropy, 3)} + ${fixed(weight, 2)} × ${fixed(distance, 3)} = ${fixed(shown, 3)}.`;
}

const ious = (before, after) => `IoU ${fixed(before, 2)} as ROI, ${fixed(after, 2)} as blue box.`;
