// Saved searches: kept by the console in NATS, shared by its users.

import { h } from "../page/dom.js";
import { call } from "../page/api.js";
import { timeElement } from "../page/time.js";
import { toast } from "../page/toast.js";
import { ofRange, rangeText, write } from "./state.js";

export class Saved {
  /** get() is the state of the search; go(url) shows another. */
  constructor(dialog, { get, go }) {
    Object.assign(this, { dialog, get, go });
    this.list = dialog.querySelector("#saved-list");
    this.wrong = dialog.querySelector("#saved-wrong");
    this.name = dialog.querySelector("#saved-name");
    dialog.querySelector("#saved-form").addEventListener("submit", (e) => { e.preventDefault(); this.save(); });
  }

  async open() {
    this.list.replaceChildren(h("li", { class: "muted" }, "Loading…"));
    this.wrong.hidden = true;
    this.dialog.showModal();
    await this.load();
  }

  async load() {
    try {
      const { data } = await call("GET", "/api/v1/searches");
      this.show(Array.isArray(data) ? data : data.searches || []);
    } catch (e) { this.complain(e); }
  }

  complain(e) {
    if (this.list.querySelector(".muted")) this.list.replaceChildren();
    this.wrong.textContent = [e.message, e.remedy].filter(Boolean).join(". ");
    this.wrong.hidden = false;
  }

  show(searches) {
    if (searches.length === 0) return this.list.replaceChildren(h("li", { class: "muted" }, "None yet."));
    this.list.replaceChildren(...searches.map((s) => {
      const url = "/signals/search" + write({ q: s.query, ...ofRange(s.range), by: s.by || "", columns: s.columns?.length ? s.columns : null });
      return h("li", {},
        h("a", { href: url, onclick: (e) => { if (e.ctrlKey || e.metaKey || e.shiftKey) return; e.preventDefault(); this.dialog.close(); this.go(url); } }, h("bdi", {}, s.name)),
        h("code", {}, h("bdi", {}, s.query || "*")),
        h("span", { class: "muted small" }, s.author ? h("bdi", {}, s.author) : null, " ", s.created_at ? timeElement(new Date(s.created_at), "age") : null),
        h("button", { type: "button", class: "quiet small danger", "aria-label": `Delete the saved search ${s.name}`, onclick: (e) => this.remove(s, e.target) }, "Delete"));
    }));
  }

  async save() {
    const state = this.get();
    try {
      await call("POST", "/api/v1/searches", { body: { name: this.name.value.trim(), query: state.q, range: rangeText(state), ...(state.by ? { by: state.by } : {}), ...(state.columns ? { columns: state.columns } : {}) } });
      toast(`Saved as ${this.name.value.trim()}`, "ok");
      this.name.value = "";
      this.wrong.hidden = true;
      await this.load();
    } catch (e) { this.complain(e); }
  }

  // A second press within a few seconds deletes: others may use the search.
  async remove(search, button) {
    if (button.dataset.sure !== "yes") {
      button.dataset.sure = "yes";
      button.textContent = "Delete for everybody?";
      setTimeout(() => { button.dataset.sure = ""; button.textContent = "Delete"; }, 5000);
      return;
    }
    try {
      await call("DELETE", "/api/v1/searches/" + encodeURIComponent(search.id));
      await this.load();
      this.name.focus();
    } catch (e) { this.complain(e); }
  }
}
