// What opens and goes away: the rail on small screens, dialogs in browsers without `command`, toasts; and what is ticked in a list.
(() => {
  const TOAST_MS = 8000;

  // the rail: without this file its link goes to #rail, which shows it too
  const rail = () => document.getElementById("rail");
  const closeRail = () => {
    rail()?.removeAttribute("data-opened");
    if (location.hash === "#rail") history.replaceState(null, "", location.pathname + location.search);
  };
  addEventListener("click", (event) => {
    const target = event.target;
    if (!(target instanceof Element)) return;
    const opener = target.closest("[data-opens='rail']");
    const searches = target.closest("[data-opens='search-dialog']");
    if (searches && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      const dialog = document.getElementById("search-dialog");
      dialog.showModal();
      dialog.querySelector("input").select();
    } else if (opener) {
      event.preventDefault();
      rail()?.toggleAttribute("data-opened");
      rail()?.querySelector("a")?.focus();
    } else if (!target.closest("#rail")) {
      closeRail();
    }

    // dialogs: `<button commandfor="x" command="show-modal">` is native in new browsers
    const asks = target.closest("[commandfor]");
    if (asks && !("command" in HTMLButtonElement.prototype)) {
      const dialog = document.getElementById(asks.getAttribute("commandfor"));
      if (asks.getAttribute("command") === "show-modal") dialog?.showModal();
      else dialog?.close();
    }
    if (target instanceof HTMLDialogElement) target.close(); // a click beside it
    target.closest("[data-dismiss]")?.closest(".toast")?.remove();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeRail();
  });

  // a dialog that came back with something to correct
  for (const dialog of document.querySelectorAll("dialog[open]:not(:modal)")) {
    dialog.close();
    dialog.showModal();
  }

  // the panel for logging time: htmx puts the form into it, and takes it out once the time is logged
  const panel = () => document.getElementById("log-panel");
  document.addEventListener("htmx:after:swap", () => {
    const filled = panel()?.querySelector("form");
    if (filled && !panel().open) panel().showModal();
    else if (!filled && panel()?.open) {
      panel().close();
      // what is shown of it is fetched again: live regions, and lists of time, unless one of their rows is being changed
      document.body.dispatchEvent(new CustomEvent("refetch"));
      if (!document.querySelector(".changing")) document.body.dispatchEvent(new CustomEvent("logged"));
    }
  });
  panel()?.addEventListener("close", () => panel().replaceChildren());

  // toasts go after eight seconds, but not while they are hovered or hold the focus
  const watch = (toast) => {
    if (toast.dataset.watched) return;
    toast.dataset.watched = "yes";
    let timer = 0;
    const start = () => {
      clearTimeout(timer);
      timer = setTimeout(() => toast.remove(), TOAST_MS);
    };
    const stop = () => clearTimeout(timer);
    toast.addEventListener("mouseenter", stop);
    toast.addEventListener("focusin", stop);
    toast.addEventListener("mouseleave", start);
    toast.addEventListener("focusout", start);
    start();
  };
  const toasts = document.getElementById("toasts");
  const watchAll = () => toasts?.querySelectorAll(".toast").forEach(watch);
  if (toasts) new MutationObserver(watchAll).observe(toasts, { childList: true, subtree: true });
  watchAll();

  addEventListener("click", (event) => {
    if (event.target.closest?.("[data-print]")) print();
  });

  // on paper nothing can be opened: what is behind an invoice's amounts is printed with it
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".why-amount:not([open])")];
    for (const why of opened) why.open = true;
  });
  addEventListener("afterprint", () => {
    for (const why of opened) why.open = false;
  });

  // ticks: their number and sums in the bar, the lists in the dialogs that ask about them, and the box in the head that ticks them all
  const spoken = (minutes) => {
    const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
    return [hours ? `${hours}\u00a0h` : "", rest || !hours ? `${rest}\u00a0min` : ""].filter(Boolean).join("\u00a0");
  };
  const sumUp = (form, rows) => {
    for (const place of form.querySelectorAll("[data-ticked-minutes]")) {
      place.textContent = spoken(rows.reduce((sum, row) => sum + Number(row.dataset.minutes), 0));
    }
    for (const place of form.querySelectorAll("[data-ticked-money]")) {
      const currency = place.dataset.tickedMoney;
      const format = new Intl.NumberFormat(form.dataset.locale, { style: "currency", currency });
      const mine = rows.filter((row) => row.dataset.currency === currency);
      const cents = mine.reduce((sum, row) => sum + Number(row.dataset.amount), 0); // whole ones, so that no float rounds them
      place.textContent = format.format(cents / 10 ** format.resolvedOptions().maximumFractionDigits);
    }
  };
  const listUp = (form, rows) => {
    for (const list of form.querySelectorAll("[data-ticked-list]")) {
      list.replaceChildren(
        ...rows.map((row) => {
          const item = document.createElement("li");
          const said = [...row.querySelectorAll("[data-say]")].map((cell) => cell.textContent.trim());
          item.textContent = [row.closest("tbody").querySelector("strong")?.textContent, ...said].join(" · ");
          return item;
        }),
      );
    }
  };
  const count = (form) => {
    const boxes = [...form.querySelectorAll("tbody .tick input")];
    const ticked = boxes.filter((box) => box.checked).length;
    for (const place of form.querySelectorAll("[data-ticked]")) place.textContent = String(ticked);
    for (const place of form.querySelectorAll("[data-ticked-in-group]")) {
      place.textContent = String(place.closest("tbody").querySelectorAll(".tick input:checked").length);
    }
    for (const verb of form.querySelectorAll("[data-needs-ticks]")) verb.disabled = ticked === 0;
    const rows = boxes.filter((box) => box.checked).map((box) => box.closest("tr"));
    sumUp(form, rows);
    listUp(form, rows);
    const all = form.querySelector("thead .tick input");
    if (all) {
      const together = boxes.filter((other) => !("alone" in other.dataset));
      all.checked = together.length > 0 && together.every((other) => other.checked);
      all.indeterminate = ticked > 0 && !all.checked;
    }
  };
  // Ticks made by hand come back with their page: this tab keeps them by the list's address and the row's value, until they are sent.
  const boxesOf = (form) => [...form.querySelectorAll("tbody .tick input")];
  const placeOf = (form) => `ticks ${new URL(form.action).pathname}`;
  const keptOf = (form) => {
    try {
      return JSON.parse(sessionStorage.getItem(placeOf(form))) ?? {};
    } catch {
      return {};
    }
  };
  const keep = (form, change) => {
    const kept = keptOf(form);
    change(kept);
    try {
      sessionStorage.setItem(placeOf(form), JSON.stringify(kept));
    } catch {
      // a full or forbidden store keeps nothing
    }
  };
  const remember = (form, boxes) => keep(form, (kept) => boxes.forEach((box) => (kept[box.value] = box.checked)));
  const bringBack = (form) => {
    const kept = keptOf(form);
    for (const box of boxesOf(form)) box.checked = kept[box.value] ?? box.checked;
  };
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-ticks]")) keep(form, (kept) => boxesOf(form).forEach((box) => delete kept[box.value]));
  });
  if (location.pathname === "/sign-in") sessionStorage.clear(); // the next person starts with none
  addEventListener("change", (event) => {
    const box = event.target.closest?.(".tick input");
    const form = box?.closest("[data-ticks]");
    if (!form) return;
    if (box.closest("thead")) {
      // what says data-alone is ticked by hand only
      for (const other of boxesOf(form)) other.checked = box.checked && !("alone" in other.dataset);
    }
    remember(form, box.closest("thead") ? boxesOf(form) : [box]);
    count(form);
  });
  addEventListener("click", (event) => {
    const form = event.target.closest?.("[data-untick]")?.closest("[data-ticks]");
    if (!form) return;
    for (const box of form.querySelectorAll(".tick input")) box.checked = false;
    remember(form, boxesOf(form));
    count(form);
  });
  const countAll = () => {
    for (const form of document.querySelectorAll("[data-ticks]")) {
      bringBack(form);
      count(form);
    }
  };
  document.addEventListener("htmx:after:swap", countAll);
  addEventListener("pageshow", countAll); // a browser may bring ticks back
  countAll();
})();
