// The address holds the view: #clip?job=…&frame=12&dims=2,3. Whoever opens it sees the same.

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
export function note(changes) {
  const { view, params } = read();
  history.replaceState(history.state, "", address(view, { ...params, ...changes }));
}

// Scrubbing changes the frame sixty times a second, which browsers count as abuse: say where it came to rest.
let timer = 0, waiting = {};
export function noteSoon(changes) {
  const { view } = read();
  clearTimeout(timer);
  waiting = { ...waiting, ...changes };
  timer = setTimeout(() => {
    if (read().view === view) note(waiting);
    waiting = {};
  }, 250);
}

export const onChange = (listener) => addEventListener("hashchange", () => {
  clearTimeout(timer);
  waiting = {};
  listener();
});
