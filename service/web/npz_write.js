// NumPy's archives, written in the browser: a ZIP whose entries are stored as they are.

const TYPES = new Map([[Uint8Array, "|u1"], [Float32Array, "<f4"], [Float64Array, "<f8"], [Int32Array, "<i4"], [BigInt64Array, "<i8"]]);
const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, VERSION = 20;
const DAY_ONE = 0x21; // ZIP's first date, 1 January 1980: the same arrays give the same file

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit += 1) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

const crc32 = (bytes) => {
  let crc = ~0;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
};

// Arrays as { shape, data } by name; returns the pieces of a Blob.
export function npzPieces(arrays) {
  const pieces = [], directory = [];
  let at = 0, listed = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const path = new TextEncoder().encode(`${name}.npy`), body = npy(array), sum = crc32(body);
    const about = [VERSION, 0, 0, 0, DAY_ONE]; // version, flags, stored, time, date
    const local = record(LOCAL, about, [sum, body.length, body.length], [path.length, 0], path);
    directory.push(record(CENTRAL, [VERSION, ...about], [sum, body.length, body.length], [path.length, 0, 0, 0, 0], path, [0, at]));
    pieces.push(local, body);
    at += local.length + body.length;
    listed += directory.at(-1).length;
  }
  const count = directory.length;
  return [...pieces, ...directory, record(END, [0, 0, count, count], [listed, at], [0])];
}

function npy({ shape, data }) {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const told = `{'descr': '${TYPES.get(data.constructor)}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + told.length + 1) / 64) * 64 - 10; // the numbers begin at a multiple of 64
  const whole = new Uint8Array(10 + length + data.byteLength);
  whole.set([0x93, ...new TextEncoder().encode(`NUMPY\x01\x00  ${told.padEnd(length - 1)}\n`)]);
  new DataView(whole.buffer).setUint16(8, length, true);
  whole.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return whole;
}

// A signature, then runs of 16-bit and 32-bit numbers by turns, with the path between its own and the last ones.
function record(signature, halves, wholes, more, path = [], last = []) {
  const bytes = new Uint8Array(4 + 2 * (halves.length + more.length) + 4 * (wholes.length + last.length) + path.length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const put = (size, numbers) => numbers.forEach((number) => {
    view[size === 2 ? "setUint16" : "setUint32"](at, number, true);
    at += size;
  });
  put(4, [signature]);
  put(2, halves);
  put(4, wholes);
  put(2, more);
  put(4, last);
  bytes.set(path, at);
  return bytes;
}
