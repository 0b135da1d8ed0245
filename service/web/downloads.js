// The files of a job. They are fetched here, since a link alone can send no key and cannot say that a file has gone.

import { ask } from "./api.js";
import { element, problemNote, saveBlob } from "./elements.js";

const FORMATS = { "video/mp4": "MP4", "image/webp": "WebP", "image/gif": "GIF", "image/png": "PNG",
  "application/x-npz": "NPZ", "application/json": "JSON" };

export const stemOf = (name) => name.replace(/\.\w+$/, "").replace(/[^\w.-]+/g, "_").slice(0, 60);

// Links to a job's representations, named by what it is about.
export function downloads(job, name) {
  const stem = stemOf(name) || job.kind;
  return Object.entries(FORMATS).filter(([type]) => job.results[type]).map(([type, text]) => {
    const link = element("a", { class: "button", href: job.results[type], download: `${stem}.${text.toLowerCase()}` }, text);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // the browser's own ways with a link
      event.preventDefault();
      fetched(link);
    });
    return link;
  });
}

// A movie is drawn when it is first asked for: until a long one is there, half a minute's asking is answered with 409.
export async function drawn(path) {
  for (let tries = 40; ; tries -= 1) {
    try {
      return await ask(path);
    } catch (problem) {
      if (problem.status !== 409 || !tries) throw problem;
    }
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
  }
}

async function fetched(link) {
  if (link.getAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  try {
    saveBlob(link.download, await (await drawn(link.getAttribute("href"))).blob());
  } catch (problem) {
    const note = problemNote(problem);
    link.parentElement.after(note);
    setTimeout(() => note.remove(), 15_000);
  }
  link.removeAttribute("aria-busy");
}
