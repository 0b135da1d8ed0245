// The page: an address names a view, and each view is a module that shows itself.

import { json } from "./api.js";
import * as clip from "./view_clip.js";
import { $, button, element, emptyNote, problemNote } from "./elements.js";
import * as future from "./view_future.js";
import * as jobs from "./view_jobs.js";
import { heldKey } from "./key.js";
import { enterKey } from "./key_entry.js";
import { loadModels, modelNamed } from "./models.js";
import * as plane from "./view_plane.js";
import * as route from "./route.js";
import * as start from "./view_start.js";
import * as swap from "./view_swap.js";
import * as train from "./view_train.js";

const VIEWS = { start, clip, plane, swap, future, train, jobs };
const main = $("main"), keyButton = $("#key");
let leave = null, turn = 0;

async function show() {
  const { view, params } = route.read(), mine = turn += 1;
  leave?.();
  leave = null;
  const chosen = VIEWS[view] || start;
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.dataset.view === view || (!VIEWS[view] && link.dataset.view === "start");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.href = carry(link.dataset.view, params);
  }
  const place = element("div", { class: `view ${view}` });
  main.replaceChildren(place);
  document.title = `${chosen.title} – Twofold`;
  try {
    const left = await chosen.show(place, params, modelNamed(params.model ?? (chosen === train ? null : await modelOf(params.job))));
    if (mine === turn) leave = left;
    else left?.();
  } catch (problem) {
    place.append(noteOf(problem));
    if (!problem.title) throw problem;
  }
  keyButton.hidden = !heldKey();
  place.dataset.shown = "true"; // what it first shows is there
}

const noteOf = (problem) => ({ 401: closed, 410: expired }[problem.status] ?? problemNote)(problem);

// An address that names a clip alone means the model that has encoded it.
const modelOf = async (job) => job && (await json(`/jobs/${job}`)).model;

const expired = (problem) => element("div", { class: "card empty" }, element("h1", {}, "This has expired"),
  element("p", {}, problem.message), element("a", { class: "button primary", href: "#start" }, "Encode the clip again"));

const closed = () => element("div", { class: "card empty" }, element("h1", {}, "This server asks for a key"),
  element("p", {}, "Nothing of yours can be shown without one."), button("Enter a key", changeKey, { class: "primary" }));

// What is on the page belongs to the key that it was read with: with another one everything is read anew.
async function changeKey() {
  if (await enterKey()) location.reload();
}

// Going to another view keeps what is being looked at.
function carry(view, { model, job, dims }) {
  if (view === "train") return route.address(view);
  if (view === "start" || view === "jobs") return route.address(view, { model });
  return route.address(view, { model, job, dims });
}

async function checkHealth() {
  const health = $("#health");
  try {
    const { workers } = await json("/readyz");
    if (workers.training) $("nav a[data-view=train]").hidden = false;
    health.className = "health good";
    health.textContent = "ready";
  } catch (problem) {
    health.className = "health bad";
    health.textContent = problem.status ? "no worker is ready" : "no server";
  }
}

$(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is that of the view
  main.focus();
});
keyButton.addEventListener("click", changeKey);
route.onChange(show);
checkHealth();
setInterval(checkHealth, 10_000);
loadModels().then((models) => models.length ? show() : main.replaceChildren(emptyNote("No model is installed.")),
  (problem) => main.replaceChildren(noteOf(problem)));
