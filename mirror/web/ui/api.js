// The admin API: questions, changes, and the stream of events.

import * as token from "./token.js";

const BASE = new URL("../api/", import.meta.url);
const READY = new URL("../ready", import.meta.url);

/** The server said no: `status`, and its reason as the message. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** The server could not be reached. */
export class Away extends Error {}

async function sent(path, { query = {}, body, method, signal } = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  const headers = { ...token.fields() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const how = method ?? (body === undefined ? "GET" : "POST");
  const text = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(url, { method: how, headers, body: text, signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("the server cannot be reached");
  }
}

async function refused(response) {
  let reason = response.statusText || `status ${response.status}`;
  try {
    reason = (await response.json()).detail ?? reason;
  } catch {
    // not ours: what a proxy before the server says
  }
  return new Refused(response.status, String(reason));
}

/** The answer's JSON. Where a token is wanted it is asked for, unless `quiet`. Raises Refused, Away, AbortError. */
export async function call(path, options = {}) {
  let response = await sent(path, options);
  while (response.status === 401 && !options.quiet) {
    const said = await refused(response);
    if (!(await token.ask(said.message))) throw said;
    response = await sent(path, options);
  }
  if (!response.ok) throw await refused(response);
  return response.json();
}

/** What /-/ready says: null where it is ready, else why not. */
export async function notReady() {
  const response = await fetch(READY, { cache: "no-store", credentials: "omit" });
  if (response.ok) return null;
  const { checks = {} } = await response.json().catch(() => ({}));
  const wrong = Object.entries(checks).filter(([, found]) => found !== "ok");
  return wrong.map(([name, found]) => (name === found ? found : `${name}: ${found}`)).join("; ") || "not ready";
}

/** Server-sent events as [name, JSON] pairs, [null, null] for a comment. EventSource cannot show a token: this can. */
export async function* events(signal) {
  const response = await sent("events", { signal });
  if (!response.ok) throw await refused(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  yield [null, null]; // it is open
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) yield parsed(block);
  }
}

function parsed(block) {
  let name = null;
  const found = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) found.push(line.slice(5));
  }
  return name && found.length ? [name, JSON.parse(found.join("\n"))] : [null, null];
}
