// The plane: one identity over two dynamic dimensions, or over the principal axes, as a surface to drag over.

import { ask, json } from "./api.js";
import { clipOf, askArrays, postArrays } from "./codes.js";
import { clipPicker, noClips } from "./clip_picker.js";
import { button, element, problemNote } from "./elements.js";
import { atlas } from "./plane_atlas.js";
import { planeFields } from "./plane_fields.js";
import { surfaceOf } from "./plane_surface.js";
import { drawFrame, drawPixels, frameCanvas } from "./pictures.js";
import { go, note, noteSoon } from "./route.js";
import { finished } from "./watching.js";

export const title = "Plane";
const REST = 160; // milliseconds without a move, after which the picture is made anew and exactly
const SIZE = 13;
const EXTENTS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10], USUAL = 2.5; // standard deviations

export async function show(place, params, model) {
  const seed = params.seed ?? "0";
  const turn = (changes) => go("plane", { model: model.name, job, seed: job ? null : seed, dims: params.dims, extent: params.extent, ...changes });
  const drawn = model.draws_identities ? [["", "drawn from the prior"]] : [];
  const picker = await clipPicker(model.name, params.job ?? (params.seed !== undefined ? "" : undefined),
    (next) => go("plane", { model: model.name, job: next, seed: next ? null : "0" }), drawn);
  const job = params.job || (params.seed === undefined || !model.draws_identities ? picker.encodes[0]?.id : undefined);
  if (!job && !model.draws_identities) {
    place.append(element("div", { class: "head" }, element("h1", {}, "The plane of its motion")), noClips());
    return () => {};
  }
  const clip = job ? await clipOf(job) : null;
  if (clip) picker.control.querySelector("select").value = job;

  const face = frameCanvas(model.image_size, model.image_size, { class: "frame face", "aria-label": "the picture at this point of the plane" });
  const told = element("output", { class: "when" }), sharp = element("span", { class: "sharp", role: "status" });
  const board = element("div", { class: "board loading" }, element("p", {}, "drawing the plane …"));
  const fields = element("div", { class: "row" }), hint = element("p", { class: "hint" }, "Drag, or use the arrow keys.");
  place.append(
    element("div", { class: "head" }, element("h1", {}, "The plane of its motion"), picker.control),
    element("div", { class: "plane-split" }, element("div", { class: "card" }, board, hint),
      element("div", { class: "card side" }, face, element("div", { class: "transport" }, told, sharp), fields,
        clip ? null : button("Another identity", () => turn({ seed: String(Number(seed) + 1) })))));

  const grown = async (extent) => {
    const query = new URLSearchParams({ model: model.name, size: SIZE, extent, dims: planeDims(params.dims, clip) });
    query.set(job ? "static_job" : "seed", job || seed);
    // Twice the same request: it is one job, whose pictures come as arrays and whose axes as JSON.
    const [arrays, said] = await Promise.all([askArrays(`/latent-grid?${query}&format=npz`), toldOf(query)]);
    return atlas(arrays, said);
  };
  let extent = Number(params.extent) || USUAL, grid = await grown(extent);
  // Where nobody chose, the plane is as wide as the clip's path.
  if (clip && !params.extent && reach(grid, clip) > 1) {
    extent = EXTENTS.find((one) => one >= extent * reach(grid, clip)) ?? EXTENTS.at(-1);
    grid = await grown(extent);
  }
  fields.replaceChildren(...planeFields({ model, grid, extent, extents: EXTENTS, usual: usualDims(clip), turn }));
  hint.textContent = `Drag, or use the arrow keys. ${clip ? "The line is the clip's own path; r" : "R"}ings lie 1 and 2 standard deviations `
    + (grid.principal ? "of held-out clips from the middle." : "from the prior's mean.");

  const identity = job ? { static_job: job } : { static: await staticOf(model.name, seed) };
  let asked = null, timer = 0;
  const refine = async (point) => {
    asked?.abort();
    asked = new AbortController();
    try {
      const { frames } = await postArrays("/decode", { model: model.name, ...identity, dynamic: [grid.code(point)] }, asked.signal);
      drawFrame(face, frames, 0);
      sharp.textContent = "exact";
      place.dataset.exact = "true";
    } catch (problem) {
      if (problem.name !== "AbortError") board.after(problemNote(problem));
    }
  };
  const move = (point) => {
    asked?.abort();
    clearTimeout(timer);
    drawPixels(face, grid.blend(point), 0, grid.height, grid.width);
    const unit = grid.principal ? " σ" : "";
    told.textContent = grid.at(point).map((value, axis) => `${grid.names[axis]} ${value.toFixed(2)}${unit}`).join(" · ");
    sharp.textContent = "";
    delete place.dataset.exact;
    noteSoon({ at: point.map((share) => share.toFixed(3)).join(",") });
    timer = setTimeout(() => refine(point), REST);
  };
  const start = (params.at || "").split(",").map(Number);
  const at = start.length === 2 && start.every(Number.isFinite) ? start : clip ? grid.point(clip.codes.dynamic[Number(params.frame) || 0]) : [0.5, 0.5];
  const surface = surfaceOf(grid, { extent, path: clip?.codes.dynamic, move });
  if (!place.isConnected) return () => {}; // somebody has gone elsewhere, and the address is that of another view
  board.replaceChildren(surface.element);
  board.classList.remove("loading");
  surface.go(at);
  note({ model: model.name, job, seed: job ? null : seed, dims: grid.dims });
  return () => { asked?.abort(); clearTimeout(timer); };
}

async function toldOf(query) {
  const answer = await ask(`/latent-grid?${query}&format=json`), said = await answer.json();
  return answer.status === 202 ? json(`/jobs/${(await finished(said)).id}/result?format=json`) : said;
}

// What to ask for: what the address says; else the clip's liveliest dimensions, but where codes have length 1 none moves
// alone, and the server knows better axes.
function planeDims(said, clip) {
  if (said === "principal") return said;
  const dims = (said || "").split(",").filter(Boolean).map(Number);
  if (dims.length >= 2 && dims[0] !== dims[1]) return dims.slice(0, 2).join(",");
  return clip && !clip.codes.dynamic.every((code) => Math.abs(Math.hypot(...code) - 1) < 1e-3) ? usualDims(clip) : "auto";
}

const usualDims = (clip) => clip ? clip.order.slice(0, 2).join(",") : "0,1";

// How far the clip's path goes, as a share of half the plane.
const reach = (grid, clip) => Math.max(...clip.codes.dynamic.flatMap((code) => grid.point(code).map((share) => Math.abs(2 * share - 1))));

// The static code that a seed draws: that of the sample of the same seed.
async function staticOf(model, seed) {
  const { static: codes } = await postArrays("/sample", { model, seed: Number(seed), identities: 1, frames: 1 });
  return Array.from(codes.data, (value) => Number(value.toPrecision(9)));
}
