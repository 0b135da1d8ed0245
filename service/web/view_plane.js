// The plane: one identity over two dynamic dimensions, as a surface to drag over.

import { clipOf, askArrays, postArrays } from "./codes.js";
import { clipPicker } from "./clip_picker.js";
import { button, element, labelled, problemNote, select } from "./elements.js";
import { atlas } from "./plane_atlas.js";
import { surfaceOf } from "./plane_surface.js";
import { drawFrame, drawPixels, frameCanvas } from "./pictures.js";
import { go, note, noteSoon } from "./route.js";

export const title = "Plane";
const REST = 160; // milliseconds without a move, after which the picture is made anew and exactly
const SIZE = 13;
const EXTENTS = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10], USUAL = 2.5; // prior standard deviations

export async function show(place, params, model) {
  const seed = params.seed ?? "0";
  let extent = Number(params.extent) || USUAL;
  const turn = (changes) => go("plane", { model: model.name, job, seed: job ? null : seed, dims: params.dims, extent: params.extent, ...changes });
  const drawn = [["", "drawn from the prior"]];
  const picker = await clipPicker(model.name, params.job ?? (params.seed !== undefined ? "" : undefined),
    (next) => go("plane", { model: model.name, job: next, seed: next ? null : "0" }), drawn);
  const job = params.job || (params.seed === undefined ? picker.encodes[0]?.id : undefined);
  const clip = job ? await clipOf(job) : null;
  let dims = planeDims(params.dims, clip);
  if (clip) $chosen(picker.control, job);

  const face = frameCanvas(model.image_size, model.image_size, { class: "frame face", "aria-label": "the picture at this point of the plane" });
  const told = element("output", { class: "when" }), sharp = element("span", { class: "sharp", role: "status" });
  const board = element("div", { class: "board loading" }, element("p", {}, "drawing the plane …"));
  place.append(
    element("div", { class: "head" }, element("h1", {}, "The plane of its motion"), picker.control),
    element("div", { class: "plane-split" }, element("div", { class: "card" }, board,
      element("p", { class: "hint" }, clip ? "Drag, or use the arrow keys. The line is the clip's own path; rings lie 1 and 2 standard deviations from the prior's mean." :
        "Drag, or use the arrow keys. Rings lie 1 and 2 standard deviations from the prior's mean.")),
    element("div", { class: "card side" }, face, element("div", { class: "transport" }, told, sharp),
      element("div", { class: "row" },
        labelled("Across", dimSelect(model, dims?.[0], (dim) => turn({ dims: paired(dim, dims[1], dims[0]) }))),
        labelled("Up", dimSelect(model, dims?.[1], (dim) => turn({ dims: paired(dims[0], dim, dims[1], true) }))),
        labelled("Extent (σ)", select(EXTENTS.map((one) => [one, one]), extent, (next) => turn({ extent: next })))),
      clip ? null : button("Another identity", () => turn({ seed: String(Number(seed) + 1) })))));

  const grown = async () => {
    const query = new URLSearchParams({ model: model.name, size: SIZE, extent, format: "npz" });
    query.set(job ? "static_job" : "seed", job || seed);
    if (dims) query.set("dims", dims.join(","));
    return atlas(await askArrays(`/latent-grid?${query}`));
  };
  let grid = await grown();
  // Where nobody chose, the plane is as wide as the clip's path, and the grid itself tells its dimensions.
  if (clip && !params.extent && reach(grid, clip) > 1) {
    extent = EXTENTS.find((one) => one >= extent * reach(grid, clip)) ?? EXTENTS.at(-1);
    grid = await grown();
  }
  dims = grid.dims;
  place.querySelectorAll(".side select").forEach((chooser, axis) => { chooser.value = String([...dims, extent][axis]); });

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
    told.textContent = `z${grid.dims[0]} ${grid.at(point)[0].toFixed(2)} · z${grid.dims[1]} ${grid.at(point)[1].toFixed(2)}`;
    sharp.textContent = "";
    delete place.dataset.exact;
    noteSoon({ at: point.map((part) => part.toFixed(3)).join(",") });
    timer = setTimeout(() => refine(point), REST);
  };
  const start = (params.at || "").split(",").map(Number);
  const at = start.length === 2 && start.every(Number.isFinite) ? start : clip ? grid.point(clip.codes.dynamic[Number(params.frame) || 0]) : [0.5, 0.5];
  const surface = surfaceOf(grid, { extent, path: clip?.codes.dynamic, move });
  board.replaceChildren(surface.element);
  board.classList.remove("loading");
  surface.go(at);
  note({ model: model.name, job, seed: job ? null : seed, dims: grid.dims.join(",") });
  return () => { asked?.abort(); clearTimeout(timer); };
}

const $chosen = (label, id) => { label.querySelector("select").value = id; };

function planeDims(said, clip) {
  const dims = (said || "").split(",").filter(Boolean).map(Number);
  if (dims.length >= 2 && dims[0] !== dims[1]) return dims.slice(0, 2);
  return clip ? clip.order.slice(0, 2) : null;
}

// How far the clip's path goes, as a share of half the plane.
const reach = (grid, clip) => Math.max(...clip.codes.dynamic.flatMap((code) => grid.point(code).map((share) => Math.abs(2 * share - 1))));

// Two dimensions that differ: choosing the other's one exchanges them.
const paired = (across, up, before, second = false) =>
  Number(across) === Number(up) ? (second ? `${before},${up}` : `${across},${before}`) : `${across},${up}`;

const dimSelect = (model, chosen, onchange) =>
  select([...Array(model.dynamic_dim).keys()].map((dim) => [dim, `z${dim}`]), chosen ?? 0, onchange);

// The static code that a seed draws: that of the sample of the same seed.
async function staticOf(model, seed) {
  const { static: codes } = await postArrays("/sample", { model, seed: Number(seed), identities: 1, frames: 1 });
  return Array.from(codes.data, (value) => Number(value.toPrecision(9)));
}
