// Draws what Python computed: one frame of layers over one image. No decision about detection is taken here.
// All layers count image pixels; `this.view` says which part of the image is seen, and how large.

const EDGE = 9; // screen pixels around a side within which the mouse resizes
const MAX_ZOOM = 32;
const FOCUS = { color: "#0072B2", ink: "#FFFFFF", dash: [], fill: 0.12 }; // around the handle that the keyboard moves

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.destroy();
}
export default { render };

class View {
  constructor(model, el) {
    Object.assign(this, { model, el, bitmap: null, source: null, frame: null, boxes: {}, drag: null, hovered: null, asked: null });
    this.view = { zoom: 1, x: 0, y: 0 };
    this.build();
    this.listen();
    this.ready = Promise.resolve();
    this.receive();
  }

  build() {
    this.el.classList.add("rcnn-canvas");
    this.title = add(this.el, "p", { class: "rcnn-title" });
    this.stage = add(this.el, "div", { class: "rcnn-stage" });
    this.canvas = add(this.stage, "canvas", { tabindex: 0, role: "img" });
    this.pen = this.canvas.getContext("2d");
    this.tip = add(this.stage, "div", { class: "rcnn-tip" });
    this.bar = add(this.el, "div", { class: "rcnn-bar" });
    this.legend = add(this.bar, "ul", { class: "rcnn-legend" });
    const zoom = add(this.bar, "div", { class: "rcnn-zoom" });
    for (const [text, label, factor] of [["+", "Zoom in", 1.5], ["−", "Zoom out", 1 / 1.5], ["⤢", "Whole picture", 0]]) {
      const button = add(zoom, "button", { type: "button", "aria-label": label, title: label });
      button.textContent = text;
      button.addEventListener("click", () => this.zoom(factor));
    }
    this.handles = {}; // name -> element: what Tab reaches and a screen reader names
  }

