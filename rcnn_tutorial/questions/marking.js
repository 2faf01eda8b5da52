// How an answer comes out, on a page: `asking.py` and `text.py` in the browser.
//
// A question's key: { because, fields: [{ kind, right, near, wrong: [[number or option, why not]], answer }] }, with
// `because`, `answer` and the whys as HTML.

export class NoAnswer extends Error {}

// The outcome of an answer as `form.js` shows it; `values` has a text a field.
export function outcome({ because, fields }, values) {
  try {
    const wanted = fields.length === 1 ? "commit to one" : "fill in every field";
    if (!values.every((value) => value.trim())) throw new NoAnswer(`An answer is missing: ${wanted} first.`);
    const marks = fields.map((field, i) => (field.kind === "number" ? markNumber : markChoice)(field, values[i]));
    return { values, right: marks.every(({ right }) => right), fields: marks, because, note: "" };
  } catch (problem) {
    if (!(problem instanceof NoAnswer)) throw problem;
    return { problem: problem.message };
  }
}

function markNumber({ right, near, wrong, answer }, text) {
  const number = numberIn(text);
  const close = (other) => Math.abs(number - other) <= near + 1e-9;
  const says = close(right) ? "" : (wrong.find(([other]) => close(other))?.[1] ?? "");
  return { right: close(right), says, answer };
}

function markChoice({ right, wrong, answer }, text) {
  const known = wrong.find(([option]) => option === text);
  if (text !== right && !known) throw new NoAnswer("Choose one of the options.");
  return { right: text === right, says: known?.[1] ?? "", answer };
}

// The number that a student wrote: 17100, 17 100, 17,100, 1.6, 1,6 or 2/3.
export function numberIn(text) {
  const tight = text.replace(/\s/gu, "").replace(/−/g, "-");
  const grouped = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(tight);
  const parts = (grouped ? tight.replace(/,/g, "") : tight).replace(/,/g, ".").split("/");
  const number = Number(parts[0]) / (parts.length === 2 ? Number(parts[1]) : 1);
  if (parts.length > 2 || !parts.every((part) => /^-?(\d+\.?\d*|\.\d+)$/.test(part)) || !Number.isFinite(number))
    throw new NoAnswer(`“${text.trim().slice(0, 40)}” is no number: write it like 42, 0.5 or 2/3.`);
  return number;
}
