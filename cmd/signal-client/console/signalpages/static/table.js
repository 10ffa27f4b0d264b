// The table of events: a row per event, one of them current. Cells are cards' lines where
// the page is narrow.
//
// Rows are laid out each by itself, in a grid whose widths come from the first rows, and in
// groups that the browser skips while they are out of sight: a real table of thousands of
// rows takes seconds to lay out. Roles say what the elements are.

import { h, setAttribute } from "../page/dom.js";
import { moment, title } from "./when.js";
import { keyOf } from "./rows.js";

// Rows of a group.
const groupSize = 100;

/** urlOf is an event's page; empty: the row is none. */
export function urlOf(row) { return /^\d+$/.test(row.seq || "") ? "/signals/events/" + row.seq : ""; }

/** labels are short names of fields that every row has. */
export const labels = { _time: "Time", stored: "Arrived", _msg: "Message" };

/** labelOf is a column's title. */
export function labelOf(field) { return labels[field] || field; }

export class Table {
  /** end() is called when somebody moves past the last row; remove(field) takes a column out. */
  constructor(table, { end, remove }) {
    this.table = table;
    this.end = end;
    this.remove = remove;
    this.rows = [];
    this.keys = new Set();
    this.columns = [];
    this.at = null;
    table.addEventListener("keydown", (e) => this.key(e));
    table.addEventListener("click", (e) => this.click(e));
    table.addEventListener("focusin", (e) => { if (e.target.matches("tbody tr")) this.current(e.target, false); });
  }

