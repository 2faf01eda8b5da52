// The score list of suppression: Python, or a page's twin, says who is kept and who falls; this shows it as a table,
// links each row with its box in the picture beside it, and tells which box the reader picks and when to step. One
// text with elements.js, which stands before it.

const BEAT = 1800; // milliseconds between two steps of Play
const CAPTION = "The boxes in their order. " +
  "Up and down: another box; Enter: it is kept next; left and right: back, step.";

function render({ model, el }) {
  const list = new List(model, el);
  return () => list.destroy();
}
export default { render };

class List {
  constructor(model, el) {
    Object.assign(this, { model, el, rows: {}, pointed: null, timer: null, explorer: null });
    this.build();
    this.show = this.show.bind(this);
    model.on("change:frame", this.show);
    this.observer = new ResizeObserver(() => this.attach());
    this.observer.observe(el);
    this.show();
  }

  destroy() {
    this.pause();
    this.model.off("change:frame", this.show);
    this.observer.disconnect();
    this.leave?.abort();
    this.mark?.remove();
  }

  build() {
    this.el.classList.add("rcnn-ranking");
    const bar = add(this.el, "div", { class: "rcnn-moves", role: "group", "aria-label": "Play the game" });
    this.back = button(bar, "◀ Back", () => this.go(-1));
    this.play = button(bar, "Play", () => (this.timer ? this.pause() : this.start()));
    this.play.classList.add("rcnn-play");
    this.next = button(bar, "Step ▶", () => this.go(1));
    const table = add(this.el, "table");
    add(table, "caption").textContent = CAPTION;
    this.head = add(add(table, "thead"), "tr");
    this.body = add(table, "tbody");
    this.body.addEventListener("click", (event) => this.pick(event));
    this.el.addEventListener("keydown", (event) => this.key(event));
  }

  // Once it is on the page: what the pointer does in the picture, too.
  attach() {
    const explorer = this.el.closest(".rcnn-explorer");
    if (!explorer || explorer === this.explorer) return;
    this.leave?.abort();
    [this.explorer, this.leave] = [explorer, new AbortController()];
    const on = (name, act) => explorer.addEventListener(name, act, { signal: this.leave.signal });
    on("pointermove", ({ target, clientX, clientY }) => {
      const stage = target.closest(".rcnn-stage");
      const row = target.closest(".rcnn-ranking tbody tr")?.dataset.row;
      this.point(row ?? (stage ? this.near(stage, clientX, clientY) : null));
    });
    on("pointerleave", () => this.point(null));
    on("focusin", ({ target }) => this.point(target.closest(".rcnn-ranking tbody tr")?.dataset.row ?? null));
  }

  // ---- from Python, or a page's twin

  show() {
    const { rows, heads, step, last } = this.model.get("frame");
    this.head.replaceChildren();
    for (const text of heads) add(this.head, "th", { scope: "col" }).textContent = text;
    const order = rows.map(({ row }) => String(row));
    const stood = [...this.body.children].map((line) => line.dataset.row);
    if (order.join() !== stood.join()) this.fill(rows);
    for (const { row, what, cells, words } of rows) {
      const line = this.rows[row];
      line.className = `rcnn-is-${what}${String(row) === this.pointed ? " rcnn-pointed" : ""}`;
      cells.forEach((text, i) => { line.cells[i + 1].textContent = text; });
      line.cells[0].firstChild.setAttribute("aria-label", words);
    }
    this.back.disabled = step <= 0;
    this.next.disabled = step >= last;
    if (step >= last) this.pause();
    this.play.disabled = step >= last;
  }

  // New lines only where the order is another one: the focus stays on its box otherwise.
  fill(rows) {
    this.body.replaceChildren();
    rows.forEach(({ row, name, cells }, place) => {
      const line = add(this.body, "tr", { "data-row": row });
      const box = add(add(line, "th", { scope: "row" }), "button", { type: "button", tabindex: place ? -1 : 0 });
      box.textContent = name;
      cells.forEach(() => add(line, "td"));
      this.rows[row] = line;
    });
  }

  // ---- to Python, or a page's twin

  go(by) {
    this.model.send({ go: by });
  }

  pick({ target }) {
    const row = target.closest("tr")?.dataset.row;
    if (row !== undefined) this.model.send({ pick: Number(row) });
  }

  start() {
    this.play.textContent = "Pause";
    this.timer = setInterval(() => this.go(1), BEAT);
    this.go(1); // a page answers at once: the last step ends the timer
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "Play";
  }

  key(event) {
    const line = event.target.closest("tbody tr");
    const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const way = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
    if (turn) this.go(turn);
    else if (way && line) this.focus(line[way] ?? line);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Of all rows one is reached with Tab: the last that had the focus.
  focus(line) {
    for (const other of this.body.querySelectorAll("button")) other.tabIndex = -1;
    const box = line.querySelector("button");
    box.tabIndex = 0;
    box.focus();
  }

  // ---- row and box

  // The row of the box that the pointer means.
  near(stage, clientX, clientY) {
    const { rows, size, reach } = this.model.get("frame");
    const { left, top, width } = stage.querySelector(".rcnn-sheet").getBoundingClientRect();
    const point = [clientX - left, clientY - top].map((at) => Math.round((at * size[1] * 10) / width) / 10);
    return pointedAt(point, rows, reach);
  }

  point(row) {
    const pointed = row === null ? null : String(row);
    if (pointed === this.pointed) return;
    this.pointed = pointed;
    for (const line of this.body.children) line.classList.toggle("rcnn-pointed", line.dataset.row === pointed);
    if (!this.mark) this.mark = add(this.el, "div", { class: "rcnn-mark rcnn-mark-row" });
    const sheet = this.explorer?.querySelector(".rcnn-sheet");
    const box = this.model.get("frame").rows.find((one) => String(one.row) === pointed)?.box;
    this.mark.hidden = !box || !sheet;
    if (this.mark.hidden) return;
    if (this.mark.parentNode !== sheet) sheet.appendChild(this.mark);
    lay(this.mark, box, this.model.get("frame").size);
  }
}

// ---- helpers

function button(parent, text, act) {
  const element = add(parent, "button", { type: "button", class: "jupyter-button widget-button" });
  element.textContent = text;
  element.addEventListener("click", act);
  return element;
}

// The row of the box whose outline is nearest, of those that hold the point or pass within `reach`; none removed
// before. rows: [{ row, what, box }, ...]. `NMSExplorer.pointed_at` in the browser.
export function pointedAt(point, rows, reach) {
  const among = rows.filter(({ what }) => what !== "removed");
  const near = among.map(({ row, box }) => ({ row, away: distance(box, point) })).filter(({ away }) => away <= reach);
  if (!near.length) return null;
  return near.reduce((best, one) => (Math.abs(one.away) < Math.abs(best.away) ? one : best)).row;
}

// From a point to the outline of a box, negative inside.
function distance([x1, y1, x2, y2], [x, y]) {
  const outside = Math.max(x1 - x, 0, x - x2) ** 2 + Math.max(y1 - y, 0, y - y2) ** 2;
  return outside ? outside ** 0.5 : -Math.min(x - x1, x2 - x, y - y1, y2 - y);
}
