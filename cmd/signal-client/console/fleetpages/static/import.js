// Import of integrations from a CSV file: each row is shown and checked before anything is
// written, then written row by row.

import { call, Problem } from "../page/api.js";
import { count, h, setText } from "../page/dom.js";

const sentence = (w) => [w.field && `${w.field}: ${w.cause}`, w.remedy].filter(Boolean).join(" – ");

/** importer gives a button and its dialog their behaviour. */
export function importer(button, dialog) {
  const $ = (id) => dialog.querySelector("#" + id);
  const file = $("import-file"), write = $("import-write"), wrong = $("import-wrong"), body = $("import-rows");
  let rows = [], busy = false;

  const say = (text) => { wrong.hidden = !text; setText(wrong, text); };

  function reset() {
    rows = [];
    say("");
    body.replaceChildren();
    $("import-preview").hidden = true;
    write.disabled = true;
    setText($("import-count"), "");
  }

  function summary() {
    const good = rows.filter((r) => !r.wrong.length && !r.done), bad = rows.filter((r) => r.wrong.length), done = rows.filter((r) => r.done);
    setText($("import-count"), [done.length && `${count(done.length)} added`, good.length && `${count(good.length)} can be added`, bad.length && `${count(bad.length)} can't`].filter(Boolean).join(", "));
    write.disabled = good.length === 0 || busy;
    setText(write, good.length ? `Import ${count(good.length)}` : "Import");
  }

  function result(row, cls, text) {
    row.cell.replaceChildren(h("span", { class: `state tone-${cls}` }, { green: "✓ ", red: "✕ ", grey: "· " }[cls] + text[0]), ...text.slice(1).map((t) => h("p", { class: "said" }, t)));
  }

  function show() {
    body.replaceChildren(...rows.map((row) => {
      row.cell = h("td");
      if (row.wrong.length) result(row, "red", ["wrong", ...row.wrong.map(sentence)]);
      else result(row, "grey", ["can be added"]);
      return h("tr", {}, h("td", {}, row.place), h("th", { scope: "row" }, row.instance), h("td", {}, row.name), h("td", {}, row.fqdn), h("td", {}, row.interval), row.cell);
    }));
    $("import-preview").hidden = rows.length === 0;
    if (!rows.length) say("The file has no rows.");
    summary();
  }

  async function read() {
    reset();
    if (!file.files.length) return;
    const response = await fetch("/admin/settings/integrations/import", { method: "POST", body: file.files[0], headers: { "Content-Type": "application/octet-stream" } });
    const answer = await response.json();
    if (!response.ok) return say([answer.title, answer.cause, answer.remedy].filter(Boolean).join(". "));
    rows = answer.rows.map((r) => ({ ...r, done: false }));
    show();
  }

  async function add(row) {
    try {
      await call("POST", "/api/v1/integrations", { body: { ...row.value, instance: row.instance } });
      row.done = true;
      result(row, "green", ["added"]);
    } catch (e) {
      if (!(e instanceof Problem)) throw e;
      row.wrong = e.errors.length ? e.errors : [{ field: e.field || "the row", cause: e.message, remedy: e.remedy }];
      result(row, "red", ["not added", ...row.wrong.map(sentence)]);
    }
  }

  button.addEventListener("click", () => { file.value = ""; reset(); dialog.showModal(); });
  file.addEventListener("change", () => read().catch((e) => say(String(e.message || e))));
  $("import-cancel").addEventListener("click", () => dialog.close());
  write.addEventListener("click", async () => {
    busy = true;
    summary();
    for (const row of rows) if (!row.wrong.length && !row.done) { await add(row); summary(); }
    busy = false;
    summary();
    setText($("import-cancel"), "Close");
  });
}
