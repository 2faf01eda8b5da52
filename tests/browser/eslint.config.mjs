// What ESLint asks of the pages' and the widgets' modules; test_scripts.py runs it.

const browser = ["document", "window", "console", "navigator", "matchMedia", "atob", "setInterval",
  "clearInterval", "setTimeout", "clearTimeout", "requestAnimationFrame", "cancelAnimationFrame", "getComputedStyle",
  "createImageBitmap", "AbortController", "Blob", "DecompressionStream", "DOMException", "Event", "ImageData",
  "OffscreenCanvas", "Path2D", "performance", "ResizeObserver", "Response", "screen", "URL", "Worker"];

// What JavaScript's own library got after 2020; newer globals are unknown to `no-undef` anyway.
const newer = ["any", "at", "findLast", "findLastIndex", "fromAsync", "groupBy", "hasOwn", "replaceAll", "toReversed",
  "toSorted", "toSpliced", "with", "withResolvers"];

export default [
  {
    files: ["**/*.js"],
    languageOptions: {
      ecmaVersion: 2020,
      sourceType: "module",
      globals: Object.fromEntries(browser.map((name) => [name, "readonly"])),
    },
    rules: {
      "constructor-super": "error", "getter-return": "error", "no-cond-assign": "error", "no-const-assign": "error",
      "no-constant-condition": "error", "no-dupe-args": "error", "no-dupe-class-members": "error",
      "no-dupe-else-if": "error", "no-dupe-keys": "error", "no-duplicate-imports": "error", "no-empty": "error",
      "no-eval": "error", "no-fallthrough": "error", "no-func-assign": "error", "no-implied-eval": "error",
      "no-new-func": "error", "no-redeclare": "error", "no-self-assign": "error", "no-self-compare": "error",
      "no-shadow-restricted-names": "error", "no-sparse-arrays": "error", "no-this-before-super": "error",
      "no-undef": "error", "no-unreachable": "error", "no-unused-vars": "error", "no-useless-escape": "error",
      "max-len": ["error", 120], "no-restricted-syntax": ["error", {
        selector: `CallExpression[callee.property.name=/^(${newer.join("|")})$/]`,
        message: "newer than ES2020",
      }],
      "no-var": "error", "prefer-const": "error", "use-isnan": "error", "valid-typeof": "error", eqeqeq: "error",
    },
  },
];
