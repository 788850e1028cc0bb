// The first line: is it up, since when, is this page connected; and below it what an operator must know now.

import { call, notReady } from "./api.js";
import { $, el, keyed, moment, say, set, text } from "./dom.js";
import { about, ago, counted, duration } from "./format.js";
import { again, live } from "./live.js";

const EACH = 15000;
const STATES = {
  live: ["good", "Live", "This page is connected"],
  polling: ["good", "Asking each 5 s", "The server sends no events; this page asks it each 5 seconds"],
  away: ["bad", "Not connected", "What is shown is not of now"],
  locked: ["warn", "A token is needed", ""],
};

let connection = "";
let unready = null; // a reason, or null
let stats = null;
let heard = 0; // POSIX seconds

/** What is wrong now, the worst first: [kind, name, title, detail, button]. */
function troubles() {
  const found = [];
  if (connection === "away") {
    const since = heard ? `Last heard ${ago(heard)}. ` : "";
    found.push(["bad", "away", "Not connected to the server", `${since}It is tried again by itself.`, ["Try now", again]]);
  }
  if (connection === "locked") found.push(["warn", "locked", "A token is needed to look", "", ["Enter a token", again]]);
  if (unready && connection !== "away") found.push(["bad", "ready", "The server is not ready", unready]);
  if (!stats) return found;
  const { config, upstreams = [], mirrors } = stats;
  if (config?.error) {
    const since = config.loaded_at ? `The server goes on with the one that it loaded ${ago(config.loaded_at)}.` : "";
    found.push(["bad", "config", "The new configuration was refused", `${since}\n${config.error}`, ["Reload", reload]]);
  }
  for (const one of upstreams.filter(({ state }) => state === "down")) {
    const title = `Upstream down for ${about(Date.now() / 1000 - one.since)}: ${one.name}`;
    found.push(["bad", `up ${one.name}`, title, one.error ?? ""]);
  }
  for (const [name, { unavailable }] of Object.entries(mirrors)) {
    if (unavailable) found.push(["warn", `mirror ${name}`, `The mirror /${name}/ is unavailable`, unavailable]);
  }
  return found;
}

function trouble([, , , , button]) {
  return el(
    "li",
    {},
    el("div", { class: "trouble-words" }, el("strong"), el("p")),
    button && el("button", { type: "button", class: "small", on: { click: button[1] } }, button[0]),
  );
}

function refresh() {
  keyed($("troubles"), troubles(), (one) => one[1], trouble, (element, [kind, , title, detail]) => {
    set(element, "class", `trouble ${kind}`);
    text(element.querySelector("strong"), title);
    text(element.querySelector("p"), detail);
  });
  $("troubles").hidden = !$("troubles").children.length;
  const [kind, words, title] = STATES[connection] ?? ["", "Connecting", ""];
  set($("connection"), "class", `state ${kind}`);
  set($("connection"), "title", title);
  text($("connection"), words);
  set(document.body, "data-connection", connection);
  $("up").hidden = !stats;
  if (stats) up();
}

function up() {
  const good = connection !== "away" && !unready;
  const words = connection === "away" ? "Unknown" : unready ? "Not ready" : "Up";
  set($("up-state"), "class", `state ${good ? "good" : "bad"}`);
  text($("up-state"), words);
  const began = heard - stats.uptime;
  $("up-since").replaceChildren(moment(began, `for ${duration(Date.now() / 1000 - began)}`));
  const workers = stats.workers > 1 ? ` · ${stats.workers} workers` : "";
  text($("up-version"), `version ${stats.version} · ${counted(Object.keys(stats.mirrors).length, "mirror")}${workers}`);
  document.title = `${good ? "" : `${words} · `}mirror`;
  if (stats.config?.loaded_at) {
    $("loaded").replaceChildren("Configuration loaded ", moment(stats.config.loaded_at, ago(stats.config.loaded_at)));
  }
}

async function reload() {
  $("reload").disabled = true;
  try {
    const { changed, restart } = await call("reload", { method: "POST" });
    const wanted = restart.length ? ` A restart is needed for ${restart.join(", ")}.` : "";
    answered((changed.length ? `Reloaded; changed: ${changed.join(", ")}.` : "Reloaded; nothing has changed.") + wanted);
  } catch (error) {
    answered(`Not reloaded: ${error.message}`);
  } finally {
    $("reload").disabled = false;
  }
}

function answered(words) {
  text($("reloaded"), words);
  say(words);
}

async function check() {
  try {
    unready = await notReady();
  } catch {
    unready = null; // nobody answers: the connection's state says so
  }
  refresh();
}

export function start() {
  live.addEventListener("stats", ({ detail }) => {
    stats = detail;
    heard = Date.now() / 1000;
    refresh();
  });
  live.addEventListener("state", ({ detail }) => {
    if (connection) say(detail.state === "away" ? "Not connected" : detail.state === "locked" ? "" : "Connected");
    connection = detail.state;
    refresh();
    check();
  });
  $("reload").addEventListener("click", reload);
  setInterval(refresh, 5000); // "3 s ago" grows
  setInterval(check, EACH);
  refresh();
}
