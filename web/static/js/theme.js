// Runs before the page is painted, so that it does not flash: the chosen theme, else the system's.
(() => {
  "use strict";
  try {
    const chosen = localStorage.getItem("topicdesk-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // storage is forbidden here: the system's theme it is
  }
})();
