// Shows what Python, or a page's twin, computed: one frame of layers over one image, and handles. No decision about
// detection is taken here. `View` lives on the page and talks to them. Five files stand before this one: elements.js
// makes elements; the `Painter` of painter.js draws the layers; room.js says how large the picture may be; still.js
// hides the stored picture; a `Handle` of handle.js is a box to move, an element over the canvas.
//
// Zoomed in, the handles lie on a sheet larger than the stage, and the stage is scrolled; the canvas stays in the stage
// and shows the part that is seen.

const MAX_ZOOM = 32;
const ZOOM_KEYS = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TURNS = { PageUp: 1, PageDown: -1 };
const PANELS = ".jp-WindowedPanel-outer, .jp-NotebookPanel-notebook"; // what shows a notebook in JupyterLab
const STILLS = ["img", ".rcnn-wake"]; // the outputs before a live view, see shown.py
const decoded = new WeakMap(); // a page's files -> their bitmaps: such a file comes again, as the same array
const RIM = 5; // screen pixels between a handle and its name, for the ring that shows the focus

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.destroy();
}
export default { render };

class View {
  constructor(model, el) {
    const empty = { bitmap: null, source: null, frame: null, drag: null, hovered: null, asked: null };
    const first = { zoomed: 1, handles: {}, ready: Promise.resolve(), space: 0.72 * window.innerHeight };
    Object.assign(this, { model, el }, first, empty);
    this.build();
    this.listen();
    this.receive();
  }

  build() {
    this.el.classList.add("rcnn-canvas");
    this.title = add(this.el, "p", { class: "rcnn-title" });
    this.stage = add(this.el, "div", { class: "rcnn-stage" });
    this.sheet = add(this.stage, "div", { class: "rcnn-sheet" });
    this.canvas = add(this.sheet, "canvas", { tabindex: 0, role: "img" });
    this.painter = new Painter(this.canvas);
    this.movable = add(this.sheet, "div", { class: "rcnn-handles" });
    this.mark = add(this.sheet, "div", { class: "rcnn-mark" }); // around the box under the pointer
    this.tip = add(this.sheet, "div", { class: "rcnn-tip" });
    const bar = add(this.el, "div", { class: "rcnn-bar" });
    this.legend = add(bar, "ul", { class: "rcnn-legend" });
    const buttons = add(bar, "div", { class: "rcnn-zoom" });
    const zoom = (key) => () => this.zoom(ZOOM_KEYS[key]);
    for (const [text, label, act] of [
      ["+", "Zoom in", zoom("+")],
      ["−", "Zoom out", zoom("-")],
      ["↺", "Whole picture", zoom(0)],
      ["⤢", "Full screen", () => this.fill()],
    ]) {
      const button = add(buttons, "button", { type: "button", "aria-label": label, title: label });
      button.textContent = text;
      button.addEventListener("click", act);
    }
  }

