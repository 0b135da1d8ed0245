// Which clip a view is about: those of mine that the model has encoded.

import { element, emptyNote, labelled, select } from "./elements.js";
import { nameOf } from "./memory.js";
import { myEncodes } from "./mine.js";
import { address } from "./route.js";

export async function clipPicker(model, chosen, onchange, first = []) {
  const encodes = await myEncodes(model);
  const options = [...first, ...encodes.map((job) => [job.id, nameOf(job)])];
  if (chosen && !options.some(([id]) => id === chosen)) options.push([chosen, `clip ${chosen.slice(0, 6)}`]);
  return { encodes, control: labelled("Clip", select(options, chosen ?? options[0]?.[0], onchange)) };
}

export const noClips = () => emptyNote("No clip of this model has been encoded yet.",
  element("a", { class: "button primary", href: address("start") }, "Choose a clip"));
