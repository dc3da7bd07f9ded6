// Offers the names of colleagues while a note is typed, after an "@" (portal/desk/mentions.py). The arrow keys choose, Enter or Tab inserts the
// name, Escape closes. Without this file the name is typed; who is mentioned is read from the text.
(() => {
  const WAIT_MS = 120;
  const BEGUN = /(?:^|[^\p{L}\p{N}_])@([\p{L}\p{N}_.'’-]*(?: [\p{L}\p{N}_.'’-]+)?)$/u;

  const set_up = (field) => {
    const list = document.createElement("ul");
    let timer = 0;
    let asking;

    list.id = "mentions";
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Colleagues");
    field.after(list);
    for (const [name, value] of Object.entries({ "aria-autocomplete": "list", "aria-controls": list.id })) field.setAttribute(name, value);

    const options = () => [...list.querySelectorAll("[data-id]")];
    const active = () => list.querySelector("[aria-selected=true]");
    const activate = (option) => {
      active()?.removeAttribute("aria-selected");
      option?.setAttribute("aria-selected", "true");
      if (option) field.setAttribute("aria-activedescendant", option.id);
      else field.removeAttribute("aria-activedescendant");
      option?.scrollIntoView({ block: "nearest" });
    };
    const close = () => {
      clearTimeout(timer);
      asking?.abort();
      activate(null);
      list.hidden = true;
    };
    const begun = () => {
      const is_note = field.form.elements.kind.value === "note";
      return is_note && field.selectionStart === field.selectionEnd ? BEGUN.exec(field.value.slice(0, field.selectionEnd))?.[1] : undefined;
    };
    const choose = (option) => {
      const end = field.selectionEnd;
      field.setRangeText(`${option.dataset.name} `, end - begun().length, end, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      close();
    };
    // An answer that is late, refused or leads elsewhere shows nothing.
    const suggest = async () => {
      const text = begun();
      asking?.abort();
      if (text === undefined) return close();
      asking = new AbortController();
      try {
        const answer = await fetch(`${field.dataset.mentions}?${new URLSearchParams({ text })}`, { signal: asking.signal, redirect: "error" });
        if (!answer.ok || begun() !== text || document.activeElement !== field) return;
        list.innerHTML = await answer.text();
      } catch {
        return;
      }
      if (!options().length) return close();
      options().forEach((option, place) => (option.id = `mention-${place}`));
      list.hidden = false;
      activate(options()[0]);
    };

    field.addEventListener("input", () => {
      clearTimeout(timer);
      if (begun() === undefined) close();
      else timer = setTimeout(suggest, WAIT_MS);
    });
    field.addEventListener("blur", close);
    field.addEventListener("keydown", (event) => {
      if (list.hidden || event.isComposing || event.ctrlKey || event.metaKey) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) activate(options()[options().indexOf(active()) + step] ?? active());
      else if ((event.key === "Enter" || event.key === "Tab") && active()) choose(active());
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[data-id]");
      if (option) choose(option);
    });
  };

  for (const field of document.querySelectorAll("[data-mentions]")) set_up(field);
})();
