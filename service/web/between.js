// The path between two frames, of one clip or of two: of the motion, of the identity, or of both.

import { json, post } from "./api.js";
import { arraysOf, clipOf } from "./codes.js";
import { downloads } from "./downloads.js";
import { button, element, labelled, problemNote, select } from "./elements.js";
import { nameOf, remember, rememberPlace } from "./memory.js";
import { drawFrame, frameCanvas, playButton, player, showPlaying, still } from "./pictures.js";
import { note } from "./route.js";
import { extremes } from "./timeline.js";
import { finished } from "./watching.js";

const PARTS = [["dynamic", "the motion"], ["static", "the identity"], ["both", "both"]];
const STEPS = [9, 17, 33], SHOWN = 9, RATE = 12.5; // frames a second, as in the files

export async function between(place, { clip, encodes, model, params, signal, onLeave }) {
  const told = (params.ends || "").split(",").map((end) => end.split(":")).filter(([job, frame]) => job && frame);
  const ends = await Promise.all([0, 1].map((at) => endChooser(clip, encodes, told[at]?.[0])));
  // Somewhere to begin: from the lowest to the highest moment of the liveliest dimension.
  const moments = extremes(clip.codes.dynamic, clip.order.slice(0, 1)).map(({ frame }) => frame);
  ends.forEach((end, at) => end.choose(Number(told[at]?.[1] ?? moments[at] ?? 0)));
  let part = PARTS.some(([known]) => known === params.part) ? params.part : "dynamic";
  let steps = STEPS.includes(Number(params.steps)) ? Number(params.steps) : STEPS[0], clock = null;
  const outcome = element("div", { class: "outcome" });
  const showing = async (getJob) => {
    clock?.stop();
    outcome.replaceChildren(element("p", { class: "told", role: "status" }, "walking …"));
    try {
      const job = await finished(await getJob(), undefined, signal), { frames } = await arraysOf(job);
      const [first, second] = ends.map((end) => nameOf({ ...clip.job, id: end.job }));
      const name = first === second ? `path within ${first}` : `path from ${first} to ${second}`;
      const path = pathOf(job, frames, name);
      if (!outcome.isConnected) return;
      remember(job, name);
      note({ between: job.id, ends: ends.map((end) => `${end.job}:${end.frame}`).join(","), part, steps });
      rememberPlace(job);
      clock = path.clock;
      outcome.replaceChildren(path.element);
      clock.start();
    } catch (problem) {
      outcome.replaceChildren(problemNote(problem));
    }
  };
  const walk = () => showing(async () => (await post("/interpolate", { model: model.name, steps, part,
    ends: ends.map((end) => ({ job: end.job, frame: end.frame })) })).json());
  place.append(element("section", { class: "card", "aria-labelledby": "between" },
    element("h2", { id: "between" }, "In between"),
    element("div", { class: "ends" }, ends[0].element, element("span", { class: "arrow", "aria-hidden": "true" }, "→"), ends[1].element,
      element("div", { class: "fields" },
        labelled("What goes from one to the other", select(PARTS, part, (next) => { part = next; })),
        labelled("Pictures", select(STEPS.map((one) => [one, one]), steps, (next) => { steps = Number(next); })),
        button("Interpolate", walk, { class: "primary" }))),
    outcome));
  onLeave(() => clock?.stop());
  if (params.between) await showing(() => json(`/jobs/${params.between}`));
}

async function endChooser(first, encodes, said) {
  let clip = said ? await clipOf(said).catch(() => first) : first;
  const picture = still(clip.frames, 0, "the chosen frame");
  const moment = element("input", { type: "range", min: "0", max: String(clip.codes.frames - 1), value: "0" });
  const show = () => drawFrame(picture, clip.frames, Number(moment.value));
  moment.oninput = show;
  const others = [clip.job, first.job].filter((job, at, all) => all.findIndex(({ id }) => id === job.id) === at
    && !encodes.some(({ id }) => id === job.id));
  const chooser = select([...others, ...encodes].map((job) => [job.id, nameOf(job)]), clip.job.id, async (id) => {
    const read = await clipOf(id).catch((problem) => ({ problem }));
    if (chooser.value !== id) return; // another has been chosen meanwhile
    place.querySelector(".problem")?.remove();
    if (read.problem) {
      chooser.value = clip.job.id;
      return void place.append(problemNote(read.problem));
    }
    clip = read;
    moment.max = String(clip.codes.frames - 1);
    show();
  });
  const place = element("div", { class: "end" }, picture, labelled("Clip", chooser), labelled("Frame", moment));
  return {
    element: place,
    choose(frame) { moment.value = String(frame); show(); },
    get job() { return clip.job.id; },
    get frame() { return Number(moment.value); },
  };
}

// The path large, played to and fro by its slider, and some of its steps in a row.
function pathOf(job, frames, name) {
  const [count, height, width] = frames.shape.slice(-4), large = frameCanvas(height, width, { "aria-label": "the step chosen", class: "frame large" });
  const rowed = Math.min(count, SHOWN), places = [...Array(rowed).keys()].map((at) => Math.round(at / (rowed - 1) * (count - 1)));
  const row = places.map((at) => still(frames, at, `step ${at + 1} of ${count}`));
  const slider = element("input", { type: "range", min: "0", max: String(count - 1), value: "0", "aria-label": "Step" });
  const play = playButton(() => clock, "Play the path"), told = element("output", { class: "when" });
  const clock = player(count, RATE, (at) => {
    drawFrame(large, frames, at);
    slider.value = String(at);
    told.textContent = `step ${at + 1} of ${count}`;
    const nearest = places.reduce((best, step, one) => Math.abs(step - at) < Math.abs(places[best] - at) ? one : best, 0);
    row.forEach((canvas, one) => canvas.classList.toggle("here", one === nearest));
  }, (playing) => showPlaying(play, playing));
  const seek = (at) => { clock.stop(); clock.seek(at); };
  slider.oninput = () => seek(Number(slider.value));
  row.forEach((canvas, one) => canvas.addEventListener("pointerenter", () => seek(places[one])));
  return { clock, element: element("div", { class: "walked" }, large, element("div", { class: "fields" },
    element("div", { class: "steps" }, row), slider, element("div", { class: "transport" }, play, told),
    element("div", { class: "buttons" }, downloads(job, name)))) };
}
