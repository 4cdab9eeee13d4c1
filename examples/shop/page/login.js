// The login form, in a dialog that the page opens by itself when a session is over.

import { button, find, make } from "./elements.js";
import { ask } from "./server.js";

const dialog = find("login");
const form = find("login-form");
const message = find("login-message");

find("open-login").addEventListener("click", () => open());
find("login-close").addEventListener("click", close);

/** Open the form; `why` is the server's sentence, where it sent the person here. */
export function open(why = "") {
  tell(why);
  form.reset();
  if (!dialog.open) dialog.showModal();
  form.username.focus();
}

export function close() {
  dialog.close();
}

/** Offer the demonstration's `accounts`, and call `done` once somebody is logged in. */
export function prepare(accounts, done) {
  find("accounts").replaceChildren(...Object.entries(accounts).map(account));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(done);
  });
}

function account([username, password]) {
  const fill = () => {
    form.username.value = username;
    form.password.value = password;
    find("login-submit").focus();
  };
  const choice = button("", "quiet", fill, `Fill in ${username} and the password`);
  choice.append(make("b", "", username), make("code", "", password));
  return choice;
}

async function submit(done) {
  if (!form.username.value || !form.password.value) return tell("please fill in both fields");
  const push = find("login-submit");
  push.disabled = true;
  try {
    const body = { username: form.username.value, password: form.password.value };
    const greeting = await ask("POST", "/login", body);
    close();
    form.reset();
    await done(greeting.message);
  } catch (refusal) {
    tell(refusal.status === 503 ? "the session store is away, please try again in a moment" : refusal.message);
    form.password.select();
  } finally {
    push.disabled = false;
  }
}

function tell(text) {
  message.textContent = text;
  message.hidden = !text;
}
