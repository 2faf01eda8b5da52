// Layers as pixels of a canvas. One text with canvas.js and its other parts, in the order of `SCRIPTS` of canvas.py.

const dpr = () => window.devicePixelRatio || 1;
const ROWS = 8; // where else, down its side, a box may have its text
const CROWD = 20; // texts, from which on one without a free corner is left to the hover text
const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

// Layers on the canvas. The pen counts image pixels; `pixel` is a screen pixel in them: lines keep their width.
class Painter {
  constructor(canvas) {
    this.pen = canvas.getContext("2d");
    this.sheet = new OffscreenCanvas(1, 1); // where many lines become dashes
  }

  draw({ size: [height, width], layers, roomy }, bitmap, scale, left, top) {
    const { pen } = this;
    const { width: wide, height: high } = pen.canvas;
    this.pixel = 1 / scale;
    this.size = [height, width];
    this.seen = [left, top, left + wide / dpr(), top + high / dpr()].map((at) => at / scale);
    this.texts = []; // where texts are already
    this.letter = clamp((16 * scale * width) / roomy, 12, 16); // screen pixels
    pen.resetTransform();
    pen.clearRect(0, 0, wide, high);
    pen.setTransform(scale * dpr(), 0, 0, scale * dpr(), -left * dpr(), -top * dpr());
    pen.imageSmoothingEnabled = scale < 2; // zoomed in, pixels are seen as pixels
    if (bitmap) pen.drawImage(bitmap, 0, 0, width, height);
    for (const layer of layers) {
      pen.globalAlpha = layer.opacity;
      this[layer.kind](layer);
    }
    pen.globalAlpha = 1;
    for (const layer of layers) layer.labels.forEach((text, i) => this.text(text, this.labeled(layer, i), layer));
  }

  // What a layer's text i is put beside: a box, or the surroundings of a point.
  labeled({ kind, data, radius }, i) {
    if (kind === "boxes") return data.subarray(4 * i, 4 * i + 4);
    const [x, y, r] = [data[2 * i], data[2 * i + 1], 2 * radius * this.pixel];
    return [x + r, y, x - r, y];
  }

  pixels({ tile, extent }) {
    const [x1, y1, x2, y2] = extent ?? [0, 0, this.size[1], this.size[0]];
    this.pen.imageSmoothingEnabled = false;
    this.pen.drawImage(tile, x1, y1, x2 - x1, y2 - y1);
  }

  // Thousands of strokeRect calls take a tenth of the time of one path with thousands of boxes.
  boxes(layer) {
    const { pen } = this;
    const { data, fill, color } = layer;
    const each = (pen, paint) => {
      for (let i = 0; i < data.length; i += 4) {
        const [x, y] = [data[i], data[i + 1]];
        pen[paint](x, y, data[i + 2] - x, data[i + 3] - y);
      }
    };
    Object.assign(pen, { fillStyle: color, globalAlpha: fill });
    if (fill) each(pen, "fillRect");
    pen.globalAlpha = layer.opacity;
    this.stroke((pen) => each(pen, "strokeRect"), layer);
  }

  lines(layer) {
    const path = new Path2D();
    const { data, points, closed, arrow, width } = layer;
    for (let start = 0; start < data.length; start += 2 * points) {
      const line = data.subarray(start, start + 2 * points);
      for (let i = 0; i < line.length; i += 2) path[i ? "lineTo" : "moveTo"](line[i], line[i + 1]);
      if (closed) path.closePath();
      if (arrow) this.head(path, line.slice(-4), width * 4 * this.pixel);
    }
    this.stroke((pen) => pen.stroke(path), layer);
  }

  head(path, [x0, y0, x, y], length) {
    const angle = Math.atan2(y - y0, x - x0);
    for (const turn of [2.6, -2.6]) {
      path.moveTo(x, y);
      path.lineTo(x + length * Math.cos(angle + turn), y + length * Math.sin(angle + turn));
    }
  }

