// One line over everything else, for what concerns the whole shop.

import { find } from "./elements.js";

find("banner-close").addEventListener("click", hide);

/** Show `text`; `action` is {label, run} for a button beside it, `good` a calmer colour. */
export function show(text, { action = null, good = false } = {}) {
  const push = find("banner-action");
  find("banner-text").textContent = text;
  find("banner").classList.toggle("good", good);
  push.hidden = !action;
  push.textContent = action?.label ?? "";
  push.onclick = action && (() => { hide(); action.run(); });
  find("banner").hidden = false;
}

export function hide() {
  find("banner").hidden = true;
}
