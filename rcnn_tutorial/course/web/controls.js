// The controls of an explorer as the browser's own inputs, each with its label and what it says now. Each function
// makes one: { element, show(value, range), rest(why) } and, of what runs by itself, stop(); `put(value)` hears what
// the reader chose.

import { fixed } from "./text.js";

let made = 0; // so that each label knows its input

export function control(spec, put) {
  return { slider, named, choice, flag, several, play, button: pushed }[spec.kind](spec, put);
}

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function row(kind, label, input, ...more) {
  input.id = `control-${++made}`;
  return make("div", { class: `control control-${kind}` }, make("label", { for: input.id }, label), input, ...more);
}

// The input counts steps, so that its places are whole numbers; `words` writes a value.
function stepped(kind, { label, step, name }, put, range, words) {
  const input = make("input", { type: "range", min: 0, step: 1, "data-control": name });
  const said = make("output", { for: `control-${made + 1}` });
  let { min, max } = range;
  const valueOf = () => Math.min(Number((min + input.valueAsNumber * step).toFixed(9)), max);
  input.addEventListener("input", () => put(valueOf()));
  return {
    element: row(kind, label, input, said),
    rest: (why) => { input.disabled = Boolean(why); },
    show(value, now = { min, max }) {
      ({ min, max } = now);
      input.max = Math.ceil((max - min) / step - 1e-9);
      input.value = value >= max ? input.max : Math.round((value - min) / step);
      said.textContent = words(value);
      input.setAttribute("aria-valuetext", words(value));
    },
  };
}

const slider = (spec, put) => stepped("slider", spec, put, spec, (value) => fixed(value, spec.digits));

function named({ label, name, options }, put) {
  const range = { min: 0, max: options.length - 1 };
  const steps = { label, name, step: 1 };
  const one = stepped("slider control-named", steps, (i) => put(options[i][1]), range, (i) => options[i][0]);
  return { ...one, show: (value) => one.show(options.findIndex((option) => option[1] === value)) };
}

function choice({ label, name, options }, put) {
  const input = make("select", { "data-control": name }, ...options.map(([text]) => make("option", {}, text)));
  input.addEventListener("change", () => put(options[input.selectedIndex][1]));
  return {
    element: row("choice", label, input),
    rest: (why) => { input.disabled = Boolean(why); },
    show: (value) => { input.selectedIndex = options.findIndex((option) => option[1] === value); },
  };
}

function ticked(label, put, attributes = {}) {
  const input = make("input", { type: "checkbox", ...attributes });
  input.addEventListener("change", () => put(input.checked));
  return [input, make("label", { class: "control control-flag" }, input, label)];
}

function flag({ label, name }, put) {
  const [input, element] = ticked(label, put, { "data-control": name });
  return { element, rest: (why) => { input.disabled = Boolean(why); }, show: (value) => { input.checked = value; } };
}

function several({ label, name, options }, put) {
  const chosen = () => options.filter((_, i) => boxes[i].checked).map((option) => option[1]);
  const rows = options.map(([text]) => ticked(text, () => put(chosen())));
  const boxes = rows.map(([input]) => input);
  const element = make("fieldset", { class: "control control-several", "data-control": name },
    make("legend", {}, label), ...rows.map(([, line]) => line));
  return {
    element,
    rest: (why) => { element.disabled = Boolean(why); },
    show: (value) => boxes.forEach((box, i) => { box.checked = value.includes(options[i][1]); }),
  };
}

// Runs through its range, a step a beat, until its end or a second press.
function play({ label, name, min, max, interval }, put) {
  const input = make("button", { type: "button", class: "control control-play", "data-control": name });
  let [timer, at] = [null, min];
  const word = () => { input.textContent = timer ? "Pause" : label || "Play"; };
  const stop = () => { clearInterval(timer); timer = null; word(); };
  const beat = () => (at < max ? put(at + 1) : stop());
  input.addEventListener("click", () => {
    if (timer) return stop();
    if (at >= max) put(min);
    timer = setInterval(beat, interval);
    word();
  });
  word();
  return { element: input, stop, rest: (why) => { input.disabled = Boolean(why); }, show: (value) => { at = value; } };
}

function pushed({ label, name }, put) {
  const input = make("button", { type: "button", "data-control": name }, label);
  input.addEventListener("click", () => put(true));
  return { element: input, rest: (why) => { input.disabled = Boolean(why); }, show: () => {} };
}
