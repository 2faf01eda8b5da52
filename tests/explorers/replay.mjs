// Replays golden frames with the twins: node replay.mjs SCRIPT FRAMES. Prints what differs, a line each; see
// test_twins.py.
//
// FRAMES is JSON: { kind, module, controls, canvases, tensors, pack, frames: [{ asked, clicked, heard, state,
// ranges, rest, aside, summary, scenes }] }: `asked` is set, then a place is clicked, then the words are heard.

import { readFileSync } from "node:fs";
import vm from "node:vm";

const [script, file] = process.argv.slice(2);
const modules = vm.runInThisContext(`${readFileSync(script, "utf8")}\nmodules;`, { filename: script });
const { Unpacked, Game } = modules["state.js"];
const golden = JSON.parse(readFileSync(file, "utf8"));
const pack = Buffer.from(golden.pack, "base64");
const bytes = pack.buffer.slice(pack.byteOffset, pack.byteOffset + pack.length);
const twin = modules[golden.module][golden.kind];
const explorer = new Unpacked(bytes).read(golden.explorer);

const TOLERANCE = { data: 1e-3, pixels: 1 };
const differences = [];
for (const frame of golden.frames) {
  const { asked, clicked, heard } = frame;
  const say = (what, ...values) => {
    const [mine, right] = values.map((value) => JSON.stringify(value)?.slice(0, 300));
    differences.push(`${JSON.stringify({ asked, clicked, heard })}: ${what}: ${mine}, Python ${right}`);
  };
  const game = new Game(twin, explorer);
  game.set(asked);
  if (clicked) game.click(clicked.at, clicked.picture);
  for (const word of heard) game.hear(word);
  if (game.summary !== frame.summary) say("summary", game.summary, frame.summary);
  compare("state", game.values, frame.state, say);
  compare("ranges", game.ranges, frame.ranges, say);
  compare("rest", game.rest, frame.rest, say);
  compare("aside", game.aside, frame.aside, say);
  if (!game.possible) continue;
  frame.scenes.forEach((right, i) => {
    compareScene(`picture ${i}`, game.scenes[i], right, say);
    compareImage(`picture ${i} image`, game.scenes[i].image ?? explorer.canvases[i].image, right.image, say);
  });
}
console.log(differences.join("\n"));
process.exit(differences.length ? 1 : 0);

function compareScene(where, mine, right, say) {
  compare(`${where} size`, mine.size, right.size, say);
  compare(`${where} title`, mine.title, right.title, say);
  compare(`${where} turnable`, mine.turnable, right.turnable, say);
  const names = ({ layers }) => layers.map(({ kind, name }) => `${kind} ${name}`);
  if (mine.layers.length !== right.layers.length) return say(`${where} layers`, names(mine), names(right));
  mine.layers.forEach((layer, i) => {
    const { data, ...look } = right.layers[i];
    const here = `${where} layer ${i} (${look.name || look.kind})`;
    const { data: own, textOf, ...mineLook } = layer;
    compare(here, mineLook, look, say);
    if (look.kind === "pixels") compareNumbers(here, own, Buffer.from(data, "base64"), TOLERANCE.pixels, say);
    else compareNumbers(here, own, data, TOLERANCE.data, say);
    right.hovers?.[i]?.forEach((text, k) => text === textOf(k) || say(`${here} hover ${k}`, textOf(k), text));
  });
}

// `right`: null where no control changes the image. A file must be the very same, pixels may differ a little.
function compareImage(where, mine, right, say) {
  if (right === null) return;
  const bytes = (text) => [...Buffer.from(text, "base64")];
  if (!mine?.shape) return compareNumbers(where, mine ?? [], bytes(right.file), 0, say);
  compare(`${where} size`, mine.shape, right.shape, say);
  compareNumbers(where, mine.data, bytes(right.data), TOLERANCE.pixels, say);
}

function compareNumbers(where, mine, right, tolerance, say) {
  if (mine.length !== right.length) return say(`${where} numbers`, mine.length, right.length);
  const worst = right.findIndex((number, i) => !(Math.abs(number - mine[i]) <= tolerance));
  if (worst >= 0) say(`${where} number ${worst}`, mine[worst], right[worst]);
}

function compare(where, mine, right, say) {
  if (typeof right === "number" && typeof mine === "number") {
    if (Math.abs(mine - right) > 1e-6 * Math.max(1, Math.abs(right))) say(where, mine, right);
  } else if (right && typeof right === "object") {
    const keys = new Set([...Object.keys(right), ...Object.keys(mine ?? {})]);
    for (const key of keys) compare(`${where}.${key}`, mine?.[key], right[key], say);
  } else if (mine !== right) say(where, mine, right);
}
