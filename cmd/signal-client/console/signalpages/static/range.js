// Time ranges and the steps of the histogram. Times are milliseconds since 1970, or
// nanoseconds where the index needs them.

const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;

/** presets are the ranges that end now, by their names in URLs. */
export const presets = {
  "15m": { ms: 15 * minute, words: "the last 15 minutes" },
  "1h": { ms: hour, words: "the last hour" },
  "24h": { ms: day, words: "the last 24 hours" },
  "7d": { ms: 7 * day, words: "the last 7 days" },
  "30d": { ms: 30 * day, words: "the last 30 days" },
};

/** resolve turns a search's range into {from, to}: from is included, to is not. */
export function resolve(state, now) {
  if (state.range !== "own") {
    const to = Math.ceil(now / second) * second;
    return { from: to - (presets[state.range] || presets["24h"]).ms, to };
  }
  const to = state.to ?? Math.ceil(now / second) * second;
  return { from: Math.min(state.from ?? to - day, to - 1), to };
}

/** wider is the next preset above a range; null: there is none. */
export function wider({ from, to }) {
  return Object.keys(presets).find((name) => presets[name].ms > (to - from) * 1.01) || null;
}

const round = [1, 2, 5, 10, 20, 50, 100, 200, 500, second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second,
  minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 7 * day];

/** buckets divides a range into 30 to 80 equal parts without a rest, so that what they
 * count together is what the range holds: {count, step, ns}, step in milliseconds. The
 * roundest step that fits is taken. */
export function buckets({ from, to }) {
  const length = to - from;
  for (const step of round.toReversed()) {
    const count = length / step;
    if (count >= 30 && count <= 80 && Number.isInteger(count)) return { count, step, ns: BigInt(step) * 1000000n };
  }
  for (let count = 64; count >= 30; count--) {
    if (length % count === 0) return { count, step: length / count, ns: BigInt(length / count) * 1000000n };
  }
  return { count: 64, step: length / 64, ns: (BigInt(length) * 1000000n) / 64n }; // 10^6 is a multiple of 64
}

/** offset makes the index begin its steps at from. */
export function offset(from, ns) {
  const rest = (BigInt(from) * 1000000n) % ns;
  return rest === 0n ? 0n : ns - rest;
}

/** nanoseconds of an RFC 3339 time in UTC, as the index writes it. */
export function nanoseconds(text) {
  const m = /^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!m) return 0n;
  return BigInt(Date.parse(m[1] + m[3])) * 1000000n + BigInt((m[2] || "").padEnd(9, "0"));
}

/** rfc3339 writes nanoseconds. */
export function rfc3339(ns) {
  const fraction = String(ns % 1000000000n).padStart(9, "0").replace(/0+$/, "");
  return new Date(Number(ns / 1000000n)).toISOString().slice(0, 19) + (fraction ? "." + fraction : "") + "Z";
}

/** toLocalInput writes a time as a datetime-local field takes it; fromLocalInput reads it. */
export function toLocalInput(ms) {
  const d = new Date(ms), two = (n) => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

export function fromLocalInput(text) {
  const ms = new Date(text).getTime();
  return Number.isNaN(ms) ? null : ms;
}
