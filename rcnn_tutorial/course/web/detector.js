// The bundled detector in a page: its files are loaded when they are wanted, and a worker runs them.
//
// A page that was opened from a disk may not fetch its neighbors, but it may run them as scripts. So every file comes,
// gzipped and in base64, as pieces: scripts of one call, `rcnnPiece("...")`.

import { inflate } from "./inflate.js";

export class Detector {
  // files: { folder, pieces: { worker, wasm, graph } }, of each the sizes of its pieces in bytes.
  // progress(done, total): bytes, told after each piece.
  static async load({ folder, pieces }, progress = () => {}) {
    const total = Object.values(pieces).flat().reduce((sum, size) => sum + size, 0);
    const loaded = {};
    let done = 0;
    for (const [name, sizes] of Object.entries(pieces)) {
      const texts = [];
      for (const [number, size] of sizes.entries()) {
        texts.push(await piece(`${folder}/${name}_${number}.js`));
        progress((done += size), total);
      }
      loaded[name] = await inflate(texts, "gzip");
    }
    const { worker, wasm, graph } = loaded;
    const detector = new Detector(worker);
    try {
      await detector.ask("open", { wasm, graph }, [wasm, graph]);
    } catch (error) {
      detector.worker.terminate(); // the next try starts another
      throw error;
    } finally {
      URL.revokeObjectURL(detector.address);
    }
    return detector;
  }

  // source: ArrayBuffer, the text of a script: onnxruntime-web and detector_worker.js. From a disk a worker can neither
  // be a module nor import one.
  constructor(source) {
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    Object.assign(this, { number: 0, waiting: new Map(), worker: new Worker(address), address });
    this.worker.onmessage = ({ data: { number, error, result } }) => {
      const { resolve, reject } = this.waiting.get(number);
      this.waiting.delete(number);
      if (error) reject(new Error(error));
      else resolve(result);
    };
    this.worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the worker cannot start"));
      this.waiting.clear();
    };
  }

  // Every stage's tensors, { name: { shape, data } }; the names and shapes are those of `export_trace.named_tensors`.
  // pixels: ImageData. count: the most proposals that are classified.
  detect(pixels, count = 300) {
    const { width, height, data } = pixels;
    return this.ask("trace", { pixels: { width, height, data }, count });
  }

  ask(task, request, transfer = []) {
    const number = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      this.worker.postMessage({ number, task, ...request }, transfer);
    });
  }
}

// The text that the script at this address hands over. One at a time.
async function piece(address) {
  const script = document.createElement("script");
  script.src = address;
  try {
    return await new Promise((resolve, reject) => {
      globalThis.rcnnPiece = resolve;
      script.onerror = () => reject(new Error(`${address} is missing: the page needs the folder that came with it`));
      script.onload = () => reject(new Error(`${address} is damaged: copy the folder again`)); // or it was handed over
      document.head.append(script);
    });
  } finally {
    script.remove();
  }
}
