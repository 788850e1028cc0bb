// What the policy keeps back, of one mirror at a time: by which rule, why, and until when. A page at a time.

import { call } from "./api.js";
import { $, el, long, moment, row, set, state, text } from "./dom.js";
import { explain } from "./explain.js";
import { about, ago, counted } from "./format.js";
import { live } from "./live.js";

const FIRST = 10;
const PAGE = 100;
const LABELS = ["Rule", "Held", "Published", "Until"];
const GATED = ["pypi", "npm", "apt"]; // ecosystems whose mirrors may have a policy

let asked = new AbortController();
let cursor = null;
let shown = 0;

/** Ask for the first page, or with `more` for the next one. Nothing is asked ahead: to look through what all indexes
 * have named takes the server some time. */
async function load(more = false) {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  set($("held-table"), "aria-busy", "true");
  try {
    const query = { mirror: $("held-mirror").value, limit: more ? PAGE : FIRST, cursor: more ? cursor : "" };
    const page = await call("held", { query, signal, quiet: !more });
    const before = more ? shown : 0;
    if (!more) clear();
    $("held").append(...page.held.map(line));
    shown += page.held.length;
    cursor = page.cursor;
    told(page.complete);
    if (more) $("held").children[before]?.querySelector("button").focus();
  } catch (error) {
    if (error.name !== "AbortError") text($("held-count"), `What is held cannot be told: ${error.message}`);
  } finally {
    if (!signal.aborted) set($("held-table"), "aria-busy", null);
  }
}

function clear() {
  $("held").replaceChildren();
  shown = 0;
}

function told(complete) {
  set($("held-more"), "hidden", !cursor);
  set($("held-table"), "hidden", shown === 0);
  set($("held-none"), "hidden", shown > 0);
  text($("held-none"), cursor ? "Nothing so far." : "Nothing that this mirror knows of is held.");
  text($("held-more"), complete ? "Show 100 more" : "Look further");
  text($("held-count"), shown ? `${counted(shown, "file or version", "files and versions")} shown${cursor ? ", there may be more" : ""}` : "");
}

function line({ rule, enforced, reason, until, published, first_seen: seen, address }) {
  const open = el("button", { type: "button", class: "link", on: { click: () => explain(address) } }, long(address));
  const at = published ?? seen;
  const dated = at && moment(at, published === null ? `seen ${ago(at)}` : ago(at));
  return row(LABELS, [
    ["", state(enforced ? "bad" : "muted", enforced ? rule : `${rule} (audit)`)],
    ["wide", el("span", { class: "two" }, open, el("span", { class: "muted reason" }, reason))],
    ["number", dated || "–"],
    ["number", until === null ? "–" : moment(until, `in ${about(until - Date.now() / 1000)}`)],
  ]);
}

/** The mirrors that may have a policy, as they become known. */
function mirrors({ detail }) {
  const names = Object.entries(detail.mirrors).filter(([, { ecosystem }]) => GATED.includes(ecosystem)).map(([name]) => name);
  const select = $("held-mirror");
  const before = select.value;
  if ([...select.options].map(({ value }) => value).join() === names.join()) return;
  select.replaceChildren(...names.map((name) => el("option", { value: name }, `/${name}/`)));
  select.value = names.includes(before) ? before : names[0] ?? "";
  for (const part of ["held-part", "held-link"]) set($(part), "hidden", names.length === 0);
  if (names.length && select.value !== before) load();
}

export function start() {
  $("held-mirror").addEventListener("change", () => load());
  $("held-more").addEventListener("click", () => load(true));
  live.addEventListener("stats", mirrors);
}

/** Ask again, for example with another token. */
export const again = () => $("held-mirror").value && load();
