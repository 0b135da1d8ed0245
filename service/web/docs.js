// The API's description, read to people from /openapi.json: what there is, what it takes, what it answers.

import { json } from "./api.js";
import { newestEncode, trying } from "./docs_try.js";
import { element, problemNote } from "./elements.js";

const METHODS = ["get", "post", "put", "delete"];

document.querySelector("#example").textContent =
`curl -F video=@clip.mp4 -H 'Prefer: wait=30' ${location.origin}/encode
curl -F static=@who.mp4 -F dynamic=@how.mp4 -H 'Prefer: wait=60' -H 'Accept: video/mp4' -o swap.mp4 ${location.origin}/swap
curl -o plane.png '${location.origin}/latent-grid?seed=3'`;

const oneType = ({ type }) => (Array.isArray(type) ? type.find((one) => one !== "null") : type);
const typeOf = (schema = {}) => schema.format === "binary" ? "file" : schema.enum?.filter((one) => one !== null).join(" | ")
  || schema.anyOf?.map(typeOf).join(" or ") || (oneType(schema) === "array" ? `list of ${typeOf(schema.items)}` : oneType(schema))
  || schema.$ref?.split("/").pop() || "";

function table(headings, rows) {
  return rows.length === 0 ? null : element("table", {},
    element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", {}, text)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))));
}

function operationCard(method, path, said, encode) {
  const [type, body] = Object.entries(said.requestBody?.content ?? {})[0] ?? [];
  const fields = body?.schema?.properties ?? {}, place = type === "application/json" ? "json" : "form";
  const inputs = [
    ...(said.parameters ?? []).map((one) => [element("code", {}, one.name), one.in, typeOf(one.schema), one.description ?? ""]),
    ...Object.entries(fields).map(([name, one]) => [element("code", {}, name), place, typeOf(one), one.description ?? ""]),
  ];
  const examples = trying(method, path, said, encode);
  const answers = Object.entries(said.responses).map(([status, one]) =>
    [status, one.description, Object.keys(one.content ?? {}).join(", ")]);
  return element("article", { class: "card" },
    element("h2", {}, element("span", { class: "method" }, method.toUpperCase()), " ", element("code", {}, path)),
    element("p", {}, said.description ?? said.summary ?? ""),
    table(["name", "in", "type", ""], inputs),
    examples.length === 0 ? null : element("details", {}, element("summary", {}, "Example"), examples),
    element("details", {}, element("summary", {}, "Answers"), table(["status", "", "as"], answers) ?? ""));
}

const place = document.querySelector("#operations");
try {
  const [{ paths }, encode] = await Promise.all([json("/openapi.json"), newestEncode()]);
  place.replaceChildren(...Object.entries(paths).flatMap(([path, operations]) =>
    METHODS.filter((method) => operations[method]).map((method) => operationCard(method, path, operations[method], encode))));
} catch (problem) {
  place.replaceChildren(problemNote(problem));
}
