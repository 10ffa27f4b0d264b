// Text of integrations and events is shown and never run.
import { test } from "node:test";
import assert from "node:assert/strict";
import { newPage, stored, indexed, api } from "./fixture.mjs";

const hostile = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>`;

test("hostile text of an integration and of events is shown", async (t) => {
  await stored("hostile", hostile);
  const found = await indexed("hostilemarker");
  const page = await newPage(t);
  for (const path of ["/", "/admin/settings/integrations", "/admin/settings/integrations/hostile",
    "/signals/search?query=hostilemarker", `/signals/events/${found.seq}`,
    `/signals/search?query=${encodeURIComponent(hostile)}`, `/no/${encodeURIComponent(hostile)}`]) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    if (path.endsWith("hostilemarker")) {
      await page.getByRole("table", { name: "Events" }).getByText("onerror").first().waitFor();
    }
    assert.equal(await page.evaluate(() => window.owned), undefined, path);
    assert.equal(await page.locator("img[src=x]").count(), 0, path);
  }
});

test("another origin can't change anything", async () => {
  const { status } = await api("GET", "/integrations");
  assert.equal(status, 200);
  const answer = await fetch(process.env.CONSOLE_URL + "/api/v1/integrations", {
    method: "POST", headers: { "Content-Type": "application/json", "Sec-Fetch-Site": "cross-site", Origin: "http://evil.example" },
    body: JSON.stringify({ instance: "forged", enabled: true, settings: { fqdn: "acme.okta.com" }, credentials: { api_token: "x" } }),
  });
  assert.equal(answer.status, 403);
});
