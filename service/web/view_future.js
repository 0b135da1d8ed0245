// What might come next, what lies between, and who never was.

import { clipOf } from "./codes.js";
import { clipPicker, noClips } from "./clip_picker.js";
import { element } from "./elements.js";
import { between } from "./between.js";
import { futures } from "./futures.js";
import { people } from "./people.js";
import { go, note } from "./route.js";

export const title = "Future";

export async function show(place, params, model) {
  const picker = await clipPicker(model.name, params.job, (job) => go("future", { model: model.name, job }));
  const id = params.job || picker.encodes[0]?.id, leaving = new AbortController(), { signal } = leaving;
  const onLeave = (what) => signal.addEventListener("abort", what);
  place.append(element("div", { class: "head" }, element("h1", {}, "What comes next, and what lies between"),
    id ? picker.control : null));
  if (id && place.isConnected) {
    note({ model: model.name, job: id });
    const clip = await clipOf(id);
    await futures(place, { clip, model, params, signal, onLeave });
    await between(place, { clip, encodes: picker.encodes, model, params, signal, onLeave });
  }
  if (!id && !model.draws_identities) place.append(noClips());
  if (model.draws_identities) await people(place, { model, params, signal, onLeave, onSource: (job) => go("clip", { model: model.name, job: job.id }) });
  return () => leaving.abort();
}
