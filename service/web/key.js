// The key that a server with keys asks for: kept for this tab or, if one says so, on this device.

const NAME = "twofold.key";

// A browser may be told to keep nothing: then a key lasts as long as the page.
const attempt = (act) => {
  try {
    return act();
  } catch {
    return null;
  }
};

let key = attempt(() => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME));

export const heldKey = () => key;

export const isRemembered = () => Boolean(attempt(() => localStorage.getItem(NAME)));

export function keepKey(given, lasting) {
  forgetKey();
  key = given;
  attempt(() => (lasting ? localStorage : sessionStorage).setItem(NAME, given));
}

export function forgetKey() {
  key = null;
  attempt(() => sessionStorage.removeItem(NAME));
  attempt(() => localStorage.removeItem(NAME));
}

export const bearer = (held) => held ? { Authorization: `Bearer ${held}` } : {};
