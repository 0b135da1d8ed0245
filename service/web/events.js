// A job's events as they come. EventSource can send no key, so they are read by fetch; after a break the stream is asked
// for again, from the last event that was seen.

import { ask, isAway } from "./api.js";

const RETRY = 1000; // milliseconds

// No signal ends it early: whoever has given up is told so by the next request.
export const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

// Yields { id, name, data } until the server has no more; throws an AbortError once `signal` gives it up.
export async function* eventsOf(job, signal) {
  let last = null;
  for (;;) {
    try {
      const answer = await ask(`/jobs/${job}/events`, { signal, headers: { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) } });
      if (answer.status === 204) return;
      for await (const event of parsed(answer.body)) {
        last = event.id ?? last;
        yield event;
      }
    } catch (problem) {
      signal?.throwIfAborted();
      if (!isAway(problem)) throw problem;
    }
    await pause(RETRY);
  }
}

async function* parsed(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (waiting + value).split("\n\n");
      waiting = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
        if (fields.event) yield { id: fields.id, name: fields.event, data: JSON.parse(fields.data) };
      }
    }
  } finally {
    reader.cancel().catch(() => { /* it is closed already */ }); // whoever stops listening frees the connection
  }
}
