// Questions with fields and a Commit button each. What came of an answer is known to the kernel alone until then.

let forms = 0; // radio buttons and labels need names of their own on the page

function render({ model, el }) {
  const name = `rcnn-ask-${++forms}`;
  const list = el.appendChild(document.createElement("ol"));
  list.className = "rcnn-ask";
  const many = model.get("questions").length > 1;
  const send = (message) => model.send(message);
  const items = model.get("questions").map((question, i) => {
    const item = list.appendChild(document.createElement("li"));
    const numbered = many ? { ...question, html: `${i + 1}. ${question.html}` } : question;
    return new Item(item, numbered, `${name}-${i}`, send, i);
  });
  const show = () => model.get("outcomes").forEach((outcome, i) => items[i].show(outcome));
  model.on("change:outcomes", show);
  show();
  return hideStills(el, [".rcnn-question"]);
}
export default { render };

class Item {
  constructor(item, question, name, send, number) {
    this.fields = question.fields;
    this.form = item.appendChild(make("form"));
    this.form.noValidate = true;
    const group = this.form.appendChild(make("fieldset"));
    group.appendChild(make("legend", "", question.html));
    // JupyterLab would take the keys pressed here for its own: "d d" deletes the cell, Enter opens it. It looks for
    // this attribute on the very element that has the focus.
    this.form.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
    this.marks = question.fields.map((field, i) => this.field(group, field, `${name}-${i}`));
    this.commit = this.form.appendChild(make("button", "rcnn-ask-commit", "Commit"));
    this.again = this.form.appendChild(make("button", "rcnn-ask-again", "Answer again"));
    this.again.type = "button";
    this.status = item.appendChild(make("div", "rcnn-ask-status"));
    this.status.setAttribute("role", "status"); // in the page before it says anything, so that it is read aloud
    this.status.setAttribute("aria-live", "polite");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      send({ commit: number, values: this.values() });
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
      event.preventDefault(); // the notebook has kept the browser from committing by itself
      if (!this.commit.hidden) this.form.requestSubmit();
    });
    this.again.addEventListener("click", () => {
      this.form.reset();
      send({ again: number });
      this.moved = true;
    });
  }

  field(group, field, name) {
    const row = group.appendChild(make("div", `rcnn-ask-field rcnn-ask-${field.kind}`));
    const mark = make("span", "rcnn-ask-mark");
    if (field.kind === "number") {
      const label = row.appendChild(make("label", "", field.label));
      const input = row.appendChild(make("input"));
      Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off", id: name });
      label.htmlFor = name;
      mark.id = `${name}-mark`;
      input.setAttribute("aria-describedby", mark.id);
      row.appendChild(mark);
      return { inputs: [input], marks: [mark] };
    }
    const parts = { inputs: [], marks: [] };
    if (field.picture) parts.picture = new Picture(row, field.picture, parts.inputs);
    const options = row.appendChild(make("div", "rcnn-ask-options"));
    field.options.forEach((option, i) => {
      const line = options.appendChild(make("div", "rcnn-ask-option"));
      const input = line.appendChild(make("input"));
      Object.assign(input, { type: "radio", name, value: option.value, id: `${name}-${i}` });
      const label = line.appendChild(make("label", "", option.html));
      label.htmlFor = input.id;
      parts.inputs.push(input);
      parts.marks.push(line.appendChild(make("span", "rcnn-ask-mark")));
    });
    return parts;
  }

  values() {
    return this.marks.map(({ inputs }) =>
      inputs[0].type === "radio" ? (inputs.find((input) => input.checked)?.value ?? "") : inputs[0].value);
  }

  show(outcome) {
    const done = Boolean(outcome.fields);
    const held = this.form.contains(document.activeElement) && document.activeElement.type !== "text";
    this.commit.hidden = done;
    this.again.hidden = !done;
    if (held && done) this.again.focus(); // what had the focus is hidden or disabled now
    this.marks.forEach((field, i) => this.showField(field, outcome.fields?.[i], outcome.values?.[i]));
    this.status.className = `rcnn-ask-status${done ? (outcome.right ? " rcnn-right" : " rcnn-wrong") : ""}`;
    const html = outcome.problem ? escaped(`⚠ ${outcome.problem}`) : done ? told(outcome, this.fields) : "";
    if (this.status.innerHTML !== html) this.status.innerHTML = html;
    if (this.moved && !done) this.marks[0].inputs[0].focus();
    this.moved = false;
  }

  showField({ inputs, marks, picture }, found, value) {
    inputs.forEach((input, i) => {
      if (input.type === "radio") {
        input.disabled = Boolean(found);
        if (found) input.checked = input.value === value;
        const right = found && plain(found.answer) === plain(escaped(input.value));
        const chosen = input.checked ? sign(false, "your answer") : "";
        marks[i].innerHTML = !found ? "" : right ? sign(true, "right") : chosen;
      } else {
        input.readOnly = Boolean(found);
        if (found) input.value = value;
        marks[i].innerHTML = !found ? "" : found.right ? sign(true, "right") : sign(false, `right is ${found.answer}`);
      }
    });
    picture?.show(marks.map((mark) => mark.innerHTML), Boolean(found));
  }
}

