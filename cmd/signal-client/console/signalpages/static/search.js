// The search page. A search's state is in the URL; run() shows what follows from it:
// rows, histogram, values. state.js and query.js hold what needs no page.

import { count, setText } from "../page/dom.js";
import { Columns, keepColumns, keepFacets, keptColumns, keptFacets } from "./columns.js";
import { Completion } from "./completion.js";
import { Facets } from "./facets.js";
import * as logs from "./logs.js";
import { exactly, hasPipes, withFilter } from "./query.js";
import { buckets, fromLocalInput, presets, resolve, toLocalInput, wider } from "./range.js";
import { ByArrival, ByTime, countsOf, pageSize, valuesOf } from "./rows.js";
import { Saved } from "./saved.js";
import { read, write } from "./state.js";
import { Table } from "./table.js";
import { mostRows, Tail } from "./tail.js";
import { Take } from "./take.js";
import { Timeline } from "./timeline.js";
import { full } from "./when.js";
import { Waiting } from "./waiting.js";

const $ = (id) => document.getElementById(id);
const settings = JSON.parse($("search").dataset.settings);
const facetValues = 8, mostLoaded = 10000, mostMade = 5000;

const input = $("query");
let state, run = null, tail = null, names = null;

/** Run is one search under way or done. */
class Run {
  constructor() {
    this.controller = new AbortController();
    this.range = resolve(state, Date.now());
    this.buckets = buckets(this.range);
    this.found = []; // rows
    this.total = null; // events that match; null: not known
    this.counts = null;
    this.values = {};
    this.working = false;
    this.pager = state.by
      ? new ByArrival(this.range, (from, to, below, limit, signal) => logs.arrived(state.q, from, to, below, limit, signal))
      : new ByTime(this.range, (from, to, limit, signal) => logs.newest(state.q, from, to, limit, signal));
  }

  get signal() { return this.controller.signal; }
  get stopped() { return this.signal.aborted; }
}

// ---- what is shown

const table = new Table($("events"), { end: () => more(), remove: (field) => setColumns(columns().filter((c) => c !== field)) });
const timeline = new Timeline($("chart"), (from, to) => change({ range: "own", from, to }));
const facets = new Facets($("facets"), {
  narrow: (field, value, out) => change({ q: withFilter(state.q, (out ? "!" : "") + exactly(field, value)) }),
  column: (field) => setColumns([...columns(), field]),
  another: (field) => setFacets([...keptFacets().filter((f) => f !== field), field]),
  drop: (field) => setFacets(keptFacets().filter((f) => f !== field)),
  names: fields,
});
const chooser = new Columns($("columns"), { get: columns, set: setColumns, names: fields });
const saved = new Saved($("saved"), { get: () => ({ ...state, columns: columns() }), go: (url) => { history.pushState(null, "", url); fromURL(); } });
const take = new Take($("take"), () => ({ state, columns: [timeField(), ...columns()] }));
const waiting = new Waiting($("index"), settings.index, { ready: () => { if (!tail && run?.unavailable) search(); }, further: () => { if (!tail && run && !run.working && run.found.length === 0 && !run.stopped) search(); } });
new Completion(input, $("completions"), { names: fields, values: (field, text, signal) => logs.fieldValues(field, text, resolve(state, Date.now()), state.by, 20, signal) });

function timeField() { return state.by || "_time"; }
function columns() { return state.columns || keptColumns() || settings.columns; }
function shownColumns() { return [timeField(), ...columns().filter((c) => c !== timeField())]; }
function facetFields() { return [...new Set([...settings.facets, ...keptFacets()])]; }

// fields lists the fields of the range, once.
function fields() {
  names ||= logs.fieldNames(resolve(state, Date.now()), state.by).catch((e) => { names = null; throw e; });
  return names;
}

function setColumns(chosen) {
  const list = chosen && [...new Set(chosen)];
  keepColumns(list);
  state.columns = list;
  history.replaceState(null, "", location.pathname + write(state));
  table.show(shownColumns());
  showValues();
}

function setFacets(chosen) {
  keepFacets(chosen);
  showValues();
  if (run && !run.madeByPipes) measureValues(run);
}

