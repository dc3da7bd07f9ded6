// The running timer in the bar. The server says when it began and what its clock shows; from there each tab counts on by itself.
// All tabs of a browser take the same difference between the two clocks, so they show the same second. Without this file the figure
// stands as the server wrote it.
(() => {
  const KEY = "clock"; // the server's clock less this computer's, in ms
  const DOUBT_MS = 1500; // a difference that is further off was measured before this computer's clock was set
  let offset = 0;
  let waiting = 0;
  let asked = ""; // the stretch that the server was asked about already

  // What is measured is late by the way of the answer, so of two measurements the greater one is nearer.
  const learn = (node, received) => {
    const measured = Number(node.dataset.now) - received;
    delete node.dataset.now;
    let known = Number.NaN;
    try { known = Number.parseFloat(localStorage[KEY]); } catch {}
    offset = Math.abs(known - measured) < DOUBT_MS ? Math.max(known, measured) : measured;
    try { localStorage[KEY] = String(offset); } catch {}
  };
  const shown = (ms) => {
    const seconds = Math.floor(ms / 1000);
    const two = (figure) => String(figure).padStart(2, "0");
    return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  };
  const tick = () => {
    clearTimeout(waiting);
    const all = document.querySelectorAll("time[data-since][data-counted]"); // in the bar, and on the page of timers
    const node = all[0];
    if (!node) return;
    const at = Date.now() + offset;
    const ms = Number(node.dataset.counted) + Math.max(0, at - Number(node.dataset.since));
    const text = shown(ms);
    for (const place of all) if (place.textContent !== text) place.textContent = text;
    if (at >= Number(node.dataset.asks) && asked !== node.dataset.since && document.getElementById("timer-question")?.hidden) {
      asked = node.dataset.since;
      document.body.dispatchEvent(new CustomEvent("timer"));
    }
    waiting = setTimeout(tick, 1000 - (ms % 1000));
  };
  const start = (received) => {
    for (const node of document.querySelectorAll("time[data-now]")) learn(node, received);
    tick();
  };
  const page = performance.getEntriesByType("navigation")[0];
  start(page ? performance.timeOrigin + page.responseStart : Date.now());
  document.addEventListener("htmx:after:swap", () => start(Date.now()));
  addEventListener("storage", (event) => {
    if (event.key !== KEY || !event.newValue) return;
    offset = Number(event.newValue);
    tick();
  });
  document.addEventListener("visibilitychange", tick);
})();
