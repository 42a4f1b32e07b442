// Sorting, filtering and the line that says what a cell means. Without it, everything on the page can be read.
(() => {
"use strict";
const all = (query, at = document) => [...at.querySelectorAll(query)];
const make = (name, text, attributes = {}) => {
  const node = document.createElement(name);
  node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
};

// Sort: each heading of the last row of heads becomes a button. The baseline and the control stay on top.
const value = (row, at) => {
  const cell = row.cells[at];
  const given = cell.dataset.v;
  if (given !== undefined) return given === "" ? null : Number(given);
  const text = cell.textContent.trim();
  return text === "–" || text === "" ? null : text;
};
const before = (one, two) => {
  if (one === null || two === null) return (one === null) - (two === null);
  if (typeof one === "number" && typeof two === "number") return one - two;
  return String(one).localeCompare(String(two), undefined, {numeric: true});
};
const sort = (table, head) => {
  const at = head.cellIndex;
  const was = head.getAttribute("aria-sort");
  const next = {ascending: "descending", descending: ""}[was] ?? "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  if (next) head.setAttribute("aria-sort", next);
  const rows = all("tr", table.tBodies[0]);
  rows.forEach((row, place) => { row.dataset.place ??= place; });
  const fixed = row => row.matches(".base, .control") ? 0 : 1;
  const order = (a, b) => {
    if (fixed(a) !== fixed(b) || !fixed(a) || !next) return fixed(a) - fixed(b) || a.dataset.place - b.dataset.place;
    const [x, y] = [value(a, at), value(b, at)];
    const sign = next === "descending" && x !== null && y !== null ? -1 : 1;
    return sign * before(x, y) || a.dataset.place - b.dataset.place;
  };
  table.tBodies[0].append(...rows.sort(order));
};
const sortable = table => {
  for (const head of table.tHead.rows[table.tHead.rows.length - 1].cells) {
    const words = head.querySelector(".what");
    if (!words) continue;
    const button = make("button", "", {type: "button", class: "sort", title: "Sort by this column"});
    words.replaceWith(button);
    button.append(words);
    button.addEventListener("click", () => sort(table, head));
  }
};
all("table.sortable").forEach(sortable);

const choice = (label, names, chosen) => {
  const box = make("select", "", {"aria-label": label});
  names.forEach((name, place) => box.append(make("option", name, {value: place})));
  box.value = String(chosen);
  return box;
};

// Two targets: their ratios, all computed and written by Tare. Only where a mark stands on the common scale is found here.
const shape = (name, attributes) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
};
const drawing = (ratio, place) => {
  const [middle, low, high] = ratio.map(place);
  const sure = ratio.length > 1, apart = sure && (ratio[1] > 1 || ratio[2] < 1);
  const tone = sure && !apart ? "same" : ratio[0] > 1 ? "worse" : ratio[0] < 1 ? "better" : "same";
  const svg = shape("svg", {class: "g", width: 160, height: 12, viewBox: "0 0 160 12", "aria-hidden": "true"});
  svg.append(shape("path", {class: "ax", d: "M4 6H156"}), shape("path", {class: "one", d: `M${place(1)} 0V12`}));
  if (sure) svg.append(shape("path", {class: `wh ${tone}`, d: `M${low} 6H${high}M${low} 3v6M${high} 3v6`}));
  svg.append(shape("circle", {class: `${sure ? "dot" : "ring"} ${tone}`, cx: middle, cy: 6, r: 3}));
  return svg;
};
const compare = (held, one, two, into) => {
  const found = [];
  for (const row of held.rows) {
    const ahead = row.ratios[`${one} ${two}`], back = row.ratios[`${two} ${one}`];
    if (!ahead && !back) continue;
    const [there, other, numbers, blocks] = ahead ?? back;
    const turned = numbers.length > 1 ? [1 / numbers[0], 1 / numbers[2], 1 / numbers[1]] : [1 / numbers[0]];
    found.push({row, text: ahead ? there : other, ratio: ahead ? numbers : turned, blocks});
  }
  const ends = found.flatMap(item => item.ratio).filter(end => end > 0).map(Math.log10);
  const low = Math.min(-0.3, ...ends), high = Math.max(0.3, ...ends);
  const place = ratio => Math.round(10 * (4 + 152 * (Math.log10(ratio) - low) / (high - low))) / 10;
  const table = make("table", "", {class: "changes sortable"});
  const heads = table.createTHead().insertRow(), body = table.createTBody();
  const names = ["series", held.targets[one], held.targets[two], "second ÷ first", "on one logarithmic scale", "blocks"];
  names.forEach((name, at) => {
    const head = make("th", "", {scope: "col"});
    head.append(make("span", name, at === 4 ? {} : {class: "what"}));
    heads.append(head);
  });
  for (const {row, text, ratio, blocks} of found) {
    const line = body.insertRow(), name = make("th", "", {scope: "row"}), link = make("a", row.scenario, {href: `#${row.at}`});
    link.className = "detail";
    name.append(row.title, link);
    const drawn = make("td", "");
    drawn.append(drawing(ratio, place));
    line.append(name, make("td", row.values[one], {"data-l": names[1]}), make("td", row.values[two], {"data-l": names[2]}));
    line.append(make("td", text, {"data-v": ratio[0], "data-l": names[3]}), drawn, make("td", blocks));
  }
  sortable(table);
  into.replaceChildren(found.length ? table : make("p", "No series of these two has common blocks: choose two others."));
};
for (const box of all(".versus")) {
  const held = JSON.parse(box.nextElementSibling.textContent);
  const boxes = [choice("First target", held.targets, 0), choice("Second target", held.targets, 1)];
  const bar = make("div", "", {class: "pick"}), into = make("div", "", {class: "scroll", tabindex: "0", role: "group", "aria-label": "Any two targets"});
  const apply = () => compare(held, Number(boxes[0].value), Number(boxes[1].value), into);
  for (const one of boxes) one.addEventListener("change", apply);
  bar.append(make("span", "First"), boxes[0], make("span", "second"), boxes[1]);
  box.append(bar, into);
  box.hidden = false;
  apply();
}

// Filter: rows of all tables by words of the target, sections by scenario.
const tools = document.getElementById("tools");
if (tools) {
  const words = make("input", "", {type: "search", placeholder: "docker podman", id: "filter", size: "14"});
  const which = make("select", "", {id: "only"});
  const sections = all("section.scenario");
  which.append(make("option", "all scenarios", {value: ""}));
  for (const section of sections) {
    which.append(make("option", section.querySelector(".name").textContent, {value: section.id}));
  }
  const told = make("span", "", {role: "status", class: "quiet"});
  const apply = () => {
    const wanted = words.value.toLowerCase().split(/[\s]+/).filter(Boolean);
    const rows = all("tr[data-target]");
    let shown = 0;
    for (const row of rows) {
      const name = row.dataset.target.toLowerCase();
      row.hidden = wanted.length > 0 && !row.matches(".base, .control") && !wanted.some(word => name.includes(word));
      shown += !row.hidden;
    }
    for (const section of sections) section.hidden = which.value !== "" && section.id !== which.value;
    told.textContent = wanted.length ? `${shown} of ${rows.length} rows` : "";
  };
  words.addEventListener("input", apply);
  which.addEventListener("change", () => {
    apply();
    document.getElementById(which.value)?.scrollIntoView();
  });
  const target = make("label", "Targets ", {for: "filter"}), scenario = make("label", "Scenario ", {for: "only"});
  tools.append(target, words);
  if (sections.length > 1) tools.append(scenario, which);
  tools.append(told);
  tools.hidden = false;
  // A link to a place that a filter hides shows it again.
  window.addEventListener("hashchange", () => {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (place?.closest("[hidden]")) {
      words.value = which.value = "";
      apply();
      place.scrollIntoView();
    }
  });
}

// Two runs of a trend: the command that compares them, joined of words that the page holds.
const pick = document.getElementById("pick");
if (pick) {
  const {runs, factors, ending} = JSON.parse(document.getElementById("pick-data").textContent);
  const names = runs.map(run => run[2]);
  const boxes = [choice("Base", names, Math.max(0, runs.length - 2)), choice("New", names, runs.length - 1)];
  const told = make("code", "", {role: "status"});
  const apply = () => {
    const [base, fresh] = boxes.map(box => runs[Number(box.value)]);
    const apart = [base[1], fresh[1]].sort((a, b) => a - b).join(" ");
    const words = ["tare compare", base[0], fresh[0], factors[apart] ?? "", ending].filter(Boolean);
    told.textContent = base === fresh ? "choose two different runs" : words.join(" ");
  };
  for (const box of boxes) box.addEventListener("change", apply);
  apply();
  pick.className = "pick";
  pick.append(make("span", "Compare any two:"), ...boxes, told);
  pick.hidden = false;
}

// A closed part that holds the place of a link is opened; so are all parts before printing.
const open = () => {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let node = place; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  if (place) place.scrollIntoView();
};
window.addEventListener("hashchange", open);
open();
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = all("main details:not([open])");
  for (const part of opened) part.open = true;
});
window.addEventListener("afterprint", () => { for (const part of opened) part.open = false; });

// What a cell says, in a line below its table, for a pointer and for a finger.
for (const table of all("table.ratios")) {
  const line = document.getElementById(table.dataset.line);
  if (!line) continue;
  const usual = line.textContent;
  const say = event => {
    const cell = event.target.closest("td[title]");
    line.textContent = cell ? cell.title : usual;
  };
  table.addEventListener("pointerover", say);
  table.addEventListener("click", say);
  table.addEventListener("pointerleave", () => { line.textContent = usual; });
}

// The menus of the bar close when one of their links is followed, and with the Escape key.
for (const menu of all(".bar details")) {
  menu.addEventListener("click", event => { if (event.target.closest("a")) menu.open = false; });
  menu.addEventListener("keydown", event => {
    if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); }
  });
}
})();
