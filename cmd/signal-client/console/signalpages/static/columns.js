// Which fields are columns: chosen in a dialog, kept in the URL and in this browser.

import { count, h } from "../page/dom.js";
import { labelOf } from "./table.js";

const key = "signals.columns", facetKey = "signals.facets";

function stored(name) {
  try {
    const value = JSON.parse(localStorage.getItem(name));
    return Array.isArray(value) ? value.filter((v) => typeof v === "string") : null;
  } catch { return null; }
}

function store(name, value) {
  try {
    if (value) localStorage.setItem(name, JSON.stringify(value)); else localStorage.removeItem(name);
  } catch { /* a browser that keeps nothing */ }
}

/** keptColumns are those of this browser, or null; keep remembers them. */
export function keptColumns() { return stored(key); }
export function keepColumns(columns) { store(key, columns); }

/** keptFacets are fields whose values are counted besides the usual ones. */
export function keptFacets() { return stored(facetKey) || []; }
export function keepFacets(fields) { store(facetKey, fields.length ? fields : null); }

export class Columns {
  /** get() and set(columns) reach the search's columns; null are the default ones. */
  constructor(dialog, { get, set, names }) {
    Object.assign(this, { dialog, get, set, names });
    const $ = (id) => dialog.querySelector("#" + id);
    this.shown = $("columns-shown");
    this.fields = $("columns-fields");
    this.filter = $("columns-filter");
    this.filter.addEventListener("input", () => this.list());
    this.filter.addEventListener("keydown", (e) => { if (e.key === "Enter") { e.preventDefault(); this.fields.querySelector("button")?.click(); } });
    $("columns-reset").addEventListener("click", () => this.change(null));
  }

  async open() {
    this.all = [];
    this.filter.value = "";
    this.draw();
    this.dialog.showModal();
    try { this.all = await this.names(); } catch { /* those that are shown can be arranged */ }
    this.list();
  }

  change(columns, focus) {
    this.set(columns);
    this.draw();
    if (focus) this.dialog.querySelector(focus)?.focus();
  }

  draw() {
    const columns = this.get();
    const move = (i, by) => this.change(columns.with(i, columns[i + by]).with(i + by, columns[i]), `#columns-shown > li:nth-child(${i + by + 1}) button[data-by="${by}"]:not(:disabled), #columns-shown > li:nth-child(${i + by + 1}) button:not(:disabled)`);
    this.shown.replaceChildren(...columns.map((field, i) => h("li", {}, h("span", { class: "name" }, labelOf(field)),
      h("button", { type: "button", class: "quiet small", "data-by": -1, disabled: i === 0, "aria-label": `Move ${field} left`, onclick: () => move(i, -1) }, "↑"),
      h("button", { type: "button", class: "quiet small", "data-by": 1, disabled: i === columns.length - 1, "aria-label": `Move ${field} right`, onclick: () => move(i, 1) }, "↓"),
      h("button", { type: "button", class: "quiet small", "aria-label": `Remove column ${field}`, onclick: () => this.change(columns.filter((c) => c !== field), "#columns-filter") }, "×"))));
    this.list();
  }

  list() {
    const columns = this.get(), text = this.filter.value.trim().toLowerCase();
    const fits = (this.all || []).filter((n) => !columns.includes(n.value) && !/^_(time|stream|stream_id)$/.test(n.value) && n.value.toLowerCase().includes(text)).slice(0, 100);
    this.fields.replaceChildren(...fits.map((n) => h("li", {}, h("button", { type: "button", class: "quiet", onclick: () => this.change([...this.get(), n.value], "#columns-filter") },
      h("bdi", {}, labelOf(n.value)), h("span", { class: "muted" }, count(n.hits))))));
  }
}
