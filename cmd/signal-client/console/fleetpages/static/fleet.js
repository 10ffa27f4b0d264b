// The page of the fleet: keeps its figures current.

import { count, h, setAttribute, setText } from "../page/dom.js";
import { local, now, timeElement } from "../page/time.js";
import { follow } from "./status.js";
import { slugOf, stateInto, timeInto } from "./tile.js";

const $ = (id) => document.getElementById(id);
const list = "/admin/settings/integrations";
const worst = ["credential refused", "configuration error", "unowned"];
const all = new Map();
let perSecond = [];

function rate(v) { return v === 0 || v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2); }

function stateSpan(state, cls) {
  const span = h("span");
  stateInto(span, state, cls);
  return span;
}

function states(counts) {
  const bar = $("distribution"), legend = $("legend"), total = counts.reduce((sum, s) => sum + s.count, 0), least = 2.5;
  const key = JSON.stringify(counts);
  if (legend.dataset.shows === key) return;
  legend.dataset.shows = key;
  let from = 0;
  const linkTo = (s) => `${list}?state=${slugOf(s.state)}`;
  bar.replaceChildren(...counts.map((s) => {
    const width = least + ((100 - least * counts.length) * s.count) / total;
    const segment = h("svg:a", { href: linkTo(s), tabindex: -1 }, h("svg:title", {}, `${s.state}: ${s.count}`),
      h("svg:svg", { class: `segment on-${s.class}`, x: `${from.toFixed(2)}%`, width: `${width.toFixed(2)}%`, height: "100%" },
        h("svg:rect", { width: "100%", height: "100%" }), h("svg:use", { href: `#shape-${slugOf(s.state)}`, x: 7, y: 5, width: 14, height: 14 })));
    from += width;
    return segment;
  }));
  const links = new Map([...legend.children].map((li) => [li.querySelector("a").getAttribute("href"), li]));
  legend.append(...counts.map((s) => {
    const li = links.get(linkTo(s)) || h("li", {}, h("a", { href: linkTo(s) }, stateSpan(s.state, s.class), " ", h("span", { class: "number" })));
    links.delete(linkTo(s));
    setText(li.querySelector(".number"), count(s.count));
    return li;
  }));
  for (const left of links.values()) left.remove();
}

function attention() {
  const need = [...all.values()].filter((i) => worst.includes(i.state))
    .sort((a, b) => worst.indexOf(a.state) - worst.indexOf(b.state) || a.name.localeCompare(b.name, "en"));
  const shown = need.slice(0, 10), key = JSON.stringify(shown.map((i) => [i.instance, i.name, i.org, i.state, i.state_since, i.last_error, i.remedy]));
  setText($("summary"), `${count(all.size)} integration${all.size === 1 ? "" : "s"}${need.length ? `, ${count(need.length)} need${need.length === 1 ? "s" : ""} attention` : ""}`);
  $("more").hidden = need.length <= shown.length;
  setText($("more").firstElementChild, `${count(need.length - shown.length)} more`);
  const root = $("attention");
  if (root.dataset.shows === key || root.contains(document.activeElement)) return;
  root.dataset.shows = key;
  root.replaceChildren(...(shown.length ? shown.map(item) : [h("li", { class: "fine" }, "Nothing. Every enabled integration is polled, or recovers by itself.")]));
}

function item(i) {
  return h("li", {}, stateSpan(i.state, i.class), h("div", {},
    h("a", { href: `${list}/${encodeURIComponent(i.instance)}` }, i.name), " ",
    h("span", { class: "muted" }, i.org, i.state_since ? " · for " : null, i.state_since ? timeElement(new Date(i.state_since), "span") : null),
    i.last_error ? h("p", { class: "said" }, i.last_error) : null, i.remedy ? h("p", { class: "remedy" }, i.remedy) : null));
}

function chart(values) {
  perSecond = values;
  if (values.length < 2) return;
  const most = Math.max(...values), svg = $("rate"), width = values.length - 1, last = rate(values.at(-1));
  const line = values.map((v, n) => `${n ? "L" : "M"}${n} ${(most ? 98 - (94 * v) / most : 98).toFixed(1)}`).join("");
  setAttribute(svg, "viewBox", `0 0 ${width} 100`);
  setAttribute(svg.querySelector(".line"), "d", line);
  setAttribute(svg.querySelector(".area"), "d", `${line}L${width} 100L0 100Z`);
  setAttribute(svg, "aria-label", `Events a second over the last hour: now ${last}, at most ${rate(most)}`);
  setText($("rate-now"), last);
  setText($("rate-most"), rate(most));
}

$("rate")?.addEventListener("pointermove", (e) => {
  const box = e.currentTarget.getBoundingClientRect(), n = Math.round(((e.clientX - box.left) / box.width) * (perSecond.length - 1));
  if (perSecond[n] !== undefined) setText($("rate-at"), `${rate(perSecond[n])} a second at ${local(new Date(now() - (perSecond.length - 1 - n) * 60000)).slice(11, 16)}`);
});
$("rate")?.addEventListener("pointerleave", () => setText($("rate-at"), ""));

function replicas(shares) {
  const root = $("replicas"), key = JSON.stringify(shares);
  if (root.dataset.shows === key) return;
  root.dataset.shows = key;
  root.replaceChildren(...(shares.length ? shares.map((s) => h("tr", {},
    h("th", { scope: "row" }, s.replica, s.declines?.length ? h("p", { class: "said" }, `can't poll ${s.declines.join(", ")}`) : null),
    h("td", { class: "num" }, count(s.orgs)), h("td", { class: "num" }, `${Math.round(100 * s.share)} %`),
    h("td", {}, s.started_at ? timeElement(new Date(s.started_at), "span") : ""))) : [h("tr", {}, h("td", { colspan: 4 }, "No replica is alive: nothing is polled."))]));
}

function letters(total) {
  setText($("letters"), count(total));
  const some = [...all.values()].filter((i) => i.dead_letters).sort((a, b) => b.dead_letters - a.dead_letters).slice(0, 10);
  const root = $("letters-of"), key = JSON.stringify(some.map((i) => [i.instance, i.name, i.dead_letters]));
  if (root.dataset.shows === key || root.contains(document.activeElement)) return;
  root.dataset.shows = key;
  root.replaceChildren(...some.map((i) => h("li", {}, h("a", { href: `${list}/${encodeURIComponent(i.instance)}` }, i.name), " ", h("span", { class: "number" }, count(i.dead_letters)))));
}

function index(x) {
  $("index").hidden = x.state === "off";
  $("index-off").hidden = x.state !== "off";
  setText($("indexed"), count(x.indexed));
  setText($("stream"), count(x.stream));
  setText($("index-state"), x.state);
  setText($("behind"), `${count(x.behind)} events`);
  timeInto($("through"), x.through, "age");
  setText($("not-taken"), `${count(Object.values(x.refused || {}).reduce((a, b) => a + b, 0))} events`);
  const [said, remedy] = $("index-trouble").children;
  $("index-trouble").hidden = !x.trouble;
  setText(said, x.trouble || "");
  setText(remedy, x.remedy || "");
}

function fleet(f) {
  if (!$("distribution")) { // the page was made before there was an integration, or before NATS was read
    if (f.complete && (all.size > 0 || document.querySelector("[data-wait]"))) location.reload();
    return;
  }
  states(f.states);
  attention();
  chart(f.events_per_second || []);
  replicas(f.replicas || []);
  letters(f.dead_letters || 0);
  index(f.index);
}

follow({ changed: (i) => all.set(i.instance, i), gone: (name) => all.delete(name), fleet });
