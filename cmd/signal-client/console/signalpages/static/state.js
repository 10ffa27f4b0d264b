// A search's state and its URL: query, range, columns. Everything that a page shows
// follows from it.

import { presets } from "./range.js";

/** read takes a state from a URL's parameters. */
export function read(params) {
  const time = (name) => {
    const ms = Date.parse(params.get(name) || "");
    return Number.isNaN(ms) ? null : ms;
  };
  const state = { q: params.get("q") ?? params.get("query") ?? "", range: params.get("range") || "", from: time("from"), to: time("to"), by: params.get("by") === "stored" ? "stored" : "", columns: columns(params.get("cols")) };
  if (state.from !== null || state.to !== null) state.range = "own";
  if (state.range !== "own" && !presets[state.range]) state.range = "24h";
  return state;
}

function columns(text) { return text ? text.split(",").map((c) => c.trim()).filter(Boolean).slice(0, 50) : null; }

/** write is the URL's query of a state; what is the default is left out. */
export function write(state) {
  const params = new URLSearchParams();
  if (state.q) params.set("q", state.q);
  if (state.range === "own") {
    if (state.from !== null) params.set("from", new Date(state.from).toISOString());
    if (state.to !== null) params.set("to", new Date(state.to).toISOString());
  } else if (state.range !== "24h") params.set("range", state.range);
  if (state.by) params.set("by", state.by);
  if (state.columns) params.set("cols", state.columns.join(","));
  const text = params.toString();
  return text ? "?" + text : "";
}

/** rangeText is a saved search's range; ofRange reads it. */
export function rangeText(state) {
  if (state.range !== "own") return state.range;
  return `${new Date(state.from).toISOString()}/${new Date(state.to ?? Date.now()).toISOString()}`;
}

export function ofRange(text) {
  const [from, to] = (text || "").split("/");
  if (to) return { range: "own", from: Date.parse(from), to: Date.parse(to) };
  return { range: presets[text] ? text : "24h", from: null, to: null };
}
