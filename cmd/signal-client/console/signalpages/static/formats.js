// A search as a command, as curl, and rows as CSV.

import { bare } from "./query.js";

/** shell quotes a text for a POSIX shell. */
export function shell(text) { return /^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`; }

/** command is the same search on the command line. */
export function command(state) {
  const span = state.range !== "own" ? ` --since ${state.range}` :
    [["since", state.from], ["until", state.to]].filter(([, at]) => at !== null).map(([name, at]) => ` --${name} ${new Date(at).toISOString()}`).join("");
  const query = state.q || "*";
  return query.startsWith("-") ? `signal-client search${span} -- ${shell(query)}` : `signal-client search ${shell(query)}${span}`;
}

/** curl is the same search with curl; range is {from, to} in milliseconds. */
export function curl(state, { from, to }, origin) {
  const iso = (ms) => new Date(ms).toISOString();
  const span = state.by ? [`extra_filters=stored:>="${iso(from)}" stored:<"${iso(to)}"`] : [`start=${iso(from)}`, `end=${iso(to)}`];
  const local = /^https?:\/\/(localhost|127\.|\[::1\])/.test(origin);
  return [`curl -sS ${shell(origin + "/select/logsql/query")}`, ...(local ? [] : [`-H "Authorization: Bearer $SIGNAL_CLIENT_TOKEN"`]),
    `--data-urlencode ${shell("query=" + bare(state.q))}`, ...span.map((s) => `--data-urlencode ${shell(s)}`)].join(" \\\n  ");
}

/** csvLine writes a row. A text that a spreadsheet would take for a formula gets an
 * apostrophe in front. */
export function csvLine(values) {
  return values.map((v) => {
    const text = /^[=+@\t\r-]/.test(v) && !/^[-+]?\d+(\.\d+)?$/.test(v) ? "'" + v : v;
    return /[",\n\r']/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
  }).join(",") + "\r\n";
}
