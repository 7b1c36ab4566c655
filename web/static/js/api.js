// Requests to our own server: JSON in, JSON out, each with a deadline.

const TIMEOUT_MS = 8000;
const token = document.querySelector("meta[name=csrf-token]")?.content ?? "";

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(response) {
  if (response.status === 401) location.reload(); // the session is over: the page leads to the login
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.error ?? body.message ?? response.statusText);
  return body;
}

export async function get(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
  return answer(response);
}

export async function post(url, body = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return answer(response);
}
