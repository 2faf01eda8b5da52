// Marks answers as a page does: node mark.mjs SCRIPT ANSWERS, where ANSWERS is JSON: [[key, values], ...].

import { readFileSync } from "node:fs";
import vm from "node:vm";

const [script, answers] = process.argv.slice(2).map((name) => readFileSync(name, "utf8"));
const { outcome } = vm.runInThisContext(`${script}\nmodules["marking.js"];`);
console.log(JSON.stringify(JSON.parse(answers).map(([key, values]) => outcome(key, values))));
