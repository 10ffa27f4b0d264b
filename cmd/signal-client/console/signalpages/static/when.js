// Times of events: in the reader's zone with their milliseconds, UTC as the title.

import { local, utc } from "../page/time.js";

/** moment writes an event's time to the millisecond. */
export function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text || "";
  return `${local(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** title is what a time shows on hover: UTC, with all its digits. */
export function title(text) { return `${text.replace("T", " ").replace("Z", "")} UTC`; }

/** clock writes a time as short as the length of the range that it is part of allows. */
export function clock(ms, range) {
  const text = local(new Date(ms));
  if (range <= 10 * 60 * 1000) return text.slice(11);
  if (range <= 36 * 3600 * 1000) return text.slice(11, 16);
  if (range <= 4 * 86400 * 1000) return text.slice(5, 16);
  return text.slice(5, 10);
}

/** full writes a time to the second. */
export function full(ms) { return local(new Date(ms)); }

/** fullTitle is the same in UTC. */
export function fullTitle(ms) { return utc(new Date(ms)); }
