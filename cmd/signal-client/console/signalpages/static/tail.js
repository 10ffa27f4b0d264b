// Live tail: events of a query as the index gets them.
//
// /select/logsql/tail follows the time at which events happened and looks back a few
// seconds; an org is polled every few minutes, so most of its events would be older than
// that when they arrive. This follows their sequences instead.

import { after } from "./logs.js";
import { keyOf } from "./rows.js";

const every = 1000;

/** mostRows is how many rows a tail keeps. */
export const mostRows = 1000;

// How long after a higher sequence was seen a lower one may still become visible.
const overlap = 10000;

// Events that happened longer ago are not followed: a backfill's, for example.
const lookBack = 6 * 3600 * 1000;

export class Tail {
  /** found(rows, first) gets new rows, the newest first; failed(error) is told what went
   * wrong, null when it works again. */
  constructor(query, { found, failed }) {
    Object.assign(this, { query, found, failed, seen: new Map(), marks: [] });
  }

  async run(signal) {
    for (let first = true; !signal.aborted;) {
      try {
        if (!document.hidden || first) {
          const rows = await after(this.query, Date.now() - lookBack, first ? 0 : this.from(), first ? 50 : mostRows, signal);
          this.failed(null);
          const fresh = rows.filter((row) => !this.seen.has(keyOf(row)));
          this.remember(rows, first);
          if (fresh.length > 0 || first) this.found(fresh, first);
          first = false;
        }
      } catch (e) {
        if (signal.aborted) return;
        this.failed(e);
        if (e.query) return;
      }
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, every);
        signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
      });
    }
  }

  // from is the sequence above which to ask: the highest one that was known a while ago.
  from() {
    const old = this.marks.findLast((m) => Date.now() - m.at >= overlap) || this.marks[0];
    return old ? old.seq : 0;
  }

  remember(rows, first) {
    const now = Date.now();
    if (first && rows.length > 0) this.marks.push({ at: now, seq: Number(rows.at(-1).seq) });
    for (const row of rows) this.seen.set(keyOf(row), now);
    const highest = rows.reduce((a, row) => Math.max(a, Number(row.seq || 0)), this.marks.at(-1)?.seq || 0);
    this.marks.push({ at: now, seq: highest });
    const keep = this.marks.findLastIndex((m) => now - m.at >= overlap);
    if (keep > 0) this.marks.splice(0, keep);
    const floor = this.marks[0].seq;
    for (const [key] of this.seen) if (Number(key) <= floor) this.seen.delete(key);
  }
}
