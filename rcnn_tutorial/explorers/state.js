// What an explorer is between two pictures: `Explorer` of explorer.py in the browser, without a page.

import { range } from "./boxes.js";
import { Impossible } from "./scene.js";

const ARRAYS = {
  float16: Uint16Array, float32: Float32Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array, file: Uint8Array,
  differences: Uint8Array,
};

// Reads what `twin.py` has packed. Tensors of one or two dimensions become nested arrays, larger ones { shape, data }.
export class Unpacked {
  constructor(buffer) {
    this.buffer = buffer;
  }

  read(value) {
    if (Array.isArray(value)) return value.map((item) => this.read(item));
    if (value === null || typeof value !== "object") return value;
    if ("$" in value) return this.array(value);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.read(item)]));
  }

  array({ $: kind, shape, at }) {
    const length = shape.reduce((product, side) => product * side, 1);
    let data = new ARRAYS[kind](this.buffer, at, length);
    if (kind === "float16") data = Float32Array.from(data, fromHalf);
    if (kind === "differences") data = summed(data, shape);
    if (kind === "file") return data;
    if (shape.length > 2) return { shape, data };
    return nested({ shape, data: kind === "bool" ? Array.from(data, Boolean) : data });
  }
}

// What `differences` of twin.py was given: the sums along each axis in turn, of `shape`, modulo 256.
function summed(differences, shape) {
  const bytes = Uint8Array.from(differences);
  let step = bytes.length; // to the next along an axis
  for (const side of shape) {
    const whole = step;
    step /= side;
    for (let start = 0; start < bytes.length; start += whole)
      for (let i = start + step; i < start + whole; i++) bytes[i] += bytes[i - step];
  }
  return bytes;
}

// A tensor of one or two dimensions as nested arrays, a number as itself.
export function nested({ shape, data }) {
  if (shape.length < 2) return shape.length ? Array.from(data) : data[0];
  return range(shape[0]).map((i) => Array.from(data.slice(i * shape[1], (i + 1) * shape[1])));
}

// The number whose 16 bits in half precision are these.
function fromHalf(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

// The state of an explorer and what its twin makes of it. `explorer`: as `twin.py` exports it, unpacked.
export class Game {
  constructor(twin, explorer) {
    Object.assign(this, { twin, explorer, tensors: explorer.tensors });
    this.ranges = {};
    this.values = { angles: {} };
    for (const { name, kind, value, min, max, step } of explorer.controls) {
      if (kind !== "button") this.values[name] = value;
      if (kind === "slider") this.ranges[name] = { min, max, step };
    }
    for (const { handles, angles } of explorer.canvases) {
      Object.assign(this.values, handles);
      Object.assign(this.values.angles, angles);
    }
    this.scenes = explorer.canvases.map(({ size, title, styles }) => {
      const turnable = Object.fromEntries(styles.map((style) => [style.key, style.turnable]));
      return { layers: [], size, title, turnable, image: null };
    });
    this.first = { ...this.values }; // no array or object in it is ever changed, only replaced
    this.update();
  }

  // Several controls and handles, one after the other, with one picture.
  set(changes) {
    for (const [name, value] of Object.entries(changes)) this.put(name, value);
    this.update();
  }

  put(name, value) {
    const before = { ...this.values };
    if (name in this.ranges) value = nearestStep(value, this.ranges[name]);
    if (name === "angles") value = { ...before.angles, ...value };
    if (JSON.stringify(value) === JSON.stringify(before[name])) return;
    this.values = { ...before, [name]: value };
    const { ranges = {}, set = {} } = this.twin.changed?.(name, this.values, before, this.tensors, this.ranges) ?? {};
    this.adopt(ranges, set);
  }

  // A click beside all handles, at image pixels [x, y] of a picture.
  click(point, picture = 0) {
    this.answer(this.twin.clicked?.(point, this.values, this.tensors, this.ranges, picture));
  }

  // A word from what stands beside the picture (the list of suppression): { go: 1 }
  hear(word) {
    this.answer(this.twin.heard?.(word, this.values, this.tensors, this.ranges));
  }

  answer(changes) {
    if (changes) this.set(changes);
  }

  // What a button of a preset does, or "Reset".
  press(name) {
    this.set({ ...this.first, ...(name === "Reset" ? {} : this.explorer.presets[name]) });
  }

  // New ranges of sliders, which their values follow, and new values.
  adopt(ranges, values) {
    for (const [name, range] of Object.entries(ranges)) {
      this.ranges[name] = { ...this.ranges[name], ...range };
      this.values[name] = nearestStep(this.values[name], this.ranges[name]);
    }
    this.values = { ...this.values, ...values, angles: { ...this.values.angles, ...values.angles } };
  }

  // What cannot be drawn leaves the last picture, and says why.
  update() {
    try {
      this.take(this.twin.draw(this.values, this.tensors, this.ranges));
    } catch (problem) {
      if (!(problem instanceof Impossible)) throw problem;
      this.summary = `Not possible: ${problem.message.replace(/\.$/, "")}.`;
      [this.possible, this.rest] = [false, {}];
    }
  }

  take({ scenes, summary, ranges = {}, set = {}, rest = {}, aside = null }) {
    Object.assign(this, { summary, rest, aside, possible: true });
    this.adopt(ranges, set);
    this.scenes = this.scenes.map((scene, i) => ({ ...scene, image: null, ...scenes[i] }));
  }
}

// The step of a slider that is nearest to a value, as `sliders.py` has it.
export function nearestStep(value, { min, max, step }) {
  if (value >= max) return max;
  const steps = Math.floor((Math.max(value, min) - min) / step + 0.5);
  return Math.min(Number((min + steps * step).toFixed(Math.max(decimals(min), decimals(step)))), max);
}

const decimals = (number) => String(number).split(".")[1]?.length ?? 0;
