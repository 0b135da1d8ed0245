// The plane decoded once: between its pictures a moving pointer sees a blend, at once, without asking anybody.

// A point is [across, up], each 0 to 1.
export function atlas({ frames, coordinates }) {
  const [size, , height, width] = frames.shape, depth = coordinates.shape[2], bytes = height * width * 3;
  const codeAt = (row, column) => coordinates.data.subarray((row * size + column) * depth, (row * size + column + 1) * depth);
  const low = codeAt(size - 1, 0), right = codeAt(size - 1, size - 1), top = codeAt(0, 0);
  const moved = (one) => [...one.keys()].reduce((best, dim) => Math.abs(one[dim] - low[dim]) > Math.abs(one[best] - low[best]) ? dim : best, 0);
  const dims = [moved(right), moved(top)], high = [right[dims[0]], top[dims[1]]];
  const mixed = new Uint8Array(bytes);

  const self = {
    frames, size, height, width, dims,
    // What the two dimensions are at a point.
    at: (point) => point.map((share, axis) => low[dims[axis]] + share * (high[axis] - low[dims[axis]])),
    // Where a code lies, beside the plane too.
    point: (code) => dims.map((dim, axis) => (code[dim] - low[dim]) / (high[axis] - low[dim])),
    code(point) {
      const whole = Array.from(low, (value) => Number(value.toPrecision(9)));
      self.at(point).forEach((value, axis) => { whole[dims[axis]] = Number(value.toPrecision(9)); });
      return whole;
    },
    // The four pictures around a point, mixed by how near each is.
    blend([across, up]) {
      const clamp = (share) => Math.max(0, Math.min(1, share)) * (size - 1), x = clamp(across), y = clamp(1 - up);
      const column = Math.min(size - 2, Math.floor(x)), row = Math.min(size - 2, Math.floor(y)), dx = x - column, dy = y - row;
      const offsets = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([r, c]) => ((row + r) * size + column + c) * bytes);
      const [a, b, c, d] = offsets, shares = [(1 - dx) * (1 - dy), dx * (1 - dy), (1 - dx) * dy, dx * dy], { data } = frames;
      for (let i = 0; i < bytes; i += 1) {
        mixed[i] = data[a + i] * shares[0] + data[b + i] * shares[1] + data[c + i] * shares[2] + data[d + i] * shares[3];
      }
      return mixed;
    },
  };
  return self;
}
