// The plane decoded once: between its pictures a moving pointer sees a blend, at once, without asking anybody.

const dot = (one, other) => one.reduce((sum, value, dim) => sum + value * other[dim], 0);
const short = (value) => Number(value.toPrecision(9)); // what a float32 tells

// The nearest code that a model of this range has.
function inRange(range, code) {
  if (range === "tanh") return code.map((value) => Math.max(-1, Math.min(1, value)));
  if (range !== "unit") return code;
  const length = Math.hypot(...code) || 1;
  return code.map((value) => value / length);
}

// From a grid's pictures, and what its JSON says of it. A point is [across, up], each 0 to 1.
export function atlas({ frames }, { dims, axes, middle, range, extent }) {
  const [size, , height, width] = frames.shape, bytes = height * width * 3, reach = Number(extent);
  const principal = dims.length === 0, mixed = new Uint8Array(bytes);
  const steps = (point) => point.map((share) => (2 * share - 1) * reach); // of each axis, from the middle

  const self = {
    frames, size, height, width, principal,
    dims: principal ? "principal" : dims.join(","),
    names: principal ? ["axis 1", "axis 2"] : dims.map((dim) => `z${dim}`),
    spoken: principal ? ["principal axis 1", "principal axis 2"] : dims.map((dim) => `dimension ${dim}`),
    // What the two are at a point: a dimension's value, or how many deviations along a principal axis.
    at: (point) => steps(point).map((step, axis) => principal ? step : middle[dims[axis]] + step * axes[axis][dims[axis]]),
    // Where a code lies, beside the plane too: the axes are at right angles, so each says its own share.
    point(code) {
      const gone = code.map((value, dim) => value - middle[dim]);
      return axes.map((axis) => 0.5 + dot(gone, axis) / (dot(axis, axis) || 1) / (2 * reach));
    },
    code(point) {
      const [across, up] = steps(point);
      return inRange(range, middle.map((value, dim) => value + across * axes[0][dim] + up * axes[1][dim])).map(short);
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
