// Light, dark or as the system says: the buttons. The page itself sets the colours before its first paint (templates/base.html).
(() => {
  const root = document.documentElement;
  const chosen = () => {
    try {
      return localStorage.getItem("theme") || "";
    } catch {
      return "";
    }
  };
  const show = () => {
    if (chosen()) root.dataset.theme = chosen();
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen()));
    }
  };
  show();
  addEventListener("storage", show);
  addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll("[data-themes]")) group.hidden = false;
    show();
  });
  addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-choice]");
    if (!button) return;
    try {
      localStorage.setItem("theme", button.dataset.themeChoice);
    } catch {
      root.dataset.theme = button.dataset.themeChoice;
    }
    show();
  });
})();
