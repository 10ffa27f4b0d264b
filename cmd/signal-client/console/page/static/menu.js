// The ARIA pattern of a menu button: <div class="menu"><button aria-haspopup="menu"
// aria-expanded="false" aria-controls="x">…</button><div role="menu" id="x" hidden>…</div></div>

/** menu gives a .menu element its behaviour. */
export function menu(root) {
  const button = root.querySelector("button[aria-haspopup=menu]"), list = root.querySelector("[role=menu]");
  const items = () => [...list.querySelectorAll("[role=menuitem]:not([hidden])")];
  for (const item of items()) item.tabIndex = -1;

  const open = (which = 0) => {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    items().at(which)?.focus();
  };
  const close = (back) => {
    if (list.hidden) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (back) button.focus();
  };
  button.addEventListener("click", () => list.hidden ? open() : close(true));
  button.addEventListener("keydown", (e) => {
    if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
    e.preventDefault();
    open(e.key === "ArrowUp" ? -1 : 0);
  });
  list.addEventListener("keydown", (e) => {
    const all = items(), at = all.indexOf(document.activeElement);
    const to = { ArrowDown: (at + 1) % all.length, ArrowUp: at - 1, Home: 0, End: -1 }[e.key];
    if (to !== undefined) all.at(to).focus();
    else if (e.key === "Escape") close(true);
    else if (e.key === "Tab") return close(false);
    else if (e.key === " " && document.activeElement.matches("a")) document.activeElement.click();
    else if (e.key.length === 1 && e.key !== " " && !e.ctrlKey && !e.metaKey) all.find((i) => i.textContent.trim().toLowerCase().startsWith(e.key.toLowerCase()))?.focus();
    else return;
    e.preventDefault();
  });
  list.addEventListener("click", () => close(true));
  root.addEventListener("focusout", (e) => { if (!root.contains(e.relatedTarget)) close(false); });
}