  listen() {
    this.changes = {
      "change:frame": () => this.receive(),
      "change:handles": () => this.place(),
      "change:angles": () => this.place(),
      "change:summary": () => this.describe(),
      "change:possible": () => this.describe(),
      "msg:custom": (message) => this.showTip(message),
    };
    for (const [event, act] of Object.entries(this.changes)) this.model.on(event, act);
    this.observer = new ResizeObserver(() => {
      this.panel = document.fullscreenElement ?? this.el.closest(PANELS) ?? document.documentElement;
      this.observer.observe(this.panel); // its height is the picture's limit
      if (this.frame) arrange(this.el, this.stage, this.panel, this.frame.size);
      this.space = room(this.el, this.stage, this.panel);
      this.schedule();
      (this.el.closest(".rcnn-explorer") ?? this.el).addEventListener("focusin", keepKeys); // now it is on the page
    });
    this.observer.observe(this.el);
    this.showStills = hideStills(this.el, STILLS);
    const live = (act) => (event) => this.frame && act(event);
    const on = (name, act) => this.stage.addEventListener(name, live(act), { passive: false });
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => (this.drag ? this.move(event) : this.hover(event)));
    for (const end of ["pointerup", "pointercancel"]) on(end, (event) => this.release(event));
    on("pointerleave", () => this.leave());
    on("wheel", (event) => this.wheel(event));
    on("keydown", (event) => this.key(event));
    on("scroll", () => this.draw());
  }

  destroy() {
    this.gone = true;
    for (const [event, act] of Object.entries(this.changes)) this.model.off(event, act);
    this.observer.disconnect();
    cancelAnimationFrame(this.due);
    this.showStills();
    this.giveBack();
  }

  // A decoded photo is megabytes that nobody else gives back, but for those that are kept.
  giveBack() {
    if (!decoded.has(this.source)) this.bitmap?.close();
    this.bitmap = null;
  }

  // ---- from Python, or a page's twin

  // A frame waits for its image, so that new boxes never lie on the old picture.
  receive() {
    this.ready = this.ready.then(async () => {
      const [source, frame] = [this.model.get("image"), this.model.get("frame")];
      const pixels = source instanceof ImageData; // from a page's twin, else a file; a notebook's is a DataView
      if (source !== this.source && (pixels || source?.byteLength)) {
        const bitmap = decoded.get(source) ?? await createImageBitmap(pixels ? source : new Blob([source]));
        if (source instanceof Uint8Array) decoded.set(source, bitmap);
        this.giveBack();
        Object.assign(this, { bitmap, source });
      }
      if (this.gone) return this.giveBack(); // meanwhile
      this.frame = { ...frame, layers: frame.layers.map(unpack) };
      for (const style of frame.handles) this.handle(style).restyle(style);
      this.asked = null;
      this.showTitle();
      this.describe();
      this.showLegend();
      this.place();
      this.draw(); // not only at the next animation frame, when the picture would be a frame late
    }).catch((error) => console.error("rcnn_tutorial canvas:", error));
  }

  handle(style) {
    const { key } = style;
    if (!this.handles[key]) this.handles[key] = new Handle(this.movable, style);
    return this.handles[key];
  }

  // What the controls say now may be impossible to draw: then the last picture stays, pale.
  describe() {
    this.canvas.setAttribute("aria-label", this.model.get("summary"));
    this.canvas.classList.toggle("rcnn-dim", !this.model.get("possible"));
  }

  // Title and legend are touched only where they are others: the browser would lay out the page anew.
  showTitle() {
    const { title } = this.frame;
    if (this.title.textContent !== title) this.title.textContent = title;
    this.title.hidden = !title;
  }

  showLegend() {
    const list = document.createElement("ul");
    for (const entry of [...this.frame.layers, ...this.frame.handles].filter(({ name }) => name)) {
      const item = add(list, "li");
      item.innerHTML = swatch(entry);
      item.append(entry.name);
    }
    if (list.innerHTML !== this.legend.innerHTML) this.legend.replaceChildren(...list.children);
  }

  // Where Python, a page's twin or another view has put the handles; the one in the reader's hand stays there.
  place() {
    if (this.drag?.handle || !this.frame) return;
    const [boxes, angles] = [this.model.get("handles"), this.model.get("angles")];
    for (const [key, box] of Object.entries(boxes)) this.handles[key]?.put(box, angles[key] ?? 0, this.frame.size);
    this.schedule();
  }

  schedule() {
    if (!this.due) this.due = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.due);
    this.due = null;
    if (!this.frame) return;
    this.leave();
    this.fit();
    this.painter.draw(this.frame, this.bitmap, this.scale, this.stage.scrollLeft, this.stage.scrollTop);
    for (const handle of Object.values(this.handles)) {
      this.painter.text(handle.style.name, handle.named(), handle.style, RIM);
      if (!this.drag?.turns) handle.aim(this.scale, this.frame.size);
    }
    this.canvas.dataset.count = this.frame.count;
  }

  // The whole explorer for the projector; the same button, or Escape, brings the page back.
  fill() {
    const explorer = this.el.closest(".rcnn-explorer") ?? this.el;
    if (document.fullscreenElement) document.exitFullscreen();
    else explorer.requestFullscreen();
  }

  // As wide as the page allows, and so high that picture, legend and summary are seen at once; a pixel of the canvas is
  // one of the screen.
  fit() {
    const { canvas, el, frame } = this;
    const [height, width] = frame.size;
    const widest = document.fullscreenElement ? Infinity : frame.width;
    const wide = Math.min(el.clientWidth || frame.width, widest, (this.space * width) / height);
    const [w, h] = [wide, (wide * height) / width].map((length) => Math.round(length * dpr()));
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    el.style.setProperty("--width", `${w / dpr()}px`);
    el.style.setProperty("--height", `${h / dpr()}px`);
    this.scale = (w / dpr() / width) * this.zoomed; // screen pixels an image pixel
  }

  // ---- the reader's hand

  point({ clientX, clientY }) {
    const { left, top } = this.sheet.getBoundingClientRect();
    return [(clientX - left) / this.scale, (clientY - top) / this.scale];
  }

  press(event) {
    if (event.button !== 0 || this.drag) return;
    const { pointerId, target, clientX: x, clientY: y } = event;
    const handle = this.handles[target.closest(".rcnn-handle")?.dataset.handle];
    const { scrollLeft: left, scrollTop: top } = this.stage;
    const turns = target.classList.contains("rcnn-turn");
    const hold = { side: target.dataset.side ?? "", turns, box: handle?.box, angle: handle?.angle };
    this.drag = { pointerId, handle, ...hold, at: this.point(event), left, top, x, y };
    target.setPointerCapture(pointerId); // its cursor stays, wherever the pointer goes
    if (!handle) return;
    event.preventDefault();
    handle.element.focus({ preventScroll: true });
  }

  move(event) {
    const { drag, scale } = this;
    if (event.pointerId !== drag.pointerId) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (drag.turns) this.turn(drag.handle, drag.angle + swing(middle(drag.box), drag.at, this.point(event)));
    else if (drag.handle) {
      const by = turned([dx / scale, dy / scale], drag.side ? -drag.angle : 0).map(Math.round);
      this.change(drag.handle, drag.box, by, drag.side);
    } else this.stage.scrollTo(drag.left - dx, drag.top - dy);
  }

  release(event) {
    const { drag } = this;
    if (event.pointerId !== drag?.pointerId) return;
    this.drag = null;
    if (drag.handle) this.place();
    else if (event.type === "pointerup" && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4)
      this.send("clicked", this.point(event).map((v) => Math.round(v * 10) / 10));
  }

  change(handle, box, by, side) {
    handle.put(handle.after(box, by, side, this.frame.size), handle.angle, this.frame.size);
    this.schedule();
    this.send("handles", { ...this.model.get("handles"), [handle.style.key]: handle.box });
  }

  turn(handle, degrees) {
    const most = handle.style.turnable;
    handle.put(handle.box, Math.round(clamp(degrees, -most, most)), this.frame.size);
    this.schedule();
    this.send("angles", { ...this.model.get("angles"), [handle.style.key]: handle.angle });
  }

  // One change travels at a time; the widget library merges those that come meanwhile.
  send(trait, value) {
    this.model.set(trait, value);
    this.model.save_changes();
  }

  key(event) {
    const [arrow, turn, factor] = [ARROWS, TURNS, ZOOM_KEYS].map((keys) => keys[event.key]);
    const handle = this.handles[event.target.dataset.handle];
    const large = event.ctrlKey || event.altKey || event.metaKey;
    const by = arrow?.map((step) => step * (large ? 10 : 1));
    if (factor !== undefined && !large) this.zoom(factor);
    else if (arrow && handle?.style.resizable && event.shiftKey) this.change(handle, handle.box, by, "se");
    else if (arrow && handle && !event.shiftKey) this.change(handle, handle.box, by, "");
    else if (turn && handle?.style.turnable && !large)
      this.turn(handle, handle.angle + turn * (event.shiftKey ? 10 : 1));
    else if (arrow && !handle && this.zoomed > 1) this.stage.scrollBy(40 * arrow[0], 40 * arrow[1]);
    else return;
    handle?.element.scrollIntoView({ block: "nearest", inline: "nearest" });
    event.preventDefault();
    event.stopPropagation();
  }

  // Around the pointer, else the middle of what is seen. Factor 0: the whole picture.
  zoom(factor, event = null) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    const [x, y] = event ? [event.clientX - left, event.clientY - top] : [width / 2, height / 2];
    const zoomed = factor ? clamp(this.zoomed * factor, 1, MAX_ZOOM) : 1;
    const growth = zoomed / this.zoomed;
    this.zoomed = zoomed;
    this.el.style.setProperty("--zoom", zoomed);
    this.stage.classList.toggle("rcnn-zoomed", zoomed > 1);
    this.stage.scrollTo((this.stage.scrollLeft + x) * growth - x, (this.stage.scrollTop + y) * growth - y);
    this.schedule();
  }

  // The page scrolls as ever unless the picture has the focus (after a click), or Control or Command is held.
  wheel(event) {
    if (!event.ctrlKey && !event.metaKey && !this.stage.contains(this.el.getRootNode().activeElement)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), event);
  }

  // ---- hover texts: the smallest box under the pointer; Python, or a page's twin, has its words

  hover(event) {
    const found = event.target === this.canvas ? smallest(this.frame.layers, this.point(event)) : null;
    if (String(found) === String(this.hovered)) return;
    this.leave();
    if (!found) return;
    this.hovered = found;
    const [layer, index] = [this.frame.layers[found[0]], found[1]];
    this.mark.innerHTML = outline({ ...layer, fill: 0.15, width: layer.width + 2 });
    lay(this.mark, layer.data.subarray(4 * index, 4 * index + 4), this.frame.size);
    this.placeTip(event);
    this.ask();
  }

  // Beside the pointer, on the side of the picture's middle.
  placeTip(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    const [x, y] = this.point(event).map((at) => at * this.scale);
    const [right, low] = [event.clientX > left + width / 2, event.clientY > top + height / 2];
    const translate = `${right ? "-100%" : 0} ${low ? "-100%" : 0}`;
    Object.assign(this.tip.style, { left: `${x + (right ? -14 : 14)}px`, top: `${y + (low ? -10 : 10)}px`, translate });
  }

  // One question travels at a time; once it is answered, the next is about the box that is then under the pointer.
  ask() {
    if (!this.hovered || this.asked) return;
    this.asked = this.hovered;
    this.model.send({ hover: this.asked });
  }

  showTip({ hover, text }) {
    const answered = String(hover) === String(this.asked);
    if (answered) this.asked = null;
    if (String(hover) === String(this.hovered)) this.tip.textContent = text;
    else if (answered) this.ask();
  }

  leave() {
    this.hovered = null;
    this.tip.textContent = this.mark.innerHTML = "";
  }
}