  /** clear empties the table; columns are its fields. fixed: none can be taken out. */
  clear(columns, fixed) {
    this.columns = columns;
    this.rows = [];
    this.keys.clear();
    this.at = null;
    const heads = columns.map((field, i) => h("th", { scope: "col", role: "columnheader", },
      h("span", {}, labelOf(field)),
      !fixed && i > 0 ? h("button", { type: "button", class: "quiet small", "aria-label": `Remove column ${labelOf(field)}`, title: "Remove column", onclick: () => this.remove(field) }, "×") : null));
    this.measured = false;
    this.table.setAttribute("role", "table");
    this.table.replaceChildren(h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)));
  }

  /** show replaces the columns of the rows that are there. */
  show(columns) {
    const rows = this.rows;
    this.clear(columns);
    this.add(rows);
  }

  /** add appends rows. */
  add(rows) { this.put(rows, false); }

  /** top puts newer rows, the newest first, above the others and keeps at most so many. */
  top(rows, most) {
    this.put(rows, true);
    while (this.rows.length > most) {
      this.keys.delete(keyOf(this.rows.pop()));
      const group = this.table.lastElementChild, last = group.lastElementChild;
      if (last === this.at) this.at = null;
      last.remove();
      this.resize(group);
    }
    if (!this.at) this.mark(this.first);
  }

  get first() { return this.table.querySelector("tbody tr"); }
  get last() { return this.table.querySelector("tbody:last-of-type > tr:last-child"); }

  put(rows, above) {
    const fresh = rows.filter((row) => !this.keys.has(keyOf(row)));
    this.measure(fresh);
    for (const row of fresh) this.keys.add(keyOf(row));
    if (above) {
      this.rows.unshift(...fresh);
      for (const row of fresh.toReversed()) this.group(true).prepend(this.row(row));
    } else {
      this.rows.push(...fresh);
      for (const row of fresh) this.group(false).append(this.row(row));
    }
    for (const group of this.table.tBodies) this.resize(group);
    if (!this.at) this.mark(this.first);
  }

  // group returns the first or last group, a new one if that is full.
  group(above) {
    const groups = this.table.tBodies, group = above ? groups[0] : groups[groups.length - 1];
    if (group && group.childElementCount < groupSize) return group;
    const added = h("tbody", { role: "rowgroup" });
    if (above) this.table.tHead.after(added); else this.table.append(added);
    return added;
  }

  // resize tells the browser how high a group is that it has not laid out.
  resize(group) {
    const n = group.childElementCount;
    if (n === 0) group.remove();
    else if (group.dataset.rows !== String(n)) {
      group.dataset.rows = n;
      group.style.setProperty("--rows", n);
    }
  }

  // measure sets the widths of the columns, in characters of what the first rows show.
  measure(rows) {
    if (this.measured || rows.length === 0) return;
    this.measured = true;
    let least = 0;
    const widths = this.columns.map((field) => {
      if (field === "_time" || field === "stored") {
        least += 12.75;
        return "12.75rem";
      }
      const longest = rows.slice(0, 100).reduce((n, row) => Math.max(n, (row[field] ?? "").length), labelOf(field).length + 4);
      const width = Math.max(5, Math.min(34, longest)) * 0.47 + 1.5;
      least += width;
      return `minmax(${width.toFixed(2)}rem, ${Math.max(5, Math.min(60, longest))}fr)`;
    });
    this.table.style.setProperty("--least", `${least.toFixed(2)}rem`);
    this.table.style.setProperty("--widths", widths.join(" "));
  }

  row(row) {
    const url = urlOf(row);
    return h("tr", { role: "row", tabindex: "-1", "data-url": url }, ...this.columns.map((field, i) => {
      const text = row[field] ?? "";
      const time = field === "_time" || field === "stored";
      const shown = time ? moment(text) : text;
      return h("td", { role: "cell", class: [time ? "time" : "", toneOf(field, text)].filter(Boolean).join(" ") || null, "data-label": labelOf(field), title: time && text ? title(text) : shown.length > 24 ? shown.slice(0, 2000) : null },
        i === 0 && url ? h("a", { href: url, tabindex: "-1" }, shown) : h("bdi", {}, shown.length > 500 ? shown.slice(0, 500) + "…" : shown));
    }));
  }

  // mark makes a row the one that the tab key reaches.
  mark(row) {
    if (this.at) setAttribute(this.at, "tabindex", "-1");
    this.at = row;
    if (row) setAttribute(row, "tabindex", "0");
  }

  current(row, focus) {
    if (!row) return;
    this.mark(row);
    if (focus) {
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }

  /** move goes to another row: by so many, or to the first or last. */
  move(by) {
    if (!this.at) return;
    if (!this.table.contains(document.activeElement)) return this.current(this.at, true);
    let to = this.at;
    for (let n = Math.abs(by); n > 0 && to; n--) {
      const next = by > 0 ? after(to) : before(to);
      if (!next) break;
      to = next;
    }
    if (by > 0 && !after(to)) this.end();
    this.current(to, true);
  }

  key(e) {
    if (e.target.closest("button") || e.ctrlKey || e.metaKey || e.altKey) return;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -Infinity, End: Infinity }[e.key];
    if (by !== undefined) {
      if (by === -Infinity) this.current(this.first, true);
      else if (by === Infinity) { this.current(this.last, true); this.end(); }
      else this.move(by);
    } else if (e.key === "Enter" && this.at?.dataset.url) location.assign(this.at.dataset.url);
    else return;
    e.preventDefault();
  }

  click(e) {
    const row = e.target.closest("tbody tr");
    if (!row || e.target.closest("a, button")) return;
    this.current(row, true);
    if (row.dataset.url && !String(getSelection())) location.assign(row.dataset.url);
  }
}

function after(row) { return row.nextElementSibling || row.parentElement.nextElementSibling?.firstElementChild; }
function before(row) {
  const group = row.parentElement.previousElementSibling;
  return row.previousElementSibling || (group?.matches("tbody") ? group.lastElementChild : null);
}

// toneOf colours results: a failure is to be seen at a glance, and its word says it.
function toneOf(field, text) {
  if (field !== "outcome.result" && field !== "severity") return "";
  return { FAILURE: "tone-red", DENY: "tone-red", ERROR: "tone-red", CHALLENGE: "tone-amber", WARN: "tone-amber", UNANSWERED: "tone-amber", ABANDONED: "tone-amber" }[text] || "";
}
