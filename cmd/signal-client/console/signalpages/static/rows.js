// Reading a search's rows newest first, page by page, without gaps or doubles.

import { nanoseconds, rfc3339 } from "./range.js";

/** pageSize is how many rows a page has. */
export const pageSize = 200;

/** keyOf tells rows apart: by sequence, or by what they say if they have none. */
export function keyOf(row) { return row.seq || JSON.stringify(row); }

function newerFirst(a, b) {
  if (a.at !== b.at) return a.at > b.at ? -1 : 1;
  return Number(b.row.seq || 0) - Number(a.row.seq || 0);
}

/** ByTime reads rows by when they happened. ask(from, to, limit, signal) returns at most
 * limit rows of a span, the newest ones; from and to are RFC 3339, to is not included. The
 * range is read in slices from its end, the first one short, so that first rows come soon
 * and progress can be told. */
export class ByTime {
  constructor({ from, to }, ask) {
    this.from = BigInt(from) * 1000000n;
    this.at = BigInt(to) * 1000000n; // everything from here on was read
    this.width = (this.at - this.from) / 32n || 1n;
    this.edge = new Set(); // keys of the rows read that happened just at this.at - 1
    this.ask = ask;
  }

  get complete() { return this.at <= this.from; }

  /** back is how far back it has read, in milliseconds. */
  get back() { return Number((this.at > this.from ? this.at : this.from) / 1000000n); }

  /** page yields rows, until there are pageSize or no more. It can be called again after an
   * abort. */
  async *page(signal) {
    for (let wanted = pageSize; wanted > 0 && !this.complete;) {
      const begin = this.at - this.width > this.from ? this.at - this.width : this.from;
      const limit = wanted + this.edge.size;
      const got = await this.ask(rfc3339(begin), rfc3339(this.at), limit, signal);
      const rows = got.map((row) => ({ row, at: nanoseconds(row._time) })).sort(newerFirst);
      const fresh = rows.filter(({ row }) => !this.edge.has(keyOf(row)));
      if (got.length < limit) {
        this.at = begin;
        this.edge = new Set();
        this.width *= 4n;
      } else { // there may be more: go on at the oldest, which may have others of its time
        const oldest = rows.at(-1).at;
        const edge = rows.filter((r) => r.at === oldest).map(({ row }) => keyOf(row));
        this.edge = oldest + 1n === this.at ? new Set([...this.edge, ...edge]) : new Set(edge);
        this.at = oldest + 1n;
      }
      wanted -= fresh.length;
      yield fresh.map(({ row }) => row);
    }
  }
}

/** ByArrival reads rows by when they were stored, which is the order of their sequences.
 * ask(from, to, below, limit, signal) returns at most limit rows stored in a span, those
 * with the highest sequences below one; from and to are whole seconds, in RFC 3339. */
export class ByArrival {
  constructor({ from, to }, ask) {
    this.from = Math.floor(from / 1000) * 1000;
    this.at = Math.ceil(to / 1000) * 1000;
    this.width = Math.max(Math.floor((this.at - this.from) / 32000) * 1000, 1000);
    this.below = ""; // sequence below which the span goes on; empty: no bound
    this.ask = ask;
  }

  get complete() { return this.at <= this.from; }

  get back() { return Math.max(this.at, this.from); }

  async *page(signal) {
    for (let wanted = pageSize; wanted > 0 && !this.complete;) {
      const begin = Math.max(this.at - this.width, this.from);
      const rows = await this.ask(new Date(begin).toISOString(), new Date(this.at).toISOString(), this.below, wanted, signal);
      rows.sort((a, b) => Number(b.seq) - Number(a.seq));
      if (rows.length < wanted) {
        this.at = begin;
        this.width *= 4;
      }
      if (rows.length > 0) this.below = rows.at(-1).seq;
      wanted -= rows.length;
      yield rows;
    }
  }
}

/** valuesOf counts the values of fields over rows: {field: [{value, hits}…]}, most first. */
export function valuesOf(rows, fields, most) {
  const all = {};
  for (const field of fields) {
    const hits = new Map();
    for (const row of rows) if (row[field]) hits.set(row[field], (hits.get(row[field]) || 0) + 1);
    all[field] = [...hits].map(([value, n]) => ({ value, hits: n })).sort((a, b) => b.hits - a.hits || (a.value < b.value ? -1 : 1)).slice(0, most);
  }
  return all;
}

/** countsOf counts rows per bucket. */
export function countsOf(rows, from, { count, ns }, by) {
  const counts = new Array(count).fill(0), begin = BigInt(from) * 1000000n;
  for (const row of rows) {
    const at = (nanoseconds(by ? row.stored : row._time) - begin) / ns;
    if (at >= 0n && at < BigInt(count)) counts[Number(at)]++;
  }
  return counts;
}
