// Brings what is marked as live up to date. The page is whole without it.
(() => {
  "use strict";
  const EVERY_MS = 5000;
  const pause = document.getElementById("pause");
  let paused = false;
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Updates paused" : "Pause updates";
  });
  const swap = (fresh) => {
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      // Whoever is in the middle of something is not disturbed.
      const busy = old.contains(document.activeElement) || (getSelection().toString() && old.contains(getSelection().anchorNode));
      if (now && !busy && now.innerHTML !== old.innerHTML) old.replaceChildren(...now.childNodes);
    }
  };
  const refresh = async () => {
    if (!paused && !document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        if (!answer.ok) throw new Error(String(answer.status));
        swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
        document.body.removeAttribute("data-lost");
      } catch {
        document.body.setAttribute("data-lost", "");
      }
    }
    setTimeout(refresh, EVERY_MS);
  };
  setTimeout(refresh, EVERY_MS);
})();
