// New identities from the prior; each may become a source like any clip.

import { ask, finished, post } from "./api.js";
import { arraysOf } from "./codes.js";
import { button, downloads, element, problemNote } from "./elements.js";
import { remember } from "./memory.js";
import { drawFrame, frameCanvas, player } from "./pictures.js";
import { run } from "./progress.js";

const AT_ONCE = 4, FRAMES = 40;

export function people(place, { model, onLeave, onSource }) {
  let seed = 1, clocks = [];
  const outcome = element("div", { class: "outcome" }), shown = element("div", { class: "people" });
  const draw = button("Draw four", async () => {
    draw.disabled = true;
    clocks.forEach((clock) => clock.stop());
    clocks = [];
    shown.replaceChildren(element("p", { class: "told", role: "status" }, "drawing …"));
    const seeds = [...Array(AT_ONCE).keys()].map((at) => seed + at);
    try {
      // A job each, so that each has a clip of its own.
      const jobs = await Promise.all(seeds.map(async (one) =>
        finished(await (await post("/sample", { model: model.name, seed: one, identities: 1, frames: FRAMES })).json())));
      const arrays = await Promise.all(jobs.map(arraysOf));
      jobs.forEach((job, at) => remember(job, `identity of seed ${seeds[at]}`));
      const cards = jobs.map((job, at) => person(job, arrays[at].frames, seeds[at]));
      clocks = cards.map((card) => card.clock);
      shown.replaceChildren(...cards.map((card) => card.element));
      clocks.forEach((clock) => clock.start());
      seed += AT_ONCE;
      draw.textContent = "Draw four others";
    } catch (problem) {
      shown.replaceChildren(problemNote(problem));
    }
    draw.disabled = false;
  }, { class: "primary" });

  const person = (job, frames, number) => {
    const [length, height, width] = frames.shape.slice(-4), name = `identity of seed ${number}`;
    const canvas = frameCanvas(height, width, { "aria-label": name });
    const clock = player(length, 12.5, (frame) => drawFrame(canvas, frames, frame));
    const use = button("Use as a source", async () => {
      use.disabled = true;
      const form = new FormData();
      form.append("model", model.name);
      form.append("video", await (await ask(job.results["video/mp4"])).blob(), `seed_${number}.mp4`);
      const encoded = await run(outcome, name, "/encode", form);
      use.disabled = false;
      if (encoded && place.isConnected) onSource(encoded);
    });
    return { clock, element: element("div", { class: "person" }, canvas, element("span", { class: "name" }, `seed ${number}`), use,
      element("details", {}, element("summary", {}, "Files"), element("div", { class: "buttons" }, downloads(job, name)))) };
  };
  place.append(element("section", { class: "card", "aria-labelledby": "people" },
    element("div", { class: "head" }, element("h2", { id: "people" }, "Who never was"), draw),
    element("p", { class: "hint" }, "Identities and motions that the model makes up. Used as a source, one is encoded like any clip."),
    shown, outcome));
  onLeave(() => clocks.forEach((clock) => clock.stop()));
}
