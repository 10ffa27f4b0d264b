// The fields of the form: their values as the API has them, and what was changed.

const at = (id) => document.getElementById(id);
const text = (id) => at(id)?.value.trim() ?? "";
const number = (id) => text(id) === "" ? null : Number(text(id));

/** duration reads what is typed as an interval: a number is minutes. It returns "" for
 * nothing, and what it does not know as typed: the server says what is wrong. */
export function duration(typed) {
  const t = typed.trim().toLowerCase();
  if (/^\d+([.,]\d+)?$/.test(t)) {
    const minutes = Number(t.replace(",", "."));
    return Number.isInteger(minutes) ? `${minutes}m` : `${Math.round(minutes * 60)}s`;
  }
  const m = t.match(/^(\d+)\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?)$/);
  return m ? (m[2][0] === "d" ? `${m[1] * 24}h` : `${m[1]}${m[2][0]}`) : typed.trim();
}

/** inWords says a duration such as 1h30m as 1 hour 30 minutes; "" if it is none. */
export function inWords(d) {
  if (!/^(\d+h)?(\d+m)?(\d+s)?$/.test(d) || !d) return "";
  const units = { h: "hour", m: "minute", s: "second" };
  return [...d.matchAll(/(\d+)([hms])/g)].map(([, n, u]) => `${n} ${units[u]}${n === "1" ? "" : "s"}`).join(" ");
}

// The fields by the path that the API knows them by. A missing element has no field.
const fields = {
  instance: { id: "instance", value: () => text("instance") || null },
  name: { id: "name", value: () => text("name") || null },
  "settings.fqdn": { id: "fqdn", value: () => text("fqdn") },
  "settings.base_url": { id: "base-url", value: () => text("base-url") || null },
  "credentials.api_token": { id: "token", value: () => text("token") || null },
  "credentials.api_token_next": { id: "token-next", value: () => text("token-next") || null },
  "credentials.client_id": { id: "client-id", value: () => text("client-id") || null },
  "credentials.key_id": { id: "key-id", value: () => text("key-id") || null },
  "credentials.private_key": { id: "private-key", value: () => text("private-key") || null },
  "credentials.private_key_file": { id: "private-key-file", value: () => text("private-key-file") || null },
  poll_interval: { id: "interval", value: () => duration(text("interval")) || null },
  enabled: { id: "enabled", value: () => at("enabled").checked },
  "settings.since": { id: "since", value: () => text("since") || null },
  "settings.filter": { id: "filter", value: () => text("filter") || null },
  "settings.rate_share": { id: "share", value: () => number("share") },
  "settings.limit": { id: "limit", value: () => number("limit") },
  "settings.proxy": { id: "proxy", value: () => text("proxy") || null },
  "settings.ca_file": { id: "ca-file", value: () => text("ca-file") || null },
  "credentials.proxy_password": { id: "proxy-password", value: () => text("proxy-password") || null },
};

const present = () => Object.entries(fields).filter(([, f]) => at(f.id) && "value" in at(f.id));

/** values returns all fields by path. */
export function values() { return Object.fromEntries(present().map(([path, f]) => [path, f.value()])); }

/** label returns how the form calls a field. */
export function label(path) {
  const f = fields[path], element = f && document.querySelector(`label[for="${f.id}"]`);
  return element ? element.textContent : path;
}

// Secrets are never shown: an empty field keeps the stored one.
const secrets = ["credentials.api_token", "credentials.api_token_next", "credentials.private_key", "credentials.proxy_password"];

/** changes returns the fields that differ from those before. */
export function changes(before, now = values()) {
  return Object.fromEntries(Object.entries(now).filter(([path, v]) => v !== before[path] && !(secrets.includes(path) && v === null)));
}

/** body returns fields as a value of the API. Fields that are null are left out, unless
 * removing is meant. */
export function body(byPath, { remove = false } = {}) {
  const all = {};
  for (const [path, value] of Object.entries(byPath)) {
    if (value === null && !remove) continue;
    const [group, name] = path.includes(".") ? path.split(".") : [null, path];
    if (group) (all[group] ??= {})[name] = value; else all[name] = value;
  }
  return all;
}

/** fill shows an integration as the API has it. Its secrets are never in it. */
export function fill(d) {
  const s = d.settings || {}, c = d.credentials || {};
  const shown = {
    name: d.name, fqdn: s.fqdn || s.base_url, "base-url": s.base_url, token: "", "token-next": "", "private-key": "", "client-id": c.client_id, "key-id": c.key_id, "private-key-file": c.private_key_file, since: s.since, filter: s.filter, share: s.rate_share, limit: s.limit, proxy: s.proxy, "ca-file": s.ca_file, "proxy-password": "",
    interval: d.poll_interval || (d.poll_interval_minutes && `${d.poll_interval_minutes}m`),
  };
  for (const [id, value] of Object.entries(shown)) if (at(id)) at(id).value = value ?? "";
  at("enabled").checked = d.enabled !== false;
}