// ---- helpers

// JupyterLab would otherwise take the keys pressed here for its own: "d d" deletes the cell. It looks for this
// attribute on the very element that has the focus.
function keepKeys(event) {
  event.target.setAttribute("data-lm-suppress-shortcuts", "true");
}

// The smallest box with a hover text around a point, as [layer, index], or null.
function smallest(layers, [x, y]) {
  let [best, found] = [Infinity, null];
  layers.forEach(({ hover, data }, layer) => {
    for (let i = 0; hover && i < data.length; i += 4) {
      const area = (data[i + 2] - data[i]) * (data[i + 3] - data[i + 1]);
      const inside = x >= data[i] && x <= data[i + 2] && y >= data[i + 1] && y <= data[i + 3];
      if (inside && area < best) [best, found] = [area, [layer, i / 4]];
    }
  });
  return found;
}

// A layer's sign in the legend.
function swatch({ color, dash, shape, stops }) {
  if (stops) return `<i style="background: linear-gradient(to right, ${stops})"></i>`;
  const circle = (fill) => `<circle cx="17" cy="7" r="4.5" fill="${fill}"/>`;
  const points = { cross: `<path d="M12 2l10 10M22 2l-10 10"/>`, ring: circle("none"), dot: circle(color) };
  const line = `<path d="M0 7h34" stroke-width="4" stroke-dasharray="${dash.join(" ")}"/>`;
  return `<svg aria-hidden="true" stroke="${color}" stroke-width="2">${points[shape] ?? line}</svg>`;
}
