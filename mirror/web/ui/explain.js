// Explain: how an address would be answered now, and why; and what can be done about it.

import { call } from "./api.js";
import { $, el, long, moment, state, text } from "./dom.js";
import { ago, bytes, duration, exact } from "./format.js";
import { run } from "./jobs.js";
import { address, preview } from "./purge.js";

const KINDS = { hit: "good", "stale hit": "warn", revalidate: "warn", error: "bad" };

let url = "";
let stage = 0; // a later question makes the answers to earlier ones void

/** Show the explanation of an address, of a key, or of an upstream's URL. */
export async function explain(wanted) {
  url = address(wanted);
  const mine = ++stage;
  $("explain-title").replaceChildren(long(url, 32));
  $("explain-body").replaceChildren(el("p", { class: "muted" }, "Asking …"));
  for (const name of ["explain-purge", "explain-refresh", "explain-warm"]) $(name).hidden = true;
  if (!$("explain-dialog").open) $("explain-dialog").showModal();
  $("explain-close").focus();
  try {
    const told = await call("explain", { query: { url } });
    if (mine === stage) show(told);
  } catch (error) {
    if (mine === stage) $("explain-body").replaceChildren(el("p", { class: "wrong" }, `It cannot be explained: ${error.message}`));
  }
}

function show(told) {
  const { decision, reason, error, entry } = told;
  const verdict = decision && state(KINDS[decision] ?? "other", decision);
  $("explain-body").replaceChildren(
    el("p", { class: "verdict" }, verdict, el("span", {}, error || reason || "")),
    el("dl", { class: "facts" }, ...facts(told).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    entry?.headers ? fields(entry.headers) : "",
  );
  $("explain-purge").hidden = !entry;
  $("explain-refresh").hidden = !entry;
  $("explain-warm").hidden = Boolean(entry) || Boolean(error);
}

/** [name, value] pairs of what is known. */
function facts(told) {
  const { mirror, ecosystem, key, learns = [], upstreams = [], rule, entry, freshness, digest, fill, policy, redirect } = told;
  const found = [
    ["Mirror", mirror && `/${mirror}/ (${ecosystem}${told.class ? `, ${told.class}` : ""})`],
    ["Key", key && long(key, 32)],
    ["Redirects to", redirect],
    ["Freshness", freshness?.arithmetic],
    ["Stored", entry && stored(entry)],
    ["Used", entry?.hits && used(entry)],
    ["Digest", (digest || entry?.digest) && long(digest || entry.digest, 8)],
    ["Downloading", fill && `${bytes(fill.there)} of ${fill.total ? bytes(fill.total) : "?"}, ${bytes(fill.rate)}/s`],
    ["Rule", rule && ruled(rule)],
    ["Policy", policy && `${policy.allowed ? "gets through" : policy.enforced ? "refused" : "would be refused (mode audit)"}: ${policy.reason || policy.rule}`],
    ["Learns from", learns.length && el("ol", {}, learns.map((one) => el("li", {}, long(one, 32))))],
    ["Asks", upstreams.length && el("ol", {}, upstreams.map((one) => el("li", {}, long(one, 32))))],
    ["Upstreams", told.upstream_states?.length && el("ul", {}, told.upstream_states.map(upstream))],
  ];
  return found.filter(([, value]) => value);
}

function stored({ size, type, status, stored_at: at, blob_present: present }) {
  const lost = present === false ? el("span", { class: "wrong" }, " Its bytes are gone.") : "";
  return el("span", {}, el("span", { title: `${exact(size)} bytes` }, bytes(size)), ` · ${status} ${type ?? ""} · `, moment(at, ago(at)), lost);
}

function used({ hits, last_access: at }) {
  return el("span", {}, `${exact(hits)} times`, at ? el("span", {}, ", last ", moment(at, ago(at))) : "");
}

function ruled({ ttl, grace, keep, negative_ttl: negative, store, immutable }) {
  if (store === false) return "not stored";
  const parts = [
    immutable ? "never changes" : ttl === null || ttl === undefined ? "fresh as its fields say" : `fresh for ${duration(ttl)}`,
    grace ? `used while it is renewed for ${duration(grace)}` : "",
    keep ? `kept for failing upstreams ${duration(keep)}` : "",
    negative ? `a 404 holds ${duration(negative)}` : "",
  ];
  return parts.filter(Boolean).join("; ");
}

function upstream({ name, state: now, since, error }) {
  const kind = { up: "good", busy: "warn", down: "bad" }[now] ?? "";
  return el("li", {}, state(kind, now), ` ${name} `, since ? moment(since, `since ${ago(since)}`) : "", error ? `: ${error}` : "");
}

function fields(headers) {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
  const lines = pairs.map(([name, value]) => `${name}: ${value}`);
  return el("details", {}, el("summary", {}, "Stored fields"), el("pre", { tabindex: 0 }, lines.join("\n")));
}

async function started(path) {
  const told = $("explain-told");
  try {
    await run(path, [url]);
    text(told, "Begun; see Jobs.");
  } catch (error) {
    text(told, error.message);
  }
}

export function start() {
  $("explain-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = $("explain-url").value.trim();
    if (wanted) explain(wanted);
  });
  $("explain-close").addEventListener("click", () => $("explain-dialog").close());
  $("explain-dialog").addEventListener("close", () => text($("explain-told"), ""));
  $("explain-purge").addEventListener("click", () => {
    $("explain-dialog").close();
    preview({ urls: [url] });
  });
  $("explain-refresh").addEventListener("click", () => started("refresh"));
  $("explain-warm").addEventListener("click", () => started("warm"));
}
