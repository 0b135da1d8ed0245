// The page: three things to do with the chosen model.

import { json, upload, Problem } from "./api.js";
import { dropArea, element, problemNote } from "./elements.js";
import { fitNote, jobCard } from "./jobs.js";

const $ = (selector) => document.querySelector(selector);
const encoded = []; // finished encodes of this visit: { id, name, model }
let models = [];

// The chosen model

async function loadModels() {
  ({ models } = await json("/models"));
  $("#model").replaceChildren(...models.map((model) => element("option", { value: model.name }, model.name)));
  chooseModel();
}

function chooseModel() {
  const model = models.find((one) => one.name === $("#model").value);
  $("#model-facts").textContent = model
    ? `${model.family.replaceAll("_", " ")} · ${model.image_size}×${model.image_size} · static ${model.static_dim}, dynamic ${model.dynamic_dim}` +
      ` · learnt from ${model.data.name || "unnamed data"}`
    : "no model is installed";
  $("#model-facts").title = model?.licence ? `Licence of the data: ${model.licence}` : "";
  offerEncodes();
}

function offerEncodes() {
  const fitting = encoded.filter((one) => one.model === $("#model").value);
  for (const select of document.querySelectorAll("select.encoded")) {
    const none = select.form.closest("#plane") ? "drawn from the prior" : "–";
    const chosen = select.value;
    select.replaceChildren(element("option", { value: "" }, none),
      ...fitting.map((one) => element("option", { value: one.id }, `${one.name} (encoded)`)));
    if (fitting.some((one) => one.id === chosen)) select.value = chosen;
  }
}

async function checkHealth() {
  const health = $("#health");
  try {
    await json("/readyz");
    health.className = "health good";
    health.textContent = "ready";
  } catch (problem) {
    health.className = "health bad";
    health.textContent = problem.status ? "no worker is ready" : "no server";
  }
}

// Tabs, with arrow keys

const tabs = [...document.querySelectorAll("[role=tab]")];

function open(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", chosen);
    one.tabIndex = chosen ? 0 : -1;
    document.getElementById(one.getAttribute("aria-controls")).hidden = !chosen;
  }
}

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
}

// Encode

// The fields that say something; an empty one would be a wrong value.
function filled(form, names) {
  const data = new FormData();
  data.append("model", $("#model").value);
  for (const name of names) if (form.elements[name].value) data.append(name, form.elements[name].value);
  return data;
}

async function run(panel, title, path, data, done = async () => {}) {
  const { card, sent, fail, follow } = jobCard(title);
  panel.querySelector(".outcome").prepend(card);
  try {
    const { job, body } = await follow(await upload(path, data, sent));
    if (job.status === "succeeded") await done(job, body);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    fail(problem);
  }
}

$("#encode form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, file = form.elements.video.files[0];
  const data = filled(form, ["start", "end", "stride", "crop"]);
  data.append("video", file);
  run($("#encode"), file.name, "/encode", data, async (job, body) => {
    encoded.unshift({ id: job.id, name: file.name, model: job.model });
    offerEncodes();
    const result = await json(`/jobs/${job.id}/result?format=json`);
    body.prepend(fitNote(result.fit) || "");
    const plane = element("button", { type: "button" }, "Its motion plane");
    plane.onclick = () => {
      $("#plane form").elements.static_job.value = job.id;
      open($("#tab-plane"));
      showPlane();
    };
    body.append(plane);
  });
});

// Swap

$("#swap form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, data = filled(form, ["transfer", "static_job", "dynamic_job"]);
  const names = { static: [], dynamic: [] };
  for (const side of ["static", "dynamic"]) {
    const job = form.elements[`${side}_job`];
    if (job.value) names[side].push(job.selectedOptions[0].textContent);
    for (const file of form.elements[side].files) {
      data.append(side, file);
      names[side].push(file.name);
    }
  }
  $("#swap .outcome > .problem")?.remove();
  const empty = ["static", "dynamic"].find((side) => names[side].length === 0);
  if (empty) {
    const missing = empty === "static" ? "an appearance" : "a motion";
    $("#swap .outcome").prepend(problemNote({ title: "One side is missing", detail: `Choose ${missing}: a clip, or one that was encoded.` }));
    return;
  }
  run($("#swap"), `${names.static.join(", ")} doing ${names.dynamic.join(", ")}`, "/swap", data);
});

// Motion plane

function showPlane() {
  const form = $("#plane form"), query = new URLSearchParams({ model: $("#model").value });
  const job = form.elements.static_job.value;
  query.set(job ? "static_job" : "seed", job || form.elements.seed.value);
  for (const name of ["size", "extent", "spacing"]) query.set(name, form.elements[name].value);
  const url = `/latent-grid?${query}`, outcome = $("#plane .outcome");
  outcome.replaceChildren(element("p", { class: "card" }, "drawing …"));
  const picture = element("img", { src: url, alt: "the motion plane of one identity", class: "small" });
  picture.onload = () => outcome.replaceChildren(element("article", { class: "card" },
    element("div", { class: "pictures" }, picture), element("div", { class: "links" }, element("a", { href: url }, "this picture's address"))));
  picture.onerror = async () => {
    // An <img> does not say why; the same request as JSON does.
    try {
      await json(`${url}&format=json`);
      outcome.replaceChildren(problemNote({ title: "Not ready yet", detail: "It takes longer than usual; press Show again." }));
    } catch (problem) {
      outcome.replaceChildren(problemNote(problem));
    }
  };
}

$("#plane form").addEventListener("submit", (event) => { event.preventDefault(); showPlane(); });
$("#another").addEventListener("click", () => {
  const form = $("#plane form");
  form.elements.static_job.value = "";
  form.elements.seed.value = Number(form.elements.seed.value || 0) + 1;
  showPlane();
});

document.querySelectorAll(".drop").forEach(dropArea);
$("#model").addEventListener("change", chooseModel);
loadModels().catch((problem) => $("main").prepend(problemNote(problem)));
checkHealth();
setInterval(checkHealth, 10_000);