// ---- searching

/** change makes a new search out of the present one. */
function change(to) {
  state = { ...state, ...to };
  history.pushState(null, "", location.pathname + write(state));
  fill();
  search();
}

/** fill puts the state into the form. */
function fill() {
  input.value = state.q;
  $("range").value = state.range;
  $("by").value = state.by;
  showOwn();
}

function showOwn() {
  const own = $("range").value === "own";
  $("own").hidden = !own;
  if (!own) return;
  const range = resolve(state.range === "own" ? state : { range: state.range }, Date.now());
  $("from").value = toLocalInput(range.from);
  $("to").value = toLocalInput(range.to);
  $("zone").textContent = `in your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
}

function fromURL() {
  state = read(new URLSearchParams(location.search));
  fill();
  search();
}

/** leave ends what is under way: a search that nobody looks at costs nothing. */
function leave() {
  run?.controller.abort();
  tail?.controller.abort();
  tail = null;
  $("results").classList.remove("tailing");
  $("tail").setAttribute("aria-pressed", "false");
  $("pause").hidden = true;
}

async function search() {
  leave();
  const mine = run = new Run();
  names = null;
  facets.forget();
  complain(null);
  table.clear(shownColumns());
  $("nothing").hidden = true;
  if (!waiting.usable) { // it is asked as soon as it answers
    run.unavailable = true;
    timeline.hide();
    return progress();
  }
  if (hasPipes(state.q)) return made(mine);
  measure(mine);
  await more();
}

/** made shows what a query with pipes makes of the events. */
async function made(mine) {
  mine.madeByPipes = mine.working = true;
  progress();
  measure(mine);
  try {
    const rows = await logs.table(state.q, mine.range, state.by, mostMade, mine.signal);
    const all = [...new Set(rows.flatMap(Object.keys))].filter((f) => !/^_stream/.test(f));
    const whole = all.includes("_time") && all.includes("seq");
    table.clear(whole ? shownColumns() : inOrder(all, state.q), !whole);
    table.add(rows);
    mine.found = rows;
    mine.done = true;
  } catch (e) { fault(mine, e); }
  mine.working = false;
  if (mine === run) progress();
}

// inOrder puts fields in the order in which the query names them.
function inOrder(fields, query) {
  const place = (f) => { const at = query.indexOf(f); return at < 0 ? query.length : at; };
  return fields.toSorted((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}

/** more reads the next page of rows. */
async function more() {
  const mine = run;
  if (!mine || tail || mine.working || mine.madeByPipes || mine.unavailable || mine.pager.complete || mine.found.length >= mostLoaded || !$("query-wrong").hidden) return;
  if (mine.stopped) mine.controller = new AbortController();
  mine.working = true;
  progress();
  try {
    for await (const rows of mine.pager.page(mine.signal)) {
      if (mine !== run) return;
      mine.found.push(...rows);
      table.add(rows);
      progress();
    }
  } catch (e) { fault(mine, e); }
  mine.working = false;
  if (mine !== run) return;
  if (mine.pager.complete) settle(mine);
  progress();
}

/** settle takes the counts from the rows once all of them are there. */
function settle(mine) {
  mine.total = mine.found.length;
  mine.counts = countsOf(mine.found, mine.range.from, mine.buckets, state.by);
  mine.settled = true;
  showCounts(mine);
  showValues();
}

/** measure asks for the histogram and the values. */
function measure(mine) {
  timeline.svg.classList.add("old");
  logs.histogram(state.q, mine.range, mine.buckets, state.by, mine.signal).then((counts) => {
    if (mine !== run || mine.settled) return;
    mine.counts = counts;
    mine.total = counts.reduce((a, b) => a + b, 0);
    showCounts(mine);
    showValues();
    progress();
  }).catch((e) => quiet(mine, e));
  measureValues(mine);
}

function measureValues(mine) {
  if (mine.settled) return;
  logs.values(state.q, mine.range, state.by, facetFields(), facetValues, mine.signal).then((values) => {
    if (mine !== run || mine.settled) return;
    mine.values = values;
    mine.valued = true;
    showValues();
  }).catch((e) => quiet(mine, e));
}

// quiet is for what the rows' own request says as well.
function quiet(mine, e) {
  if (mine !== run || mine.stopped || e.query || !e.remedy) return;
  progress();
}

function fault(mine, e) {
  if (mine !== run || mine.stopped) return;
  if (e.status === 503) {
    mine.unavailable = true;
    waiting.hurry();
  }
  complain(e);
}

function showCounts(mine) {
  timeline.svg.classList.remove("old");
  timeline.show(mine.range, mine.buckets, mine.counts, hasPipes(state.q) ? " before the first pipe" : "");
}

function showValues() {
  if (!run || tail) return;
  const list = facetFields();
  if (run.settled) run.values = valuesOf(run.found, list, facetValues);
  const known = run.settled || run.valued;
  const many = run.total === null ? "the matching events" : run.total === 1 ? "the 1 matching event" : `all ${count(run.total)} matching events`;
  facets.show(known && run.total !== 0 ? list : [], run.values, {
    total: run.total || 0, columns: columns(), chosen: keptFacets(),
    note: known && run.total !== 0 ? `Counts are of ${many} of the time range${run.madeByPipes ? ", before the first pipe" : ""}.` : "",
  });
}

// ---- saying how it goes

/** progress says what was found, how far back, and what can be done. */
function progress() {
  const mine = run, n = mine.found.length;
  $("results").hidden = Boolean(mine.unavailable) && n === 0;
  $("stop").hidden = !mine.working;
  $("results").setAttribute("aria-busy", String(mine.working));
  const canMore = !mine.working && !mine.madeByPipes && !mine.unavailable && !mine.pager.complete && $("query-wrong").hidden;
  $("columns-open").hidden = Boolean(mine.madeByPipes);
  $("more-button").hidden = !canMore || n >= mostLoaded;
  setText($("more-button"), mine.stopped ? "Go on" : "Load older events");
  setText($("progress"), says(mine, n));
  const none = n === 0 && !mine.working && !mine.stopped && !mine.unavailable && $("query-wrong").hidden && (mine.done || mine.pager.complete);
  $("nothing").hidden = !none;
  if (none) setText($("nothing"), nothing(mine));
}

function events(n) { return `${count(n)} ${n === 1 ? "event" : "events"}`; }

function says(mine, n) {
  if (mine.unavailable) return "";
  if (!$("query-wrong").hidden) return n > 0 ? `${events(n)} before it failed` : "";
  if (mine.madeByPipes) return mine.working ? "Searching…" : `${count(n)} ${n === 1 ? "row" : "rows"} made by the query${n >= mostMade ? ", at most that many are shown" : ""}`;
  const back = `searched back to ${full(mine.pager.back)}`;
  if (mine.working) return `Searching: ${back}, ${events(n)} so far`;
  if (mine.stopped) return `Stopped: ${back}, ${events(n)} so far`;
  if (mine.pager.complete && n === 0 && waiting.behind) return `Nothing yet: ${waiting.figure}`;
  if (mine.pager.complete) return `${events(n)} in ${words()}${state.by ? ", by arrival" : ""}`;
  const of = mine.total === null ? `The newest ${events(n)}` : `The newest ${count(n)} of ${events(Math.max(mine.total, n))} in ${words()}`;
  return `${of}, ${back}${n >= mostLoaded ? ". To see older ones, shorten the time range" : ""}`;
}

function words() { return state.range === "own" ? `${full(run.range.from)} to ${full(run.range.to)}` : presets[state.range].words; }

function nothing(mine) {
  if (waiting.behind) return `None of the events that are indexed so far matches. The index goes on; the search is repeated by itself.`;
  const next = wider(mine.range);
  return `No event of ${words()} matches.` + (next ? ` A longer time range may have some: try ${presets[next].words}.` : "");
}

/** complain shows why a query can't be answered, at its place; null: it can. */
function complain(e) {
  const box = $("query-wrong");
  box.hidden = !e;
  $("results").classList.toggle("failed", Boolean(e?.query));
  input.toggleAttribute("aria-invalid", false);
  if (!e) return box.replaceChildren();
  const parts = [];
  if (e.query) {
    input.setAttribute("aria-invalid", "true");
    const characters = [...state.q];
    if (e.at >= 0 && e.at <= characters.length) {
      const mark = document.createElement("pre");
      const here = document.createElement("mark");
      here.textContent = characters[e.at] ?? " ";
      mark.append(characters.slice(0, e.at).join(""), here, characters.slice(e.at + 1).join(""), "\n" + " ".repeat(e.at) + "^");
      parts.push(mark);
    }
  }
  const text = document.createElement("p");
  text.textContent = [e.query && e.at >= 0 ? `Character ${e.at + 1}: ${e.message}` : e.message, e.remedy].filter(Boolean).join(". ");
  box.replaceChildren(...parts, text);
}

// ---- live tail

function startTail() {
  if (!waiting.usable) return search();
  leave();
  complain(null);
  timeline.hide();
  $("results").classList.add("tailing");
  $("nothing").hidden = $("more-button").hidden = $("stop").hidden = true;
  table.clear(shownColumns());
  const mine = tail = { controller: new AbortController(), paused: false, held: [], seen: 0, trouble: "" };
  $("tail").setAttribute("aria-pressed", "true");
  $("pause").hidden = false;
  $("results").setAttribute("aria-busy", "false");
  setPaused(false);
  new Tail(state.q, {
    found: (rows, first) => {
      if (mine !== tail) return;
      if (!first) mine.seen += rows.length;
      if (mine.paused) mine.held = [...rows, ...mine.held].slice(0, mostRows);
      else table.top(rows, mostRows);
      tailSays();
    },
    failed: (e) => {
      if (mine !== tail) return;
      mine.trouble = e ? [e.message, e.remedy].filter(Boolean).join(". ") : "";
      if (e?.query) complain(e);
      tailSays();
    },
  }).run(mine.controller.signal);
}

function tailSays() {
  const held = tail.held.length;
  setText($("progress"), tail.trouble || (tail.paused ? `Paused: ${events(held)}${held >= mostRows ? " or more" : ""} came since` : `Live: ${events(tail.seen)} came since it began. The newest ${count(mostRows)} are kept`));
}

function setPaused(paused) {
  tail.paused = paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  setText($("pause"), paused ? "Go on" : "Pause");
  if (!paused && tail.held.length > 0) {
    table.top(tail.held, mostRows);
    tail.held = [];
  }
  tailSays();
}

// ---- what people do

function submit() {
  const own = $("range").value === "own";
  change({ q: input.value.trim(), range: $("range").value, by: $("by").value, from: own ? fromLocalInput($("from").value) : null, to: own ? fromLocalInput($("to").value) : null });
}

$("form").addEventListener("submit", (e) => { e.preventDefault(); submit(); });
$("range").addEventListener("change", () => { showOwn(); if ($("range").value !== "own") submit(); else $("from").focus(); });
$("by").addEventListener("change", submit);
$("stop").addEventListener("click", () => { run.controller.abort(); run.working = false; progress(); $("more-button").focus(); });
$("more-button").addEventListener("click", () => more());
$("tail").addEventListener("click", () => {
  if (tail) return search();
  state = { ...state, q: input.value.trim() };
  history.replaceState(null, "", location.pathname + write(state));
  startTail();
});
$("pause").addEventListener("click", () => setPaused(!tail.paused));
$("columns-open").addEventListener("click", () => chooser.open());
$("saved-open").addEventListener("click", () => saved.open());
$("take-open").addEventListener("click", () => take.open());
new IntersectionObserver((seen) => { if (seen.some((s) => s.isIntersecting) && run?.found.length >= pageSize && !run.stopped) more(); }, { rootMargin: "600px" }).observe($("more"));
addEventListener("popstate", fromURL);
addEventListener("pagehide", leave);
addEventListener("pageshow", (e) => { if (e.persisted) search(); });
addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
  if (e.key === "/") input.focus();
  else if (e.key === "j") table.move(1);
  else if (e.key === "k") table.move(-1);
  else return;
  e.preventDefault();
});

if (matchMedia("(max-width: 60rem)").matches) $("facets-fold").open = false;
fromURL();
