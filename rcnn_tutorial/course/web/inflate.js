// What a page carries compressed.

// What was compressed, cut, and written in base64, a text a piece: an ArrayBuffer. format: "deflate" or "gzip".
export async function inflate(texts, format) {
  const packed = new Blob(texts.map(bytesOf)).stream();
  return new Response(packed.pipeThrough(new DecompressionStream(format))).arrayBuffer();
}

function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}
