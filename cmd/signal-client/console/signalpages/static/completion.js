// Completion of the query, in the ARIA pattern of a combobox: the names of fields, and
// their commonest values with counts.

import { count, h } from "../page/dom.js";
import { complete, completionAt } from "./query.js";

const most = 20, pause = 150;

export class Completion {
  /** names() and values(field, text, signal) resolve to [{value, hits}…]. */
  constructor(input, list, { names, values }) {
    Object.assign(this, { input, list, names, values, options: [], at: -1, asked: 0 });
    input.addEventListener("input", () => this.later());
    input.form.addEventListener("submit", () => this.close());
    input.addEventListener("keydown", (e) => this.key(e));
    input.addEventListener("blur", () => this.close());
    input.addEventListener("click", () => { if (!this.list.hidden) this.later(); });
    list.addEventListener("pointerdown", (e) => {
      const option = e.target.closest("[role=option]");
      if (option) this.accept(Number(option.dataset.at));
      e.preventDefault(); // the field keeps the focus
    });
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(false), pause);
  }

  /** open lists what fits; asked for or not: an empty name completes to everything. */
  async open(wanted) {
    clearTimeout(this.timer);
    this.controller?.abort();
    const place = completionAt(this.input.value, this.input.selectionStart ?? 0);
    const asked = ++this.asked;
    if (!place || (!wanted && place.kind === "field" && !place.prefix)) return this.close();
    this.controller = new AbortController();
    let found = [];
    try {
      found = place.kind === "field" ? among(await this.names(), place.prefix) : await this.values(place.field, place.prefix, this.controller.signal);
    } catch { /* without completion one can go on */ }
    if (asked !== this.asked || document.activeElement !== this.input) return;
    if (found.length === 1 && found[0].value === place.prefix && place.kind === "value") found = [];
    this.show(place, found.slice(0, most));
  }

  show(place, found) {
    if (found.length === 0) return this.close();
    this.place = place;
    this.options = found;
    this.at = -1;
    this.list.replaceChildren(...found.map((o, i) => h("div", { role: "option", id: "completion-" + i, "aria-selected": "false", "data-at": i, "aria-label": `${o.value}, ${count(o.hits)} events` },
      h("bdi", {}, o.value), h("span", { class: "muted" }, count(o.hits)))));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    clearTimeout(this.timer);
    this.asked++;
    this.controller?.abort();
    this.list.hidden = true;
    this.options = [];
    this.at = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  mark(at) {
    this.list.children[this.at]?.setAttribute("aria-selected", "false");
    this.at = at;
    const option = this.list.children[at];
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  accept(at) {
    const chosen = this.options[at];
    if (!chosen) return;
    const { text, caret } = complete(this.input.value, this.place, chosen.value);
    const field = this.place.kind === "field";
    this.input.value = text;
    this.input.setSelectionRange(caret, caret);
    this.close();
    if (field) this.open(true); // its values come next
  }

  key(e) {
    const shown = !this.list.hidden, n = this.options.length;
    if (e.key === "ArrowDown" && !shown) this.open(true);
    else if (e.key === "ArrowDown") this.mark(this.at + 1 >= n ? -1 : this.at + 1);
    else if (e.key === "ArrowUp" && shown) this.mark(this.at < 0 ? n - 1 : this.at - 1);
    else if (e.key === "Enter" && shown && this.at >= 0) this.accept(this.at);
    else if (e.key === "Escape" && shown) this.close();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}

// among are the names that contain what was typed, those that begin with it first.
function among(names, typed) {
  const text = typed.toLowerCase();
  const place = ({ value }) => {
    const name = value.toLowerCase();
    if (name.startsWith(text)) return 0;
    return name.includes("." + text) ? 1 : name.includes(text) ? 2 : 3;
  };
  return names.filter((n) => !/^_stream/.test(n.value)).map((n) => ({ ...n, place: place(n) })).filter((n) => n.place < 3)
    .sort((a, b) => a.place - b.place || b.hits - a.hits || (a.value < b.value ? -1 : 1));
}
