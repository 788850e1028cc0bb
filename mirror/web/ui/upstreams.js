// The upstreams: which are ill, since when, and why. The ill ones come first.

import { $, el, keyed, long, moment, row, set, state, text } from "./dom.js";
import { ago, counted, duration } from "./format.js";
import { live } from "./live.js";

const ORDER = ["down", "busy", "up"];
const KINDS = { up: "good", busy: "warn", down: "bad" };
const LABELS = ["State", "Upstream", "Since", "Last error"];

function cells(one) {
  const resting = one.resting > 0 ? `, asked again in ${duration(one.resting)}` : "";
  const mirrors = one.mirrors.map((name) => `/${name}/`).join(" ");
  return [
    ["", state(KINDS[one.state] ?? "", one.state)],
    ["wide", el("span", { class: "two" }, long(one.name, 16), el("span", { class: "muted" }, mirrors))],
    ["", one.since ? moment(one.since, ago(one.since)) : "–"],
    ["error", failure(one, resting)],
  ];
}

function failure({ error, error_at: at, state: now }, resting) {
  if (!error) return el("span", { class: "muted" }, resting ? resting.slice(2) : "none");
  const when = at ? el("span", { class: "muted" }, " ", moment(at, ago(at)), resting) : null;
  return el("span", { class: now === "up" ? "muted" : "" }, error, when);
}

function show({ upstreams }) {
  if (!upstreams) return;
  const sorted = [...upstreams].sort(
    (one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state) || one.name.localeCompare(other.name),
  );
  const make = () => el("tr", { role: "row" });
  keyed($("upstreams"), sorted, ({ name }) => name, make, (element, one) => {
    const made = row(LABELS, cells(one));
    if (element.innerText && element.dataset.told === made.textContent) return;
    element.dataset.told = made.textContent;
    element.replaceChildren(...made.children);
  });
  const ill = upstreams.filter((one) => one.state !== "up").length;
  $("upstreams-none").hidden = upstreams.length > 0;
  set($("upstreams-table"), "hidden", upstreams.length === 0);
  const good = upstreams.length ? `${upstreams.length === 1 ? "it is" : `all ${upstreams.length} are`} up` : "";
  text($("upstreams-count"), ill ? `${counted(ill, "is", "are")} ill` : good);
}

export function start() {
  live.addEventListener("stats", ({ detail }) => show(detail));
}
