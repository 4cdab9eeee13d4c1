// My devices: every session of mine, and the means to end it.

import { button, find, icon, make } from "./elements.js";

/** Show `devices` as seen at `now` (the shop's time); `acts` has `end` and `endOthers`. */
export function showDevices(devices, now, acts) {
  find("devices").hidden = false;
  find("device-list").replaceChildren(...devices.map((device) => row(device, now, acts)));
  find("end-others").hidden = devices.length < 2;
  find("end-others").onclick = acts.endOthers;
}

export function hideDevices() {
  find("devices").hidden = true;
  find("device-list").replaceChildren();
}

function row(device, now, acts) {
  const name = device.agent ?? "Unknown device";
  const seen = device.current ? "active now" : `seen ${ago(now - Date.parse(device.seen_at))}`;
  const facts = [device.address, seen].filter(Boolean).join(" · ");
  const last = device.current
    ? make("span", "tag", "This device")
    : button("End", "quiet", () => acts.end(device), `End ${name}, ${seen}`);
  return make("li", "",
    icon(/iphone|ipad|android|phone/i.test(name) ? "phone" : "laptop"),
    make("div", "", make("b", "", name), make("small", "", facts)),
    last);
}

function ago(milliseconds) {
  const minutes = Math.floor(milliseconds / 60000);
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ago`;
}
