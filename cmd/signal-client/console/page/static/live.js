// Following /api/v1/status/stream. The page says so when it has heard nothing for 15 s
// (the server sends something every few seconds); a hidden tab rests.

import { local } from "./time.js";

const silence = 15000;

/** Live follows an event stream: new Live(url, {status: (data) => …}).start(). Handlers get
 * the parsed data of the events that they name. While nothing comes for 15 s the root
 * element has the class is-stale, and the bar below the header says so. */
export class Live {
  constructor(url, handlers, { heard = ["alive"] } = {}) {
    this.url = url;
    this.handlers = handlers;
    this.heard = heard;
    this.last = Date.now();
    this.source = null;
  }

  start() {
    document.addEventListener("visibilitychange", () => document.hidden ? this.close() : this.open());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (e) => { if (e.persisted) this.open(); });
    setInterval(() => this.watch(), 1000);
    if (!document.hidden) this.open();
    return this;
  }

  open() {
    if (this.source) return;
    this.last = Math.max(this.last, Date.now() - silence + 5000); // a tab that comes back has 5 s to hear
    const source = new EventSource(this.url);
    this.source = source;
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (e) => { this.hear(); handle(JSON.parse(e.data), e); });
    }
    for (const name of this.heard) source.addEventListener(name, () => this.hear());
    source.addEventListener("message", () => this.hear());
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return; // else it tries again by itself
      this.source = null;
      this.retry = setTimeout(() => { if (!document.hidden) this.open(); }, 3000);
    });
  }

  close() {
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }

  hear() {
    this.last = Date.now();
    this.stale(false);
  }

  watch() { if (!document.hidden && Date.now() - this.last > silence) this.stale(true); }

  stale(is) {
    const root = document.documentElement, bar = document.getElementById("stale");
    if (root.classList.contains("is-stale") === is) return;
    root.classList.toggle("is-stale", is);
    bar.hidden = !is;
    bar.textContent = is ? `No news since ${local(new Date(this.last))}: what is shown may be out of date. Trying to reconnect.` : "";
  }
}
