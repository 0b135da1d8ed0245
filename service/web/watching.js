// Jobs followed to their end, by their events.

import { CANCELED, json, Problem } from "./api.js";
import { eventsOf, pause } from "./events.js";

export const ENDED = ["succeeded", "failed", "canceled"];

// A browser opens six connections to a host, and an open stream holds one for as long as its job runs.
const MOST_STREAMS = 3;
const POLL = 1500; // milliseconds, for the jobs beyond
let streams = 0;

// Follow a job to its end; it is read anew whenever its state changes.
export async function watch(job, onChange = () => {}) {
  while (!ENDED.includes(job.status)) job = await (streams < MOST_STREAMS ? streamed : polled)(job, onChange);
  return job;
}

async function streamed(job, onChange) {
  streams += 1;
  try {
    for await (const { name, data } of eventsOf(job.id)) {
      if (name === "progress") onChange({ ...job, status: "running", ...data });
      if (name !== "status") continue;
      job = await read(job, onChange);
      if (ENDED.includes(job.status)) return job;
    }
  } finally {
    streams -= 1;
  }
  return read(job, onChange);
}

async function polled(job, onChange) {
  await pause(POLL);
  return read(job, onChange);
}

async function read({ id }, onChange) {
  for (;;) {
    try {
      const job = await json(`/jobs/${id}`);
      onChange(job);
      return job;
    } catch (problem) {
      if (problem.status) throw problem; // without a status the server is away for a moment: ask again
    }
    await pause(POLL);
  }
}

// A job's result once it has ended well; its own problem where it has not.
export async function finished(job, onChange) {
  job = await watch(job, onChange);
  if (job.status === "failed") throw new Problem(job.error);
  if (job.status === "canceled") throw new Problem({ title: CANCELED, detail: "This job was canceled." });
  return job;
}
