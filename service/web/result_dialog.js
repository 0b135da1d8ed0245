// A result that no view of this browser knows: its picture, and its files.

import { ask } from "./api.js";
import { downloads } from "./downloads.js";
import { element, problemNote } from "./elements.js";

export function openResult(job, name) {
  const close = element("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const picture = element("div", { class: "scroll" }, element("p", { class: "told" }, "fetching …"));
  const dialog = element("dialog", { class: "wide", "aria-label": name },
    element("div", { class: "head tight" }, element("h2", {}, name), close), picture, element("div", { class: "buttons" }, downloads(job, name)));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  drawn(job, name).then((canvas) => picture.replaceChildren(canvas), (problem) => picture.replaceChildren(problemNote(problem)));
}

// On a canvas, since the page's policy lets an <img> show nothing that was fetched.
export async function drawn(job, name) {
  const bitmap = await createImageBitmap(await (await ask(job.results["image/png"])).blob());
  const canvas = element("canvas", { width: bitmap.width, height: bitmap.height, class: "result", role: "img", "aria-label": name });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
}