// The options once more, as boxes and points in a picture: a click on one checks its radio button.
class Picture {
  constructor(row, { source, alt, size, spots }, inputs) {
    row.classList.add("rcnn-ask-pictured");
    this.inputs = inputs; // empty still
    this.frame = row.appendChild(make("div", "rcnn-ask-picture"));
    Object.assign(this.frame.appendChild(make("img")), { src: source, alt, draggable: false });
    const svg = this.frame.appendChild(shape("svg", { viewBox: `0 0 ${size[1]} ${size[0]}`, "aria-hidden": "true" }));
    this.shapes = spots.map((spot, i) => this.spot(spot, i));
    const area = ({ width, height }) => width.baseVal.value * height.baseVal.value;
    svg.append(...[...this.shapes].sort((a, b) => area(b) - area(a))); // the smallest on top: it takes the click
    this.badges = spots.map(({ box, point }) => this.badge(box.map((x, i) => (100 * x) / size[1 - (i % 2)]), point));
    row.addEventListener("change", () => this.paint());
  }

  spot({ box: [x, y, x2, y2], point }, i) {
    const one = shape("rect", { x, y, width: x2 - x, height: y2 - y, rx: point ? (x2 - x) / 2 : 0 });
    one.addEventListener("click", () => {
      const input = this.inputs[i];
      if (input.disabled) return;
      input.checked = true;
      input.focus({ preventScroll: true }); // so that Enter commits
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
    return one;
  }

  // What came of a spot: in the lower right corner of a box, under a point, within the picture. In percent.
  badge([x, , x2, y2], point) {
    const badge = this.frame.appendChild(make("span", "rcnn-ask-badge"));
    badge.setAttribute("aria-hidden", "true"); // the option says so too
    const middle = (x + x2) / 2;
    const [left, shift, lift] = point ? [middle, -middle, y2 > 80 ? -200 : 0] : [x2, -100, -100];
    badge.style.cssText = `left: ${left}%; top: ${y2}%; transform: translate(${shift}%, ${lift}%)`;
    return badge;
  }

  // verdicts: what stands at each option, empty before the commit.
  show(verdicts, done) {
    this.frame.classList.toggle("rcnn-done", done);
    verdicts.forEach((html, i) => {
      this.badges[i].innerHTML = html;
      this.shapes[i].classList.toggle("rcnn-is-right", html.includes("rcnn-yes"));
      this.shapes[i].classList.toggle("rcnn-is-wrong", html.includes("rcnn-no"));
    });
    this.paint();
  }

  paint() {
    this.shapes.forEach((one, i) => one.classList.toggle("rcnn-chosen", this.inputs[i].checked));
  }
}

function shape(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  return element;
}

// The words under an answered question: the verdict, the misconceptions, the reason.
function told(outcome, fields) {
  const says = new Set(outcome.fields.map((field) => field.says)); // one slip in three fields is told once
  const numbers = fields.every((field) => field.kind === "number");
  const right = outcome.fields.map((field) => field.answer).join(", ");
  const own = outcome.values.map(escaped).join(", ");
  const verdict = outcome.right ? sign(true, "<b>Right.</b>") : sign(false, "<b>Not right.</b>");
  const compared = outcome.right || !numbers ? "" : ` You: ${own}. Right: ${right}.`;
  const lines = [verdict + compared, ...says, outcome.because, outcome.note && `<i>${escaped(outcome.note)}</i>`];
  return lines.filter(Boolean).map((line) => `<p>${line}</p>`).join("");
}

function sign(right, words) {
  const [look, mark] = right ? ["rcnn-yes", "✓"] : ["rcnn-no", "✗"];
  return `<span class="rcnn-sign ${look}" aria-hidden="true">${mark}</span> ${words}`;
}

function make(tag, classes = "", html = "") {
  const element = document.createElement(tag);
  element.className = classes;
  element.innerHTML = html;
  return element;
}

function plain(html) {
  return html.replace(/<[^>]*>/g, "").replace(/[`*]/g, "");
}

function escaped(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
