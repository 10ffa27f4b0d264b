// Native dialogs: <dialog id="x" aria-labelledby="…"><form method="dialog">… buttons with
// values. The browser keeps the focus inside and gives it back.

/** ask opens a dialog and resolves to the value of the button that closed it; Escape gives
 * the empty string. */
export function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}
