// Help while writing: files with preview, drafts that are kept, errors that take the focus. Forms work without it.
(() => {
  const DRAFT_MS = 2000;
  const PREVIEW_BYTES = 4_000_000;
  const LARGEST_BYTES = 25 * 1024 * 1024; // what the server takes (portal/web/forms.py)
  const element = (name, values = {}, ...children) => {
    const made = Object.assign(document.createElement(name), values);
    made.append(...children);
    return made;
  };
  const size = (bytes) => (bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1000))}\u00a0kB` : `${(bytes / 1_000_000).toFixed(1)}\u00a0MB`);

  // ---- files: one list per picker, kept in the input itself so that the plain form sends it ----
  // A file that would be refused is left out and says why, so that it does not take the others with it.
  const why = (file) => (file.size === 0 ? "is empty" : file.size > LARGEST_BYTES ? "has more than 25\u00a0MB" : "");
  const put = (input, files) => {
    const box = new DataTransfer();
    for (const file of files) if (!why(file)) box.items.add(file);
    input.files = box.files;
    list(input, [...files].filter(why));
  };
  const row = (input, file) => {
    const thumb = element("span", { className: "thumb" });
    if (file.type.startsWith("image/") && file.size <= PREVIEW_BYTES) {
      const reader = new FileReader();
      reader.addEventListener("load", () => thumb.append(element("img", { src: reader.result, alt: "" })));
      reader.readAsDataURL(file);
    } else {
      thumb.textContent = (file.name.split(".").pop() || "").slice(0, 4).toUpperCase();
    }
    const remove = element("button", { type: "button", className: "button quiet remove", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => {
      put(input, [...input.files].filter((other) => other !== file));
      input.focus();
    });
    const name = element("span", { className: "name" }, file.name, element("span", { className: "size", textContent: size(file.size) }));
    return element("li", { className: "file" }, thumb, name, remove);
  };
  const list = (input, refused = []) => {
    const shown = input.closest("[data-files]")?.querySelector("[data-chosen]");
    const leftOut = refused.map((file) => element("li", { className: "wrong", role: "alert", textContent: `“${file.name}” ${why(file)} and is left out.` }));
    if (shown) shown.replaceChildren(...[...input.files].map((file) => row(input, file)), ...leftOut);
  };
  const pickerOf = (target) => target.closest?.("[data-files]")?.querySelector("input[type=file]") ?? target.closest?.("form")?.querySelector("[data-files] input[type=file]");
  const earlier = new WeakMap();
  addEventListener("click", (event) => {
    if (event.target.matches?.("[data-files] input[type=file]")) earlier.set(event.target, [...event.target.files]);
  });
  addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.("[data-files] input[type=file]")) return;
    // a second choice adds to the first
    const before = (earlier.get(input) ?? []).filter((file) => ![...input.files].some((other) => other.name === file.name && other.size === file.size));
    put(input, [...before, ...input.files]);
  });
  // Excel and Word copy text with a picture of it: the text is meant. A file manager copies the names of files as text: the files are meant.
  const isText = (text, files) => text.trim() && !text.trim().split(/\r?\n/).every((line) => files.some((file) => line.endsWith(file.name)));
  addEventListener("paste", (event) => {
    const input = pickerOf(event.target);
    const files = [...(event.clipboardData?.files ?? [])];
    if (!input || !files.length || isText(event.clipboardData.getData("text/plain"), files)) return;
    event.preventDefault();
    put(input, [...input.files, ...files]);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      const input = pickerOf(event.target);
      if (!input || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      input.closest("[data-drop]")?.classList.toggle("over", kind === "dragover");
      if (kind === "drop") put(input, [...input.files, ...event.dataTransfer.files]);
    });
  }

  // ---- drafts: the form's text goes to /drafts two seconds after the last key, under the address that the form is sent to ----
  const timers = new WeakMap();
  const keep = async (form) => {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === "string") fields.append(name, value);
    fields.set("address", form.dataset.draft || new URL(form.action).pathname);
    const place = form.querySelector("[data-kept]");
    try {
      const answer = await fetch("/drafts", { method: "POST", body: fields, redirect: "manual", headers: { "X-CSRF-Token": fields.get("csrf") ?? "" } });
      if (!place) return;
      if (!answer.ok) {
        place.textContent = answer.status === 503 ? "Draft not kept: try again in a minute" : "Draft not kept: you are signed out. Copy your text, then load this page again";
        return;
      }
      const zone = document.documentElement.dataset.zone || undefined;
      const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(new Date());
      place.textContent = `Draft kept ${time}`;
    } catch {
      if (place) place.textContent = "Draft not kept: no connection";
    }
  };
  addEventListener("input", (event) => {
    const form = event.target.closest?.("form[data-draft]");
    if (!form || event.target.type === "file" || event.target.type === "password") return;
    clearTimeout(timers.get(form));
    timers.set(form, setTimeout(() => keep(form), DRAFT_MS));
  });
  addEventListener("submit", (event) => clearTimeout(timers.get(event.target)), true);

  // ---- errors: the panel on top takes the focus; a lost connection is said where the button is ----
  const focusErrors = () => document.querySelector("[data-takes-focus]")?.focus();
  document.addEventListener("htmx:after:swap", focusErrors);
  focusErrors();
  document.addEventListener("htmx:error", (event) => {
    const form = event.detail?.ctx?.sourceElement?.closest?.("form");
    if (!form || event.detail.ctx.response) return;
    form.querySelector("[data-lost]")?.remove();
    const said = element("p", { className: "wrong", textContent: "The server cannot be reached. What you typed is still here: try again in a moment." });
    said.dataset.lost = "";
    said.setAttribute("role", "alert");
    form.append(said);
  });
  document.addEventListener("htmx:before:request", (event) => {
    event.detail?.ctx?.sourceElement?.closest?.("form")?.querySelector("[data-lost]")?.remove();
  });

  const reveal = () => document.querySelectorAll(".script-only[hidden]").forEach((node) => (node.hidden = false));
  document.addEventListener("htmx:after:swap", reveal);
  reveal();
})();
