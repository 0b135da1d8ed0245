// The chosen span of a clip, to take along: its codes as CSV, its arrays as NPZ, its timeline as PNG.

import { arraysOf } from "./codes.js";
import { button, problemNote, saveBlob } from "./elements.js";
import { npzPieces } from "./npz_write.js";
import { spanPicture } from "./span_picture.js";

const BY_FRAME = ["dynamic", "dynamic_std", "timestamps", "frames", "reconstruction"];

// A row a frame: when, each code, each code's standard deviation.
export function toCsv(codes, span) {
  const [first, last] = span ?? [0, codes.frames - 1], size = codes.dynamic[0].length;
  const numbers = [...Array(size).keys()];
  const head = ["frame", "seconds", ...numbers.map((dim) => `z${dim}`), ...numbers.map((dim) => `z${dim}_std`)];
  const rows = codes.dynamic.slice(first, last + 1).map((code, at) =>
    [first + at, codes.timestamps[first + at], ...code, ...codes.dynamic_std[first + at]]);
  return [head, ...rows].map((row) => row.join(",")).join("\n") + "\n";
}

// An encode's arrays, those with a frame a row cut to the span; `span` holds its first and its last frame.
export function cutArrays(arrays, [first, last]) {
  const cut = ([name, { shape, data }]) => {
    if (!BY_FRAME.includes(name)) return [name, { shape, data }];
    const row = data.length / shape[0];
    return [name, { shape: [last - first + 1, ...shape.slice(1)], data: data.slice(first * row, (last + 1) * row) }];
  };
  return { ...Object.fromEntries(Object.entries(arrays).map(cut)), span: { shape: [2], data: Int32Array.of(first, last) } };
}

export function spanButtons(clip, name, stem, chosen) {
  const kinds = {
    CSV: async ({ span }) => new Blob([toCsv(clip.codes, span)], { type: "text/csv" }),
    NPZ: async ({ span }) => new Blob(npzPieces(cutArrays(await arraysOf(clip.job), span)), { type: "application/x-npz" }),
    PNG: (view) => spanPicture(clip, name, view),
  };
  return Object.entries(kinds).map(([kind, make]) => {
    const made = button(kind, async () => {
      const view = chosen();
      try {
        saveBlob(`${stem}_${view.span[0] + 1}-${view.span[1] + 1}.${kind.toLowerCase()}`, await make(view));
      } catch (problem) {
        made.parentElement.after(problemNote(problem));
        if (!problem.title) throw problem;
      }
    }, { "aria-label": `${kind} of the span` });
    return made;
  });
}
