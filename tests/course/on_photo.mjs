// What differs between Python's explorers on a photo and those that on_photo.js makes, a line each:
// node on_photo.mjs SCRIPT FILE; see test_on_photo.py.
//
// FILE is JSON: { templates, arrays, explorers, pictures, trace, photo, pack }: `explorers` as Python exports them,
// `pictures` the pixels of their canvases, both in `pack`; `trace` the tensors and `photo` (H, W, 4), each
// { shape, kind, data }.

import { readFileSync } from "node:fs";
import vm from "node:vm";
import { inflateSync } from "node:zlib";

const [script, file] = process.argv.slice(2);
const modules = vm.runInThisContext(`${readFileSync(script, "utf8")}\nmodules;`, { filename: script });
const { Unpacked, Game } = modules["state.js"];
const { onPhoto } = modules["on_photo.js"];
const given = JSON.parse(readFileSync(file, "utf8"));

const bytesOf = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const pack = bytesOf(Buffer.from(given.pack, "base64"));
const templates = new Unpacked(bytesOf(inflateSync(Buffer.from(given.arrays, "base64")))).read(given.templates);
const { explorers, pictures } = new Unpacked(pack).read({ explorers: given.explorers, pictures: given.pictures });
const trace = Object.fromEntries(Object.entries(given.trace).map(([name, where]) => [name, raw(where)]));
const { shape: [height, width], data } = raw(given.photo);
const photo = { width, height, data };

const TOLERANCE = 1e-3;
const LEVELS = 1; // of a picture's 255
const differences = [];
explorers.forEach((right, i) => compareExplorers(onPhoto(templates[i], trace, photo), right, pictures[i]));
console.log(differences.join("\n"));
process.exit(differences.length ? 1 : 0);

// An array as the detector gives it: { shape, data }.
function raw({ shape, kind, data }) {
  const kinds = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };
  return { shape, data: new kinds[kind](bytesOf(Buffer.from(data, "base64"))) };
}

function compareExplorers(mine, right, images) {
  const say = (what, ...values) => {
    const [own, other] = values.map((value) => JSON.stringify(value)?.slice(0, 200));
    differences.push(`${right.kind}: ${what}: ${own}, Python ${other}`);
  };
  const twin = modules[right.module][right.kind];
  const [game, other] = [mine, right].map((explorer) => new Game(twin, explorer));
  if (game.summary !== right.summary) say("summary", game.summary, right.summary);
  compare("values", game.values, other.values, say);
  compare("ranges", game.ranges, other.ranges, say); // a slider's limits, after the first drawing, as Python's are
  compare("controls", mine.controls.map(withoutLimits), right.controls.map(withoutLimits), say);
  compare("presets", Object.entries(mine.presets), Object.entries(right.presets), say); // in this order
  compare("canvases", mine.canvases.map(withoutImage), right.canvases.map(withoutImage), say);
  const drawn = (i) => game.scenes[i].image ?? mine.canvases[i].image;
  images.forEach((image, i) => comparePictures(`picture ${i}`, drawn(i), image, say));
  compareTensors("tensors", mine.tensors, right.tensors, say);
}

// Pictures are bytes, of which one may be rounded the other way.
function compareTensors(where, mine, right, say) {
  const others = (tensors) => ({ ...tensors, photo: null, stretched: null, tour: null });
  for (const name of ["photo", "stretched"]) comparePictures(name, mine[name] ?? null, right[name] ?? null, say);
  compare(where, others(mine), others(right), say);
  if (right.tour) compareTensors("tour", mine.tour, right.tour, say);
}

function withoutLimits(control) {
  return { ...control, min: null, max: null };
}

function withoutImage(canvas) {
  return { ...canvas, image: null };
}

function comparePictures(where, mine, right, say) {
  if (!right) return compare(where, mine, right, say);
  compare(`${where} size`, mine?.shape, right.shape, say);
  const worst = right.data.findIndex((number, i) => !(Math.abs(number - mine.data[i]) <= LEVELS));
  if (worst >= 0) say(`${where} number ${worst}`, mine.data[worst], right.data[worst]);
}

function compare(where, mine, right, say) {
  if (typeof right === "number" && typeof mine === "number") {
    if (!(Math.abs(mine - right) <= TOLERANCE)) say(where, mine, right);
  } else if (right && typeof right === "object") {
    const keys = new Set([...Object.keys(right), ...Object.keys(mine ?? {})]);
    for (const key of keys) compare(`${where}.${key}`, mine?.[key], right[key], say);
  } else if (mine !== right) say(where, mine, right);
}
