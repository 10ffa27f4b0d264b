// Values beside the rows: the commonest values of some fields with their counts, to narrow
// the search by.

import { count, h } from "../page/dom.js";
import { labelOf } from "./table.js";

export class Facets {
  /** narrow(field, value, out) narrows the search; column(field) adds a column; another(field)
   * counts one more field; drop(field) stops that; names() resolves to all fields. */
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.note = h("p", { class: "muted small" });
    this.list = h("div", { class: "facet-list" });
    this.choice = h("select", { "aria-label": "Count the values of another field" }, h("option", { value: "" }, "Another field…"));
    this.choice.addEventListener("focus", () => this.fill());
    this.choice.addEventListener("pointerdown", () => this.fill());
    this.choice.addEventListener("change", () => {
      const field = this.choice.value;
      this.choice.value = "";
      if (field) actions.another(field);
    });
    root.append(this.note, this.list, this.choice);
  }

  /** forget says that the fields of another range are to be listed. */
  forget() { this.filled = false; }

  async fill() {
    if (this.filled) return;
    this.filled = true;
    try {
      const names = (await this.actions.names()).filter((n) => !/^_(time|stream|stream_id)$/.test(n.value));
      this.choice.replaceChildren(this.choice.firstElementChild, ...names.map((n) => h("option", { value: n.value }, n.value)));
    } catch { this.filled = false; }
  }

  /** show lists the values of fields, out of so many events. */
  show(fields, found, { total, note, columns, chosen }) {
    const had = document.activeElement?.closest?.("[data-facet]")?.dataset.facet;
    this.note.textContent = note;
    this.list.replaceChildren(...fields.map((field) => this.facet(field, found[field], total, columns.includes(field), chosen.includes(field))));
    if (had && !this.root.contains(document.activeElement)) this.list.querySelector(`[data-facet="${CSS.escape(had)}"] button`)?.focus();
  }

  facet(field, values, total, isColumn, isChosen) {
    const name = labelOf(field), id = "facet-" + field.replace(/[^\w-]/g, "-");
    return h("section", { class: "facet", "aria-labelledby": id, "data-facet": field },
      h("div", { class: "facet-head" }, h("h3", { id }, name),
        h("span", {},
          isColumn ? null : h("button", { type: "button", class: "quiet small", "aria-label": `Add column ${name}`, title: "Add as a column", onclick: () => this.actions.column(field) }, "+ column"),
          isChosen ? h("button", { type: "button", class: "quiet small", "aria-label": `Stop counting ${name}`, title: "Remove", onclick: () => this.actions.drop(field) }, "×") : null)),
      values === undefined ? h("p", { class: "muted small" }, "none, or too many to count") :
        values.length === 0 ? h("p", { class: "muted small" }, "none") :
          h("ul", {}, ...values.map((v) => this.value(field, name, v, total))));
  }

  value(field, name, { value, hits }, total) {
    const share = total > 0 ? Math.min(1, hits / total) : 0;
    const bar = h("svg:svg", { class: "share", viewBox: "0 0 100 3", preserveAspectRatio: "none", "aria-hidden": "true" }, h("svg:rect", { width: Math.max(1, share * 100), height: 3 }));
    const events = `${count(hits)} ${hits === 1 ? "event" : "events"}`;
    return h("li", {},
      h("button", { type: "button", class: "quiet value", title: `${value}\nSearch only these`, "aria-label": `${value} ${events}, only ${name} ${value}`, onclick: () => this.actions.narrow(field, value, false) },
        h("bdi", { class: "facet-text" }, value), " ", h("span", { class: "facet-count" }, count(hits)), bar),
      h("button", { type: "button", class: "quiet small out", title: "Leave these out", "aria-label": `Without ${name} ${value}`, onclick: () => this.actions.narrow(field, value, true) }, "−"));
  }
}
