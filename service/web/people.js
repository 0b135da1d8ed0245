// New identities from the prior; each may become a source like any clip.

import { json, post } from "./api.js";
import { arraysOf } from "./codes.js";
import { downloads, drawn } from "./downloads.js";
import { button, element, problemNote } from "./elements.js";
import { remember, rememberPlace } from "./memory.js";
import { drawFrame, frameCanvas, player } from "./pictures.js";
import { run } from "./progress.js";
import { note } from "./route.js";
import { finished } from "./watching.js";

const AT_ONCE = 4, FRAMES = 40, RATE = 12.5; // frames a second, as in the files

const nameOfSeed = (seed) => `identity of seed ${seed}`;

export async function people(place, { model, params, signal, onLeave, onSource }) {
  let next = 1, clocks = [];
  const outcome = element("div", { class: "outcome" }), shown = element("div", { class: "people" });
  const stop = () => {
    clocks.forEach((clock) => clock.stop());
    clocks = [];
  };
  // A job each, so that each has a clip of its own.
  const showing = async (seeds, getJob) => {
    draw.disabled = true;
    stop();
    shown.replaceChildren(element("p", { class: "told", role: "status" }, "drawing …"));
    try {
      const jobs = await Promise.all(seeds.map(async (seed, at) => finished(await getJob(seed, at), undefined, signal)));
      const arrays = await Promise.all(jobs.map(arraysOf));
      if (!shown.isConnected) return;
      note({ model: model.name, people: jobs.map(({ id }) => id).join(","), seeds: seeds.join(",") });
      jobs.forEach((job, at) => {
        remember(job, nameOfSeed(seeds[at]));
        rememberPlace(job);
      });
      const cards = jobs.map((job, at) => person(job, arrays[at].frames, seeds[at]));
      clocks = cards.map((card) => card.clock);
      shown.replaceChildren(...cards.map((card) => card.element));
      clocks.forEach((clock) => clock.start());
      next = Math.max(...seeds) + 1;
      draw.textContent = "Draw four others";
    } catch (problem) {
      shown.replaceChildren(problemNote(problem));
    }
    draw.disabled = false;
  };
  const draw = button("Draw four", () => showing([...Array(AT_ONCE).keys()].map((at) => next + at), async (seed) =>
    (await post("/sample", { model: model.name, seed, identities: 1, frames: FRAMES })).json()), { class: "primary" });

  const person = (job, frames, seed) => {
    const [length, height, width] = frames.shape.slice(-4), name = nameOfSeed(seed);
    const canvas = frameCanvas(height, width, { "aria-label": name });
    const clock = player(length, RATE, (frame) => drawFrame(canvas, frames, frame));
    const use = button("Use as a source", async () => {
      use.disabled = true;
      try {
        const form = new FormData();
        form.append("model", model.name);
        form.append("video", await (await drawn(job.results["video/mp4"])).blob(), `seed_${seed}.mp4`);
        const encoded = await run(outcome, name, "/encode", form, signal);
        if (encoded && place.isConnected) onSource(encoded);
      } catch (problem) {
        outcome.replaceChildren(problemNote(problem));
      }
      use.disabled = false;
    });
    return { clock, element: element("div", { class: "person" }, canvas, element("span", { class: "name" }, `seed ${seed}`), use,
      element("details", {}, element("summary", {}, "Files"), element("div", { class: "buttons" }, downloads(job, name)))) };
  };
  place.append(element("section", { class: "card", "aria-labelledby": "people" },
    element("div", { class: "head" }, element("h2", { id: "people" }, "Who never was"), draw),
    element("p", { class: "hint" }, "Identities and motions that the model makes up. Used as a source, one is encoded like any clip."),
    shown, outcome));
  onLeave(stop);
  const ids = (params.people || "").split(",").filter(Boolean).slice(0, AT_ONCE), seeds = (params.seeds || "").split(",").map(Number);
  if (ids.length) await showing(ids.map((_, at) => seeds[at] ?? at + 1), (_, at) => json(`/jobs/${ids[at]}`));
}
