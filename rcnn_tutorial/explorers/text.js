// Numbers as Python writes them, so that a sentence of the page is that of the notebook letter for letter.

// f"{x:.2f}": a number halfway between two is rounded to the even one, where toFixed takes the larger.
export function fixed(x, digits) {
  const grid = 2 ** (digits + 1); // only multiples of 1 / grid can lie halfway
  const scaled = x * 10 ** digits;
  const half = Number.isInteger(x * grid) && Math.abs(scaled % 1) === 0.5;
  const text = (half ? roundHalfEven(scaled) / 10 ** digits : x).toFixed(digits);
  return Object.is(x, -0) || (x < 0 && !text.startsWith("-")) ? `-${text}` : text;
}

// f"{x:,.0f}" and, of a whole number, f"{n:,}"
export function thousands(x, digits = 0) {
  const [whole, part] = fixed(x, digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

// f"{x:.0%}"
export function percent(x, digits = 0) {
  return `${fixed(x * 100, digits)}%`;
}

// f"{x:g}"
export function general(x, precision = 6) {
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  const [digits, exponent] = x.toExponential(precision - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < precision) return trimmed(x.toFixed(precision - 1 - power));
  return `${trimmed(digits)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

// round(x): halves go to the even neighbor.
export function roundHalfEven(x) {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

// f"{x:+.2f}"
export function signed(x, digits) {
  const text = fixed(x, digits);
  return text.startsWith("-") ? text : `+${text}`;
}

// How often there is what: "2 person, 1 dog", in the order of the first of each.
export function tally(names) {
  return [...new Set(names)].map((name) => `${names.filter((other) => other === name).length} ${name}`).join(", ");
}

// round(x, digits)
export const rounded = (x, digits) => Number(fixed(x, digits));
