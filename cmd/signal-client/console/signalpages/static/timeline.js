// The histogram over time: bars, a part of which is chosen by dragging or with the
// keyboard to search it alone.

import { count, h } from "../page/dom.js";
import { clock, full, fullTitle } from "./when.js";

const height = 72;

export class Timeline {
  /** zoom(from, to) is called with the chosen part, in milliseconds. */
  constructor(root, zoom) {
    this.root = root;
    this.zoom = zoom;
    this.readout = h("p", { class: "timeline-says", "aria-hidden": "true" });
    this.svg = h("svg:svg", { viewBox: `0 0 1000 ${height}`, preserveAspectRatio: "none", class: "timeline-bars", role: "slider", tabindex: "0", "aria-label": "Events over time", "aria-orientation": "horizontal", "aria-describedby": "timeline-help" });
    this.axis = h("div", { class: "timeline-axis", "aria-hidden": "true" });
    root.append(this.readout, this.svg, this.axis,
      h("p", { id: "timeline-help", class: "visually-hidden" }, "Arrow keys read the bars. With Shift they choose several. Enter searches the chosen part, Escape gives it up."));
    this.svg.addEventListener("pointerdown", (e) => this.down(e));
    this.svg.addEventListener("pointermove", (e) => this.over(e));
    this.svg.addEventListener("pointerup", (e) => this.up(e));
    this.svg.addEventListener("pointercancel", () => this.choose(null));
    this.svg.addEventListener("pointerleave", () => { if (!this.dragging) this.read(null); });
    this.svg.addEventListener("keydown", (e) => this.key(e));
    this.svg.addEventListener("focus", () => this.read(this.at));
    this.svg.addEventListener("blur", () => this.choose(null));
    root.hidden = true;
  }

  /** show draws counts, one per bucket of a range. */
  show(range, buckets, counts, what) {
    Object.assign(this, { range, buckets, counts, what, dragging: false });
    this.root.hidden = false;
    this.at = Math.min(this.at ?? buckets.count - 1, buckets.count - 1);
    const most = Math.max(1, ...counts), width = 1000 / buckets.count;
    this.bars = counts.map((n, i) => {
      const tall = n === 0 ? 0 : Math.max(2, (n / most) * (height - 6));
      return h("svg:rect", { class: "bar-of", x: i * width + width * 0.08, width: width * 0.84, y: height - tall, height: tall });
    });
    this.mark = h("svg:rect", { class: "timeline-chosen", y: 0, height, x: 0, width: 0 });
    this.cursor = h("svg:rect", { class: "timeline-cursor", y: 0, height, x: 0, width: 0 });
    this.svg.replaceChildren(this.cursor, ...this.bars, this.mark, h("svg:line", { class: "base", x1: 0, x2: 1000, y1: height - 0.5, y2: height - 0.5 }));
    this.svg.setAttribute("aria-valuemin", "0");
    this.svg.setAttribute("aria-valuemax", String(buckets.count - 1));
    const length = range.to - range.from;
    this.axis.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map((part) => h("span", {}, clock(range.from + part * length, length))));
    this.choose(null);
  }

  hide() { this.root.hidden = true; }

  start(i) { return this.range.from + i * this.buckets.step; }

  // read tells of a bar, of the chosen ones, or of none.
  read(i) {
    const x = (n) => String((n * 1000) / this.buckets.count);
    let first = i, last = i;
    if (this.chosen) [first, last] = this.chosen.toSorted((a, b) => a - b);
    this.cursor.setAttribute("width", i === null || this.chosen ? "0" : x(1));
    if (i !== null) this.cursor.setAttribute("x", x(i));
    this.mark.setAttribute("width", this.chosen ? x(last - first + 1) : "0");
    if (this.chosen) this.mark.setAttribute("x", x(first));
    const sum = first === null ? this.counts.reduce((a, b) => a + b, 0) : this.counts.slice(first, last + 1).reduce((a, b) => a + b, 0);
    const events = `${count(sum)} ${sum === 1 ? "event" : "events"}`;
    const says = first === null ? `${full(this.range.from)} to ${full(this.range.to)}: ${events}${this.what}` : `${full(this.start(first))} to ${full(this.start(last + 1))}: ${events}`;
    this.readout.textContent = says;
    this.readout.title = `${fullTitle(first === null ? this.range.from : this.start(first))} to ${fullTitle(first === null ? this.range.to : this.start(last + 1))}`;
    this.svg.setAttribute("aria-valuenow", String(i ?? this.at));
    this.svg.setAttribute("aria-valuetext", first === null ? `${full(this.start(this.at))}: ${count(this.counts[this.at])} events` : says);
  }

  choose(chosen) {
    this.chosen = chosen;
    if (!chosen) this.dragging = false;
    this.read(chosen ? chosen[1] : document.activeElement === this.svg ? this.at : null);
  }

  bucketAt(e) {
    const box = this.svg.getBoundingClientRect();
    return Math.max(0, Math.min(this.buckets.count - 1, Math.floor(((e.clientX - box.left) / box.width) * this.buckets.count)));
  }

  down(e) {
    if (e.button !== 0) return;
    this.svg.setPointerCapture(e.pointerId);
    this.svg.focus({ preventScroll: true });
    this.dragging = true;
    this.choose([this.bucketAt(e), this.bucketAt(e)]);
    e.preventDefault();
  }

  over(e) {
    if (this.dragging) this.choose([this.chosen[0], this.bucketAt(e)]);
    else if (!this.chosen) this.read(this.bucketAt(e));
  }

  up(e) {
    if (!this.dragging) return;
    this.at = this.bucketAt(e);
    this.apply();
  }

  apply() {
    const [first, last] = (this.chosen || [this.at, this.at]).toSorted((a, b) => a - b);
    this.choose(null);
    if (last - first + 1 < this.buckets.count) this.zoom(Math.floor(this.start(first)), Math.ceil(this.start(last + 1)));
  }

  key(e) {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[e.key];
    if (by !== undefined) {
      const to = Math.max(0, Math.min(this.buckets.count - 1, this.at + by));
      if (e.shiftKey) this.choose([this.chosen ? this.chosen[0] : this.at, to]);
      else this.choose(null);
      this.at = to;
      this.read(to);
    } else if (e.key === "Enter") this.apply();
    else if (e.key === "Escape" && this.chosen) this.choose(null);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
