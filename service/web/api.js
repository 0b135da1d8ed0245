// What the page asks of the server: requests whose refusals are problems, uploads with progress, jobs that are watched.

export const ENDED = ["succeeded", "failed", "canceled"];

export class Problem extends Error {
  constructor(members) {
    super(members.detail || members.title || "the server gave no reason");
    this.title = members.title || "Something went wrong";
    this.status = members.status || 0;
  }
}

const unreachable = () => new Problem({ title: "No answer", detail: "The server cannot be reached. Is it still running?" });

function problemOf(status, type, text) {
  if ((type || "").startsWith("application/problem+json")) return new Problem(JSON.parse(text));
  return new Problem({ title: "Unexpected answer", detail: `HTTP ${status}`, status });
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (!answer.ok) throw problemOf(answer.status, answer.headers.get("Content-Type"), await answer.text());
  return answer;
}

export const json = async (path, options) => (await ask(path, options)).json();

export const post = (path, body, headers = {}, signal = undefined) => ask(path, {
  method: "POST", signal, body: body instanceof FormData ? body : JSON.stringify(body),
  headers: body instanceof FormData ? headers : { "Content-Type": "application/json", ...headers },
});

// fetch cannot say how much of a body it has sent; this can. `signal` gives the upload up.
export function upload(path, form, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new Problem({ title: "Canceled", detail: "The upload was given up." }));
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.getResponseHeader("Content-Type"), request.responseText));
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

// A browser opens six connections to a host, and an open stream holds one for as long as its job runs.
const MOST_STREAMS = 3;
const POLL = 1500; // milliseconds, for the jobs beyond
let streams = 0;

// Follow a job to its end. The stream resumes by itself after a break; the job is read anew whenever its state changes.
export function watch(job, onChange = () => {}) {
  if (ENDED.includes(job.status)) return Promise.resolve(job);
  const streaming = streams < MOST_STREAMS;
  streams += streaming;
  return new Promise((resolve, reject) => {
    const events = streaming ? new EventSource(`/jobs/${job.id}/events`) : null;
    const timer = streaming ? 0 : setInterval(() => look(), POLL);
    let ended = false;
    const end = (settle, value) => {
      if (ended) return;
      ended = true;
      events?.close();
      clearInterval(timer);
      streams -= streaming;
      settle(value);
    };
    const look = async () => {
      try {
        job = await json(`/jobs/${job.id}`);
      } catch (problem) {
        if (problem.status) end(reject, problem); // without a status the server is away for a moment: ask again
        return;
      }
      if (ended) return;
      onChange(job);
      if (ENDED.includes(job.status)) end(resolve, job);
    };
    if (!streaming) return;
    events.addEventListener("status", look);
    events.addEventListener("progress", (event) => onChange({ ...job, status: "running", ...JSON.parse(event.data) }));
    events.onerror = () => events.readyState === EventSource.CLOSED && look();
  });
}

// A job's result once it has ended well; its own problem where it has not.
export async function finished(job, onChange) {
  job = await watch(job, onChange);
  if (job.status === "failed") throw new Problem(job.error);
  if (job.status === "canceled") throw new Problem({ title: "Canceled", detail: "This job was canceled." });
  return job;
}
