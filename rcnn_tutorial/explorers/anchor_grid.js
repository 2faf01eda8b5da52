// Anchor generation: `stages/anchors.py` in the browser.

import { range, shifted } from "./boxes.js";
import { roundHalfEven } from "./text.js";

// Rows and columns of the feature map of an image of [height, width] pixels.
export const gridOf = (size, stride) => size.map((side) => Math.ceil(side / stride));

// Width and height in pixels of every anchor shape, ratio-major: (A, 2).
export function anchorSizes({ base_size: base, scales, ratios }) {
  return ratios.flatMap((ratio) => {
    const width = roundHalfEven((base ** 2 / ratio) ** 0.5);
    const height = roundHalfEven(width * ratio);
    return scales.map((scale) => [width * scale, height * scale]);
  });
}

// The anchors of the top left cell: (A, 4). All share one center, the middle of the base square.
export function baseAnchors(config) {
  const center = config.base_size / 2;
  return anchorSizes(config).map(([w, h]) => [center - w / 2, center - h / 2, center + w / 2, center + h / 2]);
}

// Every anchor of a feature map of rows x columns cells, in the order (y, x, a): (rows * columns * A, 4).
export function generateAnchors([rows, columns], stride, config) {
  const base = baseAnchors(config).map((box) => box.map(Math.fround));
  return range(rows).flatMap((y) =>
    range(columns).flatMap((x) => base.map((box) => shifted(box, [x * stride, y * stride]))));
}

// Whether a box lies wholly inside an image of [height, width], give or take `border` pixels.
export function insideImage([x1, y1, x2, y2], [height, width], border = 0) {
  return x1 >= -border && y1 >= -border && x2 <= width + border && y2 <= height + border;
}
