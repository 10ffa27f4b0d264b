// What happens to an integration now: its status, its newest event and its last 24 hours.

import { call } from "../page/api.js";
import { h } from "../page/dom.js";
import { timeElement } from "../page/time.js";
import { follow } from "./status.js";
import { strip } from "./strip.js";
import { patch } from "./tile.js";

const root = document.getElementById("now"), box = document.getElementById("newest");
let instance, shown = "", waiting = false;

function sentence(e) {
  return [
    h("p", { class: "unit" }, "Newest event"),
    h("p", { class: "newest-type" }, h("a", { href: `/signals/events/${e.seq}` }, e.type || "unknown type")),
    ...(e.act && e.act !== e.type ? [h("p", {}, e.act)] : []),
    h("p", {}, ...(e.actor ? ["by ", h("strong", {}, e.actor)] : ["by nobody named"]), e.from ? ` from ${e.from}` : "", e.result ? ` · ${e.result}` : ""),
    h("p", { class: "muted" }, e.published ? "" : "stored ", timeElement(new Date(e.published || e.stored), "age")),
  ];
}

async function newest() {
  const { data } = await call("GET", `/admin/settings/integrations/${encodeURIComponent(instance)}/newest`);
  if (data) {
    box.replaceChildren(...sentence(data));
    waiting = false;
  } else box.replaceChildren(h("p", { class: "none" }, waiting ? "Waiting for the first event…" : "No event is stored yet."));
}

let asked = null;
function refresh() { asked ??= newest().catch(() => {}).finally(() => { asked = null; }); }

// Until the first event is there it is asked for each second, for a minute.
function wait(tries = 60) {
  refresh();
  if (waiting && tries > 0) setTimeout(() => wait(tries - 1), 1000);
}

export const now = {
  /** follow keeps the panel current. */
  follow(of) {
    instance = of;
    follow({
      changed(i) {
        if (i.instance !== instance) return;
        patch(root, i);
        const event = i.last_event?.uuid || "";
        if (event !== shown) { shown = event; refresh(); }
      },
      gone(name) { if (name === instance) location.assign("/admin/settings/integrations"); },
    });
    const last24 = root.querySelector("[data-f=strip]"), draw = () => strip(last24, instance).catch(() => {});
    draw();
    setInterval(() => { if (!document.hidden) draw(); }, 900000);
  },

  /** saved is called after a change was saved: the org is polled at once. */
  saved() {
    if (box.querySelector("time")) return refresh();
    waiting = true;
    wait();
  },
};
