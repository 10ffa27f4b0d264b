// The list of integrations: follows their status, searches, filters and sorts.

import { count, setText } from "../page/dom.js";
import { follow } from "./status.js";
import { make, patch, slugOf } from "./tile.js";
import { strip } from "./strip.js";

const $ = (id) => document.getElementById(id);
const grid = $("tiles"), find = $("find"), chips = [...document.querySelectorAll(".chip")], resort = $("resort");
const tiles = new Map([...grid.children].map((t) => [t.dataset.instance, t]));
const severity = Object.fromEntries(chips.map((c, n) => [c.dataset.slug, n])); // worst first
const idle = 10000;
let touched = 0; // when the reader last did something here

// What the reader asked for.

const chosen = () => chips.filter((c) => c.getAttribute("aria-pressed") === "true").map((c) => c.dataset.slug);

function textOf(tile) {
  const t = tile.textOf ??= ["name", "org", "status", "holder", "error"].map((f) => tile.querySelector(`[data-f=${f}]`));
  return [tile.dataset.instance, ...t.map((e) => e.textContent)].join("\n").toLowerCase();
}

function apply() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean), states = chosen();
  let shown = 0;
  for (const tile of tiles.values()) {
    const text = words.length ? textOf(tile) : "";
    tile.hidden = (states.length > 0 && !states.includes(tile.dataset.slug)) || !words.every((w) => text.includes(w));
    if (!tile.hidden) shown++;
  }
  setText($("shown"), shown === tiles.size ? "" : `${count(shown)} of ${count(tiles.size)} shown`);
  $("nothing").hidden = shown > 0 || tiles.size === 0;
}

function keepInURL() {
  const url = new URL(location);
  url.search = "";
  if (find.value.trim()) url.searchParams.set("q", find.value.trim());
  for (const s of chosen()) url.searchParams.append("state", s);
  history.replaceState(null, "", url);
}

function order() {
  const byName = (a, b) => a.dataset.instance < b.dataset.instance ? -1 : 1;
  return [...tiles.values()].sort((a, b) => severity[a.dataset.slug] - severity[b.dataset.slug] || byName(a, b));
}

const sorted = (wanted) => wanted.every((t, n) => grid.children[n] === t);

function sort() {
  const wanted = order();
  if (!sorted(wanted)) grid.append(...wanted);
  resort.hidden = true;
}

// A tile never moves under the reader: sorting waits until nothing is done here, at the top
// of the page.
function settle() {
  const rests = Date.now() - touched > idle && scrollY < 80 && !grid.contains(document.activeElement);
  const wanted = order();
  if (sorted(wanted)) resort.hidden = true;
  else if (rests) sort();
  else resort.hidden = false;
  if (rests) apply();
}

function tally() {
  const counts = {};
  for (const t of tiles.values()) counts[t.dataset.slug] = (counts[t.dataset.slug] || 0) + 1;
  for (const c of chips) {
    const n = counts[c.dataset.slug] || 0;
    setText(c.querySelector(".number"), count(n));
    c.hidden = n === 0 && c.getAttribute("aria-pressed") !== "true";
  }
  const need = ["credential-refused", "configuration-error", "unowned"].reduce((sum, s) => sum + (counts[s] || 0), 0);
  setText($("summary"), `${count(tiles.size)} integration${tiles.size === 1 ? "" : "s"}${need ? `, ${count(need)} need${need === 1 ? "s" : ""} attention` : ""}`);
  document.querySelector("[data-empty]").hidden = tiles.size > 0;
  document.querySelector("[data-full]").hidden = tiles.size === 0;
}

// Strips are fetched when their tile comes into view, and again every 15 minutes.

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting || Date.now() - (target.stripAt || 0) < 900000) continue;
    target.stripAt = Date.now();
    strip(target.querySelector("[data-f=strip]"), target.dataset.instance).catch(() => { target.stripAt = 0; });
  }
}, { rootMargin: "200px" });
for (const t of tiles.values()) seen.observe(t);

// News.

let pending = null;
function changed(i) {
  let tile = tiles.get(i.instance);
  if (tile) patch(tile, i);
  else {
    tile = make($("blank"), i);
    tiles.set(i.instance, tile);
    grid.append(tile);
    seen.observe(tile);
  }
  pending ??= requestAnimationFrame(() => { pending = null; tally(); settle(); });
}

function gone(instance) {
  tiles.get(instance)?.remove();
  tiles.delete(instance);
  tally();
}

function fleet(f) {
  if (f.complete && !document.querySelector("[data-wait]").hidden) {
    document.querySelector("[data-wait]").hidden = true;
    tally();
  }
}

find.addEventListener("input", () => { apply(); keepInURL(); });
$("finder").addEventListener("submit", (e) => e.preventDefault());
for (const c of chips) {
  c.addEventListener("click", () => {
    c.setAttribute("aria-pressed", String(c.getAttribute("aria-pressed") !== "true"));
    apply();
    sort();
    keepInURL();
  });
}
$("clear").addEventListener("click", () => {
  find.value = "";
  for (const c of chips) c.setAttribute("aria-pressed", "false");
  apply();
  keepInURL();
  find.focus();
});
resort.addEventListener("click", () => { apply(); sort(); });
for (const event of ["pointermove", "pointerdown", "keydown", "wheel", "touchmove"]) addEventListener(event, () => { touched = Date.now(); }, { passive: true });
addEventListener("keydown", (e) => {
  if (e.key === "/" && !e.target.matches("input, textarea, select")) { e.preventDefault(); find.focus(); }
});

if ($("import")) import("./import.js").then(({ importer }) => importer($("import"), $("import-dialog")));
setInterval(() => { if (!document.hidden) settle(); }, 5000);
follow({ changed, gone, fleet }, tiles.keys());