  listen() {
    const { model, canvas } = this;
    this.listeners = {
      "change:frame": () => this.receive(),
      "change:handles": () => this.place(),
      "change:summary": () => canvas.setAttribute("aria-label", model.get("summary")),
      "change:possible": () => this.dim(),
      "msg:custom": (message) => this.showTip(message),
    };
    for (const [event, act] of Object.entries(this.listeners)) model.on(event, act);
    this.observer = new ResizeObserver(() => {
      this.schedule();
      (this.el.closest(".rcnn-explorer") ?? this.el).addEventListener("focusin", keepKeys); // now it is on the page
    });
    this.observer.observe(this.el);
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => (this.drag ? this.move(event) : this.hover(event)));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const event of ["focusin", "focusout"]) this.stage.addEventListener(event, () => this.schedule());
    this.stage.addEventListener("keydown", (event) => this.key(event));
  }

  destroy() {
    for (const [event, act] of Object.entries(this.listeners)) this.model.off(event, act);
    this.observer.disconnect();
    this.bitmap?.close();
    this.bitmap = null;
  }

  // ---- from Python

  // A frame waits for its image, so that new boxes never lie on the old picture.
  receive() {
    this.ready = this.ready.then(async () => {
      const bytes = this.model.get("image");
      const frame = this.model.get("frame");
      if (bytes !== this.source && bytes?.byteLength) {
        const bitmap = await createImageBitmap(new Blob([bytes]));
        this.bitmap?.close(); // a decoded photo is megabytes that nobody else gives back
        this.bitmap = bitmap;
      }
      this.source = bytes;
      this.frame = { ...frame, layers: frame.layers.map(unpack) };
      this.place();
      this.showLegend();
      this.title.textContent = frame.title;
      this.title.hidden = !frame.title;
      this.canvas.setAttribute("aria-label", this.model.get("summary"));
      this.dim();
      this.leave();
      this.drawNow(); // not only at the next animation frame, when the picture would be a frame late
    }).catch((error) => console.error("rcnn_tutorial canvas:", error));
  }

  // What the controls say now cannot be drawn: the last picture stays, pale.
  dim() {
    this.canvas.classList.toggle("rcnn-dim", !this.model.get("possible"));
  }

  // Where Python, or another view, has put the handles; the one in the reader's hand stays there.
  place() {
    if (this.drag?.name) return;
    this.boxes = { ...this.model.get("handles") };
    this.schedule();
  }

  schedule() {
    this.due ??= requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    cancelAnimationFrame(this.due);
    this.due = null;
    if (this.frame) this.draw();
  }

  // ---- drawing

  draw() {
    const { pen, canvas, frame } = this;
    const [height, width] = frame.size;
    const wide = Math.min(this.el.clientWidth || frame.width, frame.width, (0.72 * window.innerHeight * width) / height);
    const dpr = window.devicePixelRatio || 1;
    this.fit = wide / width; // screen pixels an image pixel, before zoom
    const size = [Math.round(wide * dpr), Math.round(height * this.fit * dpr)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) {
      [canvas.width, canvas.height] = size;
      Object.assign(canvas.style, { width: `${size[0] / dpr}px`, height: `${size[1] / dpr}px` });
      for (const part of [this.stage, this.bar]) part.style.width = canvas.style.width;
    }
    this.scale = this.fit * this.view.zoom;
    const k = this.scale * dpr;
    this.pixel = 1 / this.scale; // a screen pixel in image pixels: lines keep their width at any zoom
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(k, 0, 0, k, -this.view.x * k, -this.view.y * k);
    pen.imageSmoothingEnabled = this.scale < 2; // zoomed in, pixels are seen as pixels
    this.texts = []; // where texts are already
    if (this.bitmap) pen.drawImage(this.bitmap, 0, 0, width, height);
    for (const layer of frame.layers) this.drawLayer(layer);
    for (const handle of frame.handles) this.drawHandle(handle);
    this.drawHovered();
    canvas.dataset.count = frame.count;
  }

  drawLayer(layer) {
    const { pen } = this;
    pen.globalAlpha = layer.opacity;
    if (layer.kind === "pixels") this.drawPixels(layer);
    if (layer.kind === "boxes") this.drawBoxes(layer);
    if (layer.kind === "lines") this.drawLines(layer);
    if (layer.kind === "points") this.drawPoints(layer);
    pen.globalAlpha = 1;
  }

  drawPixels(layer) {
    const [x1, y1, x2, y2] = layer.extent ?? [0, 0, this.frame.size[1], this.frame.size[0]];
    this.pen.imageSmoothingEnabled = false;
    this.pen.drawImage(layer.tile, x1, y1, x2 - x1, y2 - y1);
  }

  // Thousands of strokeRect calls take a tenth of the time of one path with thousands of boxes, and half of that where
  // the lines cover whole screen pixels.
  drawBoxes(layer) {
    const { pen } = this;
    const data = layer.rim ? layer.data : this.snapped(layer);
    const each = (method) => {
      for (let i = 0; i < data.length; i += 4) this.pen[method](data[i], data[i + 1], data[i + 2] - data[i], data[i + 3] - data[i + 1]);
    };
    if (layer.fill) {
      Object.assign(pen, { fillStyle: layer.color, globalAlpha: layer.fill });
      each("fillRect");
      pen.globalAlpha = layer.opacity;
    }
    this.stroke(() => each("strokeRect"), layer);
    layer.labels.forEach((text, i) => this.drawText(text, data.slice(4 * i, 4 * i + 4), layer));
  }

  // The corners moved, by half a screen pixel at most, to where a line as wide as the layer's covers whole pixels.
  snapped({ data, width }) {
    const { a: k, e: x, f: y } = this.pen.getTransform();
    const half = (Math.round(width * (window.devicePixelRatio || 1)) % 2) / 2;
    const shift = [x, y].map((offset) => offset - half);
    return data.map((at, i) => (Math.round(at * k + shift[i % 2]) - shift[i % 2]) / k);
  }

  drawLines(layer) {
    const path = new Path2D();
    const { data, points } = layer;
    for (let start = 0; start < data.length; start += 2 * points) {
      for (let i = start; i < start + 2 * points; i += 2) path[i === start ? "moveTo" : "lineTo"](data[i], data[i + 1]);
      if (layer.closed) path.closePath();
      if (layer.arrow) this.addHead(path, data.subarray(start, start + 2 * points), layer.width * 4);
    }
    this.stroke(() => this.pen.stroke(path), layer);
  }

  addHead(path, line, length) {
    const [x0, y0, x, y] = line.slice(-4);
    const angle = Math.atan2(y - y0, x - x0);
    for (const turn of [2.6, -2.6]) {
      path.moveTo(x, y);
      path.lineTo(x + length * this.pixel * Math.cos(angle + turn), y + length * this.pixel * Math.sin(angle + turn));
    }
  }

  drawPoints(layer) {
    const { pen } = this;
    const { data, shape } = layer;
    const r = layer.radius * this.pixel;
    const path = new Path2D();
    pen.fillStyle = layer.color;
    for (let i = 0; i < data.length; i += 2) {
      const [x, y] = [data[i], data[i + 1]];
      if (shape === "cross") {
        path.moveTo(x - r, y - r); path.lineTo(x + r, y + r); path.moveTo(x - r, y + r); path.lineTo(x + r, y - r);
      } else if (shape === "ring" || layer.rim) {
        path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI);
      } else pen.fillRect(x - r, y - r, 2 * r, 2 * r); // many dots: squares are quick, and too small to tell
    }
    const line = shape === "dot" ? { color: layer.ink, width: 2, rim: false } : {};
    if (shape !== "dot" || layer.rim) this.stroke(() => this.pen.stroke(path), { ...layer, dash: [], ...line });
    if (shape === "dot") pen.fill(path);
    layer.labels.forEach((text, i) => {
      const [x, y] = [data[2 * i], data[2 * i + 1]];
      this.drawText(text, [x + 2 * r, y, x - 2 * r, y], layer);
    });
  }

  // Line and, where there are few, a rim that sets them off from any photo. `paint` strokes with the pen as it is set.
  stroke(paint, { color, ink, dash, width, rim }) {
    const { pen, pixel } = this;
    const alpha = pen.globalAlpha;
    if (rim) {
      Object.assign(pen, { strokeStyle: ink, lineWidth: (width + 2) * pixel, globalAlpha: alpha * 0.6 });
      paint();
    }
    Object.assign(pen, { strokeStyle: color, lineWidth: width * pixel, globalAlpha: alpha });
    if (dash.length && !rim) return this.striped(paint, dash);
    pen.setLineDash(dash.map((length) => length * pixel));
    paint();
    pen.setLineDash([]);
  }

  // Dashing thousands of lines takes ten times as long as drawing them. So they are drawn whole on a sheet of their
  // own, slanted stripes of the dashes' lengths are cut out of it, and what remains goes onto the picture.
  striped(paint, dash) {
    const { pen, canvas } = this;
    const { strokeStyle, lineWidth } = pen;
    const sheet = (this.sheet ??= document.createElement("canvas"));
    [sheet.width, sheet.height] = [canvas.width, canvas.height];
    this.pen = sheet.getContext("2d");
    this.pen.setTransform(pen.getTransform());
    Object.assign(this.pen, { strokeStyle, lineWidth });
    paint();
    this.pen.resetTransform();
    Object.assign(this.pen, { globalCompositeOperation: "destination-in", fillStyle: stripes(this.pen, dash) });
    this.pen.fillRect(0, 0, sheet.width, sheet.height);
    this.pen = pen;
    pen.save();
    pen.resetTransform();
    pen.drawImage(sheet, 0, 0);
    pen.restore();
  }

  // At the first corner of the box where no other text is, kept inside the picture.
  drawText(text, [x1, y1, x2, y2], { color, ink }) {
    if (!text) return;
    const { pen, pixel } = this;
    pen.font = `600 ${16 * pixel}px sans-serif`;
    const [wide, high] = [pen.measureText(text).width + 10 * pixel, 22 * pixel];
    const corners = [[x1, y1 - high], [x1, y2], [x2 - wide, y1 - high], [x2 - wide, y2], [x1, y1], [x1, y2 - high]];
    const places = corners.map(([x, y]) => this.placed(x, y, wide, high));
    const free = ([x, y]) => !this.texts.some(([l, t, r, b]) => x < r && x + wide > l && y < b && y + high > t);
    const [x, y] = places.find(free) ?? places[0];
    this.texts.push([x, y, x + wide, y + high]);
    pen.fillStyle = color;
    pen.fillRect(x, y, wide, high);
    pen.fillStyle = ink;
    pen.textBaseline = "middle";
    pen.fillText(text, x + 5 * pixel, y + high / 2);
  }

  placed(x, y, wide, high) {
    const [right, bottom] = [this.frame.size[1] / this.view.zoom - wide, this.frame.size[0] / this.view.zoom - high];
    return [
      Math.max(this.view.x, Math.min(x, this.view.x + right)),
      Math.max(this.view.y, Math.min(y, this.view.y + bottom)),
    ];
  }

  drawHandle(handle) {
    const { pen, pixel } = this;
    const data = this.boxes[handle.key];
    if (!data) return;
    const layer = { ...handle, rim: true, data, labels: [handle.name] };
    this.followHandle(handle, data);
    if (this.focused() === handle.key) this.drawBoxes({ ...layer, ...FOCUS, width: 9, labels: [] });
    this.drawLayer({ ...layer, kind: "boxes" });
    if (!handle.resizable) return;
    const side = 9 * pixel;
    Object.assign(pen, { fillStyle: handle.color, strokeStyle: handle.ink, lineWidth: pixel });
    for (const x of [data[0], data[2]]) for (const y of [data[1], data[3]]) {
      pen.fillRect(x - side / 2, y - side / 2, side, side);
      pen.strokeRect(x - side / 2, y - side / 2, side, side);
    }
  }

  // The handle that the keyboard moves.
  focused() {
    return this.el.getRootNode().activeElement?.closest?.(".rcnn-stage") === this.stage
      ? this.el.getRootNode().activeElement.dataset.handle
      : undefined;
  }

  // The element that takes the focus lies exactly over the drawn box.
  followHandle({ key, name, resizable }, box) {
    const element = (this.handles[key] ??= add(this.stage, "div", {
      class: "rcnn-handle", tabindex: 0, role: "button", "aria-roledescription": "movable box", "data-handle": key,
    }));
    const how = `arrow keys move it${resizable ? ", with Shift they resize it" : ""}, with Control by ten pixels`;
    element.setAttribute("aria-label", `${name}: x ${box[0]} to ${box[2]}, y ${box[1]} to ${box[3]}; ${how}`);
    Object.assign(element.style, {
      left: `${(box[0] - this.view.x) * this.scale}px`, top: `${(box[1] - this.view.y) * this.scale}px`,
      width: `${(box[2] - box[0]) * this.scale}px`, height: `${(box[3] - box[1]) * this.scale}px`,
    });
  }

  drawHovered() {
    if (!this.hovered) return;
    const layer = this.frame.layers[this.hovered[0]];
    const box = layer?.data.subarray(4 * this.hovered[1], 4 * this.hovered[1] + 4);
    if (box?.length) this.drawBoxes({ ...layer, data: box, labels: [], rim: true, fill: 0.15, width: layer.width + 2 });
  }

  showLegend() {
    const entries = [...this.frame.layers, ...this.frame.handles].filter((entry) => entry.name);
    const html = entries.map((entry) => `<li>${swatch(entry)}<span></span></li>`).join("");
    if (html !== this.legendHtml) this.legend.innerHTML = this.legendHtml = html;
    this.legend.querySelectorAll("span").forEach((span, i) => (span.textContent = entries[i].name));
  }

  // ---- the reader's hand

  point(event) {
    const bounds = this.canvas.getBoundingClientRect();
    return [(event.clientX - bounds.left) * this.pixel + this.view.x, (event.clientY - bounds.top) * this.pixel + this.view.y];
  }

  // The handle under the pointer, and which of its sides (x1, y1, x2, y2) are close enough to be pulled.
  grip([x, y]) {
    const near = EDGE * this.pixel;
    const found = this.frame.handles.map(({ key, resizable }) => {
      const b = this.boxes[key];
      if (x < b[0] - near || x > b[2] + near || y < b[1] - near || y > b[3] + near) return null;
      const sides = [x, y, x, y].map((at, i) => resizable && Math.abs(at - b[i]) <= near);
      for (const i of [0, 1]) if (sides[i] && sides[i + 2]) sides[i] = false; // a tiny box: pull its far side
      return { name: key, sides, area: (b[2] - b[0]) * (b[3] - b[1]), onSide: sides.some(Boolean) };
    }).filter(Boolean);
    return found.sort((a, b) => b.onSide - a.onSide || a.area - b.area)[0] ?? null;
  }

  press(event) {
    if (event.button !== 0 || !this.frame) return;
    const start = this.point(event);
    const grip = this.grip(start);
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = grip ? { ...grip, start, box: [...this.boxes[grip.name]] } : { start, view: { ...this.view }, client: [event.clientX, event.clientY] };
    if (grip) {
      event.preventDefault();
      this.handles[grip.name].focus({ preventScroll: true });
    }
  }

  move(event) {
    const { drag } = this;
    if (!drag.name) {
      this.view.x = drag.view.x - (event.clientX - drag.client[0]) * this.pixel;
      this.view.y = drag.view.y - (event.clientY - drag.client[1]) * this.pixel;
      this.keepInside();
      return this.schedule();
    }
    const [x, y] = this.point(event);
    this.change(drag.name, drag.box, Math.round(x - drag.start[0]), Math.round(y - drag.start[1]), drag.onSide ? drag.sides : null);
  }

  release(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag || drag.name) return this.place();
    const moved = Math.hypot(event.clientX - drag.client[0], event.clientY - drag.client[1]);
    if (event.type === "pointerup" && moved < 4) this.send("clicked", drag.start.map((v) => Math.round(v * 10) / 10));
  }

  // The box moved as a whole (sides null) or by some of its sides, kept inside the picture and at least a pixel wide.
  change(name, from, dx, dy, sides) {
    const limits = [this.frame.size[1], this.frame.size[0]];
    const box = [...from];
    for (const [axis, delta] of [[0, dx], [1, dy]]) {
      const [low, high] = [axis, axis + 2];
      if (!sides) {
        const shift = Math.max(-from[low], Math.min(delta, limits[axis] - from[high]));
        box[low] += shift;
        box[high] += shift;
      }
      if (sides?.[low]) box[low] = Math.max(0, Math.min(from[low] + delta, from[high] - 1));
      if (sides?.[high]) box[high] = Math.min(limits[axis], Math.max(from[high] + delta, from[low] + 1));
    }
    this.boxes[name] = box;
    this.schedule();
    this.send("handles", { ...this.boxes });
  }

  // One change travels at a time; the widget library merges those that come meanwhile.
  send(trait, value) {
    this.model.set(trait, value);
    this.model.save_changes();
  }

  key(event) {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const zoom = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 }[event.key];
    const name = event.target.dataset.handle;
    const large = event.ctrlKey || event.altKey || event.metaKey;
    if (zoom !== undefined && !large) this.zoom(zoom);
    else if (arrow && name) this.nudge(name, arrow, event.shiftKey, large ? 10 : 1);
    else if (arrow && event.target === this.canvas && this.view.zoom > 1) this.pan(arrow);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  nudge(name, [dx, dy], resize, step) {
    const { resizable } = this.frame.handles.find((handle) => handle.key === name);
    if (resize && !resizable) return;
    this.change(name, this.boxes[name], dx * step, dy * step, resize ? [false, false, true, true] : null);
  }

  // ---- zoom and pan

  // Around a fixed point of the image: the pointer, else the middle. Factor 0: the whole picture.
  zoom(factor, at = null) {
    const [height, width] = this.frame.size;
    const { view } = this;
    const [x, y] = at ?? [view.x + width / view.zoom / 2, view.y + height / view.zoom / 2];
    const zoom = factor ? Math.max(1, Math.min(MAX_ZOOM, view.zoom * factor)) : 1;
    view.x = x - ((x - view.x) * view.zoom) / zoom;
    view.y = y - ((y - view.y) * view.zoom) / zoom;
    view.zoom = zoom;
    this.keepInside();
    this.schedule();
  }

  pan([dx, dy]) {
    this.view.x += dx * 40 * this.pixel;
    this.view.y += dy * 40 * this.pixel;
    this.keepInside();
    this.schedule();
  }

  keepInside() {
    const [height, width] = this.frame.size;
    const { view } = this;
    view.x = Math.max(0, Math.min(view.x, width - width / view.zoom));
    view.y = Math.max(0, Math.min(view.y, height - height / view.zoom));
  }

  // The page scrolls as ever unless the picture has the focus (after a click), or Control is held.
  wheel(event) {
    if (!event.ctrlKey && !this.stage.contains(this.el.getRootNode().activeElement)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), this.point(event));
  }

  // ---- hover texts: the smallest box under the pointer; Python has its words

  hover(event) {
    if (!this.frame) return;
    const at = this.point(event);
    const grip = this.grip(at);
    this.canvas.style.cursor = grip ? cursor(grip) : this.view.zoom > 1 ? "grab" : "default";
    const found = grip ? null : this.smallest(at);
    if (String(found) === String(this.hovered)) return;
    this.hovered = found;
    this.tip.textContent = "";
    Object.assign(this.tip.style, tipPlace(event, this.canvas));
    this.schedule();
    this.ask();
  }

  // One question travels at a time; once it is answered, the next is about the box that is then under the pointer.
  ask() {
    if (!this.hovered || this.asked) return;
    this.asked = this.hovered;
    this.model.send({ hover: this.asked });
  }

  smallest([x, y]) {
    let [best, found] = [Infinity, null];
    this.frame.layers.forEach(({ hover, data }, layer) => {
      for (let i = 0; hover && i < data.length; i += 4) {
        const area = (data[i + 2] - data[i]) * (data[i + 3] - data[i + 1]);
        if (area < best && x >= data[i] && x <= data[i + 2] && y >= data[i + 1] && y <= data[i + 3]) [best, found] = [area, [layer, i / 4]];
      }
    });
    return found;
  }

  showTip({ hover, text }) {
    const answered = String(hover) === String(this.asked);
    if (answered) this.asked = null;
    if (String(hover) === String(this.hovered)) this.tip.textContent = text;
    else if (answered) this.ask();
  }

  leave() {
    this.hovered = this.asked = null;
    this.tip.textContent = "";
    this.schedule();
  }
}

