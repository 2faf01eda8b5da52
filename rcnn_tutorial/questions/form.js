// Questions with fields and a Commit button each. What came of an answer is known to the kernel alone until then.

let forms = 0; // radio buttons and labels need names of their own on the page

function render({ model, el }) {
  const name = `rcnn-ask-${++forms}`;
  const list = el.appendChild(document.createElement("ol"));
  list.className = "rcnn-ask";
  const many = model.get("questions").length > 1;
  const items = model.get("questions").map((question, i) => {
    const item = list.appendChild(document.createElement("li"));
    return new Item(item, many ? { ...question, html: `${i + 1}. ${question.html}` } : question, `${name}-${i}`, (message) => model.send(message), i);
  });
  const show = () => model.get("outcomes").forEach((outcome, i) => items[i].show(outcome));
  model.on("change:outcomes", show);
  show();
}
export default { render };

class Item {
  constructor(item, question, name, send, number) {
    this.fields = question.fields;
    this.form = item.appendChild(make("form"));
    this.form.noValidate = true;
    const group = this.form.appendChild(make("fieldset"));
    group.appendChild(make("legend", "", question.html));
    // JupyterLab would take the keys pressed here for its own: "d d" deletes the cell, Enter opens it. It looks for this
    // attribute on the very element that has the focus.
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
    field.options.forEach((option, i) => {
      const line = row.appendChild(make("div", "rcnn-ask-option"));
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

  showField({ inputs, marks }, found, value) {
    inputs.forEach((input, i) => {
      if (input.type === "radio") {
        input.disabled = Boolean(found);
        if (found) input.checked = input.value === value;
        const right = found && plain(found.answer) === plain(escaped(input.value));
        marks[i].innerHTML = !found ? "" : right ? sign(true, "right") : input.checked ? sign(false, "your answer") : "";
      } else {
        input.readOnly = Boolean(found);
        if (found) input.value = value;
        marks[i].innerHTML = !found ? "" : found.right ? sign(true, "right") : sign(false, `right is ${found.answer}`);
      }
    });
  }
}

// The words under an answered question: the verdict, the misconceptions, the reason.
function told(outcome, fields) {
  const says = outcome.fields.map((field) => field.says).filter(Boolean);
  const numbers = fields.every((field) => field.kind === "number");
  const right = outcome.fields.map((field) => field.answer).join(", ");
  const own = outcome.values.map(escaped).join(", ");
  const verdict = outcome.right ? sign(true, "<b>Right.</b>") : sign(false, "<b>Not right.</b>");
  const compared = outcome.right || !numbers ? "" : ` You: ${own}. Right: ${right}.`;
  const lines = [verdict + compared, ...says, outcome.because, outcome.note && `<i>${escaped(outcome.note)}</i>`];
  return lines.filter(Boolean).map((line) => `<p>${line}</p>`).join("");
}

function sign(right, words) {
  return `<span class="rcnn-sign ${right ? "rcnn-yes" : "rcnn-no"}" aria-hidden="true">${right ? "✓" : "✗"}</span> ${words}`;
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
