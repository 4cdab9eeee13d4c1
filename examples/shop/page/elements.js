// Small helpers to find and to make elements; text is always set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";
const money = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

export const find = (id) => document.getElementById(id);
export const euros = (cents) => money.format(cents / 100);

/** Make `<tag class="classes">` with `content`: strings and elements. */
export function make(tag, classes, ...content) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...content);
  return element;
}

/** Make a button that runs `action`; `label` is what a screen reader says, where the text is not enough. */
export function button(text, classes, action, label) {
  const element = make("button", classes, text);
  element.type = "button";
  if (label) element.setAttribute("aria-label", label);
  element.addEventListener("click", action);
  return element;
}

/** Make a drawing from goods.svg. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/page/goods.svg#${name}`);
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(use);
  return drawing;
}

/** Have screen readers say `text`. */
export function say(text) {
  find("spoken").textContent = text;
}
