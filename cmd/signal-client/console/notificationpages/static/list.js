// The list: tests of channels, and what became of notifications as it happens.

import { call, Problem } from "../page/api.js";
import { showAll } from "../page/time.js";
import { toast } from "../page/toast.js";

const api = "/api/v1/notifications/channels";
const parts = ["channels", "rules", "history"];

// The tables are the server's, as in a fresh copy of this page. One in which somebody
// works with the keyboard stays as it is.
async function refresh({ all = false } = {}) {
  const response = await fetch(location.href);
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of parts) {
    const now = document.getElementById(id), next = fresh.getElementById(id);
    if (!next || now.innerHTML === next.innerHTML || (!all && now.contains(document.activeElement))) continue;
    const focused = now.contains(document.activeElement) && document.activeElement.dataset.test;
    now.replaceChildren(...next.childNodes);
    showAll(now);
    if (focused) now.querySelector(`[data-test="${CSS.escape(focused)}"]`)?.focus();
  }
}

async function test(button) {
  if (button.getAttribute("aria-busy") === "true") return;
  const name = button.dataset.test;
  button.setAttribute("aria-busy", "true");
  try {
    const { data } = await call("POST", `${api}/${encodeURIComponent(name)}/test`);
    if (data.sent) toast(`The test was sent to ${name}: ${data.answer}`, "ok");
    else toast(`The test was not sent to ${name}: ${data.why}`, "bad");
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    toast(`The test was not sent to ${name}: ${e.message}`, "bad");
  } finally {
    button.removeAttribute("aria-busy");
  }
  await refresh({ all: true });
}

document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-test]");
  if (button) test(button);
});
setInterval(() => { if (!document.hidden && !document.querySelector("[aria-busy=true]")) refresh().catch(() => {}); }, 10_000);
const saved = sessionStorage.getItem("notifications-saved");
if (saved) {
  sessionStorage.removeItem("notifications-saved");
  toast(saved, "ok");
}
