// One job on the page while it is sent, waits and runs: how far, how long yet, a way out; its problem when it fails.

import { CANCELED, json, Problem, upload } from "./api.js";
import { element, problemNote } from "./elements.js";
import { remember } from "./memory.js";
import { ENDED, finished } from "./watching.js";

export function timeLeft(job, now = Date.now()) {
  if (job.status !== "running" || !job.started || job.progress < 0.05) return "";
  const gone = (now - Date.parse(job.started)) / 1000, left = gone * (1 - job.progress) / job.progress;
  if (left < 2 || gone < 1) return "";
  return left < 90 ? `about ${Math.ceil(left)} s left` : `about ${Math.ceil(left / 60)} min left`;
}

export function stageOf(job) {
  if (job.status === "queued") return job.position > 1 ? `queued, ${job.position - 1} before it` : "queued";
  if (job.status !== "running") return job.status;
  return [`${job.stage || "running"} – ${Math.round(job.progress * 100)} %`, timeLeft(job)].filter(Boolean).join(", ");
}

// Send a form and follow its job to the end: the finished job, or null after its problem was shown, or once `left` says
// that nobody looks any more. What is being sent then is sent all the same, and is among the jobs.
export async function run(place, name, path, form, left) {
  const stage = element("span", { class: "stage", role: "status" }, "sending …");
  const bar = element("progress", { max: 1, value: 0, "aria-label": `progress of ${name}` });
  const cancel = element("button", { type: "button" }, "Cancel");
  const head = element("div", { class: "job-head" }, element("h2", {}, name), stage, cancel);
  const card = element("article", { class: "card job" }, head, bar);
  const giveUp = new AbortController();
  cancel.onclick = () => giveUp.abort();
  place.prepend(card);
  try {
    const sent = (share) => { bar.value = share; stage.textContent = share < 1 ? `sending – ${Math.round(share * 100)} %` : "sent"; };
    const job = await upload(path, form, sent, giveUp.signal);
    remember(job, name);
    cancel.onclick = () => {
      cancel.disabled = true;
      json(`/jobs/${job.id}`, { method: "DELETE" }).catch(() => { /* it has ended meanwhile: the stream says so */ });
    };
    const show = (now) => {
      stage.textContent = stageOf(now);
      bar.value = now.progress;
      cancel.hidden = ENDED.includes(now.status);
    };
    show(job);
    const done = await finished(job, show, left);
    card.remove();
    return done;
  } catch (problem) {
    if (left?.aborted) return null;
    if (!(problem instanceof Problem)) throw problem;
    bar.remove();
    cancel.remove();
    stage.textContent = problem.title === CANCELED ? "" : "did not work";
    const away = element("button", { type: "button", onclick: () => card.remove() }, "Dismiss");
    head.append(away);
    card.append(problemNote(problem));
    return null;
  }
}
