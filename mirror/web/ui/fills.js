// What is being downloaded now, with bars that move.

import { $, el, keyed, long, set, text } from "./dom.js";
import { bytes, counted, duration, rate, share } from "./format.js";
import { live } from "./live.js";

const SHOWN = 50;
const STATES = { opening: "asking the upstream", running: "", storing: "verifying and storing" };

function made({ key }) {
  return el(
    "li",
    { class: "fill" },
    long(key),
    el("div", { class: "bar", role: "progressbar", "aria-label": `Download of ${key}` }, el("div", { class: "bar-full" })),
    el("p", { class: "fill-foot" }, el("span", { class: "amount" }), el("span", { class: "pace" })),
  );
}

function update(element, fill) {
  const { there, total, rate: speed, readers, segments, age, stored, state } = fill;
  const bar = element.querySelector(".bar");
  const percent = total ? Math.min(100, (100 * there) / total) : null;
  set(bar, "class", percent === null ? "bar unknown" : "bar");
  set(bar, "aria-valuemin", 0);
  set(bar, "aria-valuemax", 100);
  set(bar, "aria-valuenow", percent === null ? null : Math.floor(percent));
  set(bar, "aria-valuetext", total ? `${share(there, total)}, ${bytes(there)} of ${bytes(total)}` : bytes(there));
  bar.firstElementChild.style.setProperty("width", percent === null ? "100%" : `${percent.toFixed(2)}%`);
  const of = total ? `${bytes(there)} of ${bytes(total)} · ${share(there, total)}` : `${bytes(there)}, length not known`;
  text(element.querySelector(".amount"), of);
  const left = total && speed > 0 ? `${duration((total - there) / speed)} left` : "";
  const parts = [
    rate(speed),
    left,
    counted(readers, "reader"),
    segments > 1 && counted(segments, "connection"),
    `for ${duration(age)}`,
    STATES[state],
    stored === false && "not stored",
  ];
  text(element.querySelector(".pace"), parts.filter(Boolean).join(" · "));
}

function show(fills) {
  const shown = [...fills].sort((one, other) => other.age - one.age).slice(0, SHOWN);
  keyed($("fills"), shown, ({ key }) => key, made, update);
  $("fills-none").hidden = fills.length > 0;
  const speed = fills.reduce((sum, fill) => sum + fill.rate, 0);
  const more = fills.length > SHOWN ? `, ${SHOWN} shown` : "";
  text($("fills-count"), fills.length ? `${counted(fills.length, "download")}${more} · ${rate(speed)}` : "");
}

export function start() {
  live.addEventListener("fills", ({ detail }) => show(detail.fills));
  live.addEventListener("state", ({ detail }) => detail.state === "away" && show([]));
}
