// The swap table: every chosen appearance doing every chosen motion, all moving in step.

import { arraysOf, clipOf } from "./codes.js";
import { downloads } from "./downloads.js";
import { button, element, labelled, select } from "./elements.js";
import { noClips } from "./clip_picker.js";
import { nameOf, rememberPlace } from "./memory.js";
import { myEncodes } from "./mine.js";
import { run } from "./progress.js";
import { drawFrame, frameCanvas, playButton, player, showPlaying, still } from "./pictures.js";
import { json } from "./api.js";
import { note } from "./route.js";
import { openCell } from "./swap_cell.js";
import { finished } from "./watching.js";

export const title = "Swap";
const MOST = 8, OFFERED = 16;

export async function show(place, params, model) {
  const encodes = await offered(model, [params.static, params.dynamic].flatMap((said) => (said || "").split(",").filter(Boolean)));
  if (!encodes.length) return void place.append(element("h1", {}, "Swap"), noClips());
  const ids = (said) => (said || "").split(",").filter((id) => encodes.some((job) => job.id === id)).slice(0, MOST);
  const chosen = { static: ids(params.static), dynamic: ids(params.dynamic) };
  if (!chosen.static.length && !params.swap) chosen.static = encodes.slice(0, 3).map((job) => job.id);
  if (!chosen.dynamic.length && !params.swap) chosen.dynamic = encodes.slice(0, 3).map((job) => job.id);
  let transfer = params.transfer === "prior" ? "prior" : "raw", clock = null;
  const leaving = new AbortController(), { signal } = leaving;

  const outcome = element("div", { class: "outcome" }), sources = element("div", { class: "sources" });
  const go = button("Swap", () => swap(), { class: "primary" });
  const sized = (changed = {}) => {
    go.disabled = !chosen.static.length || !chosen.dynamic.length;
    go.textContent = go.disabled ? "Choose both sides" : `Swap ${chosen.static.length} × ${chosen.dynamic.length}`;
    note({ model: model.name, static: chosen.static.join(","), dynamic: chosen.dynamic.join(","), transfer, ...changed });
  };
  const another = () => sized({ swap: null }); // what is chosen now is not what the table shows
  place.append(
    element("div", { class: "head" }, element("h1", {}, "One's appearance, another's motion")),
    element("section", { class: "card", "aria-label": "Sources" }, sources,
      element("div", { class: "buttons" },
        labelled("Transfer of motion", select([["raw", "as it is coded"], ["prior", "standardised by each identity's prior"]], transfer,
          (next) => { transfer = next; another(); })), go)),
    outcome);
  for (const job of encodes) sources.append(sourceCard(job, chosen, another));
  sized();

  const showTable = async (job, who) => {
    const { frames, lengths } = await arraysOf(job);
    if (signal.aborted) return;
    if (frames.shape[0] !== who.static.length || frames.shape[1] !== who.dynamic.length) {
      return void outcome.replaceChildren(element("p", { class: "hint" }, "Some clips of this swap are no longer there to be named."));
    }
    clock?.stop();
    const made = await table(job, frames, lengths, who, model);
    if (signal.aborted) return;
    clock = made.clock;
    outcome.replaceChildren(made.card);
    note({ swap: job.id, static: who.static.join(","), dynamic: who.dynamic.join(","), transfer: who.transfer });
    rememberPlace(job);
    clock.start();
  };
  const swap = async () => {
    const form = new FormData(), who = { static: [...chosen.static], dynamic: [...chosen.dynamic], transfer };
    form.append("model", model.name);
    form.append("transfer", who.transfer);
    for (const side of ["static", "dynamic"]) for (const id of who[side]) form.append(`${side}_job`, id);
    const job = await run(outcome, `${who.static.length} × ${who.dynamic.length} swap`, "/swap", form, signal);
    if (job && !signal.aborted) await showTable(job, who);
  };
  if (params.swap) await showTable(await finished(await json(`/jobs/${params.swap}`)), { ...chosen, transfer });
  return () => { leaving.abort(); clock?.stop(); };
}

