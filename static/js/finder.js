// Finds by typing (templates/shared/forms.html, macro `finder`): a text field with suggestions from the server, and a hidden field with the id of
// what was chosen. In the search, which has no hidden field, the id is the path of a page, which is opened. It follows the combobox pattern of
// ARIA. Without this file the server reads the text (portal/database/finder.py).
(() => {
  const WAIT_MS = 120;
  let made = 0;

  const set_up = (box) => {
    const field = box.querySelector("input:not([type=hidden])");
    const hidden = box.querySelector("input[type=hidden]");
    const list = document.createElement("ul");
    const wait = Number(box.dataset.wait) || WAIT_MS;
    let timer = 0;
    let asking;

    list.id = `suggestions-${++made}`;
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    field.after(list);
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) {
      field.setAttribute(name, value);
    }

    const options = () => [...list.children];
    const active = () => list.querySelector("[aria-selected=true]");
    const open = (shown) => {
      list.hidden = !shown;
      field.setAttribute("aria-expanded", String(shown));
      if (!shown) activate(null);
    };
    const activate = (option) => {
      active()?.removeAttribute("aria-selected");
      option?.setAttribute("aria-selected", "true");
      if (option) {
        field.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      } else {
        field.removeAttribute("aria-activedescendant");
      }
    };
    const close = () => {
      clearTimeout(timer);
      asking?.abort();
      open(false);
    };
    const choose = (option) => {
      if (!hidden || option.dataset.goes) {
        close();
        location.assign(option.dataset.goes ?? option.dataset.id);
        return;
      }
      field.value = option.dataset.name;
      hidden.value = option.dataset.id;
      close();
      hidden.dispatchEvent(new Event("change", { bubbles: true }));
      if (field.form?.matches("[data-goes-on]")) field.form.requestSubmit(); // the choice is all that the form asks
    };

    // ---- suggestions: an answer that is late, refused or leads elsewhere shows nothing ----
    const fetched = async (address) => {
      asking?.abort();
      asking = new AbortController();
      try {
        const answer = await fetch(address, { signal: asking.signal, redirect: "error" });
        return answer.ok ? await answer.text() : null;
      } catch {
        return null;
      }
    };
    const number = () => options().forEach((option, place) => (option.id = `${list.id}-${place}`));
    const suggest = async () => {
      const text = await fetched(`${box.dataset.finder}?${new URLSearchParams({ text: field.value })}`);
      if (text === null || document.activeElement !== field) return;
      list.innerHTML = text;
      number();
      open(list.childElementCount > 0);
      list.scrollTop = 0;
      list.scrollIntoView({ block: "nearest" }); // at the foot of a page or a dialog, it would open out of sight
    };
    const more = async (option) => {
      const text = await fetched(option.dataset.more);
      if (text === null || !option.isConnected) return;
      const was = option === active();
      const before = option.previousElementSibling;
      option.outerHTML = text;
      number();
      if (was) activate(before?.nextElementSibling);
    };

    // ---- what people do ----
    field.addEventListener("input", () => {
      if (hidden) hidden.value = "";
      clearTimeout(timer);
      timer = setTimeout(suggest, wait);
    });
    field.addEventListener("click", () => list.hidden && suggest());
    field.addEventListener("blur", close);
    field.addEventListener("keydown", async (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        if (list.hidden) await suggest();
        const all = options().filter((option) => option.dataset.id || option.dataset.more || option.dataset.goes);
        const place = all.indexOf(active()) + step;
        const next = place < 0 ? null : (all[place] ?? active());
        activate(next);
        if (next?.dataset.more) await more(next);
      } else if (event.key === "Enter" && (active()?.dataset.id || active()?.dataset.goes)) {
        event.preventDefault();
        choose(active());
      } else if (event.key === "Tab" && hidden && active()?.dataset.id) {
        choose(active());
      } else if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        event.stopPropagation();
        close();
      }
    });
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option?.dataset.id || option?.dataset.goes) choose(option);
      else if (option?.dataset.more) more(option);
    });
    list.addEventListener("scroll", () => {
      const last = list.lastElementChild;
      if (last?.dataset.more && list.scrollTop + list.clientHeight > last.offsetTop) more(last);
    });
    // What was chosen is named by its id alone, so that the address of a filter stays short.
    field.form?.addEventListener("formdata", (event) => {
      if (hidden?.value) event.formData.delete(field.name);
    });
  };

  const set_up_all = () => {
    for (const box of document.querySelectorAll("[data-finder]:not(:has([role=combobox]))")) set_up(box);
  };
  document.addEventListener("htmx:after:swap", set_up_all);
  set_up_all();
})();
