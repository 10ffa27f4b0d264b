// The form of a channel.

import { call } from "../page/api.js";
import { h } from "../page/dom.js";
import { $, busy, form, name, names, run, text } from "./form.js";

// Fields of other types are hidden, and keep what was typed.
function show() {
  for (const field of form.querySelectorAll("[data-types]")) field.hidden = !field.dataset.types.split(" ").includes($("type").value);
  $("tested").hidden = true;
}

function body() {
  const type = $("type").value, common = { type, disabled: !$("enabled").checked };
  if (type === "email") {
    return { ...common, smtp: text("smtp"), tls: text("tls"), from: text("from"), to: names("to"), user: text("user"), password_file: text("password-file") };
  }
  return { ...common, url: text("url"), url_file: text("url-file"), authorization_file: type === "webhook" ? text("authorization-file") : undefined };
}

async function test() {
  $("tested").hidden = true;
  const called = name();
  if (!called) return;
  const { data } = await call("POST", `/api/v1/notifications/channels/${encodeURIComponent(called)}/test`, { body: body() });
  $("tested").className = `tested tone-${data.sent ? "green" : "red"}`;
  $("tested").replaceChildren(h("strong", {}, data.sent ? "✓ The test was sent." : "✕ The test was not sent."), h("p", {}, data.sent ? data.answer : data.why));
  $("tested").hidden = false;
}

run("channel", body);
$("type").addEventListener("change", show);
$("test").addEventListener("click", () => busy($("test"), "Sending…", test));
show();
