// The caller's jobs, newest first; without what a drag over the plane asks for by the dozen.

import { json } from "./api.js";

const KINDS = ["encode", "swap", "predict", "interpolate", "sample", "train"];

const listed = async (wanted) => (await json(`/jobs?${new URLSearchParams(wanted)}`)).jobs;

export async function myJobs() {
  const found = await Promise.all(KINDS.map((kind) => listed({ kind })));
  return found.flat().sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
}

export async function myEncodes(model) {
  return (await listed({ kind: "encode", status: "succeeded" })).filter((job) => job.model === model);
}
