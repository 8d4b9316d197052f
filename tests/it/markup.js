// What is wrong with the page at hand for those who see it on a phone, or do not see it: one fault a line.
(() => {
  const faults = [];
  const all = (what) => [...document.querySelectorAll(what)];
  const seen = (e) => e.checkVisibility();
  const each = (what, elements) => elements.forEach((e) => faults.push(`${what}: ${e.outerHTML.slice(0, 120)}`));
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    faults.push(`the page is ${root.scrollWidth} px wide, the window ${root.clientWidth} px`);
  }
  if (!root.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  for (const one of ["h1", "main"]) {
    if (all(one).length !== 1) faults.push(`${all(one).length} of ${one}`);
  }
  const levels = all("h1,h2,h3,h4,h5,h6").filter(seen).map((e) => Number(e.tagName[1]));
  levels.forEach((level, i) => {
    if (i > 0 && level > levels[i - 1] + 1) faults.push(`heading ${level} after ${levels[i - 1]}`);
  });
  const ids = all("[id]").map((e) => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => faults.push(`two of id ${id}`));
  const fields = all("input:not([type=hidden]),select,textarea");
  each("no label", fields.filter((e) => e.labels.length === 0 && !e.ariaLabel));
  each("no words", all("a,button").filter((e) => seen(e) && !e.ariaLabel && !e.textContent.trim()));
  const pictures = all("svg").filter((e) => seen(e) && !e.parentElement.closest("svg"));
  const told = (e) => e.ariaHidden === "true" || (e.role === "img" && (e.ariaLabel || e.querySelector("title")));
  each("a picture without words", pictures.filter((e) => !told(e)));
  each("no caption", all("table").filter((e) => !e.caption));
  each("no scope", all("th:not([scope])"));
  each("an order of its own", all("[tabindex]").filter((e) => e.tabIndex > 0));
  return faults.join("\n");
})()
