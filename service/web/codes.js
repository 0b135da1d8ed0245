// The arrays of finished jobs: read once a job, kept while the page is open.

import { ask, json } from "./api.js";
import { readNpz } from "./npz.js";
import { finished } from "./watching.js";

const kept = new Map(), MOST = 24;

function once(id, read) {
  if (!kept.has(id)) {
    const reading = read();
    kept.set(id, reading);
    reading.catch(() => kept.delete(id));
    if (kept.size > MOST) kept.delete(kept.keys().next().value);
  }
  return kept.get(id);
}

const result = (job, format) => ask(`/jobs/${job.id}/result?format=${format}`);

export const arraysOf = (job) => once(job.id, async () => readNpz(await (await result(job, "npz")).arrayBuffer()));

const NPZ = "application/x-npz";

// Ask for something that takes a moment, and wait for its arrays, however long it takes.
export async function askArrays(path, { headers = {}, ...options } = {}) {
  const answer = await ask(path, { ...options, headers: { Accept: NPZ, Prefer: "wait=30", ...headers } });
  if (answer.headers.get("Content-Type") === NPZ) return readNpz(await answer.arrayBuffer());
  return arraysOf(await finished(await answer.json(), undefined, options.signal));
}

export const postArrays = (path, body, signal) => askArrays(path, {
  method: "POST", body: JSON.stringify(body), signal, headers: { "Content-Type": "application/json" },
});

// Everything about an encode: { job, codes (its JSON), frames, reconstruction, order (dimensions, the liveliest first) }.
export function clipOf(id) {
  return once(`clip ${id}`, async () => {
    const job = await finished(await json(`/jobs/${id}`));
    const [codes, arrays] = await Promise.all([(await result(job, "json")).json(), arraysOf(job)]);
    return { job, codes, frames: arrays.frames, reconstruction: arrays.reconstruction, order: activity(codes.dynamic) };
  });
}

const width = (values) => Math.max(...values) - Math.min(...values);

// Dimensions, the liveliest first: by how far they go.
export function activity(dynamic) {
  const ranges = dynamic[0].map((_, dim) => width(dynamic.map((code) => code[dim])));
  return ranges.map((range, dim) => [range, dim]).sort((a, b) => b[0] - a[0]).map(([, dim]) => dim);
}
