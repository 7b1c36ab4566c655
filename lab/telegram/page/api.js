// Everything that goes to the server, and errors as sentences.

/** The server refused; `message` is its own sentence, made for people. */
export class Refused extends Error {}

/** The server could not be reached at all. */
export class Unreachable extends Error {}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Unreachable();
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(typeof body?.error === "string" ? body.error : `HTTP ${response.status}`);
  return body;
}

function post(path, body) {
  return request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

export const loadWorld = () => request("/lab/world", { cache: "no-store" });
export const edit = (body) => post("/lab/edit", body);
export const press = (body) => post("/lab/press", body);
export const react = (body) => post("/lab/react", body);
export const topic = (body) => post("/lab/topic", body);
export const newClient = (body) => post("/lab/client", body);
export const block = (body) => post("/lab/block", body);

/** Sends a message; with `file` as a form whose other fields are text parts. */
export function send({ file, ...fields }) {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== "");
  if (!file) return post("/lab/send", Object.fromEntries(given));
  const form = new FormData();
  for (const [name, value] of given) form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  form.append("file", file, file.name);
  return request("/lab/send", { method: "POST", body: form });
}

/** Addresses from messages may only lead where a messenger would follow; anything else is no link. */
export function safeAddress(text) {
  try {
    const address = new URL(/^[a-z][\w+.-]*:/i.test(text) ? text : `https://${text}`);
    return ["http:", "https:", "mailto:", "tel:", "tg:"].includes(address.protocol) ? address.href : null;
  } catch {
    return null;
  }
}
