// The twin of `proposal_target.py`; `anchors.js` says how a twin is made.

import { bars, level, mark, SIZE, TOP } from "./bars.js";
import { bestOverlaps, centerAndSize, range } from "./boxes.js";
import { once, remembering } from "./once.js";
import { appendGroundTruth, candidates, first, proposals } from "./proposals.js";
import { randomKeys } from "./sampling.js";
import {
  ANCHOR, BACKGROUND, boxes, CHOSEN, FOREGROUND, GROUND_TRUTH, heatmap, Impossible, lines, PLAIN, points, PROPOSAL,
} from "./scene.js";
import { proposalTargets } from "./targets.js";
import { fixed, thousands } from "./text.js";

const f = Math.fround;
const [ROIS, HEAT] = ["sampled ROIs", "scores"];
const MOST = 2000; // proposals
const COVERED = 0.5; // the IoU from which a proposal counts as covering an object
const BINS = 10; // of the ROIs' IoU with their object
const MOST_BARS = 16; // objects; more bars could not be told apart
const OF_ROIS = ["fg_thresh", "bg_lo", "bg_hi", "fraction", "seed"]; // controls

export const ProposalTargetExplorer = {
  draw(controls, tensors) {
    const stage = prepared(tensors);
    const ranked = stage.ranked(controls.nms);
    const some = first(ranked, controls.post_nms);
    if (controls.view === ROIS) return roiView(some, stage, controls, tensors);
    const best = bestOverlaps(stage.objects, some.boxes); // (G,)
    const isHeat = controls.view === HEAT;
    const view = isHeat ? heatLayers(some, stage.heat, tensors) : moveLayers(some, ranked, controls, tensors);
    const covered = best.map((iou) => iou >= COVERED); // (G,)
    const layers = [...view.layers, ...ticked(stage, covered, "covered", "missed")];
    const rest = Object.fromEntries(OF_ROIS.map((name) => [name, "this view shows no ROIs"]));
    return {
      scenes: [{ layers }, { layers: objectBars(stage.called, best), title: "Best IoU", size: SIZE }],
      summary: coveredInWords(some.boxes.length, covered, view.sentence),
      rest: isHeat ? { ...rest, shown: "this view shows cells" } : rest,
    };
  },
};

// What no control changes: the objects with their names, and of each cell the best foreground probability. `ranked`
// gives what NMS leaves at a threshold, and remembers the last few: most sliders leave it alone.
const prepared = once((tensors) => {
  const { grid, size, truth, classes, anchors, proposals: config } = tensors;
  const rows = range(truth.labels.length).filter((i) => truth.labels[i] > 0); // (G,)
  const before = candidates(tensors, anchors, size, config.train_pre_nms_top_n);
  return {
    objects: rows.map((i) => truth.boxes[i]),
    called: rows.map((i) => classes[truth.labels[i] - 1]),
    heat: bestOfCells(tensors.foreground, grid),
    ranked: remembering(4, (threshold) => proposals(before, threshold, MOST)),
  };
});

// The largest value among the anchors of each cell: (rows, columns).
function bestOfCells(foreground, [rows, columns]) {
  const each = foreground.length / (rows * columns); // anchors of a cell
  const best = (cell) => foreground.slice(cell * each, (cell + 1) * each).reduce((a, b) => Math.max(a, b));
  return range(rows).map((y) => range(columns).map((x) => best(y * columns + x)));
}

// The objects, ticked where yes (G,), and crossed where not.
function ticked({ objects, called }, yes, what, whatNot) {
  return [[false, "✗", whatNot, "dotted"], [true, "✓", what, GROUND_TRUTH.dash]].map(([is, sign, word, dash]) => {
    const mine = range(objects.length).filter((i) => yes[i] === is);
    const labels = mine.map((i) => `${sign} ${called[i]}`);
    return boxes(mine.map((i) => objects[i]), { ...GROUND_TRUTH, dash }, { labels, name: `object, ${word}` });
  });
}

