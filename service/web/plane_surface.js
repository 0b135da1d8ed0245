// The surface one drags over: the plane's pictures, fainter where the prior is thin, the clip's path, and a handle.

import { element, svg } from "./elements.js";
import { stampFrame } from "./pictures.js";

const SIDE = 832, STEP = 0.02;

export function surfaceOf(grid, { extent, path, move }) {
  const canvas = element("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  draw(canvas.getContext("2d"), grid, extent);
  const handle = element("i", { class: "handle" });
  const surface = element("div", { class: "surface", tabIndex: 0, role: "slider", "aria-label": "Point of the plane",
    "aria-valuemin": "0", "aria-valuemax": "100" }, canvas, overlay(grid, extent, path), handle);
  let point = [0.5, 0.5];

  const go = (next) => {
    point = next.map((share) => Math.max(0, Math.min(1, share)));
    handle.style.left = `${point[0] * 100}%`;
    handle.style.top = `${(1 - point[1]) * 100}%`;
    const values = grid.at(point);
    surface.setAttribute("aria-valuenow", String(Math.round(point[0] * 100)));
    surface.setAttribute("aria-valuetext", grid.spoken.map((name, axis) => `${name}: ${values[axis].toFixed(2)}`).join(", "));
    move(point);
  };
  const follow = (event) => {
    const box = surface.getBoundingClientRect();
    go([(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height]);
  };
  surface.addEventListener("pointerdown", (event) => { surface.setPointerCapture(event.pointerId); follow(event); });
  surface.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) follow(event); });
  surface.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 5 * STEP : STEP;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (event.key === "Home") go([0.5, 0.5]);
    if (!by) return;
    event.preventDefault();
    go([point[0] + by[0], point[1] + by[1]]);
  });
  return { element: surface, go };
}

// Pictures meet without gutters, each centred at its own point, so that those of the rim are cut; the prior's density is
// their strength.
function draw(context, grid, extent) {
  const cell = SIDE / (grid.size - 1);
  for (let row = 0; row < grid.size; row += 1) {
    for (let column = 0; column < grid.size; column += 1) {
      const [u, v] = [column, row].map((at) => (at / (grid.size - 1) * 2 - 1) * extent);
      context.globalAlpha = 0.5 + 0.5 * Math.exp(-(u * u + v * v) / 8);
      stampFrame(context, grid.frames, row * grid.size + column, (column - 0.5) * cell, (row - 0.5) * cell, cell);
    }
  }
  context.globalAlpha = 1;
}

// Rings of the prior, and the clip's path.
function overlay(grid, extent, path) {
  const drawing = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const sigma of [1, 2]) {
    if (sigma < extent) drawing.append(svg("circle", { class: "ring", cx: 50, cy: 50, r: 50 * sigma / extent }));
  }
  if (path) {
    const points = path.map((code) => grid.point(code)).map(([x, y]) => `${(x * 100).toFixed(2)},${((1 - y) * 100).toFixed(2)}`);
    drawing.append(svg("polyline", { class: "path under", points: points.join(" ") }), svg("polyline", { class: "path", points: points.join(" ") }));
  }
  return drawing;
}
