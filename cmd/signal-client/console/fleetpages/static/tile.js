// An integration's tile, as the template "tile" shows it: patched in place, and only where
// something is different.

import { count, h, setAttribute, setText } from "../page/dom.js";
import { show, timeElement } from "../page/time.js";

/** slugOf is a state as a word for URLs and symbols. */
export function slugOf(state) { return state.replaceAll(" ", "-"); }

/** bars draws counts as columns in a box of values.length by 20 units. */
export function bars(values) {
  const most = Math.max(1, ...values);
  return values.map((v, n) => {
    if (!v) return "";
    const height = Math.max((20 * v) / most, 1.5).toFixed(1);
    return `M${(n + 0.1).toFixed(1)} 20v-${height}h.8v${height}z`;
  }).join("");
}

/** stateInto shows a state in an element: symbol and word. */
export function stateInto(element, state, cls) {
  const classes = `state tone-${cls}`;
  if (element.className !== classes) element.className = classes;
  let use = element.querySelector("use"), word = element.querySelector(".state-word");
  if (!use) {
    use = h("svg:use");
    word = h("span", { class: "state-word" });
    element.replaceChildren(h("svg:svg", { class: "shape", "aria-hidden": "true" }, use), word);
  }
  setAttribute(use, "href", "#shape-" + slugOf(state));
  setText(word, state);
}

/** timeInto shows a time in an element: text stands before it. An element that shows one
 * already is kept. */
export function timeInto(element, value, as, { none = "–", before = "" } = {}) {
  const date = value ? new Date(value) : null;
  if (!date || isNaN(date)) return setNone(element, value || none);
  const time = element.querySelector(":scope > time");
  if (!time || time.dataset.as !== as || element.textContent !== before + time.textContent) return element.replaceChildren(before, timeElement(date, as));
  if (Date.parse(time.dateTime) === date.getTime()) return;
  time.dateTime = date.toISOString();
  show(time);
}

function setNone(element, text) {
  const child = element.firstElementChild;
  if (element.textContent === text && (!text || child?.className === "none")) return;
  element.replaceChildren(...(text ? [h("span", { class: "none" }, text)] : []));
}

/** detailInto says what is to be known of the state besides: when it will be over. */
export function detailInto(element, i) {
  const waits = ["throttled", "retrying", "credential refused"].includes(i.state);
  if (i.state === "catching up" && i.catch_up_seconds != null) {
    return timeInto(element, new Date(Date.parse(i.updated_at) + i.catch_up_seconds * 1000), "until", { before: "done " });
  }
  if (waits && i.next_poll) return timeInto(element, i.next_poll, "until", { before: "next try " });
  setNone(element, "");
}

/** budgetInto shows how much of the org's rate limit is left. */
export function budgetInto(element, limit) {
  if (!limit) return setNone(element, "not known");
  const left = count(limit.remaining), of = `of ${count(limit.limit)} left`;
  if (element.textContent !== `${left} ${of}`) element.replaceChildren(`${left} `, h("span", { class: "unit" }, of));
}

/** parts returns the elements of a tile by their data-f. */
export function parts(root) {
  return Object.fromEntries([...root.querySelectorAll("[data-f]")].map((e) => [e.dataset.f, e]));
}

/** patch shows an integration in its tile. */
export function patch(tile, i) {
  const f = tile.parts ??= parts(tile);
  setAttribute(tile, "data-slug", slugOf(i.state));
  setAttribute(tile, "data-class", i.class);
  stateInto(f.status, i.state, i.class);
  detailInto(f.detail, i);
  if (f.name) {
    setText(f.name, i.name);
    setText(f.org, i.org || "no valid host name");
  }
  timeInto(f.since, i.state_since, "age");
  timeInto(f.poll, i.last_poll, "age");
  timeInto(f.event, i.last_event?.published, "age");
  timeInto(f.lag, i.complete_through, "span");
  budgetInto(f.budget, i.rate_limit);
  if (i.holder) setText(f.holder, i.holder); else setNone(f.holder, "none");
  setAttribute(f.bars, "d", bars(i.events_hour || []));
  setText(f.hour, count(i.events_last_hour || 0));
  const quiet = !i.last_error && !i.remedy;
  if (f.trouble.hidden !== quiet) f.trouble.hidden = quiet;
  setText(f.error, i.last_error || "");
  setText(f.remedy, i.remedy || "");
}

/** make returns a new tile from the template in the page. */
export function make(blank, i) {
  const tile = blank.content.firstElementChild.cloneNode(true);
  const heading = tile.querySelector("h2");
  tile.dataset.instance = i.instance;
  heading.id = `name-${i.instance}`;
  tile.setAttribute("aria-labelledby", heading.id);
  heading.querySelector("a").href = `/admin/settings/integrations/${encodeURIComponent(i.instance)}`;
  patch(tile, i);
  return tile;
}