function coveredInWords(count, covered, sentence) {
  if (!covered.length) return `${sentence} No objects: nothing to cover.`;
  const share = `${covered.filter(Boolean).length} of ${covered.length} objects (IoU ${fixed(COVERED, 2)} or more)`;
  return `${thousands(count)} proposals cover ${share}. ${sentence}`;
}

// How well the best proposal fits each object: best (G,).
function objectBars(called, best) {
  const rows = best.slice(0, MOST_BARS).map((fit, i) => {
    const text = `${fit >= COVERED ? "✓" : "✗"} ${called[i]} ${fixed(fit, 2)}`;
    return { text, share: fit, role: GROUND_TRUTH, hollow: fit < COVERED };
  });
  const height = Math.min(76, (SIZE[0] - 40) / Math.max(rows.length, 1));
  return [...bars(rows, height), ...mark(COVERED, fixed(COVERED, 2))];
}

// ---- views: layers, and what they show in words

function heatLayers({ anchorIndices }, heat, { anchors, grid: [rows, columns], stride, viridis }) {
  const [x, y] = centerAndSize(anchors[0]);
  const [left, top] = [f(x - stride / 2), f(y - stride / 2)];
  const extent = [left, top, left + columns * stride, top + rows * stride];
  const each = anchors.length / (rows * columns);
  const cells = [...new Set(anchorIndices.map((i) => Math.floor(i / each)))]; // the nine or so of a cell share a center
  const source = cells.map((cell) => centerAndSize(anchors[cell * each]).slice(0, 2)); // (M, 2)
  source.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const look = { low: 0, high: 1, extent, opacity: 0.65, name: "best foreground probability" };
  const layers = [
    heatmap(heat, viridis, look),
    points(source, PLAIN, { shape: "ring", radius: 3, name: "cell of a proposal" }),
  ];
  return { layers, sentence: `They come from ${thousands(source.length)} of ${rows} × ${columns} cells.` };
}

function moveLayers(some, ranked, { shown }, { anchors }) {
  const after = some.boxes.slice(0, shown); // (K, 4)
  const before = after.map((_, i) => anchors[some.anchorIndices[i]]); // (K, 4)
  const sizes = (box) => centerAndSize(box).slice(2).map((side) => fixed(side, 0)).join("×");
  const hover = after.map((box, i) =>
    `proposal ${i + 1}: foreground probability ${fixed(some.scores[i], 3)}, ${sizes(before[i])} became ${sizes(box)}`);
  const moves = after.map((box, i) => [before[i], box].map((one) => centerAndSize(one).slice(0, 2))); // (K, 2, 2)
  const layers = [
    boxes(before, ANCHOR, { width: 2, name: "anchor", hover }),
    boxes(after, PROPOSAL, { width: 3, name: "proposal", hover }),
    lines(moves, { ...CHOSEN, dash: "dotted" }, { arrow: true, name: "center moves" }),
  ];
  return { layers, sentence: `NMS left ${thousands(ranked.boxes.length)} boxes; the best ${after.length} are drawn.` };
}

// A few of the sample, the objects that it practices on ticked, and how many there are.
function roiView(some, stage, controls, tensors) {
  const config = configOf(controls, tensors);
  const given = config.append_ground_truth ? appendGroundTruth(some, tensors.truth) : some;
  const targets = proposalTargets(given, tensors.truth, randomKeys(given.valid, controls.seed), config);
  const { labels, chosen, assignment } = targets;
  const places = firstDraws(chosen); // (K,) a box drawn twice would only look thicker
  const [foreground, background] = [true, false].map((is) => places.filter((place) => labels[place] > 0 === is));
  const practiced = new Set(chosen.filter((_, s) => labels[s] > 0).map((i) => assignment.closest[i]));
  const objects = range(tensors.truth.labels.length).filter((i) => tensors.truth.labels[i] > 0); // (G,)
  const layers = [
    roiLayer(targets, background.slice(0, controls.shown), BACKGROUND, tensors.classes),
    roiLayer(targets, foreground.slice(0, controls.shown), FOREGROUND, tensors.classes),
    ...ticked(stage, objects.map((i) => practiced.has(i)), "with foreground", "without"),
  ];
  return {
    scenes: [{ layers }, { layers: roiBars(targets, controls), title: "ROIs by IoU", size: SIZE }],
    summary: sampledInWords(targets, places),
  };
}

