// Offers the names of colleagues while a note is typed, after an "@" (portal/desk/mentions.py), and canned replies while a reply is typed, after
// a "/" that begins a word (portal/desk/replies/canned.py). The arrow keys choose, Enter or Tab inserts, Escape closes. Without this file the name is
// typed, and who is mentioned is read from the text; the composer links to a page with the canned replies.
(() => {
  const WAIT_MS = 120;
  const OFFERED = {
    note: { begun: /(?:^|[^\p{L}\p{N}_])@([\p{L}\p{N}_.'’-]*(?: [\p{L}\p{N}_.'’-]+)?)$/u, from: "mentions", query: "text", keeps: 1 },
    reply: { begun: /(?:^|\s)\/((?:[\p{L}\p{N}_.'’-]+ ?){0,4})$/u, from: "canned", query: "find", keeps: 0 },
  };
  const UNFILLED = /⟦[^⟦⟧\n]+⟧/;

  const set_up = (field) => {
    const list = document.createElement("ul");
    let timer = 0;
    let asking;

    list.id = "mentions";
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
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
    const kind = () => OFFERED[field.form.elements.kind.value];
    const begun = () => (field.selectionStart === field.selectionEnd ? kind()?.begun.exec(field.value.slice(0, field.selectionEnd))?.[1] : undefined);
    const choose = (option) => {
      const [end, text] = [field.selectionEnd, option.dataset.inserts ?? `${option.dataset.name} `];
      const start = end - begun().length - 1 + kind().keeps;
      field.setRangeText(text, start, end, "end");
      const unfilled = UNFILLED.exec(text); // what the case has no value for is selected, to be written
      if (unfilled) field.setSelectionRange(start + unfilled.index, start + unfilled.index + unfilled[0].length);
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
        const address = `${field.dataset[kind().from]}?${new URLSearchParams({ [kind().query]: text })}`;
        const answer = await fetch(address, { signal: asking.signal, redirect: "error", headers: { "HX-Request": "true" } });
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
