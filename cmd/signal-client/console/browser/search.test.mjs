// The page Search, with what a user of searches relies on: counts that equal the rows, a
// state that is in the URL, every event once, an error at its place.
import { test, before } from "node:test";
import assert from "node:assert/strict";
import { newPage, stored, indexed, complete, tabTo } from "./fixture.mjs";

before(async () => {
  await stored("searched", "Searched");
  await indexed("instance:searched outcome.result:FAILURE");
  await complete("searched");
});

const field = (page) => page.getByLabel("Query", { exact: true });
const rows = (page) => page.getByRole("table", { name: "Events" }).locator("tbody").getByRole("row");
const state = (page) => page.locator("#progress");

// open opens a search of a range that does not change, and waits until it is done.
async function open(page, query, more = "") {
  const to = new Date(Date.now() - 120_000), from = new Date(to - 24 * 3600_000);
  await page.goto(`/signals/search?q=${encodeURIComponent(query)}&from=${from.toISOString()}&to=${to.toISOString()}${more}`);
  await done(page);
}

// done waits until a search says how many events it has.
async function done(page) {
  await state(page).filter({ hasText: /^(The newest )?[\d,]+ (of|events?) / }).waitFor();
}

const number = (text) => Number(text.replaceAll(",", ""));

test("a count of a value is the number of rows that it leaves", async (t) => {
  const page = await newPage(t);
  await open(page, "instance:searched");
  const value = page.locator("[data-facet='outcome.result']").getByRole("button", { name: /^FAILURE [\d,]+ events?/ });
  await value.waitFor();
  const count = number(/([\d,]+) events?/.exec(await value.getAttribute("aria-label"))[1]);
  await value.click();
  await page.waitForURL(/FAILURE/);
  await done(page);
  while (await rows(page).count() < count) {
    const had = await rows(page).count();
    await page.getByRole("button", { name: "Load older events" }).click();
    await page.waitForFunction((n) => document.querySelectorAll("#events tbody tr").length > n, had);
  }
  await state(page).filter({ hasText: new RegExp(`^${count.toLocaleString("en-US")} events? in`) }).waitFor();
  const links = await rows(page).getByRole("link").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  assert.equal(links.length, count);
  assert.equal(new Set(links).size, count, "an event is there twice");
  const times = await rows(page).evaluateAll((all) => all.map((r) => r.cells ? r.cells[0].textContent : ""));
  assert.deepEqual(times, times.toSorted().reverse(), "not the newest first");

  await page.goBack();
  await done(page);
  assert.equal(await field(page).inputValue(), "instance:searched");
});

test("a query that is wrong is marked at the place", async (t) => {
  const page = await newPage(t);
  await open(page, "*");
  await field(page).fill("outcome.result:(");
  await page.keyboard.press("Enter");
  const alert = page.getByRole("alert").filter({ hasText: /Character 1\d/ });
  await alert.waitFor();
  assert.equal(await field(page).getAttribute("aria-invalid"), "true");
  await field(page).fill("outcome.result:FAILURE");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await done(page);
  assert.equal(await field(page).getAttribute("aria-invalid"), null);
});

test("names and values are completed with the keyboard", async (t) => {
  const page = await newPage(t);
  await open(page, "*");
  await field(page).fill("");
  await field(page).pressSequentially("outcome.res");
  await page.getByRole("option", { name: /^outcome\.result, / }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("option", { name: /^SUCCESS, [\d,]+ events/ }).waitFor();
  await field(page).pressSequentially("FAIL");
  await page.getByRole("option", { name: /^SUCCESS/ }).waitFor({ state: "detached" });
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal((await field(page).inputValue()).trim(), `outcome.result:="FAILURE"`);
});

test("a part of the histogram is searched with the keyboard, and back undoes it", async (t) => {
  const page = await newPage(t);
  await open(page, "instance:searched");
  const chart = page.getByRole("slider", { name: "Events over time" });
  await tabTo(page, chart);
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Shift+ArrowLeft");
  const says = await chart.getAttribute("aria-valuetext");
  const before = page.url();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.href !== before);
  const [, count] = /: ([\d,]+) events?$/.exec(says);
  await state(page).filter({ hasText: new RegExp(`^(The newest [\\d,]+ of )?${count} events? in`) }).waitFor();
  await page.goBack();
  await page.waitForURL(before);
});

test("columns are kept; a search is saved for all", async (t) => {
  const page = await newPage(t);
  await open(page, "instance:searched");
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove column displayMessage" }).click();
  await page.getByLabel("Add a field").fill("transaction.id");
  await page.getByRole("dialog").getByRole("button", { name: /^transaction\.id/ }).click();
  await page.getByRole("button", { name: "Done" }).click();
  const heads = page.getByRole("columnheader");
  await heads.filter({ hasText: "transaction.id" }).waitFor();
  await page.goto("/signals/search");
  await heads.filter({ hasText: "transaction.id" }).waitFor();
  assert.equal(await heads.filter({ hasText: "displayMessage" }).count(), 0);

  const name = `Saved <b> ${Date.now()}`;
  await page.getByRole("button", { name: "Saved", exact: true }).click();
  await page.getByLabel("Save this search as").fill(name);
  await page.getByRole("button", { name: "Save search" }).click();
  await page.getByRole("link", { name }).waitFor();
  const other = await newPage(t);
  await other.goto("/signals/search");
  await other.getByRole("button", { name: "Saved", exact: true }).click();
  await other.getByRole("link", { name }).click();
  await other.getByRole("columnheader").filter({ hasText: "transaction.id" }).waitFor();
});

test("a live tail shows what comes, and waits while it is paused", async (t) => {
  const page = await newPage(t);
  await open(page, "*");
  const tail = page.getByRole("button", { name: "Live tail" });
  await tail.click();
  await state(page).filter({ hasText: /^Live: [1-9]/ }).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  const had = await rows(page).count();
  await state(page).filter({ hasText: /^Paused: [1-9]/ }).waitFor();
  assert.equal(await rows(page).count(), had);
  await page.getByRole("button", { name: "Go on" }).click();
  await page.waitForFunction((n) => document.querySelectorAll("#events tbody tr").length > n, had);
  await tail.click();
  await done(page);
});

test("a search that is left, or stopped, ends", async (t) => {
  const page = await newPage(t);
  await open(page, "*");
  await page.route("**/select/logsql/query", () => {}); // no answer comes
  const asked = page.waitForRequest("**/select/logsql/query"), ended = page.waitForEvent("requestfailed");
  await field(page).fill("instance:searched");
  await page.keyboard.press("Enter");
  await asked;
  await page.getByRole("button", { name: "Stop" }).click();
  assert.match((await ended).failure().errorText, /ABORTED/);
  await state(page).filter({ hasText: /^Stopped: searched back to / }).waitFor();
  await page.unroute("**/select/logsql/query");
  await page.getByRole("button", { name: "Go on" }).click();
  await done(page);
});
