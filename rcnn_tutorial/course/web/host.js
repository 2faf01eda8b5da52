// The explorers and the questions of a page: the notebook's canvas and form, the browser's own inputs, and the twins in
// the place of Python.
//
// The page holds, as text, what `course/live.py` packed: a <script type="application/json" id="live"> and, deflated and
// in base64, its arrays in <script type="text/plain" id="arrays">. Each explorer replaces the still picture in
// <div data-explorer="NUMBER">, a form the questions in <div data-questions="NUMBER">.

import { render as drawCanvas } from "./canvas.js";
import { control, make } from "./controls.js";
import { render as drawForm } from "./form.js";
import { inflate } from "./inflate.js";
import { outcome } from "./marking.js";
import { Model } from "./model.js";
import { render as drawList } from "./ranking.js";
import { rgba } from "./scene.js";
import { Game, Unpacked } from "./state.js";
import { render as drawSummary } from "./summary.js";

export async function start(twins) {
  const { explorers, questions } = JSON.parse(document.getElementById("live").textContent);
  const all = (kind) => document.querySelectorAll(`[data-${kind}]`);
  for (const place of all("questions")) ask(place, questions[place.dataset.questions]);
  const unpacked = new Unpacked(await inflate([document.getElementById("arrays").textContent], "deflate"));
  for (const place of all("explorer")) {
    try {
      const explorer = unpacked.read(explorers[place.dataset.explorer]);
      new Panel(place, explorer, twins[explorer.module][explorer.kind]);
    } catch (error) { // the still picture stays, and the other explorers live
      console.error(`rcnn_tutorial explorer ${place.dataset.explorer}:`, error);
    }
  }
}

// Questions that mark an answer; it is kept as long as the page is open.
function ask(place, { questions, keys }) {
  const model = new Model({ questions, outcomes: questions.map(() => ({})) }, {
    told({ commit, again, values }) {
      const [number, one] = commit === undefined ? [again, {}] : [commit, outcome(keys[commit], values)];
      model.show({ outcomes: model.get("outcomes").map((old, i) => (i === number ? one : old)) });
    },
  });
  place.replaceChildren();
  drawForm({ model, el: place });
}

export class Panel {
  constructor(place, explorer, twin) {
    this.game = new Game(twin, explorer);
    Object.assign(this, { explorer, count: 0, cleanups: [] });
    const few = explorer.controls.length <= 2 ? " rcnn-few" : "";
    const names = { "data-kind": explorer.kind, "aria-label": spoken(explorer.kind) };
    this.element = make("section", { class: `rcnn-explorer${few}`, ...names });
    this.controls = explorer.controls.map((spec) => [spec.name, control(spec, (value) => this.put(spec, value))]);
    this.pictures = explorer.canvases.map((canvas) => this.picture(canvas));
    this.line = new Model({ text: this.game.summary, possible: true });
    this.element.append(this.left(), this.right());
    place.replaceChildren(this.element);
    this.show();
  }

  // Nothing of it runs or listens any longer, and it is gone from the page.
  destroy() {
    for (const [, { stop }] of this.controls) stop?.();
    for (const cleanup of this.cleanups) cleanup();
    this.element.remove();
  }

  left() {
    const { main } = this.explorer;
    const presets = [...Object.keys(this.explorer.presets), "Reset"].map((name) => {
      const button = make("button", { type: "button" }, name);
      button.addEventListener("click", () => this.act(() => this.game.press(name)));
      return button;
    });
    const elements = this.controls.map(([, { element }]) => element);
    const rest = make("div", { class: "rcnn-more" }, ...elements.slice(main));
    rest.hidden = true;
    const more = make("button", { type: "button", "aria-expanded": "false" }, "More");
    more.addEventListener("click", () => {
      rest.hidden = !rest.hidden;
      more.setAttribute("aria-expanded", String(!rest.hidden));
    });
    this.reasons = make("p", { class: "rcnn-reasons" });
    const missing = Object.entries(this.explorer.left_out).map(([label, why]) => `${label}: in the notebook; ${why}.`);
    const row = make("div", { class: "rcnn-presets" }, ...presets, ...(elements.length > main ? [more] : []));
    row.addEventListener("focusin", ({ target }) => target.scrollIntoView({ block: "nearest", inline: "nearest" }));
    const first = make("div", { class: "rcnn-main" }, ...elements.slice(0, main));
    const hand = make("div", { class: "rcnn-at-hand" }, row, first, this.reasons, rest);
    return make("div", { class: "rcnn-controls" }, hand, ...this.beside(),
      make("p", { class: "rcnn-reasons" }, missing.join(" ")));
  }

