// Small help in forms: copying what is shown once, the charge that a task prefills, and the browser's own time zone at the head of the list.
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

  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const first = () => {
    for (const list of document.querySelectorAll("[data-zones]")) {
      const known = [...list.options].find((option) => option.value === timeZone);
      list.prepend(known ?? new Option(timeZone, timeZone));
    }
  };
  if (timeZone) first();

  // what is said in a corner stands above the bar at the foot of a page, however many lines that has
  const measure = () => {
    const dock = document.querySelector(".dock");
    if (dock) document.documentElement.style.setProperty("--dock", `${dock.offsetHeight}px`);
  };
  new ResizeObserver(measure).observe(document.body);
})();
