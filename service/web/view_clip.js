// The clip: what came and what the model makes of it, in step with its dynamic codes over time.

import { clipOf } from "./codes.js";
import { clipPicker, noClips } from "./clip_picker.js";
import { downloads, stemOf } from "./downloads.js";
import { button, element, save } from "./elements.js";
import { fitNote } from "./fit.js";
import { nameOf } from "./memory.js";
import { drawFrame, frameCanvas, playButton, player, showPlaying, still } from "./pictures.js";
import { address, go, note, noteSoon } from "./route.js";
import { spanButtons, toCsv } from "./span.js";
import { extremes, timeline } from "./timeline.js";

export const title = "Clip";
const AT_FIRST = 3; // dimensions shown before anyone chooses

export async function show(place, params, model) {
  const picker = await clipPicker(model.name, params.job, (job) => go("clip", { model: model.name, job }));
  const id = params.job || picker.encodes[0]?.id;
  if (!id) return void place.append(element("h1", {}, "Clip"), noClips());
  if (!params.job && place.isConnected) note({ model: model.name, job: id });
  const clip = await clipOf(id), { codes, frames, reconstruction, order } = clip;
  const [height, width] = frames.shape.slice(-3), name = nameOf(clip.job);
  const source = frameCanvas(height, width), redrawn = frameCanvas(height, width);
  const when = element("output", { class: "when" });
  const play = playButton(() => clock);
  let dims = chosenDims(params.dims, order), line = null, began = 0;

  const showFrame = (frame) => {
    drawFrame(source, frames, frame);
    drawFrame(redrawn, reconstruction, frame);
    source.setAttribute("aria-label", `source, frame ${frame + 1}`);
    redrawn.setAttribute("aria-label", `reconstruction, frame ${frame + 1}`);
    when.textContent = `${codes.timestamps[frame].toFixed(2)} s · frame ${frame + 1} of ${codes.frames}`;
    place.dataset.frame = String(frame);
    line?.show(frame);
  };
  const clock = player(codes.frames, codes.fps, showFrame, (playing) => showPlaying(play, playing));
  const seek = (frame, settle) => {
    clock.stop();
    clock.seek(frame);
    if (settle) noteSoon({ frame });
  };

  const graph = element("div", { class: "graph" }), keys = element("div", { class: "keys" });
  const spanTold = element("span", { class: "told", role: "status" });
  const csv = button("CSV", () => save(`${stemOf(name)}.csv`, toCsv(codes), "text/csv"));
  const keeping = element("div", { class: "buttons span-files" }, element("span", { class: "told" }, "Keep the span:"),
    spanButtons(clip, name, stemOf(name), () => ({ span: line.span, dims })));
  const tellSpan = (span) => {
    spanTold.textContent = span ? `${span[1] - span[0] + 1} frames chosen: ${span[0] + 1} to ${span[1] + 1}` : "";
    clear.hidden = keeping.hidden = !span;
    noteSoon({ span: span ? span.map((frame) => frame + 1).join("-") : null });
  };
  const clear = button("Clear", () => line.setSpan(null), { hidden: true });
  const drawGraph = () => {
    const span = line ? line.span : spanOf(params.span, codes.frames);
    line = timeline(codes, dims, seek, tellSpan);
    graph.replaceChildren(line.surface);
    keys.replaceChildren(...extremes(codes.dynamic, dims.slice(0, AT_FIRST)).map(({ dim, frame, end }) =>
      element("button", { type: "button", class: "key", "data-dim": String(dim % 8), onclick: () => seek(frame, true) },
        still(frames, frame), element("span", {}, element("b", {}, `z${dim} ${end}`), `${codes.timestamps[frame].toFixed(2)} s`))));
    line.show(clock.frame);
    line.setSpan(span);
  };
  const choose = (dim, on) => {
    const next = on ? order.filter((one) => one === dim || dims.includes(one)) : dims.filter((one) => one !== dim);
    if (!next.length) return false;
    dims = next;
    note({ dims: dims.join(",") });
    drawGraph();
    return true;
  };

  place.append(
    element("div", { class: "head" }, element("h1", {}, name), picker.control),
    fitNote(codes.fit, codes.model),
    element("div", { class: "card stage" },
      element("div", { class: "pair" },
        element("figure", {}, source, element("figcaption", {}, "Source")),
        element("figure", {}, redrawn, element("figcaption", {}, "Reconstruction"))),
      element("div", { class: "transport" }, play, when)),
    element("section", { class: "card", "aria-labelledby": "over-time" },
      element("div", { class: "head" }, element("h2", { id: "over-time" }, "Its motion over time"), dimChips(order, dims, choose)),
      graph,
      element("div", { class: "transport" },
        button("Span from here", () => { began = clock.frame; line.setSpan([began, Math.max(began, line.span?.[1] ?? codes.frames - 1)]); }),
        button("to here", () => line.setSpan([Math.min(line.span?.[0] ?? 0, clock.frame), clock.frame])), clear, spanTold),
      keeping,
      element("p", { class: "hint" }, "Point at a moment to see it; drag to scrub, with Shift to choose a span. Bands are one standard deviation of each code."),
      element("h3", {}, "Its extremes"), keys),
    element("section", { class: "card", "aria-labelledby": "onwards" },
      element("h2", { id: "onwards" }, "Take it with you, or go on"),
      element("div", { class: "files" },
        element("span", { class: "told" }, "Keep the clip:"), element("div", { class: "buttons" }, csv, downloads(clip.job, name)),
        element("span", { class: "told" }, "Go on with it:"), element("div", { class: "buttons" },
        ...[["plane", "Its plane"], ["swap", "Swap it"], ["future", "Its future"]].map(([view, text]) =>
          element("a", { class: "button", href: address(view, { model: model.name, job: id }) }, text))))));
  drawGraph();
  clock.seek(Number(params.frame) || 0);
  if (params.frame === undefined) clock.start();
  return () => clock.stop();
}

function chosenDims(said, order) {
  const dims = (said || "").split(",").filter(Boolean).map(Number).filter((dim) => order.includes(dim));
  return dims.length ? order.filter((dim) => dims.includes(dim)) : order.slice(0, AT_FIRST);
}

function dimChips(order, dims, choose) {
  return element("div", { class: "chips", role: "group", "aria-label": "Dimensions shown" }, order.map((dim) => {
    const chip = element("button", { type: "button", class: "chip", "data-dim": String(dim % 8), "aria-pressed": String(dims.includes(dim)) }, `z${dim}`);
    chip.onclick = () => {
      const on = chip.getAttribute("aria-pressed") !== "true";
      if (choose(dim, on)) chip.setAttribute("aria-pressed", String(on));
    };
    return chip;
  }));
}

// "3-12" in an address: from the third frame to the twelfth.
function spanOf(said, frames) {
  const ends = (said || "").split("-").map((end) => Number(end) - 1);
  return ends.length === 2 && ends.every((end) => Number.isInteger(end) && end >= 0 && end < frames) ? ends : null;
}
