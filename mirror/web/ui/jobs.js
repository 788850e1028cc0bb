// Warm, and the jobs that run or have ended: how far they are, and what failed.

import { call } from "./api.js";
import { $, el, keyed, moment, set, state, text } from "./dom.js";
import { ago, bytes, counted, exact } from "./format.js";

const RUNNING = 1000; // ms between questions while one runs
const IDLE = 30_000;
const SHOWN = 8;
const KINDS = { running: "other", done: "good", failed: "bad", stopped: "muted" };

let timer = 0;

/** Begin a job of those addresses: `path` is warm or refresh. Raises what the API refuses. */
export async function run(path, urls) {
  const job = await call(path, { body: { urls } });
  await look();
  return job;
}

async function look() {
  clearTimeout(timer);
  let wait = IDLE;
  try {
    const { jobs } = await call("jobs", { quiet: true });
    jobs.sort((one, other) => other.began - one.began);
    show(jobs.slice(0, SHOWN));
    if (jobs.some((job) => job.state === "running")) wait = RUNNING;
  } catch {
    // away, or not allowed: both are said elsewhere
  }
  timer = setTimeout(look, wait);
}

function show(jobs) {
  keyed($("jobs"), jobs, ({ id }) => id, made, update);
  $("jobs-none").hidden = jobs.length > 0;
}

function made({ id }) {
  return el(
    "li",
    { class: "job" },
    el("div", { class: "job-head" }, el("span", { class: "job-state" }), el("strong"), el("span", { class: "muted" })),
    el("div", { class: "bar small", role: "progressbar", "aria-label": "Progress" }, el("div", { class: "bar-full" })),
    el("button", { type: "button", class: "small", on: { click: () => stop(id) } }, "Stop"),
    el("details", {}, el("summary"), el("ul")),
  );
}

function update(element, job) {
  const { kind, done, total, failed, bytes: size, state: now, began, current, error, failures = [] } = job;
  element.querySelector(".job-state").replaceChildren(state(KINDS[now] ?? "", now));
  const of = total === null ? exact(done) : `${exact(done)} of ${exact(total)}`;
  text(element.querySelector("strong"), `${kind}: ${of}${failed ? `, ${counted(failed, "failed", "failed")}` : ""}`);
  const place = element.querySelector(".job-head .muted");
  place.replaceChildren(`${bytes(size)} · begun `, moment(began, ago(began)), error ? ` · ${error}` : now === "running" && current ? ` · ${current}` : "");
  const bar = element.querySelector(".bar");
  bar.hidden = now !== "running";
  set(bar, "aria-valuemax", total ?? 1);
  set(bar, "aria-valuenow", total ? done : null);
  bar.firstElementChild.style.setProperty("width", total ? `${(100 * done) / total}%` : "100%");
  element.querySelector("button").hidden = now !== "running";
  const details = element.querySelector("details");
  details.hidden = failures.length === 0;
  text(details.firstElementChild, counted(failures.length, "failure"));
  if (details.lastElementChild.children.length !== failures.length) {
    details.lastElementChild.replaceChildren(...failures.map(({ url, reason }) => el("li", {}, `${url}: ${reason}`)));
  }
}

async function stop(id) {
  await call(`jobs/${encodeURIComponent(id)}`, { method: "DELETE" }).catch((error) => text($("warm-told"), error.message));
  look();
}

async function warm(event) {
  event.preventDefault();
  const urls = $("warm-urls").value.split("\n").map((line) => line.trim());
  const wanted = urls.filter(Boolean);
  if (!wanted.length) return $("warm-urls").focus();
  text($("warm-told"), "");
  try {
    await run("warm", wanted);
    $("warm-urls").value = "";
    return text($("warm-told"), `Fetching ${counted(wanted.length, "address", "addresses")}.`);
  } catch (error) {
    return text($("warm-told"), `Not begun: ${error.message}`);
  }
}

export function start() {
  $("warm-form").addEventListener("submit", warm);
  look();
}
