// The accessible names that scripts and assistive software rely on: each finds one
// element, even where a name is looked up as a part of a name.
import { test } from "node:test";
import assert from "node:assert/strict";
import { newPage, stored, indexed, tile, saysState } from "./fixture.mjs";

const fields = ["Name", "FQDN", "API Token", "Polling Interval", "Enabled"];
const integrations = "/admin/settings/integrations";

async function one(page, role, ...names) {
  for (const name of names) assert.equal(await page.getByRole(role, { name }).count(), 1, `${role} ${name}`);
}

async function labels(page, ...names) {
  for (const name of names) assert.equal(await page.getByLabel(name).count(), 1, name);
}

async function open(page, path, heading) {
  await page.goto(path);
  await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
  assert.equal(await page.locator("h1").count(), 1);
}

test("each name finds one element", async (t) => {
  await stored("named", "Acme of words");
  await indexed("instance:named");
  const page = await newPage(t);
  await open(page, "/", "Fleet");
  await open(page, integrations, "Integrations");
  await one(page, "button", "Add Integration");
  await saysState(page, "Acme of words", "polling", "catching up");
  await open(page, `${integrations}/new?type=okta`, "Add Okta integration");
  await labels(page, ...fields);
  await one(page, "button", "Test Connection", "Save");
  await open(page, `${integrations}/named`, "Acme of words");
  await labels(page, ...fields);
  await one(page, "button", "Test Connection", "Save", "Delete");
  await open(page, "/signals/search", "Search");
  await labels(page, "Query", "Time range");
  await one(page, "button", "Search", "Live tail");
  await one(page, "table", "Events");
});

test("a disabled integration has no times that never were", async (t) => {
  await stored("rested", "Rested");
  const page = await newPage(t);
  await page.goto(`${integrations}/rested`);
  await page.getByLabel("Enabled", { exact: true }).setChecked(false);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.goto(integrations);
  await tile(page, "Rested").getByRole("status").first().filter({ hasText: /^disabled/ }).waitFor();
  assert.equal(await tile(page, "Rested").getByText("never").count(), 0);
});
