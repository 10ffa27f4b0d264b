// Import of integrations from a file: each row is shown and checked before anything is
// written.

import { Problem } from "../page/api.js";
import { count, h, setText } from "../page/dom.js";

const sentence = (w) => [w.field && `${w.field}: ${w.cause}`, w.remedy].filter(Boolean).join(" – ");

// What becomes of a row: its colour, sign and words before and after it is written.
const results = {
  created: ["green", "+", "will be added", "added"],
  changed: ["blue", "±", "will be changed", "changed"],
  unchanged: ["grey", "=", "is so already", "is so already"],
  wrong: ["red", "✕", "wrong", "not written"],
};

async function send(text, { preview, replace }) {
  const response = await fetch(`/api/v1/integrations/import?preview=${preview}&replace=${replace}`, { method: "POST", body: text, headers: { "Content-Type": "text/csv" } });
  const answer = await response.json();
  if (!response.ok) throw new Problem(response.status, answer);
  return answer.rows;
}

/** importer gives a button and its dialog their behaviour. */
export function importer(button, dialog) {
  const $ = (id) => dialog.querySelector("#" + id);
  const file = $("import-file"), replace = $("import-replace"), write = $("import-write"), wrong = $("import-wrong");

  let chosen = ""; // the file's text: what was shown is what is written

  const say = (text) => { wrong.hidden = !text; setText(wrong, text); };

  function reset() {
    say("");
    $("import-rows").replaceChildren();
    $("import-preview").hidden = true;
    write.disabled = true;
    setText(write, "Import");
    setText($("import-count"), "");
    setText($("import-cancel"), "Cancel");
  }

  function show(rows, written) {
    $("import-rows").replaceChildren(...rows.map((row) => {
      const [cls, sign, will, did] = results[row.result];
      return h("tr", {}, h("td", {}, row.place), h("th", { scope: "row" }, row.instance), h("td", {}, row.name), h("td", {}, row.org),
        h("td", {}, h("span", { class: `state tone-${cls}` }, `${sign} ${written ? did : will}`), ...(row.wrong || []).map((w) => h("p", { class: "said" }, sentence(w)))));
    }));
    $("import-preview").hidden = rows.length === 0;
    if (!rows.length) say("The file has no rows.");
    const of = (result) => rows.filter((r) => r.result === result).length;
    const todo = of("created") + of("changed");
    setText($("import-count"), Object.entries(results).filter(([r]) => of(r)).map(([r, [, , will, did]]) => `${count(of(r))} ${written ? did : will}`).join(", ") +
      (of("wrong") && !written ? ". Correct the file first: either all rows are written or none." : ""));
    write.disabled = written || todo === 0 || of("wrong") > 0;
    setText(write, todo && !written && !of("wrong") ? `Import ${count(todo)}` : "Import");
  }

  async function run(preview) {
    write.disabled = true;
    say("");
    try {
      show(await send(chosen, { preview, replace: replace.checked }), !preview);
      if (!preview) setText($("import-cancel"), "Close");
    } catch (e) {
      reset();
      say(e instanceof Problem ? [e.title, e.cause, e.remedy].filter(Boolean).join(". ") : `signal-client does not answer: ${e.message}`);
    }
  }

  function look() {
    reset();
    if (chosen) run(true);
  }

  async function choose() {
    chosen = file.files.length ? await file.files[0].text() : "";
    look();
    if (file.files.length && !chosen) say("The file is empty.");
  }

  button.addEventListener("click", () => { file.value = chosen = ""; reset(); dialog.showModal(); });
  file.addEventListener("click", () => { file.value = ""; }); // so that a corrected file can be chosen again
  file.addEventListener("change", choose);
  replace.addEventListener("change", look);
  $("import-cancel").addEventListener("click", () => dialog.close());
  write.addEventListener("click", () => run(false));
}
