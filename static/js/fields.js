// Small help in forms: copying what is shown once, the charge that a task prefills, durations, and the browser's own time zone at the head of the list.
(() => {
  const held = (node) =>
    node instanceof HTMLInputElement ? node.value : [...node.querySelectorAll("li")].map((item) => item.textContent.trim()).join("\n");

  addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copies]") : null;
    const node = button && document.getElementById(button.dataset.copies);
    if (!node) return;
    const said = button.parentElement.querySelector("[role='status']");
    said.textContent = ""; // so that a second copy is announced as well
    try {
      await navigator.clipboard.writeText(held(node));
      said.textContent = "Copied";
    } catch {
      said.textContent = "Your browser did not let it be copied: mark it and copy it yourself.";
    }
  });

  // the task says whether its time is billable, until somebody says otherwise
  addEventListener("change", (event) => {
    const select = event.target instanceof Element ? event.target.closest("select[data-prefills]") : null;
    const value = select?.selectedOptions[0]?.dataset.value;
    const field = value && select.form.elements[select.dataset.prefills];
    if (!field) return;
    field.value = value;
    select.form.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // a duration: the other reading of a bare number, and a plus sign that adds to what the field holds although all of it is marked
  addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-fills]") : null;
    const field = button && document.getElementById(button.dataset.fills);
    if (!field) return;
    field.value = button.dataset.with;
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  addEventListener("keydown", (event) => {
    if (event.key === "+" && event.target.matches?.("[name=duration], [data-duration]")) event.target.setSelectionRange(event.target.value.length, event.target.value.length);
  });

  // a custom field of some case types is shown only while one of them is chosen
  const fit = () => {
    const type = document.querySelector("select[name='case_type']")?.value;
    for (const field of document.querySelectorAll("[data-of-types]")) field.hidden = type !== undefined && !field.dataset.ofTypes.split(" ").includes(type);
  };
  addEventListener("change", (event) => event.target.matches?.("select[name='case_type']") && fit());
  fit();

  // who fills in a new contact means them, not the one who was chosen before
  document.getElementById("new-contact")?.addEventListener("input", (event) => {
    const contact = document.getElementById("contact");
    if (contact && event.target.type !== "checkbox" && event.target.value.trim()) contact.value = "";
  });

  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const first = () => {
    for (const list of document.querySelectorAll("[data-zones]")) {
      const known = [...list.options].find((option) => option.value === timeZone);
      list.prepend(known ?? new Option(timeZone, timeZone));
    }
  };
  if (timeZone) first();

  // what is said in a corner covers no bar: it stands above one that is at the foot of the window, and below one that ends higher up
  const toasts = document.getElementById("toasts");
  const measure = () => {
    const dock = document.querySelector(".dock")?.getBoundingClientRect();
    if (!dock) return;
    const hasRoomBelow = window.innerHeight - dock.bottom > (toasts?.offsetHeight ?? 0) + 32;
    const lift = hasRoomBelow || dock.top > window.innerHeight ? 0 : window.innerHeight - dock.top;
    document.documentElement.style.setProperty("--dock", `${lift}px`);
  };
  const observer = new ResizeObserver(measure);
  for (const element of [document.body, toasts]) if (element) observer.observe(element);
  for (const event of ["scroll", "resize"]) window.addEventListener(event, measure, { passive: true });
})();
