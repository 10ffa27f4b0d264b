// What the browser tests share: a Chromium, and the console, org and token that the Go
// test TestBrowser started and named in the environment.
import { createRequire } from "node:module";
import { before, after } from "node:test";
import assert from "node:assert/strict";

const require = createRequire(process.env.BROWSER_MODULES + "/");
const { chromium } = require("playwright-core");

export const axeSource = require("axe-core").source;
export const consoleURL = process.env.CONSOLE_URL;
export const orgURL = process.env.ORG_URL;
export const token = process.env.ORG_TOKEN;
export const app = { clientID: process.env.ORG_CLIENT_ID, keyID: process.env.ORG_KEY_ID, key: process.env.ORG_KEY };
export const patience = 60_000; // of a busy machine, in ms

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
});
after(() => browser?.close());

// newPage opens a page of its own profile, and fails the test at its end if the page
// threw an error or broke the Content-Security-Policy.
export async function newPage(t, options = {}) {
  const context = await browser.newContext({ baseURL: consoleURL, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const faults = [];
  page.on("pageerror", (err) => faults.push(String(err)));
  page.on("console", (m) => {
    if (/Content[- ]Security[- ]Policy/i.test(m.text())) faults.push(m.text());
  });
  page.on("dialog", (d) => { faults.push(`dialog: ${d.message()}`); d.dismiss(); });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  return page;
}

// api calls the console's API as a script does.
export async function api(method, path, body) {
  const answer = await fetch(consoleURL + "/api/v1" + path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json().catch(() => undefined) };
}

// stored adds an integration through the API, unless it is there.
export async function stored(instance, name, settings = {}) {
  const { status, body } = await api("POST", "/integrations", {
    instance, name, enabled: true, poll_interval: "1s",
    settings: { base_url: orgURL, ...settings }, credentials: { api_token: token },
  });
  assert.ok(status === 201 || status === 409, JSON.stringify(body));
}

// indexed waits until a search finds at least one event.
export async function indexed(query) {
  for (const end = Date.now() + patience; ;) {
    const answer = await fetch(`${consoleURL}/select/logsql/query?limit=1&query=${encodeURIComponent(query)}`);
    const line = answer.ok ? (await answer.text()).trim() : "";
    if (line) return JSON.parse(line.split("\n")[0]);
    assert.ok(Date.now() < end, `nothing found for ${query}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

// complete waits until all of an instance's past is stored and indexed.
export async function complete(instance) {
  for (const end = Date.now() + patience; ;) {
    const { body: status } = await api("GET", "/status");
    const all = Array.isArray(status) ? status : Object.values(status).find(Array.isArray);
    const { body: fleet } = await api("GET", "/fleet");
    const polling = all.some((s) => s.instance === instance && s.state === "polling");
    if (polling && fleet.index.behind === 0) return;
    assert.ok(Date.now() < end, `${instance} is not complete`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

// tile returns the article or region of an integration on the page Integrations.
export function tile(page, name) {
  return page.getByRole("article", { name, exact: true }).or(page.getByRole("region", { name, exact: true })).first();
}

// saysState waits until the tile's status begins with one of the words.
export async function saysState(page, name, ...words) {
  await tile(page, name).getByRole("status").first()
    .filter({ hasText: new RegExp(`^\\s*(${words.join("|")})`, "i") }).waitFor();
}

// tabTo presses Tab until the element has the focus, as somebody without a mouse does.
export async function tabTo(page, locator, most = 120) {
  await locator.first().waitFor();
  for (let i = 0; i < most; i++) {
    if (await locator.first().evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach ${locator}`);
}
