"use strict";
// The report reads without this script; it adds what paper cannot do: curves, sorting, filtering, tooltips, dark and light.

const said = document.getElementById("said"); // read out by screen readers
const dark = matchMedia("(prefers-color-scheme: dark)");

// Dark and light: the system's until the reader chooses; the choice is kept where a browser lets a file keep it.
const root = document.documentElement;
const toggle = document.querySelector(".theme");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
const nameToggle = () => { toggle.textContent = isDark() ? "Light" : "Dark"; };
toggle.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("osteogrid-theme", root.dataset.theme); } catch { /* forgotten on the next visit */ }
  nameToggle();
});
dark.addEventListener("change", nameToggle);
nameToggle();
toggle.hidden = false;

// A figure is drawn when it comes near the window: one that nobody scrolls to costs nothing.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    draw(target);
  }
}, { rootMargin: "800px" });
for (const figure of document.querySelectorAll("figure[data-plot]")) near.observe(figure);

// Tables get their buttons while the browser has nothing else to do.
const waiting = [...document.querySelectorAll("[data-sortable], [data-filter]")];
const idle = window.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 10 }), 30));
function equipWaiting(deadline) {
  while (waiting.length && deadline.timeRemaining() > 2) equip(waiting.shift());
  if (waiting.length) idle(equipWaiting);
}
idle(equipWaiting);

// Figures: plotly's JSON beside each; colors of text and lines come from the style sheet, so both themes need one drawing.
function loadPlotly() {
  const source = document.getElementById("plotly");
  if (!source || window.Plotly) return;
  const script = document.createElement("script");
  script.textContent = source.textContent;
  document.head.append(script);
}

function draw(figure) {
  if (figure.dataset.drawn !== undefined) return;
  figure.dataset.drawn = "";
  loadPlotly();
  const plot = figure.querySelector(".plot");
  const select = figure.querySelector("select");
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  const chosen = () => data.map((trace) => trace.meta === Number(select.value));
  if (select) { // a reloaded page may remember another choice
    chosen().forEach((visible, number) => { data[number].visible = visible; });
    select.addEventListener("change", () => Plotly.restyle(plot, { visible: chosen() }));
  }
  if (layout.legend && plot.clientWidth < 640) { // no room beside the drawing: the legend goes below it
    layout.height += 22 * data.filter((trace) => trace.visible).length;
    Object.assign(layout.legend, { x: 0, y: -0.18, orientation: "h" });
  }
  Plotly.newPlot(plot, data, layout, { responsive: true, displayModeBar: false });
}

// Tables: sorted within their groups, whose headings would say something false about rows of another group.
function equip(table) {
  if (table.dataset.sortable !== undefined) addSorting(table);
  if (table.dataset.filter !== undefined) addFilter(table);
}

function addSorting(table) {
  const groups = [...table.querySelectorAll("tbody")];
  const rows = groups.map((body) => [...body.rows].filter((row) => !row.classList.contains("group")));
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    while (heading.firstChild && heading.firstChild.nodeName !== "SMALL") button.append(heading.firstChild);
    heading.prepend(button);
    button.addEventListener("click", () => {
      const numeric = heading.classList.contains("number");
      const order = nextOrder(heading.getAttribute("aria-sort"), numeric);
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      if (order) heading.setAttribute("aria-sort", order);
      groups.forEach((body, place) => body.append(...inOrder(rows[place], column, order, numeric)));
      said.textContent = order ? `Sorted by ${button.textContent}, ${order}` : "In the order of the study";
    });
  });
}

function nextOrder(order, numeric) { // numbers: highest first; words: from A; then the other way; then as it was
  const [first, second] = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
  return { [first]: second, [second]: "" }[order] ?? first;
}

function inOrder(rows, column, order, numeric) {
  if (!order) return rows;
  const sign = order === "ascending" ? 1 : -1;
  const keyed = rows.map((row) => ({ row, key: sortKey(row.cells[column], numeric) }));
  const compare = (one, other) => (numeric ? one - other : one.localeCompare(other, "en", { numeric: true }));
  return keyed
    .sort((a, b) => (a.key === null) - (b.key === null) || (a.key === null ? 0 : sign * compare(a.key, b.key)))
    .map(({ row }) => row);
}

