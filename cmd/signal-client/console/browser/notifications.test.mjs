// Notifications as somebody sets them up: a channel that is tested before it is saved, a
// rule, what is wrong beside its field, and deleting both.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { newPage, api } from "./fixture.mjs";

const list = "/admin/settings/notifications";
let receiver, url, status = 200;
const got = [];
before(async () => {
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => { body += part; });
    request.on("end", () => {
      got.push(JSON.parse(body));
      response.writeHead(status).end("took it <img src=x onerror=window.owned=1>");
    });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${receiver.address().port}/s3cret-path`;
});
after(() => receiver.close());

// saveAndReturn presses Save, and again if NATS did not answer in time.
async function saveAndReturn(page) {
  const heading = page.getByRole("heading", { level: 1, name: "Notifications" });
  for (let n = 0; n < 5 && !await heading.isVisible(); n++) {
    await page.getByRole("button", { name: "Save" }).click({ timeout: 2000 }).catch(() => {});
    await heading.waitFor({ timeout: 10_000 }).catch(() => {});
  }
  await heading.waitFor();
}

test("a channel and a rule, from nothing to a test and back", async (t) => {
  const page = await newPage(t);
  await page.goto(list);
  await page.getByRole("link", { name: "Add channel" }).click();
  await page.getByRole("heading", { level: 1, name: "Add channel" }).waitFor();
  await page.getByLabel("Type").selectOption("webhook");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The name is missing.").waitFor();
  await page.getByLabel("Name").fill("seed");
  await page.getByRole("button", { name: "Save" }).click();
  const field = page.getByLabel("URL", { exact: true });
  await page.getByText("It is missing.").waitFor();
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  assert.equal(await page.getByLabel("Name").inputValue(), "seed", "what was typed stays");

  await field.fill(url);
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("The test was sent.").waitFor();
  assert.equal(got[0].kind, "test");
  assert.equal(await page.evaluate(() => window.owned), undefined);
  await saveAndReturn(page);
  assert.ok(!(await page.content()).includes("s3cret-path"));

  status = 500;
  await page.getByRole("button", { name: "Test seed" }).click();
  const row = page.getByRole("row", { name: /^seed/ }).first();
  await row.getByText("failed").waitFor();
  status = 200;
  await page.getByRole("button", { name: "Test seed" }).click();
  await row.getByText("works").waitFor();

  await page.getByRole("link", { name: "Add rule" }).click();
  await page.getByLabel("Name").fill("seed-rule");
  await page.getByLabel(/^breaker_opened/).check();
  await page.getByLabel("Cooldown").fill("soon");
  await page.getByRole("checkbox", { name: /^seed/ }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/It must be a duration/).waitFor();
  await page.getByLabel("Cooldown").fill("1h");
  await saveAndReturn(page);
  await page.getByRole("row", { name: /^seed-rule breaker_opened/ }).waitFor();
  const { body } = await api("GET", "/notifications");
  assert.deepEqual(body.rules.find((r) => r.name === "seed-rule").channels.at(-1), "seed");

  await page.getByRole("link", { name: "seed", exact: true }).click();
  assert.equal(await page.getByLabel("URL", { exact: true }).inputValue(), "");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByText("can't be deleted while rules send to it").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  for (const name of ["seed-rule", "seed"]) {
    await page.goto(list);
    await page.getByRole("link", { name, exact: true }).first().click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await page.getByRole("button", { name: "Delete" }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText(new RegExp(`Deleted the (rule|channel) ${name}\\.`)).waitFor();
  }
});
