// Times: shown in the reader's zone, with UTC as the title; ages that go on.

const clock = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** local writes a time as 2026-11-28 14:54:00 in the reader's zone. */
export function local(date) {
  const p = Object.fromEntries(clock.formatToParts(date).map((x) => [x.type, x.value]));
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
}

/** utc writes a time as 2026-11-28 14:54:00 UTC. */
export function utc(date) { return date.toISOString().slice(0, 19).replace("T", " ") + " UTC"; }

/** span writes a duration in its largest unit: 40 s, 3 min, 5 h, 12 d. */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

// How far this machine's clock is ahead of the server's: ages are by the server's.
let ahead = 0;

/** serverTime tells the server's clock, as one of its messages gave it. */
export function serverTime(date) { ahead = Date.now() - date.getTime(); }

/** now is the present by the server's clock. */
export function now() { return Date.now() - ahead; }

/** show fills a time element from its datetime and data-as. What does not change with time
 * is written once: a page may hold thousands. */
export function show(element) {
  const value = element.dateTime, at = Date.parse(value);
  if (isNaN(at)) return;
  const as = element.dataset.as;
  if (titled.get(element) !== value) {
    titled.set(element, value);
    const date = new Date(at), zoned = local(date);
    element.title = as === "clock" ? utc(date) : `${zoned} (${utc(date)})`;
    if (as === "clock") element.textContent = zoned;
  }
  if (as === "clock") return;
  const left = at - now();
  const text = as === "age" ? `${span(-left)} ago` : as === "span" ? span(-left) : left > 0 ? `in ${span(left)}` : "now";
  if (element.textContent !== text) element.textContent = text;
}

const titled = new WeakMap(); // the datetime that an element's title is of

/** timeElement makes one: as is age, span, until or clock. */
export function timeElement(date, as) {
  const element = document.createElement("time");
  element.dateTime = date.toISOString();
  element.dataset.as = as;
  show(element);
  return element;
}

/** showAll fills all below root; run keeps them right. */
export function showAll(root = document) { for (const t of root.querySelectorAll("time[datetime][data-as]")) show(t); }

/** run shows all times of the page, and keeps ages right while somebody looks. */
export function run() {
  showAll();
  setInterval(() => { if (!document.hidden) showAll(); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) showAll(); });
}
