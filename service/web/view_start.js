// Start: choose a model, and give it a clip: a file, the camera, or one of the samples.

import { ask } from "./api.js";
import { askArrays } from "./codes.js";
import { calm, element, labelled, problemNote, select } from "./elements.js";
import { modelNamed, models, sizes, told } from "./models.js";
import { frameCanvas, stampFrame } from "./pictures.js";
import { run } from "./progress.js";
import { go, note } from "./route.js";
import { samplesFor } from "./samples.js";
import { webcam } from "./webcam.js";

export const title = "Start";

export function show(place, params, chosen) {
  let model = chosen;
  const leaving = new AbortController();
  const outcome = element("div", { class: "outcome" });
  const samples = element("div", { class: "samples" });
  const cut = cutFields();

  const encode = async (file, name = file.name) => {
    const form = new FormData(), asked = model.name;
    form.append("model", asked);
    for (const [field, value] of Object.entries(cut.values())) form.append(field, value);
    form.append("video", file, name);
    const job = await run(outcome, name, "/encode", form, leaving.signal);
    if (job && place.isConnected) go("clip", { model: asked, job: job.id });
  };
  const camera = webcam((file) => encode(file, file.name), (problem) => outcome.prepend(problemNote(problem)));
  const offerSamples = () => samples.replaceChildren(...samplesFor(model).map((one) => sampleButton(one, encode, outcome)));
  const choose = (one) => {
    model = one;
    note({ model: model.name });
    offerSamples();
    document.querySelectorAll("nav a").forEach((link) => { link.href = `#${link.dataset.view}?model=${model.name}`; });
  };

  offerSamples();
  place.append(
    element("div", { class: "hero" },
      element("h1", {}, "Who is shown, and how it moves: ", element("em", {}, "apart.")),
      element("p", {}, "Give a short video. Twofold finds one ", element("b", { class: "static" }, "static"),
        " code for the appearance and a small ", element("b", { class: "dynamic" }, "dynamic"),
        " code for every frame: motion as numbers, to look at, to swap and to continue.")),
    element("div", { class: "split" },
      element("section", { class: "card", "aria-labelledby": "give" },
        element("h2", { id: "give" }, "Give it a clip"),
        fileDrop(encode),
        element("div", { class: "buttons" },
          element("button", { type: "button", onclick: () => camera.open() }, "Use the webcam")),
        camera.place, cut.place,
        element("h3", {}, "Or try one it has never seen"),
        samples),
      element("fieldset", { class: "card models" }, element("legend", {}, "The model"),
        models.map((one) => modelCard(one, one.name === model.name, choose)), licences())),
    outcome);
  return () => { leaving.abort(); camera.stop(); };
}

function fileDrop(encode) {
  const input = element("input", { type: "file", accept: "video/*,image/gif,image/webp,image/png,image/jpeg,.mkv,.avi",
    "aria-label": "A video, GIF or picture" });
  const label = element("label", { class: "drop" }, input,
    element("span", { class: "drop-text" }, element("b", {}, "Drop a video, GIF or picture"), element("span", {}, "or choose a file")));
  input.addEventListener("change", () => {
    for (const file of input.files) encode(file);
    input.value = "";
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    label.addEventListener(name, () => label.classList.toggle("over", name === "dragover"));
  }
  return label;
}

function cutFields() {
  const start = element("input", { inputMode: "decimal", placeholder: "0" });
  const end = element("input", { inputMode: "decimal", placeholder: "end" });
  const stride = element("input", { inputMode: "numeric", placeholder: "1" });
  const crop = select([["center", "centred square"], ["face", "follow the face"], ["none", "none"]], "center", () => {});
  const place = element("details", {}, element("summary", {}, "Which part of it"),
    element("div", { class: "row" }, labelled("From (s)", start), labelled("To (s)", end),
      labelled("Every n-th frame", stride), labelled("Crop", crop)));
  const values = () => Object.fromEntries(Object.entries({ start: start.value, end: end.value, stride: stride.value,
    crop: crop.value }).filter(([, value]) => value.trim() !== ""));
  return { place, values };
}

function sampleButton(one, encode, outcome) {
  const video = element("video", { src: `/web/samples/${one.file}`, muted: true, loop: true, playsInline: true,
    autoplay: !calm(), preload: "auto", tabIndex: -1, "aria-hidden": "true" });
  return element("button", { type: "button", class: "sample", onclick: async () => {
    try {
      encode(await (await ask(`/web/samples/${one.file}`)).blob(), one.file);
    } catch (problem) {
      outcome.prepend(problemNote(problem));
    }
  } }, video, element("span", {}, one.name));
}

function modelCard(model, chosen, choose) {
  const radio = element("input", { type: "radio", name: "model", value: model.name, checked: chosen,
    onchange: () => choose(modelNamed(model.name)) });
  const picture = model.draws_identities ? frameCanvas(192, 192, { "aria-hidden": "true", class: "portrait" })
    : element("span", { "aria-hidden": "true", class: "portrait empty" }, "draws whom a clip shows");
  if (model.draws_identities) portrait(picture, model);
  return element("label", { class: "model" }, radio, picture,
    element("span", {}, element("b", {}, model.name), element("span", {}, told(model)), sizes(model).map((line) => element("span", {}, line))));
}

const licences = () => element("details", {}, element("summary", {}, "Whose data they have learnt from"),
  element("dl", {}, models.flatMap((one) => [element("dt", {}, one.name), element("dd", {}, one.licence || "no licence is stated")])));

// Its picture: somebody drawn from its prior, doing nine things.
async function portrait(canvas, model) {
  const context = canvas.getContext("2d");
  try {
    const query = `model=${encodeURIComponent(model.name)}&seed=3&size=3&extent=1.5&format=npz`;
    const { frames } = await askArrays(`/latent-grid?${query}`);
    for (let at = 0; at < 9; at += 1) stampFrame(context, frames, at, (at % 3) * 64, Math.floor(at / 3) * 64, 64);
  } catch (problem) {
    canvas.hidden = true; // a model that cannot draw anybody has no picture
    if (!problem.title) throw problem;
  }
}
