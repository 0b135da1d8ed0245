// Jobs followed to their end, by their events.

import { CANCELED, isAway, json, Problem } from "./api.js";
import { eventsOf, pause } from "./events.js";

export const ENDED = ["succeeded", "failed", "canceled"];

// A browser opens six connections to a host, and an open stream holds one for as long as its job runs.
const MOST_STREAMS = 3;
const POLL = 1500; // milliseconds, for the jobs beyond
let streams = 0;

// Follow a job to its end, or until `signal` gives it up (an AbortError); it is read anew whenever its state changes.
export async function watch(job, onChange = () => {}, signal = undefined) {
  while (!ENDED.includes(job.status)) job = await (streams < MOST_STREAMS ? streamed : polled)(job, onChange, signal);
  return job;
}

async function streamed(job, onChange, signal) {
  streams += 1;
  try {
    for await (const { name, data } of eventsOf(job.id, signal)) {
      if (name === "progress") onChange({ ...job, status: "running", ...data });
      if (name !== "status") continue;
      job = await read(job, onChange, signal);
      if (ENDED.includes(job.status)) return job;
    }
  } finally {
    streams -= 1;
  }
  return read(job, onChange, signal);
}

async function polled(job, onChange, signal) {
  await pause(POLL);
  return read(job, onChange, signal);
}

async function read({ id }, onChange, signal) {
  for (;;) {
    try {
      const job = await json(`/jobs/${id}`, { signal });
      onChange(job);
      return job;
    } catch (problem) {
      signal?.throwIfAborted();
      if (!isAway(problem)) throw problem;
    }
    await pause(POLL);
  }
}

// A job's result once it has ended well; its own problem where it has not.
export async function finished(job, onChange, signal) {
  job = await watch(job, onChange, signal);
  if (job.status === "failed") throw new Problem(job.error);
  if (job.status === "canceled") throw new Problem({ title: CANCELED, detail: "This job was canceled." });
  return job;
}
