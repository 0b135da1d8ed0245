// What the page asks of the server: requests whose refusals are problems, uploads with progress, jobs that are watched.

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
  } catch {
    throw unreachable();
  }
  if (!answer.ok) throw problemOf(answer.status, answer.headers.get("Content-Type"), await answer.text());
  return answer;
}

export const json = async (path, options) => (await ask(path, options)).json();

// fetch cannot say how much of a body it has sent; this can.
export function upload(path, form, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    request.onerror = () => reject(unreachable());
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.getResponseHeader("Content-Type"), request.responseText));
    };
    request.send(form);
  });
}

// Follow a job to its end. The stream resumes by itself after a break; the job is read anew whenever its state changes.
export function watch(job, onChange) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/jobs/${job.id}/events`);
    const look = async () => {
      try {
        job = await json(`/jobs/${job.id}`);
      } catch (problem) {
        events.close();
        reject(problem);
        return;
      }
      onChange(job);
      if (["succeeded", "failed", "canceled"].includes(job.status)) {
        events.close();
        resolve(job);
      }
    };
    events.addEventListener("status", look);
    events.addEventListener("progress", (event) => onChange({ ...job, status: "running", ...JSON.parse(event.data) }));
    events.onerror = () => events.readyState === EventSource.CLOSED && look();
  });
}
