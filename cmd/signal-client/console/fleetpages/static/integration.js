// The page of one integration: its form, the test of its connection, and what happens now.

import { call, lines, Problem } from "../page/api.js";
import { ask } from "../page/dialog.js";
import { h, setText } from "../page/dom.js";
import { clear, complain, focusWrong, mark, problem } from "../page/forms.js";
import { showAll } from "../page/time.js";
import { toast } from "../page/toast.js";
import { body, changes, duration, fill, inWords, values } from "./fields.js";
import { resolve } from "./conflict.js";
import { now } from "./now.js";

const $ = (id) => document.getElementById(id);
const form = $("form"), instance = form.dataset.instance, api = "/api/v1/integrations", list = "/admin/settings/integrations";
const path = instance && `${api}/${encodeURIComponent(instance)}`;
let before = values();
let etag = instance && `"${form.dataset.revision}"`;

// While something is at work its button says so, and a second press does nothing.
async function busy(button, words, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  setText($("doing"), words);
  try { await work(); } finally {
    button.removeAttribute("aria-busy");
    setText($("doing"), "");
  }
}

// Complaints that need no server.
function complete() {
  clear(form);
  complain(form, "");
  if (!$("fqdn").value.trim()) mark(form, "settings.fqdn", "The org's host name is missing.");
  if (!instance && $("enabled").checked && !$("token").value.trim() && !$("client-id").value.trim()) mark(form, "credentials.api_token", "The API token is missing.");
  focusWrong(form);
  return !form.querySelector("[aria-invalid=true]");
}

// FQDN is cleaned when it is left, and shown as it will be saved.

let cleaning = null;
function cleanHost() {
  const typed = $("fqdn").value;
  setText($("fqdn-cleaned"), "");
  clear(form, "settings.fqdn");
  if (!typed.trim()) return null;
  cleaning = call("GET", `${list}/new/clean?fqdn=${encodeURIComponent(typed)}`).then(({ data }) => {
    if ($("fqdn").value !== typed) return;
    if (data.wrong) return mark(form, "settings.fqdn", data.wrong);
    $("fqdn").value = data.host;
    if (data.host !== typed) setText($("fqdn-cleaned"), `Will be saved as ${data.host}`);
  }).catch(() => {}); // the server cleans it anyway when it saves
  return cleaning;
}

function readInterval() {
  const d = duration($("interval").value), words = inWords(d);
  setText($("interval-read"), words ? `Every ${words}` : "");
}

// Test Connection.

const signs = { ok: ["✓", "ok", "green"], warning: ["!", "warning", "amber"], wrong: ["✕", "wrong", "red"] };

function tick(check) {
  const [sign, word, tone] = signs[check.result] || ["·", check.result, "grey"];
  $("checks").append(h("li", { class: `check tone-${tone}` },
    h("span", { class: "sign", "aria-hidden": "true" }, sign),
    h("div", {}, h("strong", {}, check.check), h("span", { class: "visually-hidden" }, `: ${word}`),
      check.detail ? h("p", { class: "said" }, check.detail) : null,
      check.remedy ? h("p", { class: "remedy" }, check.remedy) : null)));
}

async function test() {
  clear(form);
  complain(form, "");
  await cleaning;
  $("checks").replaceChildren();
  $("test-result").hidden = false;
  setText($("test-summary"), "");
  const sent = { ...body(values()), ...(instance ? { instance } : {}) };
  const results = [];
  try {
    for await (const check of lines("POST", `${api}/test`, { body: sent })) {
      results.push(check.result);
      tick(check);
    }
    setText($("test-summary"), results.includes("wrong") ? "The connection does not work yet." : results.includes("warning") ? "The connection works, with a warning." : "The connection works.");
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    if (!results.length) $("test-result").hidden = true;
    problem(form, e);
  }
}

// Save.

async function save() {
  await cleaning;
  if (!complete()) return;
  try {
    if (instance) await update(changes(before));
    else await create();
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    problem(form, e);
  }
}

async function create() {
  const { data } = await call("POST", api, { body: body(values()) });
  sessionStorage.setItem("saved", data.instance);
  location.assign(`${list}/${encodeURIComponent(data.instance)}`);
}

async function update(edit) {
  try {
    const answer = await call("PATCH", path, { body: body(edit, { remove: true }), headers: { "If-Match": etag } });
    saved(answer);
  } catch (e) {
    if (e.status !== 412) throw e;
    const { take, mine, tag } = await resolve($("conflict-dialog"), e, edit);
    if (tag) etag = tag;
    if (take) location.reload();
    else if (mine) await update(mine);
  }
}

function saved({ data, etag: tag }) {
  etag = tag || `"${data.revision}"`;
  fill(data);
  before = values();
  readInterval();
  setText($("fqdn-cleaned"), "");
  setText($("heading"), data.name || instance);
  setText($("delete-title"), `Delete ${data.name || instance}?`);
  document.title = `${data.name || instance} – signal-client`;
  toast("Saved. The org is polled at once.", "ok");
  now.saved();
  relog();
}

// The list of changes is the server's, as in a fresh copy of this page.
async function relog() {
  const page = await (await fetch(location.href)).text();
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("log");
  if (!fresh) return;
  $("log").replaceChildren(...fresh.children);
  showAll($("log"));
}

// Delete.

async function remove() {
  const dialog = $("delete-dialog");
  if (await ask(dialog) !== "delete") return;
  try {
    await call("DELETE", path, { headers: { "If-Match": etag } });
    location.assign(list);
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    toast(e.status === 412 ? "Not deleted: somebody changed it meanwhile. Load this page again to see what." : `Not deleted. ${e.message}`, "bad");
  }
}

if ($("save")) {
  form.addEventListener("submit", (e) => { e.preventDefault(); busy($("save"), "Saving…", save); });
  $("test").addEventListener("click", () => busy($("test"), "Testing…", test));
  $("fqdn").addEventListener("blur", cleanHost);
  $("interval").addEventListener("input", readInterval);
  form.addEventListener("input", (e) => {
    const field = e.target.closest("[data-field]");
    if (field && e.target.getAttribute("aria-invalid")) clear(form, field.dataset.field.split(" ")[0]);
  });
  readInterval();
  $("delete")?.addEventListener("click", remove);
  if (!instance) $("name").focus();
}
if (instance) {
  now.follow(instance);
  if (sessionStorage.getItem("saved") === instance) {
    sessionStorage.removeItem("saved");
    toast("Saved. The org is polled at once.", "ok");
    now.saved();
  }
}