// The stage's config as the controls have it; its thresholds may contradict each other.
function configOf({ fg_thresh: foreground, bg_lo: low, bg_hi: high, fraction }, { proposal_targets: config, labels }) {
  if (!(low <= high && high <= foreground))
    throw new Impossible(`${labels.bg_hi} = ${high}: use a number between ${labels.bg_lo} and ${labels.fg_thresh}`);
  const thresholds = { foreground_threshold: foreground, background_low: low, background_high: high };
  return { ...config, ...thresholds, foreground_fraction: fraction };
}

// Where in a sample (S,) an index occurs for the first time: (K,), ascending.
const firstDraws = (indices) => range(indices.length).filter((place) => indices.indexOf(indices[place]) === place);

// The ROIs at these places of the sample.
function roiLayer(targets, places, look, classes) {
  const hover = places.map((place) => roiInWords(targets, place, classes));
  return boxes(places.map((place) => targets.rois[place]), look, { width: 2, name: `${look.name} ROI`, hover });
}

function roiInWords({ labels, overlaps, coefficients, chosen }, place, classes) {
  const iou = `IoU ${fixed(overlaps[place], 3)}`;
  if (labels[place]) {
    const wanted = coefficients[place].map((value) => fixed(value, 2)).join(", ");
    return `${classes[labels[place] - 1]}: ${iou}, normalized targets ${wanted}`;
  }
  const times = chosen.filter((i) => i === chosen[place]).length;
  return `background: ${iou}, drawn ${times} time${times > 1 ? "s" : ""}`;
}

// How many of the sampled ROIs have which IoU with their object, the highest on top.
function roiBars({ labels, overlaps }, { fg_thresh: foreground, bg_hi: high, bg_lo: low }) {
  const bins = overlaps.map((iou) => Math.min(Math.floor(f(iou * BINS)), BINS - 1)); // (S,)
  const count = (bin, is) => bins.filter((at, s) => at === bin && labels[s] > 0 === is).length;
  const counts = range(BINS).reverse().map((bin) => [count(bin, true), count(bin, false)]); // (BINS, 2)
  const longest = Math.max(...counts.map(([some, others]) => some + others));
  const rows = counts.map(([some, others]) => ({
    text: some && others ? `${some} FG + ${others} BG` : some || others ? `${some + others}` : "",
    share: (some + others) / longest,
    role: others > some ? BACKGROUND : FOREGROUND,
  }));
  const height = (SIZE[0] - 2 * TOP) / BINS;
  const thresholds = [...new Set([foreground, high, low])].filter((at) => at);
  const levels = thresholds.flatMap((at) => level(TOP + (1 - at) * BINS * height - height / 8, `IoU ${fixed(at, 2)}`));
  return [...levels, ...bars(rows, height)];
}

function sampledInWords({ labels, assignment: { foreground, background } }, places) {
  const [sampled, repeated] = [labels.filter((label) => label > 0).length, labels.length - places.length];
  const count = (kind) => thousands(kind.filter(Boolean).length);
  const neither = foreground.filter((is, i) => !is && !background[i]).length;
  const sample = `${labels.length} ROIs: ${sampled} foreground and ${labels.length - sampled} background`;
  const again = repeated ? `, ${repeated} of them repeated. ` : ". ";
  return `${sample}${again}Among ${thousands(foreground.length)} proposals ${count(foreground)} are foreground, ` +
    `${count(background)} background, ${thousands(neither)} neither.`;
}
