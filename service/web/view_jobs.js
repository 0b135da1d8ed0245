// Jobs: mine, with their state and time left; each can be opened again, canceled, or deleted with what it made.

import { json } from "./api.js";
import { element, emptyNote, problemNote } from "./elements.js";
import { heldKey } from "./key.js";
import { nameOf, placeOf } from "./memory.js";
import { myJobs } from "./mine.js";
import { stageOf } from "./progress.js";
import { openResult } from "./result_dialog.js";
import { address } from "./route.js";
import { ENDED, watch } from "./watching.js";

export const title = "Jobs";

export async function show(place) {
  place.append(element("h1", {}, "Jobs"));
  const jobs = await myJobs();
  if (!jobs.length) return void place.append(emptyNote("Nothing has been asked yet.", element("a", { class: "button primary", href: "#start" }, "Choose a clip")));
  const leaving = new AbortController();
  place.append(element("p", { class: "hint" }, heldKey()
    ? "A job's address opens it again for whoever has your key, as long as its results are kept."
    : "A job's address can be sent to whoever uses this server; it lives as long as its results do."),
    element("ul", { class: "card jobs" }, jobs.map((job) => jobRow(job, leaving.signal))));
  return () => leaving.abort();
}

function jobRow(job, signal) {
  const state = element("span", { class: `state ${job.status}` }, stageOf(job)), bar = element("progress", { max: 1, value: job.progress ?? 0, "aria-label": "progress" });
  const link = element("a", { class: "name" }, nameOf(job)), act = element("button", { type: "button" });
  const told = element("span", { class: "told" });
  const row = element("li", {}, element("span", { class: "kind" }, job.kind), link, state, told, act, bar);
  const draw = (now) => {
    state.className = `state ${now.status}`;
    state.textContent = stageOf(now);
    bar.hidden = ENDED.includes(now.status);
    bar.value = now.progress ?? 0;
    told.textContent = now.error?.detail || lasts(now);
    if (now.status === "succeeded" || now.kind === "train") lead(link, now);
    act.textContent = ENDED.includes(now.status) ? "Delete" : "Cancel";
    act.setAttribute("aria-label", `${act.textContent} ${nameOf(now)}`);
    act.onclick = () => end(now, row);
  };
  draw(job);
  if (!ENDED.includes(job.status)) watch(job, draw, signal).then(draw, (problem) => signal.aborted || row.append(problemNote(problem)));
  return row;
}

async function end(job, row) {
  try {
    const purge = ENDED.includes(job.status);
    await json(`/jobs/${job.id}${purge ? "?purge=true" : ""}`, { method: "DELETE" });
    if (purge) row.remove();
  } catch (problem) {
    row.append(problemNote(problem));
  }
}

function lasts(job) {
  if (!job.expires) return "";
  const hours = (Date.parse(job.expires) - Date.now()) / 3_600_000;
  if (hours <= 0) return "expired";
  return hours < 1 ? `kept ${Math.ceil(hours * 60)} min more` : hours < 48 ? `kept ${Math.round(hours)} h more` : `kept ${Math.round(hours / 24)} days more`;
}

// Where a result is looked at: where this browser has shown it, or as a picture.
function lead(link, job) {
  if (job.kind === "train") return void (link.href = address("train", { job: job.id }));
  link.href = job.kind === "encode" ? address("clip", { model: job.model, job: job.id }) : placeOf(job) ?? address("jobs");
  if (job.kind === "encode" || placeOf(job)) return;
  link.onclick = (event) => {
    event.preventDefault();
    openResult(job, nameOf(job));
  };
}
