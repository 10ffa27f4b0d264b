// Tests of the modules that need no page. TestModules runs them where there is node.

import assert from "node:assert/strict";
import test from "node:test";
import { command, csvLine, curl, shell } from "../static/formats.js";
import { bare, complete, completionAt, exactly, fieldName, hasPipes, lex, parts, withFilter } from "../static/query.js";
import { buckets, nanoseconds, offset, resolve, rfc3339, wider } from "../static/range.js";
import { ByArrival, ByTime, countsOf, pageSize, valuesOf } from "../static/rows.js";
import { ofRange, rangeText, read, write } from "../static/state.js";

test("pipes are found outside of strings, lists and comments", () => {
  assert.deepEqual(parts(`a:"x|y" b:in(c | fields d) | stats count() n | limit 1`), { filter: `a:"x|y" b:in(c | fields d)`, pipes: "| stats count() n | limit 1" });
  assert.equal(hasPipes("a:`|` # | b"), false);
  assert.equal(hasPipes(`"a | b`), false);
  assert.equal(bare("  # nothing"), "*");
  assert.equal(bare(`a "#b" #c`), `a "#b"`);
});

test("a string ends where its quote is not escaped", () => {
  assert.deepEqual(lex(`"a\\"b" c`).map((t) => t.text), [`"a\\"b"`, "c"]);
  assert.equal(lex(`"a\\`)[0].open, true);
});

test("a filter narrows the whole query, before its pipes, and once", () => {
  const ok = exactly("outcome.result", "FAILURE");
  assert.equal(ok, `outcome.result:="FAILURE"`);
  assert.equal(withFilter("", ok), ok);
  assert.equal(withFilter("*", ok), ok);
  assert.equal(withFilter("alice@example.com", ok), `alice@example.com ${ok}`);
  assert.equal(withFilter("a or b", ok), `(a or b) ${ok}`);
  assert.equal(withFilter(`"a or b"`, ok), `"a or b" ${ok}`);
  assert.equal(withFilter("(a or b)", ok), `(a or b) ${ok}`);
  assert.equal(withFilter("a | stats count() n", ok), `a ${ok} | stats count() n`);
  assert.equal(withFilter(`a ${ok}`, ok), `a ${ok}`);
  assert.equal(withFilter(`a ${ok} b`, "!" + ok), `a b !${ok}`);
  assert.equal(withFilter(`a !${ok}`, ok), `a ${ok}`);
  assert.equal(withFilter("a #b", ok), `a ${ok}`);
  assert.equal(exactly(`a"b c`, `x"\n\\`), `"a\\"b c":="x\\"\\n\\\\"`);
  assert.equal(fieldName("debugContext.debugData.dtHash"), "debugContext.debugData.dtHash");
});

test("what stands at the caret is completed", () => {
  const at = (text) => completionAt(text.replace("^", ""), text.indexOf("^"));
  const done = (text, chosen) => {
    const { text: got, caret } = complete(text.replace("^", ""), at(text), chosen);
    return got.slice(0, caret) + "^" + got.slice(caret);
  };
  assert.equal(at("out^").kind, "field");
  assert.equal(at("out^").prefix, "out");
  assert.deepEqual([at("outcome.result:FA^").kind, at("outcome.result:FA^").field, at("outcome.result:FA^").prefix], ["value", "outcome.result", "FA"]);
  assert.equal(at(`outcome.result:="FA^`).prefix, "FA");
  assert.equal(at(`"a b":^`).field, "a b");
  assert.equal(at("a:in(x, y^").field, "a");
  assert.equal(at("a:in(x, y^").list, true);
  assert.equal(at(`a:="x"^`), null);
  assert.equal(at("a # b^"), null);
  assert.equal(at("a:>^"), null);
  assert.equal(done("out^", "outcome.result"), "outcome.result:^");
  assert.equal(done("a (-out^ b", "outcome.result"), "a (-outcome.result:^ b");
  assert.equal(done("outcome.result:^", "FAILURE"), `outcome.result:="FAILURE" ^`);
  assert.equal(done("outcome.result:!=FA^ b", "FAILURE"), `outcome.result:!="FAILURE"^ b`);
  assert.equal(done(`x outcome.result:="FA^`, `a"b`), `x outcome.result:="a\\"b" ^`);
  assert.equal(done("a:in(x, y^)", "z"), `a:in(x, "z"^)`);
});

