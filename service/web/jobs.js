// One job on the page: its progress while it runs, its pictures when it is done, its problem when it fails.

import { json, watch } from "./api.js";
import { element, problemNote } from "./elements.js";

const FORMATS = { "application/json": "JSON", "application/x-npz": "NumPy (npz)", "image/png": "PNG", "video/mp4": "MP4",
  "image/webp": "WebP", "image/gif": "GIF" };

export function jobCard(title) {
  const stage = element("span", { class: "stage" }, "sending …");
  const bar = element("progress", { max: 1, value: 0 });
  const cancel = element("button", { type: "button", hidden: true }, "Cancel");
  const body = element("div", { class: "outcome" });
  const card = element("article", { class: "card" },
    element("div", { class: "job-head" }, element("h2", {}, title), stage, cancel), bar, body);

  const show = (job) => {
    const ended = ["succeeded", "failed", "canceled"].includes(job.status);
    const place = job.status === "queued" && job.position > 1 ? `, ${job.position - 1} before it` : "";
    stage.textContent = job.status === "running" ? `${job.stage} – ${Math.round(job.progress * 100)} %` : job.status + place;
    bar.value = job.progress;
    bar.hidden = ended;
    cancel.hidden = ended;
  };

  return {
    card,
    sent: (share) => { bar.value = share; stage.textContent = share < 1 ? `sending – ${Math.round(share * 100)} %` : "sent"; },
    fail: (problem) => { bar.hidden = cancel.hidden = true; stage.textContent = "failed"; body.replaceChildren(problemNote(problem)); },
    follow: async (job) => {
      cancel.onclick = async () => {
        cancel.disabled = true;
        try { await json(`/jobs/${job.id}`, { method: "DELETE" }); } catch { /* it has ended meanwhile: the stream says so */ }
      };
      show(job);
      job = await watch(job, show);
      if (job.status === "failed") body.replaceChildren(problemNote(job.error));
      if (job.status === "succeeded") body.replaceChildren(pictures(job), links(job));
      return { job, body };
    },
  };
}

// The moving result where there is one, and the still one.
function pictures(job) {
  const shown = element("div", { class: "pictures" }), urls = job.results;
  if (urls["video/mp4"]) {
    shown.append(element("video", { src: urls["video/mp4"], class: "small", controls: true, loop: true, muted: true,
      autoplay: true, playsInline: true }));
  } else {
    const moving = urls["image/webp"] || urls["image/gif"];
    if (moving) shown.append(element("img", { src: moving, class: "small", alt: `${job.kind}, moving` }));
  }
  if (urls["image/png"]) shown.append(element("img", { src: urls["image/png"], alt: `${job.kind} result` }));
  return shown;
}

function links(job) {
  const made = Object.entries(job.results).map(([type, url]) =>
    element("a", { href: url, download: `${job.kind}-${job.id.slice(0, 8)}` }, FORMATS[type] || type));
  return element("div", { class: "links" }, ...made, element("a", { href: `/jobs/${job.id}` }, "job"));
}

// What every encode says about itself: whether to trust it.
export function fitNote(fit) {
  if (!fit) return null;
  const measured = [fit.psnr_db != null && `reconstruction ${fit.psnr_db.toFixed(1)} dB`,
    fit.percentile != null && `percentile ${Math.round(fit.percentile)} of its own kind`].filter(Boolean).join(", ");
  const said = fit.typical ? `This clip is like the model's training data${measured && `: ${measured}`}.` :
    `This clip is foreign to the model, so do not trust its codes: ${fit.reason || measured}.`;
  return element("div", { class: fit.typical ? "note" : "note foreign" }, element("p", {}, said));
}
