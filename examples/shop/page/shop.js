// The page as a whole: what a person does, which requests that takes, and what a refusal means.

import * as banner from "./banner.js";
import { showCart } from "./cart.js";
import * as confirm from "./confirm.js";
import { hideDevices, showDevices } from "./devices.js";
import { find, say } from "./elements.js";
import { showGoods } from "./goods.js";
import * as login from "./login.js";
import { ask } from "./server.js";
import { showSession, showVisitor } from "./status.js";

const otherTabs = new BroadcastChannel("shop");
const products = new Map();
let subject = null;
let cart = { subject: null, items: [], total: 0 }; // as it was last answered
let queue = Promise.resolve();

// What a person can do.

const addOne = (product) =>
  change(() => ask("POST", "/cart/items", { product_id: product.id, quantity: 1 }), `${product.name} added`);

const inCart = {
  more: (line) => addOne(products.get(line.product_id)),
  fewer: (line) => change(() => {
    const quantity = held(line.product_id) - 1;
    return quantity > 0 ? ask("PUT", path(line), { quantity }) : ask("DELETE", path(line));
  }, `One ${line.name} fewer`),
  remove: (line) => change(() => ask("DELETE", path(line)), `${line.name} removed`),
};

const path = (line) => `/cart/items/${line.product_id}`;
const held = (id) => cart.items.find((line) => line.product_id === id)?.quantity ?? 0;

const onDevices = {
  end: (device) => attempt(async () => {
    await ask("DELETE", `/devices/${device.id}`);
    say("Device ended");
    await refresh();
  }),
  endOthers: () => attempt(async () => {
    const { ended } = await ask("POST", "/devices/end-others");
    say(`${ended} devices ended`);
    await refresh();
  }),
};

// One change after the other, however fast somebody clicks: each sees what the one before left.
function change(request, done) {
  queue = queue.then(() => attempt(async () => {
    const focused = document.activeElement?.dataset.key;
    const answer = await request();
    banner.hide();
    show(answer);
    document.querySelector(`[data-key="${focused}"]`)?.focus();
    say(done);
    if (answer.subject !== subject) return load(); // logged in or out elsewhere, meanwhile
    otherTabs.postMessage("changed");
    if (subject) await refresh();
  })).catch(console.error);
  return queue;
}

// What the page shows.

async function load() {
  if (!find("goods").children.length) await lay(); // without a session: the goods are for everybody
  const shop = await ask("GET", "/storefront");
  const before = subject;
  become(shop.cart.subject);
  show(shop.cart);
  if (subject) {
    login.close(); // where it is open, somebody logged in in another tab
    return refresh();
  }
  if (shop.login_is_over) login.open("session expired, please log in again");
  else if (before) login.open("you were logged out in another tab");
}

async function lay() {
  const display = await ask("GET", "/goods");
  display.products.forEach((product) => products.set(product.id, product));
  showGoods(display.products, addOne);
  login.prepare(display.accounts, loggedIn);
  confirm.prepare(refused);
  find("machine").hidden = !display.time_moves;
}

async function refresh() {
  const me = await ask("GET", "/me");
  showSession(me, () => attempt(refresh));
  const { email } = await ask("GET", "/email");
  if (document.activeElement !== find("email")) find("email").value = email;
  find("mail").hidden = false;
  showDevices(await ask("GET", "/devices"), Date.parse(me.now), onDevices);
}

function show(answered) {
  cart = answered;
  showCart(cart, products, inCart);
  find("visitor").hidden = cart.subject !== null || cart.items.length > 0;
  if (!cart.subject) showVisitor(cart.items.length > 0);
}

function become(someone) {
  subject = someone;
  find("who").hidden = find("logout").hidden = !someone;
  find("open-login").hidden = Boolean(someone);
  find("who").replaceChildren("Hello, ", Object.assign(document.createElement("b"), { textContent: someone }));
  if (someone) return;
  hideDevices();
  find("mail").hidden = true;
  confirm.close();
}

async function loggedIn(message) {
  say(message);
  banner.hide();
  otherTabs.postMessage("changed");
  await attempt(load);
}

function loggedOut() {
  become(null);
  show({ subject: null, items: [], total: 0 });
}

// What a refusal means. 401: to the login form, with the server's words, or to the step-up form, if somebody is
// logged in and that is not enough. 409: nothing was saved, do it again.
// 503: the store is away and nobody is logged out by that; wait for it.

async function attempt(action) {
  try {
    return await action();
  } catch (refusal) {
    refused(refusal, action);
  }
}

function refused(refusal, action = load) {
  if (!("status" in refusal)) throw refusal;
  if (refusal.wantsMore) {
    confirm.open(() => attempt(action));
  } else if (refusal.status === 401) {
    loggedOut();
    banner.hide();
    login.open(refusal.message);
  } else if (refusal.status === 503) {
    waitForStore(refusal.seconds);
  } else if (refusal.status === 409) {
    const text = "Your session changed elsewhere at the same moment, so nothing was saved.";
    banner.show(text, { action: { label: "Try again", run: () => attempt(action) } });
  } else {
    banner.show(`${refusal.message[0].toUpperCase()}${refusal.message.slice(1)}.`, { action: { label: "Try again", run: () => attempt(action) } });
  }
}

let waiting = false;

async function waitForStore(seconds) {
  if (waiting) return;
  waiting = true;
  banner.show("The session store is away. Nothing is lost, retrying …");
  for (let away = true; away;) {
    await new Promise((resume) => setTimeout(resume, seconds * 1000));
    away = await load().then(() => false, (refusal) => refusal.status === 503);
  }
  waiting = false;
  banner.show("The session store is back. Your last change may not have been saved, please look.", { good: true });
  await attempt(load);
}

// What sets it going.

find("logout").addEventListener("click", () => attempt(async () => {
  const { message } = await ask("POST", "/logout");
  loggedOut();
  otherTabs.postMessage("changed");
  banner.show("You are logged out, on the server too: no copy of your cookie works any more.", { good: true });
  say(message);
}));

find("order").addEventListener("click", () => attempt(async () => {
  const { message } = await ask("POST", "/orders");
  banner.show(`Thank you: ${message}.`, { good: true });
  say(message);
  otherTabs.postMessage("changed");
  await load();
}));

find("mail-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const email = find("email").value;
  find("email").blur();
  attempt(async () => {
    await ask("PUT", "/email", { email });
    banner.show(`We write to ${email} from now on.`, { good: true });
    say("Address changed");
    await refresh();
  });
});

for (const push of document.querySelectorAll("[data-minutes]")) {
  push.addEventListener("click", () => attempt(async () => {
    const { message } = await ask("POST", "/demo/clock", { minutes: Number(push.dataset.minutes) });
    say(message);
    if (subject) await refresh();
  }));
}

otherTabs.addEventListener("message", () => attempt(load));
attempt(load);
