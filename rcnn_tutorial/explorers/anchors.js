// Twins of `anchors.py`: what a page computes where a notebook asks Python.
//
// How a twin is made (this file is the example to follow)
// --------------------------------------------------------
// For every class of explorers an object of its name. Its `draw(controls, tensors, ranges)` is a pure function:
//   controls  name -> value, of the controls and of the handles ([x1, y1, x2, y2]); of a handle that turns, `angles`.
//   tensors   what the Python class's `tensors()` gives. Numbers and texts are themselves. A tensor of one or two
//             dimensions comes as nested arrays (booleans as true and false), one of more as { shape, data }.
//   ranges    name -> { min, max } of the sliders, as they stand.
// It returns
//   scenes    a picture each: { layers }, and where they change `image`, `size` [height, width] and `title`
//   summary   the sentence
//   ranges    (where they change) name -> { max } of a slider
//   set       (where they change) name -> value of a control or of a handle
//   rest      (where some do) name -> why a control can do nothing
//   aside     (of suppression) what the list beside the picture shows
// and throws `Impossible` where Python raises a ConfigError. The order of layers, their names and looks are Python's.
// More functions where the Python class observes the reader: `changed(name, controls, before, tensors, ranges)` returns
// the { ranges, set } that come with a change; `clicked([x, y], controls, tensors, ranges, picture)`, which counts the
// pictures from 0, and, of what stands beside them, `heard(word, controls, tensors, ranges)` return what to set.

import { anchorSizes, baseAnchors, gridOf, insideImage } from "./anchor_grid.js";
import { bestOverlaps, boxArea, boxIou, centerAndSize, encode, range, shifted } from "./boxes.js";
import { keepLast } from "./once.js";
import {
  boxes, CHOSEN, GROUND, GROUND_TRUTH, Impossible, lines, OTHER, PALETTE, PLAIN, points, RED, role,
} from "./scene.js";
import { fixed, general, roundHalfEven, thousands } from "./text.js";

const SHARED = role(PALETTE[1], "solid", "intersection");

export const AnchorExplorer = {
  draw({ scales, ratios, stride, column, row, border }, tensors) {
    if (!scales.length || !ratios.length)
      throw new Impossible("without a scale and a ratio there is no anchor; tick at least one of each");
    const { size, room, objects, reach, colors } = tensors;
    const { rows, columns, sizes, cells, centers, within, best } = wholeGrid(scales, ratios, stride, border, tensors);
    const at = Math.min(row, rows - 1) * columns + Math.min(column, columns - 1);
    const [cell, inside] = [cells[at], (box) => insideImage(box, size, border)];
    const layers = [
      ...ground(centers, stride, border, size, room),
      ...objectLayers(objects, best, room, reach),
      ...shapeLayers(cell, inside, { scales, ratios, sizes, size, room, colors }),
      points([moved(centers[at], room)], CHOSEN, { radius: 7, name: "cell" }),
    ];
    const count = { rows, columns, shapes: sizes.length, inside: within, here: cell.filter(inside).length };
    return {
      scenes: [{ layers }],
      summary: inWords(count) + reached(best, reach),
      ranges: { row: { max: rows - 1 }, column: { max: columns - 1 } },
    };
  },

  // A finer or a coarser grid: the cell at the same place of the photo.
  changed(name, { stride, column, row }, before, { size }, ranges) {
    if (name !== "stride") return {};
    const most = gridOf(size, stride).map((cells) => cells - 1); // of a row, of a column
    const place = (at, last) => Math.min(roundHalfEven((at * before.stride) / stride), last);
    const reach = (name, last) => ({ max: Math.max(ranges[name].max, last) });
    return {
      ranges: { row: reach("row", most[0]), column: reach("column", most[1]) },
      set: { row: place(row, most[0]), column: place(column, most[1]) },
    };
  },

  clicked([x, y], { stride }, { room }) {
    return { column: Math.floor((x - room) / stride), row: Math.floor((y - room) / stride) };
  },
};

// What is the same whichever cell is in hand: the anchors of all cells and the cells' centers, row by row, how many
// anchors lie inside, and how well the best of those fits each object.
const wholeGrid = keepLast((scales, ratios, stride, border, { size, objects, base_size: base }) => {
  const [rows, columns] = gridOf(size, stride);
  const config = { base_size: base, scales, ratios };
  const [sizes, shapes] = [anchorSizes(config), baseAnchors(config)]; // (A, 2), (A, 4)
  const cellAt = (x, y) => shapes.map((shape) => shifted(shape, [x * stride, y * stride])); // (A, 4)
  const cells = range(rows).flatMap((y) => range(columns).map((x) => cellAt(x, y))); // (rows * columns, A, 4)
  const centers = cells.map((cell) => centerAndSize(cell[0]).slice(0, 2)); // (rows * columns, 2)
  const within = cells.flat().filter((box) => insideImage(box, size, border));
  return { rows, columns, sizes, cells, centers, within: within.length, best: bestOverlaps(objects, within) };
});

const moved = ([x, y], by) => [x + by, y + by];

