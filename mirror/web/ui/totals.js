// What the mirror saves: numbers since its start, and how they came about over the last hour or day.

import { Refused, call } from "./api.js";
import { Chart } from "./chart.js";
import { $, set, text } from "./dom.js";
import { bytes, counted, duration, exact, number, rate, share } from "./format.js";
import { live } from "./live.js";

const COLUMNS = 60; // as many as there is room for on a telephone
const STORED = ["HIT", "STALE", "REVALIDATED"]; // answered with bytes that were stored
const FETCHED = ["MISS", "BYPASS"];

let charts = [];
let span = "hour";
let timer = 0;

const sum = (requests, names) => names.reduce((count, name) => count + (requests[name] ?? 0), 0);
const all = (requests) => sum(requests, Object.keys(requests));

function tile(name, value, title, below) {
  const element = $(`total-${name}`);
  text(element.querySelector("dd"), value);
  set(element.querySelector("dd"), "title", title);
  text(element.querySelector(".below"), below);
}

function show({ totals, cache, uptime }) {
  const { requests, bytes_served: served, bytes_saved: saved, bytes_fetched: fetched, errors } = totals;
  const count = all(requests);
  text($("since"), `in the ${duration(uptime)} since the start`);
  tile("saved", bytes(saved), `${exact(saved)} bytes`, `${share(saved, served)} of the bytes served`);
  tile("served", bytes(served), `${exact(served)} bytes`, `${number(count)} ${count === 1 ? "request" : "requests"}`);
  tile("fetched", bytes(fetched), `${exact(fetched)} bytes`, "from upstreams");
  const hits = sum(requests, STORED);
  const told = Object.entries(requests).map(([name, each]) => `${name} ${exact(each)}`);
  tile("hits", share(hits, count), told.join(", "), `of requests; ${share(saved, served)} of bytes`);
  tile("errors", number(errors), `${exact(errors)} errors`, `${share(errors, count)} of requests`);
  const used = cache?.used ?? totals.size;
  const of = cache?.max_size ? `of ${bytes(cache.max_size)} · ` : "";
  tile("stored", bytes(used), `${exact(used)} bytes`, of + counted(cache?.entries ?? totals.entries, "entry", "entries"));
}

/** Samples put together until there are at most COLUMNS; amounts become rates. */
export function gathered(samples, step) {
  const each = Math.max(1, Math.ceil(samples.length / COLUMNS));
  const found = [];
  for (let end = samples.length; end > 0; end -= each) {
    const some = samples.slice(Math.max(0, end - each), end);
    const add = (of) => some.reduce((total, sample) => total + of(sample), 0);
    found.unshift({
      at: some[0].at,
      seconds: some.length * step,
      served: add((one) => one.bytes_served),
      saved: add((one) => one.bytes_saved),
      fetched: add((one) => one.bytes_fetched),
      hits: add((one) => sum(one.requests, STORED)),
      misses: add((one) => sum(one.requests, FETCHED)),
      errors: add((one) => one.requests.ERROR ?? one.errors),
    });
  }
  return found;
}

async function history() {
  clearTimeout(timer);
  try {
    const { step, samples } = await call("history", { query: { span }, quiet: true });
    const columns = gathered(samples, step);
    for (const chart of charts) chart.show(columns);
    $("charts-wrong").hidden = true;
  } catch (error) {
    $("charts-wrong").hidden = !(error instanceof Refused); // away is said elsewhere
    text($("charts-wrong"), `No history: ${error.message}`);
  }
  timer = setTimeout(history, span === "hour" ? 10_000 : 60_000);
}

function made() {
  const perSecond = (name) => (one) => one[name] / one.seconds;
  const count = ({ hits, misses, errors }) => hits + misses + errors;
  return [
    new Chart($("chart-bytes"), {
      title: "Bytes to clients",
      series: [
        { name: "saved", kind: "saved", of: perSecond("saved") },
        { name: "fetched", kind: "fetched", of: (one) => Math.max(0, one.served - one.saved) / one.seconds },
      ],
      scale: rate,
    }),
    new Chart($("chart-hits"), {
      title: "Hit ratio",
      series: [
        { name: "by requests", kind: "saved", of: (one) => (count(one) ? one.hits / count(one) : null) },
        { name: "by bytes", kind: "other", of: (one) => (one.served ? Math.min(1, one.saved / one.served) : null) },
      ],
      scale: (value) => (value === null ? "–" : `${Math.round(100 * value)}\u00a0%`),
      top: 1,
      lines: true,
    }),
    new Chart($("chart-requests"), {
      title: "Requests",
      series: [
        { name: "from the store", kind: "saved", of: perSecond("hits") },
        { name: "fetched", kind: "fetched", of: perSecond("misses") },
        { name: "errors", kind: "errors", of: perSecond("errors") },
      ],
      scale: (value) => `${value >= 10 || value === 0 ? number(Math.round(value)) : value.toPrecision(2)}/s`,
    }),
  ];
}

export function start() {
  charts = made();
  live.addEventListener("stats", ({ detail }) => show(detail));
  live.addEventListener("state", ({ detail }) => detail.state !== "away" && history());
  for (const button of $("span").querySelectorAll("button")) {
    button.addEventListener("click", () => {
      span = button.value;
      for (const one of $("span").querySelectorAll("button")) set(one, "aria-pressed", String(one === button));
      history();
    });
  }
}
