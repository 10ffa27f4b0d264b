// What the forms of channels and rules share.

import { call, Problem } from "../page/api.js";
import { ask } from "../page/dialog.js";
import { setText } from "../page/dom.js";
import { clear, complain, focusWrong, mark, problem } from "../page/forms.js";
import { toast } from "../page/toast.js";

const list = "/admin/settings/notifications";
export const $ = (id) => document.getElementById(id);
export const form = $("form");

/** text returns a field without spaces around it; undefined if it is empty. */
export const text = (id) => $(id).value.trim() || undefined;

/** names returns the parts of a field, separated by commas; undefined if there is none. */
export function names(id) {
  const all = $(id).value.split(",").map((s) => s.trim()).filter(Boolean);
  return all.length ? all : undefined;
}

/** ticked returns the values of the boxes of that name that are ticked. */
export const ticked = (name) => [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);

/** busy says so on a button while something is at work; a second press does nothing. */
export async function busy(button, words, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  setText($("doing"), words);
  try {
    await work();
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    complaints(e);
  } finally {
    button.removeAttribute("aria-busy");
    setText($("doing"), "");
  }
}

// A complaint about one of a list, such as to[0], is shown at the list's field.
function complaints(p) {
  const whole = (field) => (field || "").replace(/\[\d+\]$/, "");
  for (const each of p.errors) each.field = whole(each.field);
  p.field = whole(p.field);
  problem(form, p);
}

/** name returns the name, or marks its field. */
export function name() {
  clear(form);
  complain(form, "");
  const typed = form.dataset.name || $("name").value.trim();
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(typed)) return typed;
  mark(form, "name", typed ? "Use small letters, digits and hyphens, at most 63." : "The name is missing.");
  focusWrong(form);
  return "";
}

/** run lets a form save and delete what: channel or rule; body returns what is saved. */
export function run(what, body) {
  const path = (name) => `/api/v1/notifications/${what}s/${encodeURIComponent(name)}`;
  const done = (words) => {
    sessionStorage.setItem("notifications-saved", words);
    location.assign(list);
  };
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    busy($("save"), "Saving…", async () => {
      const called = name();
      if (!called) return;
      if (!form.dataset.name && await taken(what, called)) {
        mark(form, "name", `There is a ${what} of that name.`);
        return focusWrong(form);
      }
      await call("PUT", path(called), { body: body() });
      done(`Saved the ${what} ${called}.`);
    });
  });
  form.addEventListener("input", (e) => {
    const field = e.target.closest("[data-field]");
    if (field?.querySelector("[aria-invalid=true]")) clear(form, field.dataset.field);
  });
  $("delete")?.addEventListener("click", async () => {
    if (await ask($("delete-dialog")) !== "delete") return;
    try {
      await call("DELETE", path(form.dataset.name));
      done(`Deleted the ${what} ${form.dataset.name}.`);
    } catch (e) {
      if (!(e instanceof Problem)) throw e;
      toast(`Not deleted: ${[e.cause, e.remedy].filter(Boolean).join("; ")}`, "bad");
    }
  });
  if (!form.dataset.name) $("name").focus();
}

// A new one does not replace another of its name.
async function taken(what, name) {
  const { data } = await call("GET", "/api/v1/notifications");
  return data[`${what}s`].some((one) => one.name === name);
}
