// The timeline: each dynamic dimension over time with its uncertainty, a cursor, a span, and the extremes marked.

import { element, svg } from "./elements.js";

const WIDTH = 1000, HEIGHT = 260, PAD = 16, FOOT = 34, INSET = 12; // of the drawing, which is stretched to its place
const BEATS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600], MOST_BEATS = 8; // seconds between marks

export function timeline({ dynamic, dynamic_std: std, timestamps }, dims, onSeek, onSpan) {
  const frames = dynamic.length, values = dims.flatMap((dim) => dynamic.map((code) => code[dim]));
  const low = Math.min(...values), high = Math.max(...values), reach = high - low || 1;
  const x = (frame) => frames > 1 ? INSET + (frame / (frames - 1)) * (WIDTH - 2 * INSET) : WIDTH / 2;
  const y = (value) => PAD + (1 - (value - low) / reach) * (HEIGHT - PAD - FOOT);
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const span = svg("rect", { class: "span", y: 0, height: HEIGHT, width: 0 });
  const cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT });
  drawing.append(span);
  if (low < 0 && high > 0) drawing.append(svg("line", { class: "zero", x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }));
  for (const dim of [...dims].reverse()) {
    const at = (frame, sign) => `${x(frame)},${y(dynamic[frame][dim] + sign * std[frame][dim])}`;
    const there = dynamic.map((_, frame) => at(frame, 1)), back = dynamic.map((_, frame) => at(frame, -1)).reverse();
    drawing.append(
      svg("polygon", { class: "spread", points: [...there, ...back].join(" "), "data-dim": dim % 8 }),
      svg("polyline", { class: "curve", points: dynamic.map((code, frame) => `${x(frame)},${y(code[dim])}`).join(" "), "data-dim": dim % 8 }));
  }
  drawing.append(cursor);

  const surface = element("div", { class: "timeline", role: "slider", tabIndex: 0, "aria-label": "Frame",
    "aria-valuemin": "0", "aria-valuemax": String(frames - 1) }, drawing);
  const dots = extremes(dynamic, dims).map(({ dim, frame }) => {
    const dot = element("i", { class: "dot", "data-dim": String(dim % 8) });
    dot.style.left = `${x(frame) / WIDTH * 100}%`;
    dot.style.top = `${y(dynamic[frame][dim]) / HEIGHT * 100}%`;
    return dot;
  });
  const ticks = beats(timestamps).map(({ frame, seconds }) => {
    drawing.prepend(svg("line", { class: "beat", x1: x(frame), x2: x(frame), y1: 0, y2: HEIGHT }));
    const tick = element("span", { class: "tick", "aria-hidden": "true" }, `${seconds} s`);
    tick.style.left = `${x(frame) / WIDTH * 100}%`;
    return tick;
  });
  surface.append(...dots, ...ticks);

  let frame = 0, from = null, chosen = null;
  const frameAt = (event) => {
    const box = surface.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * WIDTH - INSET) / (WIDTH - 2 * INSET);
    return Math.max(0, Math.min(frames - 1, Math.round(share * (frames - 1))));
  };
  const setSpan = (next) => {
    chosen = next && [Math.min(...next), Math.max(...next)];
    span.setAttribute("x", chosen ? x(chosen[0]) : 0);
    span.setAttribute("width", chosen ? Math.max(2, x(chosen[1]) - x(chosen[0])) : 0);
    onSpan(chosen);
  };
  surface.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" && !event.buttons) return;
    if (from !== null) setSpan([from, frameAt(event)]);
    onSeek(frameAt(event), event.buttons > 0);
  });
  surface.addEventListener("pointerdown", (event) => {
    surface.setPointerCapture(event.pointerId);
    if (event.shiftKey) from = frameAt(event);
    onSeek(frameAt(event), true);
  });
  surface.addEventListener("pointerup", () => { from = null; });
  surface.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -frames, End: frames };
    if (event.key === "Escape" && chosen) setSpan(null);
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(frames - 1, frame + steps[event.key]));
    // Shift grows a span from where it began, as in a text.
    if (event.shiftKey) setSpan([chosen ? (frame === chosen[1] ? chosen[0] : chosen[1]) : frame, next]);
    onSeek(next, true);
  });
  return {
    surface,
    setSpan,
    get span() { return chosen; },
    show(now) {
      frame = now;
      cursor.setAttribute("x1", x(now));
      cursor.setAttribute("x2", x(now));
      surface.setAttribute("aria-valuenow", String(now));
      surface.setAttribute("aria-valuetext",
        `frame ${now + 1} of ${frames}, ${timestamps[now].toFixed(2)} seconds, ${dims.map((dim) => `dimension ${dim}: ${dynamic[now][dim].toFixed(2)}`).join(", ")}`);
    },
  };
}

// Round seconds, each at the place of its moment among the frames.
function beats(timestamps) {
  const first = timestamps[0], last = timestamps.at(-1);
  const step = BEATS.find((one) => (last - first) / one <= MOST_BEATS) ?? 7200, found = [];
  for (let beat = Math.floor(first / step) + 1; beat * step < last; beat += 1) {
    const next = timestamps.findIndex((time) => time >= beat * step), before = timestamps[next - 1];
    found.push({ frame: next - 1 + (beat * step - before) / (timestamps[next] - before), seconds: Number((beat * step).toFixed(2)) });
  }
  return found;
}

// The frames where a dimension is at its lowest and at its highest.
export function extremes(dynamic, dims) {
  return dims.flatMap((dim) => {
    const values = dynamic.map((code) => code[dim]);
    const low = values.indexOf(Math.min(...values)), high = values.indexOf(Math.max(...values));
    return low === high ? [] : [{ dim, frame: low, end: "lowest" }, { dim, frame: high, end: "highest" }];
  });
}
