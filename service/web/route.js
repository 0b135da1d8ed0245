// The address holds the view: #clip?job=…&frame=12&dims=2,3. Whoever opens it sees the same.

let shown = "";

export function read() {
  const [view, query] = location.hash.slice(1).split("?");
  return { view: view || "start", params: Object.fromEntries(new URLSearchParams(query)) };
}

export function address(view, params = {}) {
  const said = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(said).toString().replaceAll("%2C", ",");
  return `#${view}${query ? `?${query}` : ""}`;
}

export const go = (view, params) => { location.hash = address(view, params); };

// Small steps within a view (a frame, a dimension) change the address without a new entry of history.
let timer = 0;
export function note(changes) {
  const { view, params } = read();
  shown = address(view, { ...params, ...changes });
  history.replaceState(history.state, "", shown); // at once, so that a copied address is never behind
}

// Scrubbing changes the frame sixty times a second, which browsers count as abuse: say where it came to rest.
export function noteSoon(changes) {
  clearTimeout(timer);
  timer = setTimeout(() => note(changes), 250);
}

export const onChange = (listener) => addEventListener("hashchange", () => {
  clearTimeout(timer);
  if (location.hash !== shown) listener();
});
