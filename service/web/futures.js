// Predictions from a moment of the clip: several futures side by side, moving in step, the observed part marked.

import { json } from "./api.js";
import { arraysOf } from "./codes.js";
import { downloads } from "./downloads.js";
import { button, element, labelled, problemNote, select, svg } from "./elements.js";
import { nameOf, rememberPlace } from "./memory.js";
import { drawFrame, frameCanvas, playButton, player, showPlaying, still } from "./pictures.js";
import { run } from "./progress.js";
import { note } from "./route.js";
import { finished } from "./watching.js";

const FEWEST = 2, OBSERVED = 10;
const AHEAD = [10, 20, 40, 80, 160], SAMPLES = [[1, "the likeliest"], [2, "2 samples"], [4, "4 samples"], [8, "8 samples"]];

const oneOf = (allowed, said, usual) => allowed.includes(Number(said)) ? Number(said) : usual;

export async function futures(place, { clip, model, params, signal, onLeave }) {
  const section = element("section", { class: "card", "aria-labelledby": "futures" }, element("h2", { id: "futures" }, "Its futures"));
  place.append(section);
  if (!model.motion) return void section.append(element("p", {}, `${model.name} has learnt no motion, so it predicts nothing.`));
  const frames = clip.codes.frames;
  if (frames < FEWEST) return void section.append(element("p", {}, "One frame has no motion to go on from."));

  let observe = Math.max(FEWEST, Math.min(frames, Number(params.observe) || OBSERVED)), clock = null;
  let ahead = oneOf(AHEAD, params.ahead, 40), samples = oneOf(SAMPLES.map(([many]) => many), params.samples, 4);
  const outcome = element("div", { class: "outcome" }), last = still(clip.frames, observe - 1, "the last frame that is observed");
  const told = element("output", { class: "when" });
  const moment = element("input", { type: "range", min: String(FEWEST), max: String(frames), value: String(observe) });
  const showMoment = () => {
    drawFrame(last, clip.frames, observe - 1);
    told.textContent = `${observe} of ${frames} frames observed`;
  };
  moment.oninput = () => { observe = Number(moment.value); showMoment(); };
  moment.onchange = () => note({ observe });
  const predict = async () => {
    const form = new FormData();
    for (const [field, value] of Object.entries({ model: model.name, job: clip.job.id, observe, frames: ahead, samples })) form.append(field, value);
    const job = await run(outcome, `futures of ${nameOf(clip.job)}`, "/predict", form, signal);
    if (job && section.isConnected) await showFutures(job);
  };
  const showFutures = async (job) => {
    const arrays = await arraysOf(job);
    if (!section.isConnected) return;
    clock?.stop();
    const made = sheet(job, arrays, clip);
    clock = made.clock;
    outcome.replaceChildren(made.card);
    note({ predict: job.id, observe, ahead, samples });
    rememberPlace(job);
    clock.start();
  };
  section.append(
    element("div", { class: "asking" }, last,
      element("div", { class: "fields" }, labelled("Go on from", moment), told,
        element("div", { class: "row" },
          labelled("Frames ahead", select(AHEAD.map((one) => [one, one]), ahead, (next) => { ahead = Number(next); })),
          labelled("Futures", select(SAMPLES, samples, (next) => { samples = Number(next); })),
          button("Predict", predict, { class: "primary" })))),
    outcome);
  showMoment();
  onLeave(() => clock?.stop());
  if (params.predict) {
    try {
      await showFutures(await finished(await json(`/jobs/${params.predict}`), undefined, signal));
    } catch (problem) {
      outcome.replaceChildren(problemNote(problem));
    }
  }
}

function sheet(job, { frames, dynamic, observed }, clip) {
  const samples = frames.shape.length === 5 ? frames.shape[0] : 1, [length, height, width] = frames.shape.slice(-4);
  const seen = Number(observed.data[0]), play = playButton(() => clock, "Play the futures");
  const bar = element("div", { class: "observed-bar", "aria-hidden": "true" }, element("i", { class: "seen" }), element("i", { class: "now" }));
  bar.firstChild.style.width = `${seen / length * 100}%`;
  const state = element("output", { class: "when" });
  const truth = frameCanvas(height, width, { "aria-label": "what the clip did" });
  const shown = [...Array(samples).keys()].map((one) => frameCanvas(height, width, { "aria-label": `future ${one + 1}` }));
  const clock = player(length, clip.codes.fps, (frame) => {
    const now = frame < seen;
    shown.forEach((canvas, one) => drawFrame(canvas, frames, one * length + frame));
    drawFrame(truth, clip.frames, Math.min(frame, clip.codes.frames - 1));
    truth.classList.toggle("over", frame >= clip.codes.frames);
    card.classList.toggle("is-observed", now);
    state.textContent = now ? `observed: frame ${frame + 1} of ${seen}` : `predicted: ${frame - seen + 1} of ${length - seen}`;
    bar.lastChild.style.left = `${frame / (length - 1) * 100}%`;
  }, (playing) => showPlaying(play, playing));
  const card = element("div", { class: "futures" },
    element("div", { class: "strip" },
      element("figure", {}, truth, element("figcaption", {}, "The clip itself")),
      shown.map((canvas, one) => element("figure", { class: "imagined" }, canvas,
        element("figcaption", {}, samples === 1 ? "Likeliest future" : `Future ${one + 1}`)))),
    bar, element("div", { class: "transport" }, play, state), fan(dynamic, samples, length, seen, clip.order[0]),
    element("div", { class: "buttons" }, downloads(job, `futures of ${nameOf(clip.job)}`)));
  return { card, clock };
}

// The liveliest dimension of every future: one line until the observed part ends, then a fan.
function fan({ data, shape }, samples, length, seen, dim) {
  const depth = shape.at(-1), value = (one, frame) => data[(one * length + frame) * depth + dim];
  const all = [...Array(samples * length).keys()].map((at) => data[at * depth + dim]);
  const low = Math.min(...all), reach = Math.max(...all) - low || 1;
  const at = (one, frame) => `${(frame / (length - 1) * 1000).toFixed(1)},${(8 + (1 - (value(one, frame) - low) / reach) * 104).toFixed(1)}`;
  const drawing = svg("svg", { viewBox: "0 0 1000 120", preserveAspectRatio: "none", class: "fan", role: "img", "aria-label": `dimension ${dim} over time in each future` });
  const rest = (seen - 1) / (length - 1) * 1000;
  drawing.append(svg("rect", { class: "seen", x: 0, y: 0, width: rest, height: 120 }));
  for (let one = 0; one < samples; one += 1) {
    const points = [...Array(length).keys()].slice(seen - 1).map((frame) => at(one, frame));
    drawing.append(svg("polyline", { class: "curve", points: points.join(" "), "data-dim": dim % 8 }));
  }
  drawing.append(svg("polyline", { class: "curve", points: [...Array(seen).keys()].map((frame) => at(0, frame)).join(" "), "data-dim": dim % 8 }));
  return element("figure", { class: "fan-figure" }, drawing, element("figcaption", {}, `z${dim} over time; shaded: observed`));
}