test("buckets divide a range without a rest", () => {
  for (const length of [900_000, 3_600_000, 86_400_000, 7 * 86_400_000, 30 * 86_400_000, 1, 7, 999, 1_234_567, 86_399_999, 13_000]) {
    const from = 1_795_000_000_123, b = buckets({ from, to: from + length });
    assert.equal(b.ns * BigInt(b.count), BigInt(length) * 1_000_000n, `${length} ms`);
    assert.ok(b.count >= 30 && b.count <= 80);
    assert.equal((BigInt(from) * 1_000_000n + offset(from, b.ns)) % b.ns, 0n);
  }
  assert.equal(buckets({ from: 0, to: 3_600_000 }).step % 60_000, 0);
});

test("times keep their nanoseconds", () => {
  for (const t of ["2026-11-28T14:59:00.998123456Z", "2026-11-28T14:59:00Z", "1969-12-31T23:59:59Z", "2026-11-28T14:59:00.5Z"]) assert.equal(rfc3339(nanoseconds(t)), t);
  assert.equal(nanoseconds("2026-11-28T15:59:00.1+01:00"), nanoseconds("2026-11-28T14:59:00.1Z"));
  assert.equal(nanoseconds("x"), 0n);
});

test("a state survives its URL", () => {
  for (const url of ["", "?q=a%3Ab+%7C+c", "?range=7d&by=stored&cols=a%2Cb.c", "?from=2026-11-28T09%3A00%3A00.000Z&to=2026-11-28T10%3A00%3A00.000Z"]) assert.equal(write(read(new URLSearchParams(url))), url);
  assert.equal(read(new URLSearchParams("range=nonsense&from=x")).range, "24h");
  const own = read(new URLSearchParams("from=2026-11-28T09:00:00Z&to=2026-11-28T10:00:00Z"));
  assert.deepEqual(ofRange(rangeText(own)), { range: "own", from: own.from, to: own.to });
  assert.deepEqual(resolve(own, 0), { from: own.from, to: own.to });
  assert.deepEqual(resolve({ range: "1h" }, 3_600_500), { from: 1000, to: 3_601_000 });
  assert.equal(wider({ from: 0, to: 86_400_000 }), "7d");
});

// An index of n events, several at the same time, that answers as VictoriaLogs does: the
// newest of a span, those of one time in any order.
function index(n, same) {
  const rows = Array.from({ length: n }, (_, i) => ({ seq: String(1000 + i), _time: rfc3339(BigInt(Math.floor(i / same) * 1000 + 1_795_000_000_000) * 1_000_000n), stored: new Date(1_795_000_000_000 + i * 100).toISOString() }));
  const shuffled = rows.toSorted(() => Math.random() - 0.5);
  const asked = [];
  return {
    rows, asked,
    byTime: async (from, to, limit) => {
      asked.push([from, to]);
      return shuffled.filter((r) => nanoseconds(r._time) >= nanoseconds(from) && nanoseconds(r._time) < nanoseconds(to)).sort((a, b) => (nanoseconds(a._time) > nanoseconds(b._time) ? -1 : nanoseconds(a._time) < nanoseconds(b._time) ? 1 : Math.random() - 0.5)).slice(0, limit);
    },
    byArrival: async (from, to, below, limit) => shuffled.filter((r) => Date.parse(r.stored) >= Date.parse(from) && Date.parse(r.stored) < Date.parse(to) && (!below || Number(r.seq) < Number(below))).sort((a, b) => b.seq - a.seq).slice(0, limit),
  };
}

