// What the server says of itself, as it changes: by events, or, where there are none, by asking each 5 seconds.

import { Refused, call, events } from "./api.js";
import * as token from "./token.js";

const POLL = 5000;
const ROUNDS = 12; // of asking, before events are tried again
const SILENT = 40000; // the server sends something each 15 seconds
const LONGEST = 15000; // between attempts
const HIDDEN = 60000; // a page that nobody sees lets its connection go after that

/** Tells `stats` and `fills` (with `detail`), and `state`: live, polling, away or locked. */
export const live = new EventTarget();

let connection = new AbortController();
let current = "";

function tell(name, detail) {
  live.dispatchEvent(new CustomEvent(name, { detail }));
}

function become(state, reason = "") {
  if (current !== state) {
    current = state;
    tell("state", { state, reason });
  }
}

/** Ends after `ms`, or when the connection is to be made anew. */
function pause(ms) {
  return new Promise((over) => {
    const timer = setTimeout(over, ms);
    connection.signal.addEventListener("abort", () => (clearTimeout(timer), over()), { once: true });
  });
}

async function listen() {
  const { signal } = connection;
  const quiet = new AbortController();
  let timer = 0;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => quiet.abort(), SILENT);
  };
  heard();
  try {
    for await (const [name, detail] of events(AbortSignal.any([signal, quiet.signal]))) {
      heard();
      become("live");
      if (name) tell(name, detail);
    }
  } finally {
    clearTimeout(timer);
  }
}

async function poll() {
  for (let round = 0; round < ROUNDS && !connection.signal.aborted; round += 1) {
    tell("stats", await call("stats", { quiet: true }));
    become("polling");
    tell("fills", await call("fills", { quiet: true }).catch(() => ({ fills: [] })));
    await pause(POLL);
  }
}

async function locked(reason) {
  become("locked", reason);
  const changed = new Promise((over) => token.changes.addEventListener("change", over, { once: true }));
  if (!(await token.ask(reason))) await changed;
}

async function attempt() {
  try {
    await listen();
    become("away", "the server ended the connection"); // it drains, or starts again
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401) await locked(error.message);
    else await poll();
  }
}

async function run() {
  for (let wait = 1000; ; ) {
    connection = new AbortController();
    try {
      await attempt();
      wait = 1000;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) await locked(error.message);
      else if (!connection.signal.aborted) become("away", error.message);
    }
    if (connection.signal.aborted) {
      await seen();
      continue; // wanted at once
    }
    await pause(wait * (0.75 + Math.random() / 2));
    wait = Math.min(LONGEST, wait * 2);
  }
}

function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((over) => document.addEventListener("visibilitychange", over, { once: true }));
}

/** Try again now. */
export const again = () => connection.abort();

export function start() {
  let timer = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(again, HIDDEN);
  });
  token.changes.addEventListener("change", again);
  run();
}
