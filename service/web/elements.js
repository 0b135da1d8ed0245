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

// Hand a file to the person.
export function saveBlob(name, blob) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const save = (name, content, type) => saveBlob(name, new Blob([content], { type }));

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