// The full value where the table gives it, else the number at the start of the text; null, which goes last, if none.
function sortKey(cell, numeric) {
  const given = cell?.dataset.sort;
  const text = given ?? (cell?.firstChild?.textContent.trim() || "–");
  if (text === "–") return null;
  if (!numeric) return text;
  const plain = text.replaceAll("−", "-").replace("∞", "Infinity");
  const below = plain.startsWith("<");
  const number = parseFloat(below ? plain.slice(1) : plain);
  return Number.isNaN(number) ? null : below ? number - Number.EPSILON : number;
}

function addFilter(table) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const found = document.createElement("span");
  label.className = "filter";
  input.type = "search";
  input.setAttribute("aria-label", `Filter rows: ${table.dataset.filter}`);
  label.append("Filter ", input, found);
  table.prepend(label);
  let groups; // read when they are first asked for
  input.addEventListener("input", () => {
    groups ??= [...table.querySelectorAll("tbody")].map(searchable);
    const all = groups.reduce((sum, { rows }) => sum + rows.length, 0);
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { body, rows } of groups) {
      let inside = 0;
      for (const { row, text } of rows) {
        row.hidden = !wanted.every((word) => text.includes(word));
        inside += !row.hidden;
      }
      body.hidden = !inside;
      shown += inside;
    }
    found.textContent = wanted.length ? `${shown} of ${all} rows` : "";
    said.textContent = found.textContent;
  });
}

function searchable(body) { // a row is found by the words of its group, too
  const heading = body.querySelector("tr.group");
  const rows = [...body.rows].filter((row) => row !== heading);
  const words = (row) => `${heading?.textContent ?? ""} ${row.textContent}`.toLowerCase();
  return { body, rows: rows.map((row) => ({ row, text: words(row) })) };
}

// Effects: what each place's mark says, for a pointer on the row and for a keyboard on its link.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true"); // the row says the same in words of its own
document.body.append(tip);
const hideTip = () => { tip.hidden = true; };
for (const graph of document.querySelectorAll(".effects td.graph")) {
  const text = graph.title;
  graph.removeAttribute("title");
  const show = () => {
    const place = graph.getBoundingClientRect();
    tip.textContent = text;
    tip.hidden = false;
    const below = place.bottom + tip.offsetHeight + 8 < innerHeight;
    tip.style.left = `${Math.max(8, Math.min(place.left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${below ? place.bottom + 4 : place.top - tip.offsetHeight - 4}px`;
  };
  const row = graph.parentElement;
  row.addEventListener("pointerenter", show);
  row.addEventListener("pointerleave", hideTip);
  row.addEventListener("focusin", show);
  row.addEventListener("focusout", hideTip);
}
addEventListener("keydown", ({ key }) => { if (key === "Escape") hideTip(); });
addEventListener("scroll", hideTip, { passive: true });

// A link into a closed part opens it.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target?.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  if (target?.closest("details")) target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();

// Paper: everything is drawn, opened and made to fit; then as it was.
const PAPER = 1000; // CSS pixels across A4 landscape within the margins
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const part of closed) part.open = true;
  for (const figure of document.querySelectorAll("figure[data-plot]")) {
    draw(figure);
    Plotly.relayout(figure.querySelector(".plot"), { width: 900, autosize: false });
  }
  for (const table of document.querySelectorAll(".table")) fit(table);
});
addEventListener("afterprint", () => {
  for (const part of closed) part.open = false;
  for (const figure of document.querySelectorAll("figure[data-drawn]")) {
    Plotly.relayout(figure.querySelector(".plot"), { width: null, autosize: true });
  }
  for (const table of document.querySelectorAll(".table table")) table.style.zoom = "";
  for (const note of document.querySelectorAll(".for-paper")) note.remove();
  for (const table of document.querySelectorAll(".too-wide")) table.classList.remove("too-wide");
});

function fit(block) { // measured on the screen, where letters are larger than on paper
  const table = block.querySelector("table");
  if (!table || block.classList.contains("forest")) return;
  const ratio = PAPER / (table.offsetWidth * 0.8);
  if (ratio >= 1) return;
  if (ratio > 0.45) { table.style.zoom = ratio; return; }
  const note = document.createElement("p");
  note.className = "none for-paper";
  note.hidden = true;
  note.textContent = `${table.caption?.firstElementChild?.firstChild.textContent.trim() ?? "Table"}: too wide for paper; see ${block.querySelector(".csv")?.textContent ?? "its file"}.`;
  block.classList.add("too-wide");
  block.append(note);
}