// ---- helpers

// JupyterLab would otherwise take the keys pressed here for its own: "d d" deletes the cell. It looks for this
// attribute on the very element that has the focus.
function keepKeys(event) {
  event.target.setAttribute("data-lm-suppress-shortcuts", "true");
}

function add(parent, tag, attributes) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}

// Buffers arrive at any offset of a message, so they are copied to where a typed array may start.
function unpack(layer) {
  const { buffer, byteOffset, byteLength } = layer.data;
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  if (layer.kind === "pixels") return { ...layer, tile: tile(new Uint8ClampedArray(bytes), layer.shape) };
  return { ...layer, data: new Float32Array(bytes), labels: layer.labels ? layer.labels.split("\n") : [] };
}

function tile(rgba, [height, width]) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas;
}

function stripes(pen, dash) {
  const scale = Math.round(window.devicePixelRatio) || 1;
  const period = scale * dash.reduce((sum, length) => sum + length, 0);
  const on = dash.flatMap((length, i) => Array(length * scale).fill(i % 2 ? 0 : 255));
  const rgba = new Uint8ClampedArray(4 * period * period);
  for (let y = 0; y < period; y++) for (let x = 0; x < period; x++) rgba[4 * (y * period + x) + 3] = on[(x + y) % period];
  return pen.createPattern(tile(rgba, [period, period]), "repeat");
}

