// The step-up form: a code of the authenticator app, for what a login alone is not enough for.

import { find } from "./elements.js";
import { ask } from "./server.js";

const dialog = find("confirm");
const form = find("confirm-form");
const message = find("confirm-message");
let go = () => {};

/** Ask for a code; `then` is what the person wanted to do, done once the code was right. */
export function open(then) {
  go = then;
  tell("");
  form.reset();
  if (!dialog.open) dialog.showModal();
  form.code.focus();
}

export function close() {
  dialog.close();
}

/** Call `failed` where the code could not even be checked: nobody is logged in any more, say. */
export function prepare(failed) {
  find("confirm-close").addEventListener("click", close);
  find("confirm-show").addEventListener("click", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(failed);
  });
}

async function show() {
  try {
    form.code.value = (await ask("GET", "/demo/code")).code;
    find("confirm-submit").focus();
  } catch (refusal) {
    tell(refusal.message);
  }
}

async function submit(failed) {
  if (!form.code.checkValidity()) return tell("please fill in the six digits");
  const push = find("confirm-submit");
  push.disabled = true;
  try {
    await ask("POST", "/step-up", { code: form.code.value });
    close();
    await go();
  } catch (refusal) {
    if (refusal.status === 403) {
      tell(refusal.message);
      form.code.select();
    } else {
      close();
      await failed(refusal);
    }
  } finally {
    push.disabled = false;
  }
}

function tell(text) {
  message.textContent = text;
  message.hidden = !text;
}
