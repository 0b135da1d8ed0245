// NumPy's archives, read in the browser: a ZIP whose entries are arrays. Results come this way, so that every frame is at hand.

const END_OF_DIRECTORY = 0x06054b50, STORED = 0;
const TYPES = { "|u1": Uint8Array, "<f4": Float32Array, "<f8": Float64Array, "<i4": Int32Array, "<i8": BigInt64Array };

export async function readNpz(buffer) {
  const view = new DataView(buffer), arrays = {};
  for (const { name, method, start, size } of entries(view)) {
    const packed = new Uint8Array(buffer, start, size);
    const array = readArray(method === STORED ? packed.slice().buffer : await inflate(packed));
    if (array) arrays[name.replace(/\.npy$/, "")] = array;
  }
  return arrays;
}

// The directory at the end has true sizes also where the local headers leave them to ZIP64.
function* entries(view) {
  let end = view.byteLength - 22;
  while (end >= 0 && view.getUint32(end, true) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw new Error("this is no npz archive");
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    const [nameLength, extra, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
    const local = view.getUint32(at + 42, true);
    yield {
      name: new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, nameLength)),
      method: view.getUint16(at + 10, true),
      size: view.getUint32(at + 20, true),
      start: local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true),
    };
    at += 46 + nameLength + extra + comment;
  }
}

const inflate = (packed) =>
  new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();

// { shape, data }; null for what is no array of numbers (text).
function readArray(buffer) {
  const view = new DataView(buffer), wide = view.getUint8(6) > 1;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true), start = wide ? 12 : 10;
  const header = new TextDecoder().decode(new Uint8Array(buffer, start, length));
  const Type = TYPES[/'descr': '([^']+)'/.exec(header)[1]];
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(",").map((part) => part.trim()).filter(Boolean).map(Number);
  return Type ? { shape, data: new Type(buffer.slice(start + length)) } : null;
}
