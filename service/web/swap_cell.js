// One cell of the swap table, large; its files are made when it is opened.

import { post } from "./api.js";
import { downloads } from "./downloads.js";
import { element, problemNote } from "./elements.js";
import { remember } from "./memory.js";
import { drawFrame, frameCanvas, playButton, player, showPlaying } from "./pictures.js";
import { finished } from "./watching.js";

export function openCell({ name, frames, first, length, fps, ends, model, transfer }) {
  const [height, width] = frames.shape.slice(-3), canvas = frameCanvas(height, width, { "aria-label": name });
  const play = playButton(() => clock), links = element("div", { class: "buttons" }, element("span", { class: "told" }, "making its files …"));
  const clock = player(length, fps, (frame) => drawFrame(canvas, frames, first + frame), (playing) => showPlaying(play, playing));
  const dialog = element("dialog", { "aria-label": name }, element("div", { class: "head tight" }, element("h2", {}, name),
    element("button", { type: "button", onclick: () => dialog.close() }, "Close")), canvas,
  element("div", { class: "transport" }, play), links);
  const leaving = new AbortController();
  dialog.addEventListener("close", () => { leaving.abort(); clock.stop(); dialog.remove(); });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  clock.start();
  files(name, ends, model, transfer, leaving.signal).then((made) => links.replaceChildren(...made), (problem) => links.replaceChildren(problemNote(problem)));
}

// The server makes movies of whole tables: a cell's is that of a table of one.
async function files(name, [appearance, motion], model, transfer, signal) {
  const form = new FormData();
  for (const [field, value] of Object.entries({ model, transfer, static_job: appearance, dynamic_job: motion })) form.append(field, value);
  const job = await (await post("/swap", form)).json();
  remember(job, name);
  return downloads(await finished(job, undefined, signal), name);
}
