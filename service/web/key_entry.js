// Asking a person for the key: once however many requests wait for it, and tried before it is kept.

import { button, element } from "./elements.js";
import { bearer, forgetKey, heldKey, isRemembered, keepKey } from "./key.js";

const WRONG = "This key is not known here. A key begins with twofold_ and is one long word: has all of it been copied?";
let asking = null;

// Whether a request that was refused with `used` can be tried again: another key is held by now, or one is given.
export async function anotherKey(used) {
  if (heldKey() !== used) return true;
  asking ??= enterKey(used ? "The key that this page has held is no longer known here." : "").finally(() => { asking = null; });
  return asking;
}

// Show the dialog; true once a key that works is kept, false when it was closed without one.
export function enterKey(said = "") {
  const held = heldKey();
  const input = element("input", { type: "password", name: "key", autocomplete: "current-password", spellcheck: "false",
    required: true, "aria-describedby": "key-trouble" });
  const remember = element("input", { type: "checkbox", checked: isRemembered() });
  const trouble = element("p", { class: "note problem", id: "key-trouble", role: "alert", hidden: !said }, said);
  const use = element("button", { type: "submit", class: "primary" }, "Use this key");
  const form = element("form", { class: "key-form" },
    element("label", {}, held ? "Another key" : "Key", input),
    element("label", { class: "check" }, remember, "Remember it on this device"),
    trouble,
    element("div", { class: "buttons" }, use,
      held && !said && button("Forget the key", () => { forgetKey(); dialog.close("changed"); }),
      button(held && !said ? "Close" : "Not now", () => dialog.close())));
  const dialog = element("dialog", { class: "key-entry", "aria-labelledby": "key-title" },
    element("h2", { id: "key-title" }, held && !said ? "Your key" : "This server asks for a key"),
    element("p", { class: "hint" }, "It keeps your clips and results apart from everybody else's. Whoever runs the server makes one with ",
      element("code", {}, "twofold keys add NAME"), ". Unless it is remembered, it is forgotten with this tab."),
    form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = input.value.trim();
    use.disabled = true;
    const wrong = await refusal(given);
    use.disabled = false;
    trouble.textContent = wrong ?? "";
    trouble.hidden = !wrong;
    if (wrong) return void input.select();
    keepKey(given, remember.checked);
    dialog.close("changed");
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(dialog.returnValue === "changed");
  }));
}

// Why a key cannot be used; null when it can.
async function refusal(given) {
  if (!/^[\x21-\x7e]+$/.test(given)) return WRONG;
  try {
    const answer = await fetch("/models", { headers: bearer(given) });
    if (answer.status === 401) return WRONG;
    return answer.ok ? null : `The server answered with HTTP ${answer.status}. Try again in a moment.`;
  } catch {
    return "The server cannot be reached. Is it still running?";
  }
}