  // What some explorers have beside the picture: the list of suppression.
  beside() {
    if (!this.game.aside) return [];
    this.list = new Model({ frame: this.game.aside }, { told: (word) => this.act(() => this.game.hear(word)) });
    const element = make("div");
    this.cleanups.push(drawList({ model: this.list, el: element }));
    return [element];
  }

  right() {
    const pictures = make("div", { class: "rcnn-pictures" }, ...this.pictures.map(({ element }) => element));
    const line = make("div");
    const right = make("div", { class: "rcnn-right" }, pictures, line);
    this.element.append(right); // a canvas asks where it stands
    for (const { model, element } of this.pictures) this.cleanups.push(drawCanvas({ model, el: element }));
    drawSummary({ model: this.line, el: line });
    return right;
  }

  picture(canvas) {
    const place = this.explorer.canvases.indexOf(canvas);
    const { handles, angles } = canvas;
    const [image, frame] = [imageOf(canvas.image), this.frame(place)];
    const model = new Model({ image, handles, angles, summary: "", possible: true, frame }, {
      saved: (name, value) => this.moved(place, name, value),
      told: (message) => this.hover(place, message),
    });
    const element = make("div", { class: canvas.classes.join(" "), style: canvas.flex && `flex: ${canvas.flex}` });
    return { model, element, image };
  }

  frame(place) {
    const { width, roomy, styles } = this.explorer.canvases[place];
    const { layers, size, title, turnable } = this.game.scenes[place];
    const handles = styles.map((style) => ({ ...style, turnable: turnable[style.key] }));
    this.count += 1;
    return { count: this.count, size, width, title, roomy, layers, handles };
  }

  // ---- from the reader

  put({ name, kind }, value) {
    this.act(() => (kind === "button" ? this.game.hear({ button: name }) : this.game.set({ [name]: value })));
  }

  moved(place, name, value) {
    if (name === "clicked") this.act(() => this.game.click(value, place));
    else this.act(() => this.game.set(name === "angles" ? { angles: value } : value));
  }

  hover(place, { hover: [layer, index] }) {
    const text = this.game.scenes[place].layers[layer]?.textOf?.(index) ?? "";
    this.pictures[place].model.fire("msg:custom", { hover: [layer, index], text });
  }

  act(change) {
    change();
    this.show();
  }

  // ---- to the reader

  show() {
    const { game } = this;
    for (const [name, one] of this.controls) {
      if (name in game.values) one.show(game.values[name], game.ranges[name]);
      one.rest(game.rest[name]);
    }
    this.reasons.textContent = this.why();
    this.pictures.forEach((_, place) => this.showPicture(place));
    this.line.show({ text: game.summary, possible: game.possible });
    this.list?.show({ frame: game.aside });
  }

  showPicture(place) {
    const { summary, possible, values, scenes } = this.game;
    const { model, element, image: first } = this.pictures[place];
    const names = Object.keys(this.explorer.canvases[place].handles);
    const of = (all) => Object.fromEntries(names.filter((name) => name in all).map((name) => [name, all[name]]));
    const image = scenes[place].image ? imageOf(scenes[place].image) : first;
    model.show({ summary, possible, handles: of(values), angles: of(values.angles), image });
    if (!possible) return;
    model.show({ frame: this.frame(place) });
    element.dataset.frame = this.count; // once the picture is drawn, its canvas says the same
  }

  // Why some controls rest: "Grid column: the map is the photo."
  why() {
    const labels = Object.fromEntries(this.explorer.controls.map(({ name, label }) => [name, label]));
    const reasons = [...new Set(Object.values(this.game.rest))];
    const names = (why) => Object.keys(this.game.rest).filter((name) => this.game.rest[name] === why);
    return reasons.map((why) => `${names(why).map((name) => labels[name]).join(", ")}: ${why}.`).join(" ");
  }
}

// How a screen reader names an explorer: "AnchorLabelExplorer" -> "Anchor Label Explorer"; after the first of a kind on
// a page with a number.
function spoken(kind) {
  const before = document.querySelectorAll(`[data-kind=${kind}]`).length;
  return kind.replace(/\B(?=[A-Z][a-z\d])/g, " ") + (before ? ` ${before + 1}` : "");
}

// A file's bytes as they are; pixels { shape: [h, w, 3], data } as the canvas takes them.
function imageOf(image) {
  if (!image?.shape) return image;
  const [height, width] = image.shape;
  return new ImageData(rgba(image.data, height * width), width, height);
}
