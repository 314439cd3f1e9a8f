// A lesson's page: which half is shown, and one section at a time for a projector.
"use strict";
{
  const root = document.documentElement;
  const remember = (name, value) => {
    try { localStorage.setItem(name, value); } catch { /* a browser that keeps nothing */ }
  };
  const recall = (name) => {
    try { return localStorage.getItem(name); } catch { return null; }
  };
  const asked = new URLSearchParams(location.search);
  const halves = ["pytorch", "both", "tensorflow"];
  const known = (half) => (halves.includes(half) ? half : null);
  if (known(asked.get("half"))) remember("half", asked.get("half"));
  root.dataset.half = known(asked.get("half")) ?? known(recall("half")) ?? "both";
  if (asked.has("projector")) root.dataset.half = "both";

  addEventListener("DOMContentLoaded", () => {
    const bar = document.querySelector(".pair-bar");
    if (!bar) {
      root.dataset.half = "both";
      return;
    }
    const radio = (half) => bar.querySelector(`[value="${half}"]`);
    const choose = (half) => {
      // What is at the top of the window stays there.
      const top = bar.getBoundingClientRect().bottom;
      const cells = [...document.querySelectorAll(".bd-article [id]")].filter((e) => e.offsetHeight);
      const held = scrollY > 0 && cells.find((e) => e.getBoundingClientRect().bottom > top);
      const before = held && held.getBoundingClientRect().top;
      root.dataset.half = half;
      radio(half).checked = true;
      if (held) scrollBy({ top: held.getBoundingClientRect().top - before, behavior: "instant" });
    };
    bar.addEventListener("change", (event) => {
      choose(event.target.value);
      remember("half", event.target.value);
    });
    radio(root.dataset.half).checked = true;

    // A link to a cell that is not shown shows both halves.
    const target = () => document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const reveal = () => {
      const cell = target();
      if (!cell) return;
      if ("wall" in root.dataset) step(0, parts.findIndex((part) => part.includes(top(cell))));
      else if (!cell.getClientRects().length) choose("both");
      if (!("wall" in root.dataset) || cell.parentElement !== body) cell.scrollIntoView();
    };

    const body = document.querySelector("article > section");
    const parts = [[]];
    for (const child of body.children) {
      if (child.matches("section")) parts.push([child]);
      else if (child !== bar) parts[0].push(child);
    }
    const top = (element) => [...body.children].find((child) => child.contains(element));
    const [count, wall] = [bar.querySelector("output"), bar.querySelector("[data-wall]")];
    let shown = 0;
    const step = (by, to = shown + by) => {
      shown = Math.min(Math.max(to, 0), parts.length - 1);
      parts.forEach((part, i) => part.forEach((e) => e.classList.toggle("off-wall", i !== shown)));
      count.textContent = `${shown + 1} of ${parts.length}`;
      scrollTo({ top: 0, behavior: "instant" });
    };
    const project = (on) => {
      root.toggleAttribute("data-wall", on);
      wall.setAttribute("aria-pressed", on);
      history.replaceState(null, "", (on ? "?projector" : location.pathname) + location.hash);
      choose(on ? "both" : known(recall("half")) ?? "both");
      if (on) step(0);
    };
    wall.addEventListener("click", () => {
      const line = bar.getBoundingClientRect().bottom;
      const seen = parts.findLastIndex((part) => part[0]?.getBoundingClientRect().top <= line);
      shown = "wall" in root.dataset ? shown : Math.max(seen, 0);
      project(!("wall" in root.dataset));
      if (!("wall" in root.dataset)) parts[shown][0].scrollIntoView();
    });
    bar.querySelectorAll("[data-step]").forEach((button) => {
      button.addEventListener("click", () => step(Number(button.dataset.step)));
    });
    addEventListener("keydown", (event) => {
      if (!("wall" in root.dataset) || event.target.matches("input, pre") || event.altKey) return;
      if (event.key === "ArrowRight") step(1);
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "Escape") wall.click();
    });
    if (asked.has("projector")) project(true);
    addEventListener("hashchange", reveal);
    reveal();

    // On paper it is light.
    let theme;
    addEventListener("beforeprint", () => ([theme, root.dataset.theme] = [root.dataset.theme, "light"]));
    addEventListener("afterprint", () => (root.dataset.theme = theme));
  });
}
