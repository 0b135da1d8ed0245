// The path between two frames, of one clip or of two: of the motion, of the identity, or of both.

import { clipOf, postArrays } from "./codes.js";
import { button, element, labelled, problemNote, select } from "./elements.js";
import { nameOf } from "./memory.js";
import { drawFrame, frameCanvas, still } from "./pictures.js";
import { extremes } from "./timeline.js";

const STEPS = 9;

export async function between(place, { clip, encodes, model }) {
  const ends = await Promise.all([0, 1].map(() => endChooser(clip, encodes)));
  // Somewhere to begin: from the lowest to the highest moment of the liveliest dimension.
  extremes(clip.codes.dynamic, clip.order.slice(0, 1)).forEach(({ frame }, at) => ends[at].choose(frame));
  let part = "dynamic";
  const outcome = element("div", { class: "outcome" });
  const walk = async () => {
    outcome.replaceChildren(element("p", { class: "told", role: "status" }, "walking …"));
    try {
      const { frames } = await postArrays("/interpolate", { model: model.name, steps: STEPS, part,
        ends: ends.map((end) => ({ job: end.job, frame: end.frame })) });
      outcome.replaceChildren(pathOf(frames));
    } catch (problem) {
      outcome.replaceChildren(problemNote(problem));
    }
  };
  place.append(element("section", { class: "card", "aria-labelledby": "between" },
    element("h2", { id: "between" }, "In between"),
    element("div", { class: "ends" }, ends[0].element, element("span", { class: "arrow", "aria-hidden": "true" }, "→"), ends[1].element),
    element("div", { class: "buttons" },
      labelled("What goes from one to the other", select([["dynamic", "the motion"], ["static", "the identity"], ["both", "both"]], part, (next) => { part = next; })),
      button("Interpolate", walk, { class: "primary" })),
    outcome));
}

async function endChooser(first, encodes) {
  let clip = first;
  const picture = still(clip.frames, 0, "the chosen frame");
  const moment = element("input", { type: "range", min: "0", max: String(clip.codes.frames - 1), value: "0" });
  const show = () => drawFrame(picture, clip.frames, Number(moment.value));
  moment.oninput = show;
  const offered = encodes.some((job) => job.id === clip.job.id) ? encodes : [clip.job, ...encodes];
  const chooser = select(offered.map((job) => [job.id, nameOf(job)]), clip.job.id, async (id) => {
    clip = await clipOf(id);
    moment.max = String(clip.codes.frames - 1);
    show();
  });
  return {
    element: element("div", { class: "end" }, picture, labelled("Clip", chooser), labelled("Frame", moment)),
    choose(frame) { moment.value = String(frame); show(); },
    get job() { return clip.job.id; },
    get frame() { return Number(moment.value); },
  };
}

// All steps in a row, and one large that follows a slider.
function pathOf(frames) {
  const [count, height, width] = frames.shape.slice(-4), large = frameCanvas(height, width, { "aria-label": "the step chosen", class: "frame large" });
  const steps = [...Array(count).keys()].map((at) => still(frames, at, `step ${at + 1} of ${count}`));
  const slider = element("input", { type: "range", min: "0", max: String(count - 1), value: "0", "aria-label": "Step" });
  const show = (at) => {
    drawFrame(large, frames, at);
    steps.forEach((canvas, one) => canvas.classList.toggle("here", one === at));
  };
  slider.oninput = () => show(Number(slider.value));
  steps.forEach((canvas, at) => canvas.addEventListener("pointerenter", () => { slider.value = String(at); show(at); }));
  show(0);
  return element("div", { class: "walked" }, large, element("div", { class: "fields" }, element("div", { class: "steps" }, steps), slider));
}
