// Short messages in the corner, read out by screen readers.

/** toast shows a message; tone is ok, bad or empty. What went wrong stays until it is
 * dismissed. */
export function toast(text, tone = "") {
  const element = document.createElement("div");
  element.className = `toast ${tone}`;
  element.textContent = text;
  element.addEventListener("click", () => element.remove());
  document.getElementById("toasts").append(element);
  if (tone !== "bad") setTimeout(() => element.remove(), 6000);
}
