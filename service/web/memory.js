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
  keep(job, { name });
}

// Where its result is looked at: the address now shown.
export const rememberPlace = (job) => keep(job, { place: location.hash });

function keep(job, what) {
  const { [job.id]: known, ...others } = all();
  const kept = { [job.id]: { ...known, ...what }, ...others };
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(Object.entries(kept).slice(0, MOST))));
  } catch { /* a browser that keeps nothing still works */ }
}

export const nameOf = (job) => all()[job.id]?.name || `${job.kind} ${job.id.slice(0, 6)}`;

export const placeOf = (job) => all()[job.id]?.place;
