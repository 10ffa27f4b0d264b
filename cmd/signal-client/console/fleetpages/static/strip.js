// The last 24 hours of an integration: a tick for each 15 minutes, by its worst state. A
// click, or the arrow keys and Enter, show what was said then.

import { h } from "../page/dom.js";
import { local, utc } from "../page/time.js";
import { call } from "../page/api.js";
import { slugOf } from "./tile.js";

const slots = 96; // quarters of an hour in 24 hours

/** strip fetches the history of an instance and shows it in an element; an empty one shows
 * nothing. */
export async function strip(element, instance) {
  const { data } = await call("GET", `/api/v1/integrations/${encodeURIComponent(instance)}/history`);
  const ticks = data?.ticks || [];
  if (!ticks.length) return element.replaceChildren();
  const said = h("p", { class: "tick-said", "aria-live": "polite" });
  const buttons = ticks.map((tick) => h("button", {
    type: "button", class: `tick tick-${slugOf(tick.state)}`, tabindex: -1,
    "aria-label": `${local(new Date(tick.at))}: ${tick.state}`,
    title: `${local(new Date(tick.at))} (${utc(new Date(tick.at))}): ${tick.state}`,
    onclick: (e) => tell(said, tick, e.currentTarget),
  }));
  buttons.at(-1).tabIndex = 0;
  const unknown = Array.from({ length: Math.max(0, slots - ticks.length) }, () => h("span", { class: "tick tick-none" })); // before the first recorded one
  const row = h("div", { class: "ticks", role: "toolbar", "aria-label": "Last 24 hours", onkeydown: (e) => move(e, buttons) }, ...unknown, ...buttons);
  element.replaceChildren(row, h("p", { class: "strip-ends", "aria-hidden": "true" }, h("span", {}, "24 h ago"), h("span", {}, "now")), said);
}

function tell(said, tick, button) {
  for (const other of button.parentElement.querySelectorAll("[aria-pressed]")) other.removeAttribute("aria-pressed");
  button.setAttribute("aria-pressed", "true");
  said.textContent = `${local(new Date(tick.at))}: ${tick.state}. ${tick.said || ""}`;
}

function move(e, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[e.key];
  if (to === undefined || !buttons[to]) return;
  e.preventDefault();
  buttons[at].tabIndex = -1;
  buttons[to].tabIndex = 0;
  buttons[to].focus();
}
