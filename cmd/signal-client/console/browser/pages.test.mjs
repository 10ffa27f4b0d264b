// Every page: axe finds nothing serious in either theme, it fits its window at three
// widths, and its picture is kept for those who look.
import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { api, newPage, orgURL, stored, indexed, axeSource } from "./fixture.mjs";

const shots = process.env.SCREENSHOTS; // directory; empty: none are kept

const pages = {
  fleet: "/",
  integrations: "/admin/settings/integrations",
  add: "/admin/settings/integrations/new?type=okta",
  edit: "/admin/settings/integrations/pictured",
  notifications: "/admin/settings/notifications",
  "new-channel": "/admin/settings/notifications/new-channel",
  channel: "/admin/settings/notifications/channels/pictured-mail",
  "new-rule": "/admin/settings/notifications/new-rule",
  rule: "/admin/settings/notifications/rules/pictured",
  search: "/signals/search?query=*",
  missing: "/no/such/page",
};

test("every page in both themes and three widths", async (t) => {
  await stored("pictured", "Pictured & <b>bold</b>");
  await notifications();
  const event = await indexed("instance:pictured");
  if (shots) await mkdir(shots, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [390, 1280, 2560]) {
      await t.test(`${colorScheme} at ${width}`, async (t) => {
        const page = await newPage(t, { colorScheme, viewport: { width, height: 900 } });
        for (const [name, path] of Object.entries({ ...pages, event: `/signals/events/${event.seq}` })) {
          await page.goto(path);
          await page.getByRole("heading", { level: 1 }).waitFor();
          await settled(page, name);
          if (shots) await page.screenshot({ path: `${shots}/${name}-${colorScheme}-${width}.png`, fullPage: true });
          const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          assert.ok(over <= 0, `${name} is ${over} px wider than its window`);
          await page.evaluate(axeSource);
          const { violations } = await page.evaluate(() => axe.run());
          const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact))
            .map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" | ")}`);
          assert.deepEqual(serious, [], name);
        }
      });
    }
  }
});

// notifications adds a channel that works, one that fails and has been tested, and a rule.
async function notifications() {
  const at = "/notifications";
  const put = async (path, body) => assert.ok([200, 201].includes((await api("PUT", at + path, body)).status), path);
  await put("/channels/pictured", { type: "webhook", url: `${orgURL}/no/such/hook-of-the-pictures` });
  await put("/channels/pictured-mail", { type: "email", smtp: "127.0.0.1:1", from: "signal-client@example.com", to: ["on-call@example.com", "bold@example.com"] });
  await put("/rules/pictured", { kinds: ["breaker_*", "silent"], instances: ["prod-*"], severity: "critical", channels: ["pictured", "pictured-mail"] });
  assert.equal((await api("POST", `${at}/channels/pictured/test`)).body.sent, false);
}

// settled waits for what a page loads after it is shown.
async function settled(page, name) {
  if (name === "search") await page.getByRole("table", { name: "Events" }).getByRole("row").nth(1).waitFor();
}
