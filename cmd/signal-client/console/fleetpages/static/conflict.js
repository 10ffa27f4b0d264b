// Two people edited one integration: the second is told what changed, and chooses.

import { ask } from "../page/dialog.js";
import { h } from "../page/dom.js";
import { timeElement } from "../page/time.js";
import { label } from "./fields.js";

const show = (v) => v === undefined || v === null ? "nothing" : typeof v === "object" ? JSON.stringify(v) : String(v);

function line(f, edit) {
  const both = f.field in edit;
  return h("tr", {}, h("th", { scope: "row" }, label(f.field)), h("td", {}, show(f.from)), h("td", {}, show(f.to)),
    h("td", {}, both ? (f.field.startsWith("credentials") ? "a new secret" : show(edit[f.field])) : "–"));
}

function told(change, edit) {
  return [
    h("p", {}, h("strong", {}, change.who || "Somebody"), change.via ? ` (${change.via}) ` : " ", `${change.action} it `, change.at ? timeElement(new Date(change.at), "age") : "", ":"),
    h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Field", "Was", "Is now", "You want"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...(change.fields || []).map((f) => line(f, edit))))),
  ];
}

/** resolve shows what the other changed. It returns take (throw mine away), or mine (fields
 * to save all the same) with the newest revision's tag. */
export async function resolve(dialog, problem, edit) {
  const changes = problem.document.changes || [];
  dialog.querySelector("#conflict-changes").replaceChildren(...(changes.length ? changes.flatMap((c) => told(c, edit)) : [h("p", {}, "What changed is not recorded. Take theirs to see it.")]));
  const answer = await ask(dialog);
  if (answer === "theirs") return { take: true };
  return answer === "mine" ? { mine: edit, tag: `"${problem.document.revision}"` } : {};
}
