// The caller's jobs, newest first.

import { json } from "./api.js";

const PAGES = 4;

export async function myJobs() {
  const found = [];
  for (let page = 0, cursor = ""; page < PAGES && cursor !== null; page += 1) {
    const answer = await json(`/jobs${cursor && `?cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...answer.jobs);
    cursor = answer.cursor ?? null;
  }
  return found;
}

export async function myEncodes(model) {
  return (await myJobs()).filter((job) => job.kind === "encode" && job.status === "succeeded" && job.model === model);
}
