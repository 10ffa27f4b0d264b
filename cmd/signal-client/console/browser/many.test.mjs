// The list with five hundred integrations: usable at once, and changes move nothing under
// the reader.
import { test } from "node:test";
import assert from "node:assert/strict";
import { api, newPage, orgURL, patience, saysState, tile } from "./fixture.mjs";

const many = 500;
const list = "/admin/settings/integrations";
const instance = (n) => `many-${String(n).padStart(3, "0")}`;
const numbers = Array.from({ length: many }, (_, n) => n);

// all sends a request for each number, eight at a time, and again while NATS does not
// answer; what was done though the answer was lost is done.
async function all(wanted, send) {
  const left = [...numbers], end = Date.now() + patience;
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (left.length) {
      const n = left.shift(), { status, body } = await send(n);
      if (wanted.includes(status)) continue;
      assert.ok(status === 503 && Date.now() < end, `${instance(n)}: ${status} ${JSON.stringify(body)}`);
      left.push(n);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }));
}

test("five hundred integrations", async (t) => {
  t.after(() => all([204, 404], (n) => api("DELETE", `/integrations/${instance(n)}`)));
  await all([201, 409], (n) => api("POST", "/integrations", {
    instance: instance(n), name: `Many ${n}`, enabled: false, settings: { base_url: orgURL }, credentials: { api_token: "wrong" },
  }));
  const page = await newPage(t, { viewport: { width: 1280, height: 900 } });
  await shown(page);

  await t.test("it is usable at once", async () => {
    const took = await page.evaluate(() => {
      const find = document.getElementById("find"), began = performance.now();
      find.value = "many-077";
      find.dispatchEvent(new Event("input", { bubbles: true }));
      document.body.getBoundingClientRect(); // layout is part of it
      return { search: performance.now() - began, loaded: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd };
    });
    assert.equal(await page.locator("#tiles > :not([hidden])").count(), 1);
    t.diagnostic(`page and scripts loaded ${took.loaded.toFixed(0)} ms after the click, searched in ${took.search.toFixed(0)} ms`);
    await page.getByRole("searchbox").fill("");
  });

  await t.test("changes leave place, focus and tiles", async () => {
    const reading = tile(page, "Many 300").getByRole("link").first();
    await reading.scrollIntoViewIfNeeded();
    await reading.focus();
    await mark(page);
    const before = await place(page);
    await change(page);
    assert.deepEqual(await place(page), before);
    assert.equal(await page.locator("#tiles > *").evaluateAll((all) => all.filter((t) => t.marked).length), before.tiles, "tiles were made anew");
  });

  await t.test("changes leave an open menu", async () => {
    await page.evaluate(() => scrollTo(0, 0));
    await page.getByRole("button", { name: "Add Integration" }).click();
    await change(page);
    const item = page.getByRole("menuitem", { name: "Okta" });
    assert.ok(await item.isVisible());
    assert.ok(await item.evaluate((e) => e === document.activeElement), "the menu has lost the focus");
  });
});

// shown opens the list when it has all integrations.
async function shown(page) {
  for (const end = Date.now() + patience; ;) {
    await page.goto(list);
    if (await page.locator("#tiles > *").count() >= many) return;
    assert.ok(Date.now() < end, "the list is not complete");
  }
}

const mark = (page) => page.evaluate(() => { for (const t of document.getElementById("tiles").children) t.marked = true; });

// place is where the reader is: the focus, and where in the window it is.
const place = (page) => page.evaluate(() => {
  const at = document.activeElement;
  return { focus: at.href, top: Math.round(at.getBoundingClientRect().top), tiles: document.getElementById("tiles").children.length };
});

// change renames integrations above and below the reader and lets the first one fail, and
// waits until the page shows it.
let round = 0;
async function change(page) {
  const name = `renamed ${++round}`;
  for (let n = 1; n < many; n += 25) {
    if (n !== 300) assert.equal((await api("PATCH", `/integrations/${instance(n)}`, { name: `Many ${n} ${name}` })).status, 200);
  }
  assert.equal((await api("PATCH", `/integrations/${instance(0)}`, { enabled: round % 2 === 1 })).status, 200);
  await page.getByRole("article", { name: `Many ${many - 24} ${name}` }).or(page.getByRole("region", { name: `Many ${many - 24} ${name}` })).waitFor();
  await saysState(page, "Many 0", round % 2 === 1 ? "credential refused" : "disabled");
}
