// The caller's jobs, newest first; without what a drag over the plane asks for by the dozen.

import { json } from "./api.js";

const KINDS = ["encode", "swap", "predict", "interpolate", "sample", "train"];

const PAGES = 5; // of a hundred each; who has more of a kind finds the older ones by the API

async function listed(wanted) {
  const found = [];
  for (let page = 0, cursor = ""; page < PAGES && cursor !== null; page += 1) {
    const said = await json(`/jobs?${new URLSearchParams({ ...wanted, limit: 100, ...(cursor && { cursor }) })}`);
    found.push(...said.jobs);
    cursor = said.cursor;
  }
  return found;
}

export async function myJobs() {
  const found = await Promise.all(KINDS.map((kind) => listed({ kind })));
  return found.flat().sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
}

export async function myEncodes(model) {
  return (await listed({ kind: "encode", status: "succeeded" })).filter((job) => job.model === model);
}