// The grid's points, paler where they are many, and up to where an anchor counts as inside.
function ground(centers, stride, border, [height, width], room) {
  const look = { radius: 1, opacity: Math.min(1, stride / 24), name: "grid" };
  const frame = shifted([-border, -border, width + border, height + border], room);
  const layers = [points(centers.map((center) => moved(center, room)), PLAIN, look)];
  return border ? [...layers, boxes([frame], OTHER, { width: 2, name: `border, ${border} pixels` })] : layers;
}

// The objects with their best IoU, those apart that the anchors miss.
function objectLayers(objects, best, room, reach) {
  const found = { ...GROUND_TRUTH, name: "object, best IoU" };
  const missed = role(RED, "dashed", `missed, below ${reach}`);
  return [[(iou) => iou >= reach, found], [(iou) => iou < reach, missed]].flatMap(([holds, look]) => {
    const rows = range(objects.length).filter((i) => holds(best[i]));
    const labels = rows.map((i) => fixed(best[i], 2));
    const hover = rows.map((i) => `best IoU ${fixed(best[i], 4)}`);
    return rows.length ? [boxes(rows.map((i) => shifted(objects[i], room)), look, { labels, hover })] : [];
  });
}

// The cell's anchors, the smallest on top: a color a scale, dashed where they leave.
function shapeLayers(cell, inside, { scales, ratios, sizes, size, room, colors }) {
  const scaleOf = ratios.flatMap(() => scales); // (A,)
  return [...scales].sort((a, b) => b - a).flatMap((scale) =>
    [[false, "dashed", ", leaves"], [true, "solid", ""]].flatMap(([stays, dash, word]) => {
      const rows = range(cell.length).filter((i) => scaleOf[i] === scale && inside(cell[i]) === stays);
      const hover = rows.map((i) => sizeAndWayOut(cell[i], sizes[i], size));
      const look = role(colors[general(scale)], dash, `scale ${general(scale)}${word}`);
      return rows.length ? [boxes(rows.map((i) => shifted(cell[i], room)), look, { hover })] : [];
    }));
}

// In words: width and height, and how far the box reaches out of the photo.
function sizeAndWayOut([x1, y1, x2, y2], [w, h], [height, width]) {
  const out = Math.max(-x1, -y1, x2 - width, y2 - height);
  return `${general(w)}×${general(h)}${out > 0 ? `, ${general(out)} pixels outside` : ""}`;
}

function inWords({ rows, columns, shapes, inside, here }) {
  const count = `${rows} × ${columns} cells × ${shapes} = ${thousands(rows * columns * shapes)} anchors`;
  return `Here ${here} of ${shapes} shapes are inside. ${count}, ${thousands(inside)} inside.`;
}

// How many objects some anchor reaches.
function reached(best, reach) {
  if (!best.length) return "";
  return ` ${best.filter((iou) => iou >= reach).length} of ${best.length} objects reach IoU ${reach}.`;
}

export const IoUExplorer = {
  draw({ first, second }, { size, ticks }) {
    const shared = [0, 1, 2, 3].map((i) => (i < 2 ? Math.max : Math.min)(first[i], second[i]));
    const overlap = shared[2] > shared[0] && shared[3] > shared[1] ? [shared] : [];
    const area = overlap.reduce((sum, box) => sum + boxArea(box), 0);
    const union = Math.fround(boxArea(first) + boxArea(second)) - area;
    const iou = boxIou(first, second);
    const [right, down] = encode(second, first);
    const ways = `${fixed(Math.abs(right), 2)} widths ${right >= 0 ? "right" : "left"}, ` +
      `${fixed(Math.abs(down), 2)} heights ${down >= 0 ? "down" : "up"}`;
    const ratio = `${thousands(area)} / ${thousands(union)} square pixels`;
    return {
      scenes: [{ layers: [...bar(iou, size, ticks), boxes(overlap, SHARED, { fill: 0.4 })] }],
      summary: `IoU = ${ratio} = ${fixed(iou, 4)}. From first to second box: ${ways}.`,
    };
  },
};

// IoU from 0 to 1 along the lower edge, with the thresholds of the next notebook.
function bar(iou, [height, width], ticks) {
  const [left, long, top, bottom] = [0.05 * width, 0.9 * width, 0.94 * height, 0.975 * height];
  const places = ticks.map((tick) => [left + tick * long, top]);
  const thin = { width: 1 };
  return [
    boxes([[0, 0.85 * height, width, height]], role(GROUND), { fill: 0.8, ...thin }),
    boxes(iou > 0 ? [[left, top, left + iou * long, bottom]] : [], SHARED, { fill: 1, name: "", ...thin }),
    boxes([[left, top, left + long, bottom]], PLAIN, thin),
    lines(places.map(([x, y]) => [[x, y], [x, y + bottom - top]]), PLAIN, { width: 2 }),
    points(places, role(GROUND), { radius: 0, labels: ticks.map((tick) => general(tick)) }),
    points([[left, top]], SHARED, { radius: 0, labels: [`IoU ${fixed(iou, 4)}`], name: "" }),
  ];
}
