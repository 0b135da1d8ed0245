// The caller's jobs: as the server lists them, or, where it does not, those that this browser made.

import { json } from "./api.js";
import { forget, remembered } from "./memory.js";

const MOST = 40;

export async function myJobs() {
  try {
    const { jobs } = await json("/jobs");
    return jobs;
  } catch (problem) {
    if (problem.status !== 404 && problem.status !== 405) throw problem;
  }
  const found = await Promise.all(remembered().slice(0, MOST).map(look));
  return found.filter(Boolean).sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
}

async function look(id) {
  try {
    return await json(`/jobs/${id}`);
  } catch (problem) {
    if (problem.status === 404) forget(id); // of another server that this address had
    return problem.status === 410 ? { id, status: "expired", kind: "", created: 0, results: {} } : null;
  }
}

export async function myEncodes(model) {
  return (await myJobs()).filter((job) => job.kind === "encode" && job.status === "succeeded" && job.model === model);
}
