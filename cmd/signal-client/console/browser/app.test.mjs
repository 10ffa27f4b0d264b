// An org is added with a service app in place of an API token; a wrong key is told at its
// field or by the test of the connection, and a token takes the app's place.
import { test } from "node:test";
import assert from "node:assert/strict";
import { newPage, orgURL, token, app, api, tile, saysState } from "./fixture.mjs";

const list = "/admin/settings/integrations";
const field = (page, label) => page.getByLabel(label, { exact: true });

test("a service app from the form to green, and a token in its place", async (t) => {
  const page = await newPage(t);
  const name = "Acme by app";
  await page.goto(`${list}/new?type=okta`);
  await field(page, "Name").fill(name);
  await field(page, "FQDN").fill(orgURL);
  await field(page, "Polling Interval").fill("1s");
  await page.getByText("Service app (OAuth 2.0)").click();
  await field(page, "Client ID").fill(app.clientID);
  await field(page, "Key ID").fill(app.keyID);
  await field(page, "Private Key").fill("no key");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator("#private-key[aria-invalid=true]").waitFor();
  assert.equal(await field(page, "Client ID").inputValue(), app.clientID, "what was typed stays");

  await field(page, "Private Key").fill(app.key);
  await page.getByRole("button", { name: "Test Connection" }).click();
  const checks = page.getByRole("list", { name: "Connection test" });
  await checks.getByRole("listitem").filter({ hasText: /rate limit/i }).waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL((url) => !url.pathname.endsWith("/new"));
  assert.equal(await field(page, "Private Key").inputValue(), "", "a saved key is never sent to a browser");
  assert.equal(await field(page, "Client ID").inputValue(), app.clientID);
  const instance = new URL(page.url()).pathname.split("/").pop();
  await page.goto(list);
  await saysState(page, name, "polling", "catching up");

  await tile(page, name).getByRole("link").first().click();
  await field(page, "API Token").fill(token);
  const answered = page.waitForResponse((r) => r.request().method() === "PATCH");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  assert.ok((await answered).ok());
  const { body } = await api("GET", `/integrations/${instance}`);
  assert.deepEqual(body.credentials, { api_token: { set: true } });
  await page.goto(list);
  await saysState(page, name, "polling", "catching up");
});
