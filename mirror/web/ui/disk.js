// What fills the disk: mirrors as bars of the cache's max_size, and the entries that are largest, oldest, most used.

import { call } from "./api.js";
import { $, el, keyed, long, moment, row, set, text } from "./dom.js";
import { explain } from "./explain.js";
import { ago, bytes, counted, exact, number, share } from "./format.js";
import { live } from "./live.js";
import { purged } from "./purge.js";

const TOP = 10;
const COLOURS = 6; // of the style sheet
const MIRRORS = ["Mirror", "Entries", "Stored", "Share", "Hit ratio", "Saved"];
const LABELS = ["Entry", "Size", "Stored", "Hits"];

let order = "largest";
let timer = 0;

const hits = (requests) => requests.HIT + requests.STALE + requests.REVALIDATED;
const all = (requests) => Object.values(requests).reduce((sum, count) => sum + count, 0);

function part(colour, size, max, title) {
  const element = el("div", { class: `colour-${colour}`, title });
  element.style.setProperty("width", `${Math.max(0, (100 * size) / max)}%`);
  return element;
}

function show({ mirrors, cache, totals }) {
  const sorted = Object.entries(mirrors).sort(([, one], [, other]) => other.size - one.size);
  const max = cache?.max_size || Math.max(1, totals.size);
  const used = cache?.used ?? totals.size;
  const rest = used - sorted.reduce((sum, [, { size }]) => sum + size, 0);
  const parts = sorted.map(([name, { size }], at) => part(at % COLOURS, size, max, `/${name}/: ${bytes(size)}`));
  if (rest > 0) parts.push(part("rest", rest, max, `unfinished downloads, indexes: ${bytes(rest)}`));
  $("disk-bar").replaceChildren(...parts);
  set($("disk-bar"), "aria-label", `${bytes(used)} of ${bytes(max)} used`);
  const free = cache?.path_free !== undefined ? ` · ${bytes(cache.path_free)} free on the disk` : "";
  const evicted = cache?.evicted ? ` · ${counted(cache.evicted, "entry", "entries")} evicted` : "";
  text($("disk-used"), `${bytes(used)} of ${bytes(max)} (${share(used, max)})${free}${evicted}`);
  const make = () => el("tr", { role: "row" });
  keyed($("mirrors"), sorted, ([name]) => name, make, (element, [name, one]) => {
    const colour = sorted.findIndex(([other]) => other === name) % COLOURS;
    const told = JSON.stringify([one, colour, max]);
    if (element.dataset.told === told) return;
    element.dataset.told = told;
    element.replaceChildren(...row(MIRRORS, cells(name, one, max, colour)).children);
  });
}

function cells(name, { ecosystem = "", entries, size, max_size: own, requests, bytes_saved: saved }, max, colour) {
  const swatch = el("span", { class: `swatch colour-${colour}`, "aria-hidden": "true" });
  const bar = el("div", { class: "bar small" }, part(colour, size, own || max, ""));
  const of = own && el("span", { class: "muted" }, `of its ${bytes(own)}`);
  return [
    ["wide", el("span", {}, swatch, `/${name}/`, el("span", { class: "muted" }, ` ${ecosystem}`))],
    ["number", el("span", { title: exact(entries) }, number(entries))],
    ["number", el("span", { title: `${exact(size)} bytes` }, bytes(size))],
    ["share", el("span", { class: "portion" }, bar, el("span", {}, share(size, own || max)), of)],
    ["number", share(hits(requests), all(requests))],
    ["number", el("span", { title: `${exact(saved)} bytes` }, bytes(saved))],
  ];
}

async function top() {
  clearTimeout(timer);
  try {
    const answer = await call("entries", { query: { order, limit: TOP }, quiet: true });
    const { entries, complete } = answer;
    $("top").replaceChildren(...entries.map(line));
    const asOf = answer.as_of ? `as of ${ago(answer.as_of)}` : "";
    text($("top-note"), complete ? (entries.length ? asOf : "Nothing is stored yet.") : "Still counting what is stored …");
    timer = setTimeout(top, complete ? 60_000 : 2000);
  } catch (error) {
    text($("top-note"), error.status ? `Cannot be told: ${error.message}` : "");
    timer = setTimeout(top, 60_000);
  }
}

function line(entry) {
  const { key, size, stored_at: at, hits: count } = entry;
  const open = el("button", { type: "button", class: "link", on: { click: () => explain(key) } }, long(key));
  return row(LABELS, [
    ["wide", open],
    ["number", el("span", { title: `${exact(size)} bytes` }, bytes(size))],
    ["number", moment(at, ago(at))],
    ["number", number(count)],
  ]);
}

export function start() {
  live.addEventListener("stats", ({ detail }) => show(detail));
  live.addEventListener("state", ({ detail }) => detail.state !== "away" && top());
  purged.addEventListener("purged", top);
  for (const button of $("order").querySelectorAll("button")) {
    button.addEventListener("click", () => {
      order = button.value;
      for (const one of $("order").querySelectorAll("button")) set(one, "aria-pressed", String(one === button));
      top();
    });
  }
}
