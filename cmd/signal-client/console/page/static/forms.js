// Complaints at the fields of a form. A field is <div class="field" data-field="…"> with an
// input and <p class="wrong" id="…">. data-field holds the names, separated by spaces, by
// which the API complains about it.

/** mark puts a complaint at the field of that name; it reports whether there is one. */
export function mark(form, name, text) {
  const field = find(form, name);
  if (!field) return false;
  const input = inputOf(field), wrong = field.querySelector(".wrong");
  for (let at = field.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
  wrong.textContent = text;
  input.setAttribute("aria-invalid", "true");
  describe(input, wrong.id, true);
  return true;
}

/** clear takes a complaint away, or all. */
export function clear(form, name) {
  for (const field of name ? [find(form, name)].filter(Boolean) : form.querySelectorAll("[data-field]")) {
    const input = inputOf(field), wrong = field.querySelector(".wrong");
    if (wrong) { wrong.textContent = ""; describe(input, wrong.id, false); }
    input?.removeAttribute("aria-invalid");
  }
}

/** focusWrong moves to the first field with a complaint. */
export function focusWrong(form) { form.querySelector("[aria-invalid=true]")?.focus(); }

/** problem shows a Problem: at its fields, else in the form's element of class complaint. */
export function problem(form, p) {
  if (p.status === 503) return complain(form, "NATS does not answer, so nothing was done. Try again: nothing that you typed is lost.");
  const rest = [];
  for (const each of p.errors?.length ? p.errors : [p]) {
    const text = [each.cause || each.detail || each.title, each.remedy].filter(Boolean).map(sentence).join(" ");
    if (!each.field || !mark(form, each.field, text)) rest.push(text);
  }
  complain(form, rest.join(" "));
  if (form.querySelector("[aria-invalid=true]")) focusWrong(form);
}

/** complain shows what is wrong with no field in particular; empty: nothing. */
export function complain(form, text) {
  const at = form.querySelector(".complaint[role=alert]");
  if (!at) return;
  at.textContent = text;
  at.hidden = !text;
}

function sentence(text) {
  const s = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(s) ? s : s + ".";
}

function find(form, name) { return form.querySelector(`[data-field~="${CSS.escape(name)}"]`); }

function inputOf(field) { return field.querySelector("input, select, textarea"); }

function describe(input, id, on) {
  if (!input) return;
  const ids = new Set((input.getAttribute("aria-describedby") || "").split(/\s+/).filter(Boolean));
  if (on) ids.add(id); else ids.delete(id);
  if (ids.size) input.setAttribute("aria-describedby", [...ids].join(" ")); else input.removeAttribute("aria-describedby");
}