function swatch({ kind, color, dash, shape, stops }) {
  const svg = (inside) => `<svg width="34" height="14" aria-hidden="true">${inside}</svg>`;
  if (stops) return `<i style="width:34px;height:14px;background:linear-gradient(to right,${stops})"></i>`;
  if (kind === "points" && shape === "cross") return svg(`<path d="M12 2l10 10M22 2l-10 10" stroke="${color}" stroke-width="2"/>`);
  if (kind === "points") return svg(`<circle cx="17" cy="7" r="4.5" stroke="${color}" stroke-width="2" fill="${shape === "dot" ? color : "none"}"/>`);
  return svg(`<path d="M0 7h34" stroke="${color}" stroke-width="4" stroke-dasharray="${dash.join(" ") || "none"}"/>`);
}

function cursor({ sides: [left, top, right, bottom] }) {
  if ((left && top) || (right && bottom)) return "nwse-resize";
  if ((right && top) || (left && bottom)) return "nesw-resize";
  return left || right ? "ew-resize" : top || bottom ? "ns-resize" : "move";
}

function tipPlace(event, canvas) {
  const bounds = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
  const side = x < bounds.width / 2 ? { left: `${x + 14}px`, right: "auto" } : { right: `${bounds.width - x + 14}px`, left: "auto" };
  return { ...side, top: `${Math.min(y + 10, bounds.height - 60)}px` };
}
