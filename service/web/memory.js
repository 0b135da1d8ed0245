// What this browser remembers: what its jobs are about, since the server keeps no names of files.

const KEY = "twofold.jobs", MOST = 200;

function all() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || {};
  } catch {
    return {};
  }
}

export function remember(job, name) {
  const kept = { [job.id]: { name, kind: job.kind, model: job.model }, ...all() };
  kept[job.id] = { name, kind: job.kind, model: job.model };
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(Object.entries(kept).slice(0, MOST))));
  } catch { /* a browser that keeps nothing still works */ }
}

export const nameOf = (job) => all()[job.id]?.name || `${job.kind} ${job.id.slice(0, 6)}`;
