// Twin of `preprocessing.py`; `anchors.js` says how twins are made.

import { clip, MIN_SIDE, range, shifted } from "./boxes.js";
import { averaged, bilinear, resampled, scaledSize, scaleFor, unscaled } from "./resizing.js";
import { AFTER, BEFORE, boxes, CHOSEN, Impossible, OTHER, picture, role, YELLOW } from "./scene.js";
import { fixed, roundHalfEven } from "./text.js";

const f = Math.fround;

export const PreprocessingExplorer = {
  draw({ target_size: target, max_size: most, aspect }, { photo, boxes: objects, labels, stride, ...sizes }) {
    if (most < target) throw new Impossible(`${labels.max_size} = ${most}: use ${labels.target_size} or more`);
    const whole = photo.shape.slice(1); // height, width
    const cuts = Math.abs(aspect - whole[1] / whole[0]) > 0.51 * sizes.aspect_step;
    const part = cuts ? cutToAspect(whole, objects, aspect) : { corner: [0, 0], size: whole, objects };
    const scale = scaleFor(part.size, target, most);
    const after = scaledSize(part.size, scale);
    const scaled = part.objects.map((box) => box.map((side) => f(side * f(scale))));
    const side = roundHalfEven(1.03 * Math.max(sizes.field, most, ...part.size, ...after));
    const small = thumbnail(photo, part, scale, after, sizes.thumbnail);
    const limit = limitInWords(f(scale), part.size, target, most);
    const cells = `${after.map((pixels) => Math.ceil(pixels / stride)).join(" × ")} cells`;
    const scaling = `${part.size.join(" × ")} times ${fixed(f(scale), 4)} is ${after.join(" × ")} pixels`;
    return {
      scenes: [{ layers: [small, ...frames(part.size, after, target, most), numbered(scaled)], size: [side, side] }],
      summary: `${scaling}, ${cells}: ${limit}. ${thinnest(part.objects, scaled)}`,
    };
  },
};

// The largest middle part with width / height = aspect: its top left corner, its size, and its objects.
function cutToAspect([height, width], objects, aspect) {
  const rows = Math.min(height, Math.max(1, roundHalfEven(width / aspect)));
  const columns = Math.min(width, Math.max(1, roundHalfEven(height * aspect)));
  const [top, left] = [Math.floor((height - rows) / 2), Math.floor((width - columns) / 2)];
  const moved = objects.map((box) => shifted(box, [-left, -top])).map((box) => clip(box, [rows, columns]));
  const kept = moved.filter(([x1, y1, x2, y2]) => f(x2 - x1) >= MIN_SIDE && f(y2 - y1) >= MIN_SIDE);
  return { corner: [top, left], size: [rows, columns], objects: kept };
}

// The part after scaling, small enough to be drawn at every step of a slider.
function thumbnail(photo, { corner, size }, scale, after, longest) {
  const share = Math.min(1, longest / Math.max(...after));
  const small = after.map((side) => Math.max(1, roundHalfEven(side * share)));
  const same = after.every((side, i) => side === size[i]);
  const [rows, columns] = size.map((count, i) =>
    averaged(same ? unscaled(count) : bilinear(count, scale, after[i]), small[i]));
  return picture(resampled(photo, corner, rows, columns), small, { extent: [0, 0, after[1], after[0]] });
}

// Both limits, and the size before and after.
function frames(before, after, target, most) {
  const square = (side) => [[0, 0, side, side]];
  return [
    boxes(square(most), { ...CHOSEN, dash: "dashdot" }, { name: `maximum ${most}` }),
    boxes(square(target), OTHER, { name: `target ${target}` }),
    boxes([[0, 0, before[1], before[0]]], BEFORE, { name: "size before" }),
    boxes([[0, 0, after[1], after[0]]], AFTER, { name: "size after" }),
  ];
}

function numbered(objects) {
  const labels = range(objects.length).map((k) => String(k + 1));
  return boxes(objects, role(YELLOW, "solid", labels.length ? "object" : ""), { width: 1.5, labels });
}

// Which limit decides.
function limitInWords(scale, size, target, most) {
  const meets = (other) => Math.abs(scale - other) <= 1e-6 * Math.max(Math.abs(scale), Math.abs(other));
  if (meets(target / Math.min(...size))) return "the short side reaches the target";
  return meets(most / Math.max(...size)) ? "the long side reaches the maximum first" : "no limit is met";
}

function thinnest(before, after) {
  if (!before.length) return "No objects.";
  const thickness = ([x1, y1, x2, y2]) => Math.min(f(x2 - x1), f(y2 - y1));
  const smallest = before.map(thickness).reduce((best, side, i, all) => (side < all[best] ? i : best), 0);
  const sides = [before, after].map((objects) => fixed(thickness(objects[smallest]), 0));
  return `The thinnest object: ${sides[0]} pixels before, ${sides[1]} after.`;
}
