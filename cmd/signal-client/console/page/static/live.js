// Following /api/v1/status/stream. The page says so when it has heard nothing for 15 s
// (the server sends something every few seconds); a hidden tab rests.

import { h } from "./dom.js";
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
      this.refused();
      this.retry = setTimeout(() => { if (!document.hidden) this.open(); }, 3000);
    });
  }

  // A stream that was refused does not say why; another request does.
  async refused() {
    const asked = new AbortController();
    try {
      const { status } = await fetch(this.url, { signal: asked.signal });
      if (status === 401) this.say("You are logged out. ", "Log in again", `/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    } catch { /* nothing answers: the bar will say so */ } finally { asked.abort(); }
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
    const root = document.documentElement;
    if (root.classList.contains("is-stale") === is) return;
    root.classList.toggle("is-stale", is);
    if (is) this.say(`No news since ${local(new Date(this.last))}: what is shown may be out of date. Trying to reconnect.`);
    else document.getElementById("stale").hidden = true;
  }

  say(text, link, href) {
    const bar = document.getElementById("stale");
    document.documentElement.classList.add("is-stale");
    bar.hidden = false;
    bar.replaceChildren(text, ...(link ? [h("a", { href }, link)] : []));
  }
}
