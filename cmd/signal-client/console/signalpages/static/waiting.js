// How far the index is: while it can't be asked, or is behind the stream, the page says so.

import { count } from "../page/dom.js";

const soon = 2000, later = 15000;

export class Waiting {
  /** ready() is called at each look at which the index can be asked, further() when it has
   * come on since the last one. */
  constructor(box, index, { ready, further }) {
    Object.assign(this, { box, index, ready, further });
    this.show();
    this.wait();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.look(); });
  }

  /** usable reports whether the index can be asked. */
  get usable() { return !["off", "starting", "failed"].includes(this.index.state); }

  /** behind reports whether events of the stream are not indexed yet. */
  get behind() { return this.index.behind > 0; }

  /** figure is how far it is: indexed 812,000 of 1,000,000. */
  get figure() { return `indexed ${count(this.index.indexed)} of ${count(this.index.indexed + this.index.behind)}`; }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), !this.usable || this.behind || this.hurried ? soon : later);
  }

  /** hurry looks again soon: the index could not be asked. */
  hurry() {
    this.hurried = true;
    this.wait();
  }

  async look() {
    clearTimeout(this.timer);
    if (!document.hidden) {
      try {
        const response = await fetch("/signals/search/index", { credentials: "same-origin" });
        if (response.ok) this.take(await response.json());
      } catch { /* the next look tells */ }
    }
    this.wait();
  }

  take(index) {
    const had = this.index.indexed;
    this.index = index;
    this.show();
    if (!this.usable) return;
    this.hurried = false;
    this.ready();
    if (index.indexed !== had) this.further();
  }

  show() {
    const text = this.says();
    this.box.hidden = !text;
    if (this.box.textContent !== text) this.box.textContent = text;
  }

  says() {
    const i = this.index, tell = (...parts) => parts.filter(Boolean).map((p) => p.charAt(0).toUpperCase() + p.slice(1).replace(/\.$/, "")).join(". ") + ".";
    switch (i.state) {
    case "off": return tell(i.trouble || "there is no search index in this process", i.remedy || "set SIGNAL_CLIENT_SEARCH to embedded or to the URL of a VictoriaLogs and restart; the events themselves are safe in the stream");
    case "starting": return tell(i.trouble || "the search index is starting", i.remedy || "the search begins as soon as it answers");
    case "failed": return tell("the search index does not work", i.trouble, i.remedy || "the events themselves are safe in the stream; the index is started again by itself");
    }
    const refused = Object.values(i.refused || {}).reduce((a, b) => a + b, 0);
    if (i.rebuilding || i.state === "rebuilding") return tell(`The index is being built again: ${this.figure}`, "older events are found as it goes on", i.trouble);
    if (this.behind && i.state !== "current") return tell(`The index is behind the stream: ${this.figure}`, i.trouble, i.remedy);
    return i.trouble ? tell(i.trouble, i.remedy) : refused > 0 ? tell(`${count(refused)} events of the stream are not in the index: VictoriaLogs takes none that are older than its retention, in the future or too large`) : "";
  }
}
