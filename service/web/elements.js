// Building the page: elements from text and children, never from strings of HTML, so that nothing a file is called can act.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (selector, within = document) => within.querySelector(selector);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const button = (text, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, text);

export const labelled = (text, control) => element("label", {}, text, control);

export function select(options, value, onchange, attributes = {}) {
  const made = element("select", { onchange: () => onchange(made.value), ...attributes },
    options.map(([key, text]) => element("option", { value: String(key), selected: String(key) === String(value) }, text)));
  return made;
}

export function problemNote(problem) {
  return element("div", { class: "note problem", role: "alert" },
    element("h2", {}, problem.title || "Something went wrong"), element("p", {}, problem.detail || problem.message));
}

export const emptyNote = (text, ...more) => element("div", { class: "card empty" }, element("p", {}, text), ...more);

// Hand a file made here to the person.
export function save(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const FORMATS = { "video/mp4": "MP4", "image/webp": "WebP", "image/gif": "GIF", "image/png": "PNG",
  "application/x-npz": "NPZ", "application/json": "JSON" };

// Links to a job's representations, named by what it is about.
export function downloads(job, name) {
  const stem = name.replace(/\.\w+$/, "").replace(/[^\w.-]+/g, "_").slice(0, 60) || job.kind;
  return Object.entries(FORMATS).filter(([type]) => job.results[type]).map(([type, text]) =>
    element("a", { class: "button", href: job.results[type], download: `${stem}.${text.toLowerCase()}` }, text));
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
