// The goods on their shelf.

import { button, euros, find, icon, make } from "./elements.js";

/** Show `products`; `add(product)` puts one into the cart. */
export function showGoods(products, add) {
  find("goods").replaceChildren(...products.map((product) => thing(product, add)));
}

function thing(product, add) {
  const label = `Add ${product.name} to the cart`;
  return make("li", "good-thing",
    make("div", "picture", icon(product.icon)),
    make("div", "about",
      make("h3", "", product.name),
      make("p", "", product.note),
      make("div", "buy",
        make("span", "price", euros(product.price)),
        button("Add", "primary", () => add(product), label))));
}
