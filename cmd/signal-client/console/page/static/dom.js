// Building elements without markup in strings: whatever comes from outside is text.

/** h makes an element. Attributes that are null or false are left out; children are
 * nodes or text. */
export function h(name, attributes = {}, ...children) {
  const [space, tag] = name.startsWith("svg:") ? ["http://www.w3.org/2000/svg", name.slice(4)] : ["http://www.w3.org/1999/xhtml", name];
  const element = document.createElementNS(space, tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** setText changes a text only if it differs, so that nothing is announced twice. */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** setAttribute changes an attribute only if it differs. */
export function setAttribute(element, name, value) {
  if (element && element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const numbers = new Intl.NumberFormat("en-US");

/** count writes a number with separators: 812,000. */
export function count(n) { return numbers.format(n).replace("-", "−"); }
