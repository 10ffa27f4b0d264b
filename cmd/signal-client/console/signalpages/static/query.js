// LogsQL as far as the page must know it: where words, strings and pipes are, to complete
// and to extend a query. The index alone decides whether one is valid.

const punctuation = ":=!<>~()[]{},|";
const quotes = "\"'`";

/** lex splits a query into tokens {type, text, start, end}; type is word, string, punct or
 * comment. White space is left out. An unfinished string has open set. */
export function lex(text) {
  const tokens = [];
  for (let i = 0; i < text.length;) {
    const c = text[i], start = i;
    let type = "word", open = false;
    if (/\s/.test(c)) { i++; continue; }
    if (quotes.includes(c)) {
      type = "string";
      for (i++; i < text.length && text[i] !== c; i++) if (text[i] === "\\" && c !== "`") i++;
      open = i >= text.length;
      i = Math.min(i + 1, text.length);
    } else if (punctuation.includes(c)) {
      type = "punct";
      i++;
    } else if (c === "#") {
      type = "comment";
      while (i < text.length && text[i] !== "\n") i++;
    } else {
      while (i < text.length && !/\s/.test(text[i]) && !punctuation.includes(text[i]) && !quotes.includes(text[i])) i++;
    }
    tokens.push({ type, text: text.slice(start, i), start, end: i, open });
  }
  return tokens;
}

/** parts splits a query at its first pipe: what filters, and the pipes with their bar. */
export function parts(text) {
  let depth = 0;
  for (const t of lex(text)) {
    if (t.type !== "punct") continue;
    if ("([{".includes(t.text)) depth++;
    if (")]}".includes(t.text)) depth--;
    if (t.text === "|" && depth <= 0) return { filter: text.slice(0, t.start).trim(), pipes: text.slice(t.start).trim() };
  }
  return { filter: text.trim(), pipes: "" };
}

/** hasPipes reports whether a query changes what it finds. */
export function hasPipes(text) { return parts(text).pipes !== ""; }

/** bare is a query without comments, which would swallow what is appended; * if it is empty. */
export function bare(text) {
  let out = "", at = 0;
  for (const t of lex(text)) {
    if (t.type !== "comment") continue;
    out += text.slice(at, t.start);
    at = t.end;
  }
  return (out + text.slice(at)).trim() || "*";
}

/** quote writes a text as LogsQL takes it. */
export function quote(text) { return JSON.stringify(text); }

/** fieldName writes a field's name. */
export function fieldName(name) { return /^[A-Za-z0-9_.]+$/.test(name) ? name : quote(name); }

/** exactly is the filter for events whose field has a value. */
export function exactly(field, value) { return `${fieldName(field)}:=${quote(value)}`; }

// whether a filter has an "or" that a further filter would not bind
function loose(filter) {
  let depth = 0;
  for (const t of lex(filter)) {
    if (t.type === "punct" && "([{".includes(t.text)) depth++;
    if (t.type === "punct" && ")]}".includes(t.text)) depth--;
    if (t.type === "word" && depth === 0 && t.text.toLowerCase() === "or") return true;
  }
  return false;
}

/** withFilter narrows a query by a filter, which comes before its pipes. The same filter is
 * not added twice, and its opposite is taken out. */
export function withFilter(text, filter) {
  const split = parts(bare(text));
  const opposite = filter.startsWith("!") ? filter.slice(1) : "!" + filter;
  let old = split.filter === "*" ? "" : split.filter;
  if (loose(old)) old = `(${old})`;
  old = without(old, opposite);
  const now = contains(old, filter) ? old : [old, filter].filter(Boolean).join(" ");
  return [now || "*", split.pipes].filter(Boolean).join(" ");
}

function places(text, filter) {
  const found = [];
  for (let at = text.indexOf(filter); at >= 0; at = text.indexOf(filter, at + 1)) {
    const before = text[at - 1], after = text[at + filter.length];
    if ((before === undefined || /\s/.test(before)) && (after === undefined || /\s/.test(after))) found.push(at);
  }
  return found;
}