async function readAll(pager) {
  const all = [];
  for (let pages = 0; !pager.complete; pages++) {
    assert.ok(pages < 100, "it does not end");
    for await (const rows of pager.page()) all.push(...rows);
  }
  return all;
}

test("pages have every event once, newest first", async () => {
  for (const [n, same] of [[0, 1], [1, 1], [199, 1], [200, 1], [201, 1], [1500, 1], [1500, 7], [1500, 199], [1500, 200], [1500, 201], [900, 900]]) {
    const at = index(n, same), range = { from: 1_795_000_000_000, to: 1_795_000_000_000 + 2_000_000 };
    const got = await readAll(new ByTime(range, at.byTime));
    assert.equal(new Set(got.map((r) => r.seq)).size, n, `${n} events, ${same} at a time: doubles or gaps`);
    assert.equal(got.length, n, `${n} events, ${same} at a time`);
    assert.ok(got.every((r, i) => i === 0 || nanoseconds(got[i - 1]._time) >= nanoseconds(r._time)), "order");
    const arrived = await readAll(new ByArrival(range, at.byArrival));
    assert.deepEqual(arrived.map((r) => r.seq), at.rows.map((r) => r.seq).reverse());
  }
});

test("a first page does not read the whole range", async () => {
  const at = index(5000, 1), pager = new ByTime({ from: 1_795_000_000_000, to: 1_795_000_000_000 + 5_000_000 }, at.byTime);
  let n = 0;
  for await (const rows of pager.page()) n += rows.length;
  assert.ok(n >= pageSize && !pager.complete && at.asked.length <= 3, `${n} rows with ${at.asked.length} requests`);
});

test("counts of rows add up", () => {
  const rows = [{ a: "x", _time: "2026-11-28T10:00:00Z" }, { a: "x", _time: "2026-11-28T10:59:59.999999999Z" }, { a: "y", _time: "2026-11-28T10:30:00Z" }, { _time: "2026-11-28T10:30:00Z" }];
  assert.deepEqual(valuesOf(rows, ["a", "b"], 1), { a: [{ value: "x", hits: 2 }], b: [] });
  const from = Date.parse("2026-11-28T10:00:00Z"), counts = countsOf(rows, from, buckets({ from, to: from + 3_600_000 }), "");
  assert.equal(counts.reduce((a, b) => a + b), 4);
  assert.equal(counts[0], 1);
  assert.equal(counts.at(-1), 1);
});

test("a command says the same search, whatever is in it", () => {
  assert.equal(shell("a.b:c"), "a.b:c");
  assert.equal(shell("it's $(x)"), `'it'\\''s $(x)'`);
  assert.equal(command({ q: "alice@example.com", range: "7d" }), "signal-client search alice@example.com --since 7d");
  assert.equal(command({ q: "-x", range: "24h" }), "signal-client search --since 24h -- -x");
  assert.equal(command({ q: "", range: "own", from: 0, to: 1000 }), "signal-client search '*' --since 1970-01-01T00:00:00.000Z --until 1970-01-01T00:00:01.000Z");
  const far = curl({ q: "a", by: "" }, { from: 0, to: 1000 }, "https://console.example.com");
  assert.ok(far.includes("Authorization") && far.includes("--data-urlencode query=a") && far.includes("start=1970-01-01T00:00:00.000Z"));
  assert.ok(!curl({ q: "", by: "stored" }, { from: 0, to: 1 }, "http://127.0.0.1:8000").includes("Authorization"));
});

test("CSV is quoted, and is no formula", () => {
  assert.equal(csvLine(["a", `b"c`, "d,e", "=1+1", "-66.65", "@x", "-x"]), `a,"b""c","d,e","'=1+1",-66.65,"'@x","'-x"\r\n`);
});
