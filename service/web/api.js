// What the page asks of the server: requests whose refusals are problems, and uploads with progress.

import { bearer, heldKey } from "./key.js";
import { anotherKey } from "./key_entry.js";

export const CANCELED = "Canceled";

export class Problem extends Error {
  constructor(members) {
    super(members.detail || members.title || "the server gave no reason");
    this.title = members.title || "Something went wrong";
    this.status = members.status || 0;
  }
}

// Nobody answered, or what stands before the server did: it is away for a moment, and asking again helps.
export const isAway = ({ status }) => !status || [502, 503, 504].includes(status);

const unreachable = () => new Problem({ title: "No answer", detail: "The server cannot be reached. Is it still running?" });

function problemOf(status, type, text) {
  if ((type || "").startsWith("application/problem+json")) return new Problem(JSON.parse(text));
  return new Problem({ title: "Unexpected answer", detail: `HTTP ${status}`, status });
}

// With the key that is held; where none or a wrong one is, it waits for the person to give another.
export async function ask(path, { headers, ...options } = {}) {
  for (;;) {
    const key = heldKey();
    let answer;
    try {
      answer = await fetch(path, { ...options, headers: { ...headers, ...bearer(key) } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw unreachable();
    }
    if (answer.ok) return answer;
    const problem = problemOf(answer.status, answer.headers.get("Content-Type"), await answer.text());
    if (answer.status !== 401 || !await anotherKey(key)) throw problem;
  }
}

export const json = async (path, options) => (await ask(path, options)).json();

export const post = (path, body, headers = {}, signal = undefined) => ask(path, {
  method: "POST", signal, body: body instanceof FormData ? body : JSON.stringify(body),
  headers: body instanceof FormData ? headers : { "Content-Type": "application/json", ...headers },
});

// fetch cannot say how much of a body it has sent; this can. `signal` gives the upload up.
export async function upload(path, form, onSent, signal) {
  for (;;) {
    const key = heldKey();
    try {
      return await send(path, form, key, onSent, signal);
    } catch (problem) {
      // A refusal may cut off what is still being sent, which looks as if nobody were there: ask what it was.
      if (!problem.status && problem.title !== CANCELED) await ask("/models");
      else if (problem.status !== 401 || !await anotherKey(key)) throw problem;
      if (heldKey() === key) throw problem;
    }
  }
}

function send(path, form, key, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries({ Accept: "application/json", ...bearer(key) })) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new Problem({ title: CANCELED, detail: "The upload was given up." }));
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.getResponseHeader("Content-Type"), request.responseText));
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
