// The bar at the bottom: which server answered, which session this is, and how long it will last.

import { find, make } from "./elements.js";
import { answers } from "./server.js";

const KEPT = 12;
const SOON = 120; // seconds
let ends = null; // on performance.now()'s clock, which nobody sets back
let whenOver = () => {};

answers.addEventListener("answer", ({ detail: { server, status, request } }) => {
  const list = find("answers");
  const [letter, framework = ""] = (server ?? "?").split("-"); // "C-django", or just "C"
  const dot = make("li", letter, letter);
  find("framework").textContent = framework;
  dot.classList.toggle("refused", status >= 400);
  dot.title = `${request}: ${status} from ${server ?? "the balancer"}`;
  list.append(dot);
  while (list.children.length > KEPT) list.firstElementChild.remove();
});

setInterval(tick, 500);

/** Show the session that `/me` describes; `over` is called when its time has run out. */
export function showSession(me, over) {
  find("handle").className = "code";
  find("handle").textContent = `${me.session.slice(0, 4)}…${me.session.slice(-4)}`;
  find("handle").title = `The session's public handle: ${me.session}. It opens nothing.`;
  ends = performance.now() + (Date.parse(me.expires_at) - Date.parse(me.now));
  whenOver = over;
  tick();
}

/** Show that nobody is logged in; a visitor has a session only once something is kept for them. */
export function showVisitor(hasCart) {
  ends = null;
  find("handle").className = "";
  find("handle").textContent = hasCart ? "a visitor's" : "none";
  find("handle").title = hasCart ? "" : "Nothing is stored for you, and no cookie is set.";
  tick();
}

function tick() {
  find("timer-row").hidden = ends === null;
  if (ends === null) return;
  const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
  find("timer").textContent = clock(left);
  find("timer").classList.toggle("soon", left <= SOON);
  if (left > 0) return;
  ends = null;
  whenOver();
}

function clock(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
}
