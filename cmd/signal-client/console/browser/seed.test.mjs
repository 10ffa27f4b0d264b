// The way that the product was asked for: add an org, see it turn green, break its token,
// see it red with the reason, mend it, search, open the event. With the mouse, and with
// the keyboard alone.
import { test } from "node:test";
import assert from "node:assert/strict";
import { newPage, orgURL, token, tile, saysState, indexed, tabTo } from "./fixture.mjs";

const list = "/admin/settings/integrations";

test("add, see green, break, mend, search, open: with the mouse", async (t) => {
  const page = await newPage(t);
  const name = "Acme by mouse";
  await page.goto("/");
  await page.getByRole("heading", { level: 1, name: "Fleet" }).waitFor();
  await page.goto(list);
  await page.getByRole("heading", { level: 1, name: "Integrations" }).waitFor();
  await page.getByRole("button", { name: "Add Integration" }).first().click();
  await page.getByRole("menuitem", { name: "Okta" }).click();
  await page.getByRole("heading", { level: 1, name: "Add Okta integration" }).waitFor();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("FQDN", { exact: true }).fill(` ${orgURL}/admin/dashboard `);
  await page.getByLabel("API Token", { exact: true }).fill(token);
  await page.getByLabel("Polling Interval", { exact: true }).fill("1s");
  await page.getByLabel("Enabled", { exact: true }).setChecked(true);
  await page.getByRole("button", { name: "Test Connection" }).click();
  const checks = page.getByRole("list", { name: "Connection test" });
  await checks.getByRole("listitem").filter({ hasText: /rate limit/i }).waitFor();
  assert.equal(await checks.getByText(/wrong/i).count(), 0);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await firstEvent(page);
  await page.goto(list);
  await saysState(page, name, "polling", "catching up");

  await tile(page, name).getByRole("link").first().click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  assert.equal(await page.getByLabel("API Token", { exact: true }).inputValue(), "", "a saved token is never sent to a browser");
  await page.getByLabel("API Token", { exact: true }).fill("00wrong");
  await save(page);
  await page.goto(list);
  await saysState(page, name, "credential refused");
  await tile(page, name).getByText(/token/i).first().waitFor();

  await tile(page, name).getByRole("link").first().click();
  await page.getByLabel("API Token", { exact: true }).fill(token);
  await save(page);
  await page.goto(list);
  await saysState(page, name, "polling", "catching up");

  const found = await indexed("eventType:user.session.start");
  await page.goto("/signals/search");
  await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
  await page.getByLabel("Query", { exact: true }).fill(found["actor.alternateId"]);
  await page.getByRole("button", { name: "Search", exact: true }).click();
  const rows = page.getByRole("table", { name: "Events" }).getByRole("row");
  await rows.nth(1).waitFor();
  await rows.nth(1).getByRole("link").first().click();
  await page.getByRole("heading", { level: 1, name: "Event" }).waitFor();
  await page.getByText(found["actor.alternateId"]).first().waitFor();
});

// firstEvent waits for the page of the integration that was saved, and for its first event.
async function firstEvent(page) {
  await page.waitForURL((url) => !url.pathname.endsWith("/new"));
  await page.getByText(/(first|newest) event/i).first().waitFor();
}

// save presses Save and waits until the API has taken the change.
async function save(page) {
  const answered = page.waitForResponse((r) => r.request().method() !== "GET" && r.url().includes("/api/v1/integrations"));
  await page.getByRole("button", { name: "Save", exact: true }).click();
  assert.ok((await answered).ok());
}

test("add, see green, search, open: with the keyboard alone", async (t) => {
  const page = await newPage(t);
  const name = "Acme by keyboard";
  await page.goto(list);
  await tabTo(page, page.getByRole("button", { name: "Add Integration" }));
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Okta" }).waitFor();
  await page.keyboard.press("Enter"); // the menu's first item has the focus
  await page.getByRole("heading", { level: 1, name: "Add Okta integration" }).waitFor();
  for (const [label, text] of [["Name", name], ["FQDN", orgURL], ["API Token", token], ["Polling Interval", "1s"]]) {
    await tabTo(page, page.getByLabel(label, { exact: true }));
    await page.keyboard.press("Control+A");
    await page.keyboard.type(text);
  }
  const enabled = page.getByLabel("Enabled", { exact: true });
  if (!await enabled.isChecked()) {
    await tabTo(page, enabled);
    await page.keyboard.press("Space");
  }
  await tabTo(page, page.getByRole("button", { name: "Save", exact: true }));
  await page.keyboard.press("Enter");
  await firstEvent(page);
  await page.goto(list);
  await saysState(page, name, "polling", "catching up");

  await indexed("eventType:user.session.start");
  await page.goto("/signals/search");
  await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
  await tabTo(page, page.getByLabel("Query", { exact: true }));
  await page.keyboard.press("Control+A");
  await page.keyboard.type("eventType:user.session.start");
  await page.keyboard.press("Escape"); // closes the suggestions
  await page.keyboard.press("Enter");
  const row = page.getByRole("table", { name: "Events" }).getByRole("row").nth(1);
  await tabTo(page, row, 300);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Event" }).waitFor();
});
