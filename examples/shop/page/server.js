// Talks to the shop's servers, and tells everyone who listens which of them answered.

export const answers = new EventTarget();

/** A request that was not carried out: `status` is 0 where nobody answered at all. */
export class Refusal extends Error {
  constructor(status, message, seconds = 2, wantsMore = false) {
    super(message);
    this.wantsMore = wantsMore; // 401 to somebody who is logged in, and must prove it again, or better
    this.status = status;
    this.seconds = seconds;
  }
}

/** Send one request; return the decoded answer, or throw a Refusal with the server's own words. */
export async function ask(method, path, body) {
  const response = await reach(method, path, body);
  const server = response.headers.get("X-Served-By");
  const detail = { server, status: response.status, request: `${method} ${path}` };
  answers.dispatchEvent(new CustomEvent("answer", { detail }));
  const content = await response.json().catch(() => ({}));
  if (!response.ok) {
    const seconds = Number(response.headers.get("Retry-After")) || 2;
    throw new Refusal(response.status, content.error ?? `the server said ${response.status}`, seconds, "acr_values" in content);
  }
  return content;
}

async function reach(method, path, body) {
  const options = { method, headers: {}, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, options);
  } catch {
    throw new Refusal(0, "the shop cannot be reached");
  }
}
