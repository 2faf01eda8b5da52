// The detector in a worker of its own: the page stays alive while a photo is looked at. `detector.js` starts it.

// Open the graph.
// ort: the module onnxruntime-web. wasm, graph: ArrayBuffers, the runtime's code and the ONNX file.
export async function openGraph(ort, wasm, graph) {
  // Threads share memory, which a browser grants to pages that a server isolates from all others; a file is never.
  Object.assign(ort.env.wasm, { numThreads: 1, proxy: false, wasmBinary: wasm });
  return ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"] });
}

// Every stage's tensors of a photo: {name: {shape, data}}, as `export_trace.named_tensors` lists them.
// pixels: {width, height, data}, an ImageData or the like: (height, width, 4) bytes. count: the most proposals.
export async function traceOf(ort, session, pixels, count) {
  const bytes = new Uint8Array(pixels.data.buffer, pixels.data.byteOffset, pixels.data.byteLength);
  const outputs = await session.run({
    pixels: new ort.Tensor("uint8", bytes, [pixels.height, pixels.width, 4]),
    count: new ort.Tensor("int64", BigInt64Array.of(BigInt(count)), []),
  });
  const arrayOf = ({ dims, data }) => ({ shape: [...dims], data }); // Float32Array or Int32Array
  return Object.fromEntries(session.outputNames.map((name) => [name, arrayOf(outputs[name])]));
}

// What the page asks is answered under the number it was asked with: {number, result} or {number, error}.
function serve(scope, ort) {
  let session;
  const tasks = {
    async open({ wasm, graph }) {
      session = await openGraph(ort, wasm, graph);
    },
    trace: ({ pixels, count }) => traceOf(ort, session, pixels, count),
  };
  scope.onmessage = async ({ data: { number, task, ...request } }) => {
    try {
      const result = await tasks[task](request);
      scope.postMessage({ number, result }, Object.values(result ?? {}).map((array) => array.data.buffer));
    } catch (error) {
      scope.postMessage({ number, error: String(error?.message ?? error) });
    }
  };
}

if (globalThis.WorkerGlobalScope) serve(globalThis, globalThis.ort); // own_photo.py puts the runtime before this file
