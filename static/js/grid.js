// The week grid by keyboard: arrows move between cells, Enter goes down, and typing replaces what a cell holds. A row that htmx adds gets the
// focus. Without this file the cells are ordinary fields.
(() => {
  const CELL = ".cell-input, [data-cell]";
  const grid = () => document.querySelector("[data-grid] tbody");
  const rows = () => [...grid().rows].map((row) => [...row.querySelectorAll(CELL)]);
  const focus = (cell) => {
    if (!cell) return false;
    cell.focus();
    cell.select?.();
    return true;
  };
  const at = (cell) => {
    const all = rows();
    const line = all.findIndex((row) => row.includes(cell));
    return { all, line, column: all[line]?.indexOf(cell) };
  };
  const moved = (cell, down, right) => {
    const { all, line, column } = at(cell);
    return focus(all[line + down]?.[column + right]);
  };
  // left and right leave a field only at the end of its text, or while all of it is marked
  const leaves = (field, right) => {
    if (!(field instanceof HTMLInputElement)) return true;
    const [from, to, length] = [field.selectionStart, field.selectionEnd, field.value.length];
    return (from === 0 && to === length) || (from === to && from === (right > 0 ? length : 0));
  };

  document.addEventListener("keydown", (event) => {
    const cell = event.target.closest?.(CELL);
    if (!cell || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    const isEnter = event.key === "Enter" && cell.matches(".cell-input");
    if (isEnter || down || (right && leaves(cell, right))) {
      event.preventDefault();
      if (isEnter) moved(cell, event.shiftKey ? -1 : 1, 0);
      else moved(cell, down, right);
    }
  });
  document.addEventListener("focusin", (event) => event.target.matches?.(".cell-input") && event.target.select());

  // time was logged in the panel: the grid shows it, unless something typed would be lost
  document.body.addEventListener("logged", () => {
    if (grid() && [...document.querySelectorAll("#week .cell-input, #week .words")].every((field) => field.matches("select") || field.value === field.defaultValue)) document.body.dispatchEvent(new CustomEvent("week"));
  });

  // a row was added, or was there already
  document.addEventListener("htmx:after:swap", () => {
    const chosen = document.getElementById("week-add-chosen");
    if (!grid() || !chosen?.value) return;
    const seen = new Set();
    const prefix = `row-${chosen.value}.`;
    let found;
    for (const row of [...grid().rows]) {
      if (seen.has(row.id)) row.remove();
      seen.add(row.id);
      if (row.id.startsWith(prefix)) found ??= row;
    }
    if (!found) return;
    chosen.value = "";
    document.getElementById("week-add").value = "";
    focus(found.querySelector(CELL));
  });
})();
