// The entries: searched as one types, a page at a time, some of them chosen to be purged.

import { call } from "./api.js";
import { $, el, long, moment, row, say, set, state, text } from "./dom.js";
import { explain } from "./explain.js";
import { about, ago, bytes, counted, exact, number } from "./format.js";
import { live } from "./live.js";
import { address, preview, purged } from "./purge.js";

const FIRST = 25; // entries of the first page: what is below it stays near
const PAGE = 100;
const MOST = 1000; // addresses in one purge
const PAUSE = 180; // ms of not typing
const KINDS = { fresh: "good", stale: "warn", expired: "bad", negative: "muted" };
const LABELS = ["", "Entry", "State", "Size", "Stored", "Fresh until", "Hits", "Last used"];

let asked = new AbortController();
let cursor = null;
let shown = 0;
let timer = 0;
const chosen = new Set();

const query = () => ({
  search: $("search").value.trim(),
  mirror: $("in-mirror").value,
  state: $("in-state").value,
});

/** Ask for the first page, or with `more` for the next one. */
async function load(more = false) {
  clearTimeout(timer);
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  set($("entries-table"), "aria-busy", "true");
  try {
    const before = more ? shown : 0;
    await gather(more ? cursor : "", more ? PAGE : FIRST, signal, more);
    if (more) $("entries").children[before]?.querySelector("button").focus();
  } catch (error) {
    if (error.name !== "AbortError") text($("entries-count"), `The entries cannot be told: ${error.message}`);
  } finally {
    if (!signal.aborted) set($("entries-table"), "aria-busy", null);
  }
}

/** The next `limit` entries after `from`. The server ends a page after a second, however few it has found by then:
 * it is asked on until they are there, or it has looked at all. */
async function gather(from, limit, signal, keep) {
  for (let [found, more] = [0, true]; more; keep = true) {
    const page = await call("entries", { query: { ...query(), limit: limit - found, cursor: from }, signal });
    if (!keep) clear();
    $("entries").append(...page.entries.map(line));
    [found, from, cursor] = [found + page.entries.length, page.cursor, page.cursor];
    shown += page.entries.length;
    more = !page.complete && cursor !== null && found < limit;
    told(more);
  }
}

function clear() {
  $("entries").replaceChildren();
  chosen.clear();
  shown = 0;
  choose();
}

function told(searching) {
  $("more").hidden = !cursor || searching;
  set($("entries-table"), "hidden", shown === 0);
  text($("entries-count"), words(searching));
  if (document.activeElement === $("search") && !searching) say(words(false));
}

function words(searching) {
  const found = counted(shown, "entry", "entries");
  if (searching) return `${found} found, still searching …`;
  if (shown) return `${found} shown${cursor ? ", there are more" : ""}`;
  const filtered = Object.values(query()).some(Boolean);
  return filtered ? "No entry matches." : "Nothing is stored yet. What clients ask for will appear here.";
}

function freshness({ ttl }) {
  if (ttl === null) return "always";
  return ttl > 0 ? `in ${about(ttl)}` : el("span", { class: "muted" }, `${about(-ttl)} ago`);
}

function line(entry) {
  const { key, size, stored_at: at, hits, last_access: used, type, status } = entry;
  const box = el("input", { type: "checkbox", "aria-label": `Choose ${key}`, value: key, on: { change: pick } });
  const open = el("button", { type: "button", class: "link", on: { click: () => explain(key) } }, long(key));
  return row(LABELS, [
    ["choice", box],
    ["wide", open],
    ["", el("span", { title: `${status} ${type ?? ""}` }, state(KINDS[entry.state] ?? "", entry.state))],
    ["number", el("span", { title: `${exact(size)} bytes` }, bytes(size))],
    ["number", moment(at, ago(at))],
    ["number", freshness(entry)],
    ["number", number(hits)],
    ["number", used ? moment(used, ago(used)) : "–"],
  ]);
}

function pick({ target }) {
  if (target.checked) chosen.add(target.value);
  else chosen.delete(target.value);
  choose();
}

function choose() {
  const count = chosen.size;
  $("purge-chosen").disabled = count === 0 || count > MOST;
  text($("purge-chosen"), count ? `Purge ${exact(count)} chosen …` : "Purge chosen …");
  $("choose-all").checked = count > 0 && count === shown;
  $("choose-all").indeterminate = count > 0 && count < shown;
}

function all({ target: { checked } }) {
  for (const box of $("entries").querySelectorAll("input")) {
    box.checked = checked;
    if (checked) chosen.add(box.value);
    else chosen.delete(box.value);
  }
  choose();
}

/** The names of the mirrors, as they become known. */
function mirrors({ detail }) {
  const names = Object.keys(detail.mirrors);
  const select = $("in-mirror");
  if (select.options.length === names.length + 1) return;
  const before = select.value;
  select.replaceChildren(el("option", { value: "" }, "All mirrors"), ...names.map((name) => el("option", { value: name }, `/${name}/`)));
  select.value = names.includes(before) ? before : "";
}

export function start() {
  $("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, PAUSE);
  });
  $("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    load();
  });
  for (const filter of ["in-mirror", "in-state"]) $(filter).addEventListener("change", () => load());
  $("more").addEventListener("click", () => load(true));
  $("choose-all").addEventListener("change", all);
  $("purge-chosen").addEventListener("click", () => preview({ urls: [...new Set([...chosen].map(address))] }));
  live.addEventListener("stats", mirrors);
  purged.addEventListener("purged", () => load());
  load();
}

/** Ask again, for example with another token. */
export const again = () => load();
