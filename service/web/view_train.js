// Train: clips of the person become a model of their own; how it learns is shown while it does.

import { CANCELED, json, post, Problem, upload } from "./api.js";
import { downloads } from "./downloads.js";
import { button, element, emptyNote, labelled, problemNote, select } from "./elements.js";
import { learningCurve, lookOf } from "./learning_curve.js";
import { nameOf, remember } from "./memory.js";
import { stageOf } from "./progress.js";
import { drawn } from "./result_dialog.js";
import { address, go } from "./route.js";
import { ENDED, watch } from "./watching.js";

export const title = "Train";

const LONG = 120; // frames that a clip needs which is the only one, so that some of them can be held out

export async function show(place, params) {
  if (params.job) return follow(place, await json(`/jobs/${params.job}`));
  const { workers } = await json("/readyz");
  if (!workers.training) return void place.append(emptyNote("This server learns no models: its operator turns that on with TWOFOLD_TRAINING=true."));
  place.append(element("h1", {}, "A model of your own clips"),
    element("p", { class: "hint" }, "Give it clips of one kind: people who sign, faces that talk, puppets. It learns what stays the same within a clip and what moves. ",
      "A few clips make a model of those few; many make one that knows strangers."));
  form(place);
}

function form(place) {
  const chosen = [], list = element("ul", { class: "chosen" });
  const input = element("input", { type: "file", multiple: true, accept: "video/*,image/gif,image/webp,.mkv,.avi", "aria-label": "Videos to learn from" });
  const name = element("input", { maxLength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", required: true, placeholder: "mine", autocomplete: "off", spellcheck: false });
  const family = select([["vae", "unordered VAE"], ["drnet", "DrNET"]], "vae", () => {});
  const crop = select([["center", "centred square"], ["face", "follow the face"]], "center", () => {});
  const minutes = element("input", { type: "number", min: 0.1, step: "any", value: "15", required: true });
  const begin = element("button", { class: "primary" }, "Learn");
  const told = element("p", { class: "told", role: "status" });
  const outcome = element("div", { class: "outcome" });

  const count = () => {
    begin.disabled = !chosen.length;
    told.textContent = [
      "some clips, or one long one: a part is held out, to see how well it knows what it has not seen",
      `one clip: it needs ${LONG} frames or more, so that some of them can be held out`,
    ][chosen.length] ?? `${chosen.length} clips`;
  };
  const add = (files) => {
    for (const file of files) {
      const row = element("li", {}, element("span", {}, file.name), button("Remove", () => {
        chosen.splice(chosen.findIndex((one) => one.row === row), 1);
        row.remove();
        count();
      }, { "aria-label": `Remove ${file.name}` }));
      chosen.push({ file, row });
      list.append(row);
    }
    count();
  };
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  const drop = element("label", { class: "drop" }, input,
    element("span", { class: "drop-text" }, element("b", {}, "Drop videos"), element("span", {}, "or choose files, as many as you have")));
  for (const event of ["dragover", "dragleave", "drop"]) drop.addEventListener(event, () => drop.classList.toggle("over", event === "dragover"));

  const send = async (event) => {
    event.preventDefault();
    begin.disabled = true;
    outcome.replaceChildren();
    try {
      const clips = [];
      for (const [at, { file }] of chosen.entries()) clips.push(await sent(file, at, chosen.length, told));
      const said = { name: name.value.trim(), clips: [...new Set(clips)], family: family.value, crop: crop.value, minutes: Number(minutes.value) };
      const job = await (await post("/train", said)).json();
      remember(job, said.name);
      if (place.isConnected) go("train", { job: job.id });
    } catch (problem) {
      outcome.replaceChildren(problemNote(problem));
      count();
      if (!(problem instanceof Problem)) throw problem;
    }
  };
  count();
  place.append(element("form", { class: "card", onsubmit: send }, drop, list,
    element("div", { class: "row" }, labelled("Its name", name), labelled("Kind of model", family), labelled("Crop", crop), labelled("About how many minutes", minutes)),
    element("div", { class: "buttons" }, begin, told)), outcome);
}

async function sent(file, at, count, told) {
  const body = new FormData();
  body.append("video", file, file.name);
  const clip = await upload("/clips", body, (share) => {
    told.textContent = `sending ${file.name} (${at + 1} of ${count}) – ${Math.round(100 * share)} %`;
  });
  return clip.id;
}

// A training on its way, and what came of it.
function follow(place, job) {
  const looks = [], curve = learningCurve(), stage = element("span", { class: "stage", role: "status" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "progress of the training" });
  const stop = button("Stop here, and keep what it has learnt", () => {
    stop.disabled = true;
    json(`/jobs/${job.id}`, { method: "DELETE" }).catch(() => { /* it has ended meanwhile */ });
  });
  const outcome = element("div", { class: "outcome" });
  const leaving = new AbortController(), { signal } = leaving;
  place.append(element("h1", {}, nameOf(job).startsWith("train ") ? job.model : nameOf(job)),
    element("section", { class: "card", "aria-label": "How it learns" }, element("div", { class: "job-head" }, stage, stop), bar, curve.place), outcome);
  const draw = (now) => {
    stage.textContent = stageOf(now);
    bar.value = now.progress ?? 0;
    bar.hidden = stop.hidden = ENDED.includes(now.status);
    if (now.picture) curve.show(now.picture);
    const look = lookOf(now.stage);
    if (look && look.step !== looks.at(-1)?.step) {
      looks.push(look);
      curve.draw(looks);
    }
  };
  draw(job);
  watch(job, draw, signal).then((ended) => came(ended, outcome, looks, curve)).catch((problem) => signal.aborted || outcome.append(problemNote(problem)));
  return () => leaving.abort();
}

async function came(job, outcome, looks, curve) {
  if (job.status === "failed") return void outcome.append(problemNote(new Problem(job.error)));
  // The models that the page knows are those of when it was opened.
  const use = element("a", { class: "button primary", href: address("start", { model: job.model }), onclick: (event) => {
    event.preventDefault();
    location.assign(address("start", { model: job.model }));
    location.reload();
  } }, `Use ${job.model}`);
  if (job.status === "canceled") {
    return void outcome.append(element("div", { class: "card" }, element("p", {}, `${CANCELED}. What it had learnt by then is a model, unless it had hardly begun.`),
      element("div", { class: "buttons" }, use)));
  }
  const said = await json(job.results["application/json"]);
  if (said.curve.length >= looks.length) curve.draw(said.curve);
  const picture = element("div", { class: "scroll" });
  outcome.append(element("section", { class: "card", "aria-labelledby": "made" }, element("h2", { id: "made" }, "What it makes of clips it has not seen"), picture,
    element("ul", { class: "hint" }, said.found.map((line) => element("li", {}, line))),
    element("div", { class: "buttons" }, use, downloads(job, job.model))));
  picture.append(await drawn(job, "held-out clips, redrawn, and others doing what they do"));
}
