// Requests to /api/v1: JSON there and back, errors as problem documents (RFC 9457).

/** Problem is an answer that is an error: status, title, detail, field, cause, remedy. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.cause || document.detail || document.title || `The server answered ${status}`);
    Object.assign(this, { status, title: document.title || "", field: document.field || "", cause: document.cause || document.detail || "", remedy: document.remedy || "", errors: document.errors || [], document });
  }
}

async function problemOf(response) {
  try { return new Problem(response.status, await response.json()); } catch { return new Problem(response.status, { title: response.statusText }); }
}

/** call sends a request and returns {status, etag, data}; it throws a Problem. */
export async function call(method, path, { body, headers = {}, signal } = {}) {
  const response = await request(method, path, { body, headers, signal });
  const text = await response.text();
  return { status: response.status, etag: response.headers.get("ETag"), data: text ? JSON.parse(text) : null };
}

/** lines sends a request and yields each line of its NDJSON answer as it comes. */
export async function* lines(method, path, options = {}) {
  const response = await request(method, path, options);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const parts = (rest + (value || "")).split("\n");
    rest = done ? "" : parts.pop();
    for (const part of parts) if (part.trim()) yield JSON.parse(part);
    if (done) return;
  }
}

async function request(method, path, { body, headers = {}, signal }) {
  let response;
  try {
    response = await fetch(path, {
      method, signal, credentials: "same-origin",
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Problem(0, { title: "signal-client does not answer", cause: "The connection to this console failed.", remedy: "Check that the process runs and try again; nothing that you typed is lost." });
  }
  if (response.status === 401) {
    throw new Problem(401, { title: "You are logged out", cause: "The session has ended.", remedy: "Log in again in another tab, then try again; nothing that you typed is lost." });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}
