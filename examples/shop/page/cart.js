// The cart as the server answered it; the page keeps no cart of its own.

import { button, euros, find, icon, make } from "./elements.js";

/** Show `cart`; `products` maps a number to its product, `acts` has `more`, `fewer` and `remove`. */
export function showCart(cart, products, acts) {
  const count = cart.items.reduce((sum, line) => sum + line.quantity, 0);
  const known = find("count");
  if (count > Number(known.textContent)) bump();
  known.textContent = String(count);
  find("cart-lines").replaceChildren(...cart.items.map((line) => row(line, products, acts)));
  find("cart-empty").hidden = count > 0;
  find("cart-total").hidden = count === 0;
  find("cart-total").lastElementChild.textContent = euros(cart.total);
  find("cart-note").hidden = count === 0 || cart.subject !== null;
  find("order").hidden = count === 0 || cart.subject === null;
  find("cart-note").textContent = "You are not logged in. When you do, your cart comes with you.";
}

function row(line, products, acts) {
  const less = button("−", "", () => acts.fewer(line), `One ${line.name} fewer`);
  const more = button("+", "", () => acts.more(line), `One ${line.name} more`);
  less.dataset.key = `less-${line.product_id}`;
  more.dataset.key = `more-${line.product_id}`;
  return make("li", "",
    icon(products.get(line.product_id).icon),
    make("span", "", line.name),
    make("span", "sum", euros(line.total)),
    make("span", "amount", less, make("span", "", String(line.quantity)), more),
    button("Remove", "text", () => acts.remove(line), `Remove ${line.name}`));
}

function bump() {
  const bag = find("open-cart");
  bag.classList.remove("bump");
  void bag.offsetWidth; // lets the animation start anew
  bag.classList.add("bump");
}
