// Keys for those who work here all day. Never inside a field, never with Ctrl, Alt or Meta; `?` lists them.
// A key presses or focuses what says data-key="x"; j, k, x and Enter walk the rows that say data-row.
(() => {
  document.documentElement.dataset.keys = "";
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const here = () => document.querySelector(".at-key");
  const move = (step) => {
    const all = rows();
    const next = all[Math.min(all.length - 1, Math.max(0, all.indexOf(here()) + step))];
    if (!next) return;
    here()?.classList.remove("at-key");
    next.classList.add("at-key");
    next.scrollIntoView({ block: "nearest" });
    (next.querySelector("a[href]") ?? next.querySelector("input"))?.focus({ preventScroll: true });
  };
  const press = (target) => {
    const field = target.matches("input:not([type=radio]), select, textarea");
    if (field) {
      target.focus();
      target.scrollIntoView({ block: "nearest" });
      return;
    }
    target.click();
    if (target.dataset.then) document.getElementById(target.dataset.then)?.focus();
  };
  const verbs = {
    j: () => move(1),
    k: () => move(here() ? -1 : 1),
    x: () => here()?.querySelector(".tick input")?.click(),
    Enter: () => here()?.querySelector("a[href]")?.click(),
    "?": () => document.querySelector("#keys-help:not([open])")?.showModal(),
  };
  // where a letter is part of what is typed, and where it chooses or closes something
  const WRITING = "textarea, [contenteditable], input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=file])";
  const CHOOSING = "select, dialog, [popover]";
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    const at = event.target;
    if (at.closest?.(WRITING) || (event.key !== "?" && at.closest?.(CHOOSING))) return;
    if (event.key === "Enter" && (at.closest?.("a, button, summary") || !here())) return;
    const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]:not(:disabled)`);
    const verb = verbs[event.key];
    if (target && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      press(target);
    } else if (verb) {
      event.preventDefault();
      verb();
    }
  });
})();