  points(layer) {
    const { pen } = this;
    const { data, shape, rim, color, ink } = layer;
    const [r, path] = [layer.radius * this.pixel, new Path2D()];
    pen.fillStyle = color;
    for (let i = 0; i < data.length; i += 2) {
      const [x, y] = [data[i], data[i + 1]];
      if (shape === "cross") {
        path.moveTo(x - r, y - r); path.lineTo(x + r, y + r); path.moveTo(x - r, y + r); path.lineTo(x + r, y - r);
      } else if (shape === "ring" || rim) {
        path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI);
      } else pen.fillRect(x - r, y - r, 2 * r, 2 * r); // many dots: squares are quick, and too small to tell
    }
    const edge = shape === "dot" ? { color: ink, width: 2, rim: false } : {};
    if (shape !== "dot" || rim) this.stroke((pen) => pen.stroke(path), { ...layer, dash: [], ...edge });
    if (shape === "dot") pen.fill(path);
  }

  // On no ground and in the picture's own size: with it they grow and shrink.
  words({ data, words, letter, align, turned, color }) {
    const { pen } = this;
    const type = { font: `600 ${letter}px sans-serif`, fillStyle: color, textAlign: align, textBaseline: "middle" };
    (data.length ? words.split("\n") : []).forEach((word, i) => {
      pen.save();
      Object.assign(pen, type);
      pen.translate(data[2 * i], data[2 * i + 1]);
      if (turned) pen.rotate(-Math.PI / 2);
      pen.fillText(word, 0, 0);
      pen.restore();
    });
  }

  // Line and, where there are few, a rim that sets them off from any photo. `paint` strokes with a pen as it is set.
  stroke(paint, { color, ink, dash, width, rim }) {
    const { pen, pixel } = this;
    const alpha = pen.globalAlpha;
    if (rim) {
      Object.assign(pen, { strokeStyle: ink, lineWidth: (width + 2) * pixel, globalAlpha: alpha * 0.6 });
      paint(pen);
      pen.setLineDash(dash.map((length) => length * pixel));
    }
    const line = { strokeStyle: color, lineWidth: width * pixel, globalAlpha: alpha };
    if (dash.length && !rim) return this.striped(paint, line, dash);
    paint(Object.assign(pen, line));
    pen.setLineDash([]);
  }

  // Thousands of lines as dashes: drawn whole on a sheet of their own, of which slanted stripes stay. To dash every
  // line takes forty times as long, to stroke every line with stripes six times.
  striped(paint, line, dash) {
    const { width, height } = this.pen.canvas;
    const { sheet } = this;
    if (sheet.width !== width || sheet.height !== height) Object.assign(sheet, { width, height });
    const pen = sheet.getContext("2d");
    pen.globalCompositeOperation = "source-over";
    pen.resetTransform();
    pen.clearRect(0, 0, width, height);
    pen.setTransform(this.pen.getTransform());
    paint(Object.assign(pen, line));
    pen.resetTransform();
    Object.assign(pen, { globalCompositeOperation: "destination-in", globalAlpha: 1, fillStyle: stripes(pen, dash) });
    pen.fillRect(0, 0, width, height);
    this.pen.save();
    this.pen.resetTransform();
    this.pen.globalAlpha = 1;
    this.pen.drawImage(sheet, 0, 0);
    this.pen.restore();
  }

  // At the first corner of the box where no other text is, else further down its side, kept inside the picture; `gap`
  // screen pixels away from it.
  text(text, box, { color, ink, hover }, gap = 0) {
    if (!text) return;
    const { pen, pixel, seen, letter } = this;
    const [x1, y1, x2, y2] = [-gap, -gap, gap, gap].map((by, i) => box[i] + by * pixel);
    pen.font = `600 ${letter * pixel}px sans-serif`;
    const [wide, high] = [pen.measureText(text).width + 10 * pixel, (letter + 6) * pixel];
    const corners = [[x1, y1 - high], [x1, y2], [x2 - wide, y1 - high], [x2 - wide, y2], [x1, y1], [x1, y2 - high]];
    const spare = hover && this.texts.length >= CROWD;
    const side = Array.from({ length: spare ? 0 : ROWS }, (_, row) => [x1, y1 + (row + 1) * high]);
    const inside = ([x, y]) => [clamp(x, seen[0], seen[2] - wide), clamp(y, seen[1], seen[3] - high)];
    const places = [...corners, ...side].map(inside);
    const free = ([x, y]) => !this.texts.some(([l, t, r, b]) => x < r && x + wide > l && y < b && y + high > t);
    const place = places.find(free);
    if (spare && !place) return;
    const [x, y] = place ?? places[0];
    this.texts.push([x, y, x + wide, y + high]);
    pen.fillStyle = color;
    pen.fillRect(x, y, wide, high);
    Object.assign(pen, { fillStyle: ink, textBaseline: "middle" });
    pen.fillText(text, x + 5 * pixel, y + high / 2);
  }
}

// Buffers arrive at any offset of a message, so they are copied to where a typed array may start.
function unpack(layer) {
  const { buffer, byteOffset, byteLength } = layer.data;
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const labels = layer.labels ? layer.labels.split("\n") : [];
  if (layer.kind !== "pixels") return { ...layer, labels, data: new Float32Array(bytes) };
  const [height, width] = layer.shape;
  const tile = new OffscreenCanvas(width, height);
  tile.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(bytes), width, height), 0, 0);
  return { ...layer, labels, tile };
}

// A pattern of slanted stripes, which make dashes of their own length of upright and level lines.
function stripes(pen, dash) {
  const scale = Math.round(dpr()) || 1;
  const period = scale * dash.reduce((sum, length) => sum + length, 0);
  const sheet = new OffscreenCanvas(period, period).getContext("2d");
  const drawn = dash.flatMap((length, i) => Array(length * scale).fill(i % 2 === 0));
  for (let i = 0; i < period * period; i++) {
    const [x, y] = [i % period, Math.floor(i / period)];
    if (drawn[(x + y) % period]) sheet.fillRect(x, y, 1, 1);
  }
  return pen.createPattern(sheet.canvas, "repeat");
}
