// Trying an operation on /docs: its examples, to be changed and sent from here, and as they are typed in a shell.

import { ask } from "./api.js";
import { button, element, labelled, problemNote, select } from "./elements.js";
import { bearer, heldKey } from "./key.js";

const ANY_JOB = /0123456789abcdef0123456789abcdef/g; // stands in examples where the id of an encode belongs
const WAIT = { Prefer: "wait=30", Accept: "image/png, application/json;q=0.5" };

// The id of the newest encode of whoever reads this, if there is one.
export async function newestEncode() {
  // Not by `ask`, which would have the reader enter a key: without one the examples stay as they are.
  const answer = await fetch("/jobs?kind=encode&status=succeeded&limit=1", { headers: bearer(heldKey()) }).catch(() => null);
  return answer?.ok ? (await answer.json()).jobs[0]?.id : undefined;
}

export function trying(method, path, said, encode) {
  const body = said.requestBody?.content ?? {};
  if (body["application/json"]) return tryJson(path, body["application/json"].examples, encode);
  if (body["multipart/form-data"]) return tryForm(path, said.requestBody.description, body["multipart/form-data"].schema);
  const query = (said.parameters ?? []).filter((one) => one.in === "query" && one.schema.examples);
  return method === "get" && query.length ? tryQuery(path, query) : [];
}

function tryJson(path, examples, encode) {
  const names = Object.keys(examples), typed = element("textarea", { rows: "6", spellcheck: "false", "aria-label": `body of ${path}` });
  const about = element("p", {}), shell = element("pre", {}), answer = element("div", { "aria-live": "polite" });
  const told = () => { shell.textContent = `curl -H 'Prefer: wait=30' --json '${typed.value}' ${location.origin}${path}`; };
  const show = (name) => {
    const text = JSON.stringify(examples[name].value), filled = encode ? text.replaceAll(ANY_JOB, encode) : text;
    typed.value = filled;
    about.textContent = filled === text ? examples[name].description ?? "" : "The id here is that of your newest encode.";
    told();
  };
  typed.addEventListener("input", told);
  show(names[0]);
  const headers = { ...WAIT, "Content-Type": "application/json" };
  return [
    labelled("Example ", select(names.map((name) => [name, examples[name].summary]), names[0], show)), about, typed, shell,
    button("Send", () => send(answer, path, { method: "POST", body: typed.value, headers })), answer,
  ];
}

function tryForm(path, description, schema) {
  const shell = (description ?? "").split("`")[1]?.replace(/https?:\/\/[^/]+/, location.origin) ?? "";
  const answer = element("div", { "aria-live": "polite" });
  const isFile = (one) => (one.items ?? one).format === "binary";
  const files = Object.entries(schema.properties).filter(([, one]) => isFile(one)).map(([name, one]) =>
    element("input", { type: "file", name, multiple: one.type === "array" }));
  const form = element("form", {}, files.map((input) => labelled(`${input.name} `, input)));
  const sent = () => send(answer, path, { method: "POST", body: new FormData(form), headers: WAIT });
  return [element("pre", {}, shell), form, button("Send", sent), answer];
}

function tryQuery(path, query) {
  const example = new URLSearchParams(query.map((one) => [one.name, String(one.schema.examples[0])]));
  const typed = element("input", { type: "text", value: `${path}?${example}`, spellcheck: "false", "aria-label": `query of ${path}` });
  const answer = element("div", { "aria-live": "polite" });
  return [
    typed, element("pre", {}, `curl -o plane.png '${location.origin}${path}?${example}'`),
    button("Send", () => send(answer, typed.value, { headers: WAIT })), answer,
  ];
}

async function send(place, path, request) {
  place.replaceChildren(element("p", {}, "waiting …"));
  try {
    place.replaceChildren(...await shown(await ask(path, request)));
  } catch (problem) {
    place.replaceChildren(problemNote(problem));
  }
}

async function shown(answer) {
  const type = answer.headers.get("Content-Type"), status = element("p", {}, `${answer.status} ${type}`);
  if (type === "image/png") {
    const picture = await createImageBitmap(await answer.blob());
    const canvas = element("canvas", { width: picture.width, height: picture.height, role: "img", "aria-label": "the result" });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return [status, canvas];
  }
  return [status, element("pre", {}, JSON.stringify(await answer.json(), null, 1).slice(0, 20_000))];
}
