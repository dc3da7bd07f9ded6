// Help while writing: files with preview, drafts that are kept, errors that take the focus. Forms work without it.
(() => {
  const DRAFT_MS = 2000;
  const PREVIEW_BYTES = 4_000_000;
  const MOST_FILES = 10;
  const LARGEST_BYTES = 25 * 1024 * 1024; // what the server takes (portal/web/forms.py)
  const element = (name, values = {}, ...children) => {
    const made = Object.assign(document.createElement(name), values);
    made.append(...children);
    return made;
  };
  const size = (bytes) => (bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1000))}\u00a0kB` : `${(bytes / 1_000_000).toFixed(1)}\u00a0MB`);

  // ---- files: sent one after the other as they are chosen, and kept on the server with the form's draft ----
  // Each has a row of its own: while it is sent with its progress, refused with its sentence. A refused form does not lose them.
  const button = (words, label, act) => {
    const made = element("button", { type: "button", className: "button quiet remove", textContent: words });
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  };
  const addressOf = (form) => form.dataset.draft || new URL(form.action).pathname + new URL(form.action).search;
  const pictures = new Map(); // by the id of its row: what was chosen on this page is still shown once it is kept
  const showKept = (form, html, picture) => {
    const list = new DOMParser().parseFromString(html, "text/html").getElementById("draft-files");
    const shown = form.querySelector("#draft-files");
    if (!list) return;
    for (const row of list.children) {
      if (picture && !shown?.querySelector(`[id="${row.id}"]`)) pictures.set(row.id, picture);
      if (pictures.has(row.id)) row.querySelector(".thumb").replaceChildren(pictures.get(row.id).cloneNode());
    }
    shown?.replaceWith(list);
  };
  const post = (form, address, file, row) =>
    new Promise((resolve) => {
      const body = new FormData();
      for (const name of ["csrf", "form_key"]) body.append(name, form.elements[name].value);
      if (file) body.append("files", file);
      const request = new XMLHttpRequest();
      request.open("POST", `${address}?form=${encodeURIComponent(addressOf(form))}`);
      request.setRequestHeader("HX-Request", "true"); // refusals come as a sentence, not as a page
      request.upload.addEventListener("progress", (event) => row?.progress && (row.progress.value = event.loaded / event.total));
      request.addEventListener("loadend", () => resolve(request));
      row?.addEventListener("cancel-file", () => request.abort());
      request.send(body);
    });
  const sentenceOf = (request, name) => {
    if (!request.status) return `“${name}” could not be sent: no connection.`;
    if (request.getResponseHeader("HX-Redirect")) return `“${name}” could not be sent: you are signed out. Copy your text, then load this page again.`;
    if (request.status === 200) return "";
    return new DOMParser().parseFromString(request.responseText, "text/html").querySelector(".refusal p")?.textContent || `“${name}” could not be kept.`;
  };
  const refuse = (row, file, sentence, again) => {
    const remove = button("Remove", `Remove the line about ${file.name}`, () => row.remove());
    row.className = "file refused";
    row.setAttribute("role", "alert");
    row.replaceChildren(element("span", { className: "wrong", textContent: sentence }), ...(again ? [button("Try again", `Send ${file.name} again`, again)] : []), remove);
  };
  const pictureOf = (file) =>
    new Promise((resolve) => {
      if (!file.type.startsWith("image/") || file.size > PREVIEW_BYTES) return resolve(null);
      const reader = new FileReader();
      reader.addEventListener("loadend", () => resolve(reader.result && element("img", { src: reader.result, alt: "" })));
      reader.readAsDataURL(file);
    });
  const thumbOf = (file, picture) => {
    const thumb = element("span", { className: "thumb" });
    picture.then((found) => thumb.append(found?.cloneNode() ?? (file.name.split(".").pop() || "").slice(0, 4).toUpperCase()));
    return thumb;
  };
  const queues = new WeakMap();
  const sendOne = async (form, file, row) => {
    if (!row.isConnected) return; // taken off while it waited
    const request = await post(form, "/drafts/files", file, row);
    if (!row.isConnected) return;
    const sentence = sentenceOf(request, file.name);
    if (sentence) {
      const again = () => enqueue(form, file, row);
      refuse(row, file, sentence, request.status === 0 || request.status >= 500 ? again : null);
    } else {
      const picture = await row.picture;
      row.remove();
      showKept(form, request.responseText, picture);
      keep(form);
    }
  };
  const enqueue = (form, file, row) => {
    const progress = element("progress", { max: 1, value: 0 });
    progress.setAttribute("aria-label", `Sending ${file.name}`);
    const name = element("span", { className: "name" }, file.name, element("span", { className: "size", textContent: size(file.size) }));
    const cancel = button("Remove", `Remove ${file.name}`, () => {
      row.dispatchEvent(new Event("cancel-file"));
      row.remove();
    });
    row.className = "file sending";
    row.removeAttribute("role");
    row.progress = progress;
    row.picture = pictureOf(file);
    row.replaceChildren(thumbOf(file, row.picture), name, progress, cancel);
    queues.set(form, (queues.get(form) ?? Promise.resolve()).then(() => sendOne(form, file, row)));
  };
  const choose = (input, files) => {
    const form = input.form;
    const shown = form.querySelector("[data-chosen]");
    input.value = ""; // the plain form does not send it once more
    for (const file of files) {
      const row = element("li");
      shown.append(row);
      const many = form.querySelectorAll("#draft-files .file, [data-chosen] .sending").length >= MOST_FILES;
      if (many) refuse(row, file, `“${file.name}” is left out: a message has at most ${MOST_FILES} files.`);
      else if (!file.size) refuse(row, file, `“${file.name}” is empty and is left out.`);
      else if (file.size > LARGEST_BYTES) refuse(row, file, `“${file.name}” has more than 25\u00a0MB and is left out.`);
      else enqueue(form, file, row);
    }
  };
  const pickerOf = (target) => target.closest?.("[data-files]")?.querySelector("input[type=file]") ?? target.closest?.("form")?.querySelector("[data-files] input[type=file]");
  addEventListener("change", (event) => {
    if (event.target.matches?.("[data-files] input[type=file]")) choose(event.target, [...event.target.files]);
  });
  // Excel and Word copy text with a picture of it: the text is meant. A file manager copies the names of files as text: the files are meant.
  const isText = (text, files) => text.trim() && !text.trim().split(/\r?\n/).every((line) => files.some((file) => line.endsWith(file.name)));
  addEventListener("paste", (event) => {
    const input = pickerOf(event.target);
    const files = [...(event.clipboardData?.files ?? [])];
    if (!input || !files.length || isText(event.clipboardData.getData("text/plain"), files)) return;
    event.preventDefault();
    choose(input, files);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      const input = pickerOf(event.target);
      if (!input || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      input.closest("[data-drop]")?.classList.toggle("over", kind === "dragover");
      if (kind === "drop") choose(input, [...event.dataTransfer.files]);
    });
  }
  addEventListener("click", async (event) => {
    const remove = event.target.closest?.("[data-takes-off]");
    if (!remove) return;
    event.preventDefault();
    const form = remove.form;
    const request = await post(form, new URL(remove.formAction).pathname, null, null);
    if (request.status === 200) showKept(form, request.responseText);
    form.querySelector("[data-files] input[type=file], input[type=file]")?.focus();
  });
  // A form that is sent while files are on their way waits for them.
  addEventListener("submit", (event) => {
    const form = event.target;
    if (event.submitter?.matches("[data-takes-off]") || !form.querySelector("[data-chosen] .sending")) return;
    event.preventDefault();
    queues.get(form).then(() => form.requestSubmit(event.submitter));
  }, true);

  // ---- drafts: the form's text goes to /drafts two seconds after the last key, under the address that the form is sent to ----
  const timers = new WeakMap();
  const keep = async (form) => {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === "string") fields.append(name, value);
    fields.set("address", addressOf(form));
    const place = form.querySelector("[data-kept]");
    try {
      const answer = await fetch("/drafts", { method: "POST", body: fields, redirect: "manual", headers: { "X-CSRF-Token": fields.get("csrf") ?? "" } });
      // a form with a draft of its own is found again at its own address
      if (answer.ok && new URL(form.action).searchParams.has("draft")) history.replaceState(history.state, "", form.action);
      if (!place) return;
      if (!answer.ok) {
        const away = "Draft not kept: you are signed out. Copy your text, then load this page again";
        place.textContent = answer.status === 409 ? "Draft not kept: this form was sent already" : answer.status === 503 ? "Draft not kept: try again in a minute" : away;
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
  // a preview shows the text as it was
  addEventListener("input", (event) => event.target.name === "body" && document.getElementById("written")?.replaceChildren());

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

  // The other pages of a case are told when somebody begins to write, and when the text is empty again or nothing was typed for a while.
  const PAUSE_MS = 60000;
  const told = new WeakMap();
  const tell = (form, state) => {
    const stream = document.getElementById("live")?.getAttribute("hx-sse:connect");
    const page = stream && new URL(stream, location).searchParams.get("page");
    if (!page || (told.get(form) ?? "pauses") === state) return;
    told.set(form, state);
    const body = new URLSearchParams({ csrf: form.elements.csrf.value, page, state });
    fetch(form.dataset.presence, { method: "POST", body, redirect: "manual" }).catch(() => told.delete(form));
  };
  let pause;
  addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.dataset.presence || event.target.name !== "body") return;
    clearTimeout(pause);
    pause = setTimeout(() => tell(form, "pauses"), PAUSE_MS);
    tell(form, event.target.value.trim() ? "writes" : "pauses");
  });

  // A reply that arrives before anything is written is known to who writes then; one that arrives later crosses the text, and is asked about.
  document.addEventListener("htmx:after:swap", () => {
    const { body, seen_reply: seen, seen_held: seenHeld } = document.getElementById("composer")?.elements ?? {};
    const shown = document.getElementById("feed")?.dataset;
    if (!seen || !shown || body.value.trim()) return;
    seen.value = shown.lastReply;
    seenHeld.value = shown.held;
  });

  const reveal = () => document.querySelectorAll(".script-only[hidden]").forEach((node) => (node.hidden = false));
  document.addEventListener("htmx:after:swap", reveal);
  reveal();
})();
