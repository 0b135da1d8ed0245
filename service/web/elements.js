// Building the page: elements from text and children, never from strings of HTML, so that nothing a file is called can act.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function problemNote(problem) {
  return element("div", { class: "note problem", role: "alert" },
    element("h2", {}, problem.title || "Something went wrong"), element("p", {}, problem.detail || problem.message));
}

// A labelled area that takes files by choice or by drop and says what it holds.
export function dropArea(label) {
  const input = label.querySelector("input"), text = label.querySelector(".drop-text"), empty = text.textContent;
  const show = () => {
    const names = [...input.files].map((file) => file.name);
    text.textContent = names.length ? names.join(", ") : empty;
    label.classList.toggle("filled", names.length > 0);
  };
  input.addEventListener("change", show);
  for (const name of ["dragover", "dragleave", "drop"]) {
    label.addEventListener(name, () => label.classList.toggle("over", name === "dragover"));
  }
  input.form.addEventListener("reset", () => setTimeout(show));
}
