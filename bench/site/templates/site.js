// The site's own part: filter long lists, and compare any two runs of a series. Without it, everything can be read.
(() => {
"use strict";
const all = (query, at = document) => [...at.querySelectorAll(query)];
const make = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

// Filter: rows by words of their names; closed lists that have a hit are opened.
const tools = document.getElementById("site-tools");
const rows = all("tr[data-name]");
if (tools && rows.length > 8) {
  const words = make("input", {type: "search", id: "filter", placeholder: "docker ready"});
  const told = make("span", {role: "status", class: "quiet"});
  const names = rows.map(row => row.dataset.name.toLowerCase());
  const lists = all("details").filter(list => list.querySelector("tr[data-name]"));
  const were = lists.map(list => list.open);
  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, at) => {
      row.hidden = !wanted.every(word => names[at].includes(word));
      shown += !row.hidden;
    });
    lists.forEach((list, at) => { list.open = wanted.length ? !!list.querySelector("tr[data-name]:not([hidden])") : were[at]; });
    for (const part of all(".part")) part.hidden = !part.querySelector("tr[data-name]:not([hidden])");
    told.textContent = wanted.length ? ` ${shown} of ${rows.length} rows` : "";
  };
  let waiting;
  words.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  tools.append(make("label", {for: "filter"}, "Filter "), words, told);
  tools.hidden = false;
}

// Compare: two lists of the runs, the command for them, and a link where the comparison was built.
const place = document.getElementById("compare");
const runs = all("#runs tr.measured");
const quoted = text => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);
if (place && runs.length > 1) {
  const options = () => runs.map(row => make("option", {value: row.dataset.run}, row.dataset.run));
  const base = make("select", {id: "base"}, ...options());
  const later = make("select", {id: "new"}, ...options());
  base.selectedIndex = 1;
  if (runs.some(row => row.dataset.run === place.dataset.base)) base.value = place.dataset.base;
  const said = make("output", {for: "base new", role: "status"});
  const kind = name => runs.find(row => row.dataset.run === name).dataset.kind;
  const tell = () => {
    const [one, two] = [base.value, later.value];
    const results = place.dataset.results;
    said.replaceChildren();
    if (one === two) { said.append("Choose two different runs."); return; }
    const built = all(".pairs a").find(link => link.dataset.base === one && link.dataset.new === two);
    if (built) { said.append(make("a", {href: built.getAttribute("href")}, "Open the comparison"), " or "); }
    const parts = ["tare", "compare", quoted(one), quoted(two), ...(results ? [results] : [])];
    said.append(make("code", {}, parts.join(" ")));
    if (kind(one) !== kind(two)) said.append(" (of different epochs: name what is compared with --factor)");
  };
  base.addEventListener("change", tell);
  later.addEventListener("change", tell);
  place.append(make("div", {class: "choose"}, make("label", {for: "base"}, "Base"), base, make("label", {for: "new"}, "New"), later, said));
  tell();
  // A click on a point of the chart chooses it: the first as base, the next one as new.
  const drawing = document.querySelector("#history svg");
  if (drawing) {
    const order = [...runs].reverse();
    let turn = 0;
    for (const [at, dot] of all("circle", drawing).entries()) {
      const row = order[at];
      if (!row) continue;
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = `${row.dataset.run}: ${row.cells[2].textContent} (${row.cells[3].textContent})`;
      dot.append(title);
      dot.style.cursor = "pointer";
      dot.addEventListener("click", () => { (turn++ % 2 ? later : base).value = row.dataset.run; tell(); });
    }
  }
}
})();
