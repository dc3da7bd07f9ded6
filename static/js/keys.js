// Keys for those who work here all day; templates/agent/_keys_help.html is their table, which `?` shows.
// A letter presses or focuses what says data-key="x"; after G it follows what says data-go="x". J, K, X and Enter walk the rows that say data-row,
// and the feed of a case that was not opened from a list. None works inside a field, nor with Alt or Meta; there Escape leaves the field and
// Ctrl Enter sends its form.
(() => {
  const CHORD_MS = 1500;
  document.documentElement.dataset.keys = "";
  const rows = () => [...document.querySelectorAll("[data-row], .feed > [id]")];
  const here = () => document.querySelector("[data-at-key]");
  const move = (step) => {
    const all = rows();
    const next = all[Math.min(all.length - 1, Math.max(0, all.indexOf(here()) + step))];
    if (!next) return;
    here()?.removeAttribute("data-at-key");
    next.setAttribute("data-at-key", "");
    next.scrollIntoView({ block: "nearest" });
    const focused = next.querySelector("a[href]") ?? next.querySelector("input") ?? next;
    if (focused === next) next.tabIndex = -1;
    focused.focus({ preventScroll: true });
  };
  const boxOf = (row) => row?.querySelector(".tick input");
  let last; // the row that was ticked before: Shift X goes on from it
  const tick = (row) => {
    boxOf(row)?.click();
    last = row;
  };
  const tickRange = () => {
    const all = rows();
    const [from, to] = [all.indexOf(last), all.indexOf(here())].sort((a, b) => a - b);
    if (from < 0) return tick(here());
    for (const row of all.slice(from, to + 1)) if (boxOf(row)?.checked === false) boxOf(row).click();
  };
  const INSIDE = "input:not([type=hidden]), button, a"; // what the keys reach in a menu
  const press = (target) => {
    if (target.matches("input:not([type=radio]), select, textarea")) {
      target.focus();
      target.scrollIntoView({ block: "nearest" });
      return;
    }
    target.click();
    if (target.dataset.then) document.getElementById(target.dataset.then)?.focus();
    target.popoverTargetElement?.querySelector(INSIDE)?.focus();
  };
  const shown = (selector) => [...document.querySelectorAll(selector)].find((node) => (node.labels?.[0] ?? node).checkVisibility());
  const verbs = {
    j: () => move(1),
    k: () => move(here() ? -1 : 1),
    x: () => tick(here()),
    X: tickRange,
    g: () => (chord = Date.now()),
    Enter: () => here()?.querySelector("a[href]")?.click(),
    "?": () => document.querySelector("#keys-help:not([open])")?.showModal(),
  };
  let chord = 0; // when G was pressed
  const goes = (key) => {
    const pressed = Date.now() - chord < CHORD_MS;
    chord = 0;
    return pressed ? document.querySelector(`[data-go="${CSS.escape(key)}"]`) : null;
  };

  // where a letter is part of what is typed, and where it chooses or closes something
  const WRITING = "textarea, [contenteditable], input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=file])";
  const CHOOSING = "select, dialog, [popover]";
  const send = (form, dialog) => {
    // what is written in a dialog is sent by the dialog's own button, never by one of the form behind it
    const button = [...form.elements].filter((node) => node.matches("button:not([type=button])") && (!dialog || dialog.contains(node)) && node.checkVisibility() && !node.disabled);
    form.requestSubmit(button.find((node) => node.matches(".primary, .final")) ?? button[0]);
  };
  // In a menu the arrow keys go up and down. What is chosen closes it, so that a page that stays shows what has changed.
  const step = (menu, key) => {
    const all = [...menu.querySelectorAll(INSIDE)].filter((node) => node.checkVisibility());
    all.at((all.indexOf(document.activeElement) + (key === "ArrowDown" ? 1 : -1)) % all.length)?.focus();
  };
  // The form of a field comes once its menu is open; from then on it is typed into.
  document.addEventListener("htmx:after:swap", () => {
    const menu = document.querySelector(".custom-field:popover-open");
    if (!menu?.contains(document.activeElement)) menu?.querySelector("form :is(input:not([type=hidden]), select)")?.focus();
  });
  addEventListener("submit", (event) => event.target.closest(".menu:popover-open")?.hidePopover());
  // A case that is opened from a list carries the list's query along, so that J and K walk on in it.
  const carry = (event) => {
    const link = event.target.closest?.("[data-onward] [data-row] a[href]");
    if (link && !link.search) link.search = link.closest("[data-onward]").dataset.onward;
  };
  for (const kind of ["click", "auxclick", "contextmenu"]) addEventListener(kind, carry, true);
  // The list is shown again at the row of the case from which one comes.
  const left = document.getElementById(location.hash.slice(1));
  if (left?.matches("[data-row]")) left.setAttribute("data-at-key", "");

  addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.isComposing || event.defaultPrevented || !at.closest) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && at.form) {
      event.preventDefault();
      send(at.form, at.closest("dialog"));
    }
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const menu = /^Arrow(Up|Down)$/.test(event.key) && at.closest(".menu:popover-open");
    if (menu && !at.closest("[role=combobox]")) {
      event.preventDefault();
      return step(menu, event.key);
    }
    if (at.closest(WRITING)) {
      if (event.key === "Escape" && !at.closest("dialog")) at.blur();
      return;
    }
    // a menu that was just closed may still hold the focus
    if (event.key !== "?" && at.closest(CHOOSING)?.checkVisibility()) return;
    if (event.key === "Enter" && (at.closest("a, button, summary") || !here())) return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    const key = event.key.toLowerCase();
    const says = `[data-key="${CSS.escape(key)}"]:not(:disabled)`;
    // what a message offers comes first, because it is gone in a moment: Z takes a reply back before it snoozes the case
    const target = goes(key) ?? (event.shiftKey && key === "x" ? null : (shown(`.toasts ${says}`) ?? shown(says)));
    if (!target && !verbs[event.key]) return;
    event.preventDefault();
    if (target) press(target);
    else verbs[event.key]();
  });
})();
