// Light or dark: as the system says, or as was chosen here. Not a module: it runs before anything is painted.
"use strict";
(() => {
  const KEY = "mirror-theme";
  const CHOICES = { system: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

  function chosen() {
    try {
      const kept = localStorage.getItem(KEY);
      return kept in CHOICES ? kept : "system";
    } catch {
      return "system"; // storage is switched off: the choice lasts as long as the page
    }
  }

  function apply(choice) {
    document.documentElement.dataset.theme = choice;
    const button = document.getElementById("theme");
    if (button) {
      button.dataset.choice = choice;
      button.setAttribute("aria-label", `${CHOICES[choice]}. Change it.`);
      button.title = CHOICES[choice];
    }
  }

  function next() {
    const names = Object.keys(CHOICES);
    const choice = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // as above
    }
    apply(choice);
  }

  apply(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    apply(chosen());
    document.getElementById("theme").addEventListener("click", next);
  });
})();
