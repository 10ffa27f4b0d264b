// Asking the index through the console: /select/logsql/*. Requests end with their signal.

import { bare, fieldName, parts, quote } from "./query.js";
import { offset } from "./range.js";

/** Refused is an answer that is an error. at is where the query is wrong, in characters of
 * what was sent; -1: the query is not at fault, or nobody knows where. */
export class Refused extends Error {
  constructor(status, { title, cause, detail, remedy, offset: at, field }) {
    super(cause || detail || title || `The index answered ${status}`);
    Object.assign(this, { status, remedy: remedy || "", at: Number.isInteger(at) ? at : -1, query: field === "query" || status === 400 || status === 422 });
  }
}

async function post(path, parameters, signal) {
  let response;
  try {
    response = await fetch("/select/logsql/" + path, { method: "POST", signal, credentials: "same-origin", body: new URLSearchParams(parameters) });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Refused(0, { cause: "signal-client does not answer", remedy: "Check that the process runs, then search again." });
  }
  if (response.ok) return response;
  const text = await response.text();
  let document = { cause: text.slice(0, 2000) };
  try { document = JSON.parse(text); } catch { /* plain text */ }
  if (response.status === 401) document = { cause: "You are logged out", remedy: "Log in again in another tab, then search again." };
  throw new Refused(response.status, document);
}

/** lines yields each line of an NDJSON answer as it comes. */
export async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      const found = (rest + (value || "")).split("\n");
      rest = done ? "" : found.pop();
      for (const line of found) if (line.trim()) yield JSON.parse(line);
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {}); // who stops reading stops the query
  }
}

async function all(response) {
  const rows = [];
  for await (const row of lines(response)) rows.push(row);
  return rows;
}

/** spanOf are the parameters of a range; by is stored for arrival times. to is not included. */
export function spanOf(from, to, by) {
  if (!by) return { start: from, end: to };
  const bound = (t) => quote(t.replace(/(\.0+)?Z$/, "")); // without Z: the text of a later fraction is above it
  return { extra_filters: `stored:>=${bound(from)} stored:<${bound(to)}` };
}

/** newest returns at most limit rows of a span, the newest ones by when they happened. */
export async function newest(query, from, to, limit, signal) {
  return all(await post("query", { query: query || "*", limit, ...spanOf(from, to, "") }, signal));
}

/** arrived returns at most limit rows stored in a span, those with the highest sequences
 * below one. */
export async function arrived(query, from, to, below, limit, signal) {
  const span = spanOf(from, to, "stored");
  if (below) span.extra_filters += ` seq:<${below}`;
  return all(await post("query", { query: `${bare(query)} | sort by (seq desc) limit ${limit}`, ...span }, signal));
}

/** table returns what a query with pipes makes of a range. */
export async function table(query, { from, to }, by, limit, signal) {
  return all(await post("query", { query, limit, ...spanOf(iso(from), iso(to), by) }, signal));
}

function iso(ms) { return new Date(ms).toISOString(); }

/** histogram counts the events of a range per bucket, of which the filters before the first
 * pipe take part. */
export async function histogram(query, { from, to }, buckets, by, signal) {
  const counts = new Array(buckets.count).fill(0), begin = BigInt(from) * 1000000n;
  const add = (time, n) => {
    const at = Number((BigInt(Math.round(Date.parse(time.slice(0, 19) + "Z") / 1000)) * 1000000000n + fraction(time) - begin) / buckets.ns);
    if (at >= 0 && at < buckets.count) counts[at] += Number(n);
  };
  const shift = offset(from, buckets.ns);
  if (!by) {
    const answer = await (await post("hits", { query: query || "*", ignore_pipes: "1", step: `${buckets.ns}ns`, offset: `${shift}ns`, ...spanOf(iso(from), iso(to), "") }, signal)).json();
    for (const series of answer.hits || []) series.timestamps.forEach((t, i) => add(t, series.values[i]));
    return counts;
  }
  const filter = parts(bare(query)).filter || "*";
  for (const row of await all(await post("query", { query: `${filter} | stats by (stored:${buckets.ns}ns offset ${shift}ns) count() n`, ...spanOf(iso(from), iso(to), by) }, signal))) add(row.stored, row.n);
  return counts;
}

function fraction(time) { return BigInt((/\.(\d+)/.exec(time)?.[1] || "").padEnd(9, "0")); }

/** values counts the values of fields over a range: {field: [{value, hits}…]}, at most so
 * many of each, most first. Fields with too many values to count are left out. */
export async function values(query, { from, to }, by, fields, most, signal) {
  const filter = parts(bare(query)).filter || "*", found = {};
  const q = `${filter} | fields ${fields.map(fieldName).join(", ")} | facets ${most} max_values_per_field 50000 max_value_len 1000 keep_const_fields`;
  for (const row of await all(await post("query", { query: q, ...spanOf(iso(from), iso(to), by) }, signal))) {
    (found[row.field_name] ||= []).push({ value: row.field_value, hits: Number(row.hits) });
  }
  for (const list of Object.values(found)) list.sort((a, b) => b.hits - a.hits || (a.value < b.value ? -1 : 1));
  return found;
}

/** fieldNames lists the fields of the events of a range, with how many have them. */
export async function fieldNames({ from, to }, by, signal) {
  const answer = await (await post("field_names", { query: "*", ...spanOf(iso(from), iso(to), by) }, signal)).json();
  return (answer.values || []).map(({ value, hits }) => ({ value, hits: Number(hits) }));
}

/** fieldValues lists the commonest values of a field that contain a text. */
export async function fieldValues(field, text, { from, to }, by, most, signal) {
  const name = fieldName(field);
  const filter = text ? `${name}:~${quote("(?i)" + text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"))}` : `${name}:*`;
  const rows = await all(await post("query", { query: `${filter} | top ${most} by (${name}) hits as n`, ...spanOf(iso(from), iso(to), by) }, signal));
  return rows.map((row) => ({ value: row[field], hits: Number(row.n) })).filter((v) => v.value !== undefined && v.value !== "");
}

/** after returns the events that happened since a time and have a higher sequence than one,
 * the newest first. */
export async function after(query, from, seq, limit, signal) {
  const rows = await all(await post("query", { query: `${bare(query)} | sort by (seq desc) limit ${limit}`, start: iso(from), extra_filters: `seq:>${seq}` }, signal));
  return rows.sort((a, b) => Number(b.seq) - Number(a.seq));
}

/** everything answers with all rows of a range, in no particular order. */
export function everything(query, { from, to }, by, signal) {
  return post("query", { query: bare(query), ...spanOf(iso(from), iso(to), by) }, signal);
}
