// The live picture of the integrations: one follower for each page that shows some.

import { Live } from "../page/live.js";
import { call } from "../page/api.js";
import { serverTime } from "../page/time.js";

/** follow calls changed with each integration that is new or different, gone with the name
 * of each that was removed, and fleet with the picture without its integrations. */
export function follow({ changed = () => {}, gone = () => {}, fleet = () => {} }) {
  return new Live("/api/v1/status/stream", {
    status: (data) => { for (const i of Array.isArray(data) ? data : [data]) changed(i); },
    gone: (data) => gone(data.instance),
    fleet: (data) => { if (data.at) serverTime(new Date(data.at)); fleet(data); },
  }).start();
}

/** all fetches the whole picture once. */
export async function all() { return (await call("GET", "/api/v1/fleet")).data; }