// My latest clips, and those that the address names.
async function offered(model, named) {
  const mine = (await myEncodes(model.name)).slice(0, OFFERED), known = new Set(mine.map((job) => job.id));
  const others = [...new Set(named)].filter((id) => !known.has(id));
  return [...await Promise.all(others.map((id) => json(`/jobs/${id}`))), ...mine];
}

// A clip that may lend its appearance, its motion, or both.
function sourceCard(job, chosen, onchange) {
  const name = nameOf(job), picture = frameCanvas(64, 64, { "aria-hidden": "true" });
  clipOf(job.id).then(({ frames }) => drawFrame(picture, frames, Math.floor(frames.shape[0] / 2)), () => {});
  const toggle = (side, text) => {
    const pressed = () => chosen[side].includes(job.id);
    const made = button(text, () => {
      if (pressed()) chosen[side] = chosen[side].filter((id) => id !== job.id);
      else if (chosen[side].length < MOST) chosen[side].push(job.id);
      made.setAttribute("aria-pressed", String(pressed()));
      onchange();
    }, { class: `chip ${side}`, "aria-pressed": String(pressed()), "aria-label": `${text} of ${name}` });
    return made;
  };
  return element("div", { class: "source" }, picture, element("span", { class: "name", title: name }, name),
    toggle("static", "appearance"), toggle("dynamic", "motion"));
}

async function table(job, frames, lengths, who, model) {
  const [rows, columns, length] = frames.shape, cells = [];
  const clips = await Promise.all([...who.static, ...who.dynamic].map((id) => clipOf(id)));
  const statics = clips.slice(0, rows), motions = clips.slice(rows);
  const heads = motions.map((clip) => frameCanvas(64, 64, { "aria-label": `motion of ${nameOf(clip.job)}` }));
  const play = playButton(() => clock);
  const clock = player(length, motions[0]?.codes.fps, (frame) => {
    heads.forEach((canvas, m) => drawFrame(canvas, motions[m].frames, Math.min(frame, motions[m].codes.frames - 1)));
    cells.forEach((canvas, at) => drawFrame(canvas, frames, at * length + frame));
  }, (playing) => showPlaying(play, playing));
  const body = statics.map((clip, a) => element("tr", {},
    element("th", { scope: "row" }, still(clip.frames, Math.floor(clip.codes.frames / 2), `appearance of ${nameOf(clip.job)}`)),
    motions.map((motion, m) => {
      const canvas = frameCanvas(64, 64, { "aria-hidden": "true" });
      cells.push(canvas);
      const name = `${nameOf(clip.job)} doing ${nameOf(motion.job)}`;
      const open = () => openCell({ name, frames, first: (a * columns + m) * length, length: Number(lengths.data[m]),
        fps: motion.codes.fps, ends: [clip.job.id, motion.job.id], model: model.name, transfer: who.transfer });
      return element("td", {}, element("button", { type: "button", class: "cell", "aria-label": name, onclick: open }, canvas));
    })));
  const made = element("table", { class: "swaps" }, element("thead", {}, element("tr", {}, element("td", {}),
    heads.map((canvas) => element("th", { scope: "col" }, canvas)))), element("tbody", {}, body));
  made.style.setProperty("--columns", String(columns));
  const card = element("section", { class: "card", "aria-label": "Swap table" },
    element("div", { class: "head tight" }, element("h2", {}, "Appearance down the side, motion along the top"), play),
    element("div", { class: "scroll", tabIndex: 0, role: "group", "aria-label": "the table" }, made),
    element("p", { class: "hint" }, "Open a cell to see it large and to keep it."),
    element("div", { class: "buttons" }, downloads(job, `swap ${rows}x${columns}`)));
  return { card, clock };
}
