// The live picture of the integrations: one follower for each page that shows some.

import { setText } from "../page/dom.js";
import { Live } from "../page/live.js";
import { serverTime } from "../page/time.js";

/** follow calls changed with each integration that is new or different, gone with the name
 * of each that was removed, and fleet with the picture without its integrations. known are
 * the names that the page was made with. */
export function follow({ changed = () => {}, gone = () => {}, fleet = () => {} }, known = []) {
  const names = new Set(known);
  let left = null; // after a reset: those that did not come again yet
  return new Live("/api/v1/status/stream", {
    reset: () => { left = new Set(names); },
    status: (i) => {
      names.add(i.instance);
      left?.delete(i.instance);
      changed(i);
    },
    gone: ({ instance }) => {
      names.delete(instance);
      gone(instance);
    },
    fleet: (f) => {
      serverTime(new Date(f.at));
      for (const name of left || []) {
        names.delete(name);
        gone(name);
      }
      left = null;
      away(f.away);
      fleet(f);
    },
    alive: ({ at }) => serverTime(new Date(at)),
  }).start();
}

// A page of old figures says so, and its style sheet greys them.
function away(why) {
  const at = document.getElementById("away");
  at.hidden = !why;
  setText(at, why ? `NATS is not connected: what is shown is from before. ${why}` : "");
}