function contains(text, filter) { return places(text, filter).length > 0; }

function without(text, filter) {
  const at = places(text, filter)[0];
  return at === undefined ? text : (text.slice(0, at) + text.slice(at + filter.length)).replace(/\s+/g, " ").trim();
}

/** completionAt says what stands at the caret: {kind: "field", prefix, start, end}, or
 * {kind: "value", field, prefix, start, end, list}, whose start is that of the operator
 * unless it is an element of a list. null: nothing to complete. */
export function completionAt(text, caret) {
  const tokens = lex(text).filter((t) => t.start < caret);
  if (tokens.some((t) => t.type === "comment" && t.end >= caret)) return null;
  let at = tokens.length, prefix = "", start = caret, end = caret;
  const last = tokens[at - 1];
  if (last && last.type !== "punct" && last.end >= caret) {
    if (last.type === "string" && last.end === caret && !last.open) return null; // behind a finished string
    at--;
    prefix = plain(text.slice(last.start, caret));
    ({ start, end } = last);
  }
  const field = valueField(tokens, at, start);
  if (field) return { kind: "value", field: field.name, prefix, start: field.list ? start : field.operator, end, list: field.list };
  const before = tokens[at - 1];
  if (before && before.type === "punct" && "=<>~[{".includes(before.text)) return null;
  return { kind: "field", prefix, start, end };
}

// valueField finds the field whose value stands at tokens[at], which begins at start.
function valueField(tokens, at, start) {
  let i = at - 1, list = false;
  if (tokens[i]?.text === "," || tokens[i]?.text === "(") {
    while (i >= 0 && tokens[i].text !== "(" && (tokens[i].text === "," || tokens[i].type === "string" || tokens[i].type === "word")) i--;
    if (tokens[i]?.text !== "(" || !/^(in|contains_any|contains_all|json_array_contains_any)$/i.test(tokens[i - 1]?.text || "")) return null;
    i -= 2;
    list = true;
  }
  let begin = list ? -1 : start;
  while (i >= 0 && tokens[i].type === "punct" && "=!".includes(tokens[i].text) && (list || tokens[i].end === begin)) begin = tokens[i--].start;
  if (tokens[i]?.text !== ":" || (!list && tokens[i].end !== begin)) return null;
  const operator = tokens[i].start, name = tokens[i - 1];
  if (!name || name.end !== operator || (name.type !== "word" && name.type !== "string")) return null;
  return { name: unquote(name.text), operator, list };
}

// plain is what was typed of a token, without its quote.
function plain(text) { return quotes.includes(text[0]) ? text.slice(1).replace(/\\(.)/g, "$1") : text.replace(/^-/, ""); }

function unquote(text) {
  if (!quotes.includes(text[0])) return text.replace(/^-/, "");
  try { if (text[0] === "\"") return JSON.parse(text); } catch { /* not JSON's way of escaping */ }
  return text.slice(1, -1);
}

/** complete puts a field's name, or a value, where completionAt says, and returns the query
 * and the caret. */
export function complete(text, c, chosen) {
  const minus = text[c.start] === "-" && c.kind === "field" ? "-" : "";
  let put = c.kind === "field" ? minus + fieldName(chosen) + ":" : quote(chosen);
  if (c.kind === "value" && !c.list) {
    const negated = /^:\s*!/.test(text.slice(c.start, c.end));
    put = (negated ? ":!=" : ":=") + put + " ";
  }
  let rest = text.slice(c.end);
  if (c.kind === "field" && rest.startsWith(":")) rest = rest.slice(1);
  if (put.endsWith(" ") && /^[\s)]/.test(rest)) put = put.slice(0, -1);
  return { text: text.slice(0, c.start) + put + rest, caret: c.start + put.length };
}
