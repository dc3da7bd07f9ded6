// After a break of the stream (lost, or paused in the background) everything shown is fetched again: what came in the meantime was not heard.
// Elements that show something that changes say hx-trigger="..., refetch from:body".
(() => {
  const refetch = () => document.body.dispatchEvent(new CustomEvent("refetch"));
  document.addEventListener("htmx:sse:after:connection", (event) => {
    if (event.detail.connection.attempt > 0) refetch();
  });
  // A menu that is open stays as it is (morphSkip in templates/base.html): once it is closed, what changed in the meantime is fetched for it too.
  let kept = false;
  document.addEventListener("htmx:before:swap", () => (kept ||= document.querySelector(":popover-open") !== null));
  addEventListener("toggle", (event) => {
    if (!kept || event.newState !== "closed" || document.querySelector(":popover-open")) return;
    kept = false;
    refetch();
  }, true);
  // The session is over: no stream is asked for any more.
  document.addEventListener("ended", (event) => event.target.id === "live" && event.target.remove());
  // What could not be fetched is shown as it was, and asked for again when the server says.
  let waiting;
  document.addEventListener("htmx:response:error", (event) => {
    const seconds = Number(event.detail.ctx.response.headers.get("retry-after"));
    if (event.detail.ctx.request.method !== "GET" || !seconds) return;
    clearTimeout(waiting);
    waiting = setTimeout(refetch, seconds * 1000);
  });
  // What was heard while there was no network could not be fetched.
  addEventListener("online", refetch);
  // The minutes of a near deadline run on while the page is open, without asking the server, which would prolong the session.
  const count = () => {
    for (const chip of document.querySelectorAll(".chip:is(.soon, .late)")) {
      if (chip.textContent !== chip.shown) {
        const [, verb, minutes] = chip.textContent.match(/^(\S+) in (\d+)\smin$/) ?? [];
        chip.due = verb && { verb, at: Date.now() + minutes * 60000 };
      }
      if (!chip.due) continue;
      const left = Math.ceil((chip.due.at - Date.now()) / 60000);
      chip.className = `chip ${left > 0 ? "soon" : "late"}`;
      chip.shown = `${chip.due.verb} ${left > 0 ? `in ${left}\u00a0min` : `${Math.max(1, -left)}\u00a0min over`}`;
      chip.textContent = chip.shown;
    }
  };
  count();
  setInterval(count, 10000);
  addEventListener("pageshow", (event) => {
    if (event.persisted) refetch();
  });
})();
