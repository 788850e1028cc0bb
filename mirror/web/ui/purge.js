// Purge: what would go is shown first, then it is asked for, then what went is told.

import { call } from "./api.js";
import { $, el, long, say, text } from "./dom.js";
import { bytes, counted, exact } from "./format.js";

const EACH = 500; // ms between questions about a job
const HINTS = {
  urls: "Addresses as clients ask for them, one a line: /pypi/simple/six/",
  prefixes: "Beginnings of addresses, one a line: /npm/@acme/",
  globs: "One a line; * within a segment, ** across: /pypi/**/*.whl",
  tags: "Tags as entries show them, one a line: npm:react",
  purls: "Package URLs, one a line: pkg:pypi/six, pkg:npm/%40acme/x@1.0.0",
  mirrors: "Names of mirrors, one a line: npm",
};

/** Tells `purged` when something went. */
export const purged = new EventTarget();

/** What clients ask for to get what is stored under this key: the key without its variant. */
export const address = (key) => key.split(" ")[0];

let selection = {};
let looking = null; // the job of a preview; one that purges goes on when the dialog is closed
let stage = 0; // a later preview makes the answers to earlier ones void

const changed = (soft) => (soft ? "expired" : "purged");

/** Show what a selection would purge, and ask. */
export async function preview(wanted) {
  selection = wanted;
  const mine = ++stage;
  $("purge-soft").checked = false;
  $("purge-soft-line").hidden = $("purge-go").hidden = true;
  $("purge-list").replaceChildren();
  tell("Looking what would go …", "");
  text($("purge-cancel"), "Cancel");
  if (!$("purge-dialog").open) $("purge-dialog").showModal();
  $("purge-cancel").focus();
  try {
    const found = await whole(await call("purge", { body: { ...selection, dry_run: true } }), mine);
    if (mine === stage) offer(found);
  } catch (error) {
    if (mine === stage) tell("It cannot be told what would go", error.message);
  }
}

function offer(found) {
  if (!found.matched && !found.in_flight) {
    tell("Nothing would go", "Nothing that is stored matches.");
    return;
  }
  const title = `Purge ${counted(found.matched, "entry", "entries")}, ${bytes(found.bytes)}?`;
  tell(title, `${counted(found.bytes, "byte")} would be freed.${flying(found)}`);
  list(found);
  $("purge-soft-line").hidden = $("purge-go").hidden = false;
  $("purge-go").dataset.count = found.matched;
  $("purge-go").dataset.size = bytes(found.bytes);
  named();
  $("purge-go").disabled = false;
}

function named() {
  const { count, size } = $("purge-go").dataset;
  const entries = counted(Number(count), "entry", "entries");
  text($("purge-go"), $("purge-soft").checked ? `Expire ${entries}` : `Purge ${entries} (${size})`);
}

function flying({ in_flight: count }) {
  return count ? ` ${counted(count, "running download")} of it will reach its readers, and not be stored.` : "";
}

function list({ entries, matched }) {
  const more = matched - entries.length;
  const lines = entries.map((key) => el("li", {}, long(key)));
  if (more > 0) lines.push(el("li", { class: "muted" }, `and ${exact(more)} more`));
  $("purge-list").replaceChildren(...lines);
}

async function go() {
  const mine = ++stage;
  const soft = $("purge-soft").checked;
  $("purge-go").hidden = $("purge-soft-line").hidden = true;
  tell(soft ? "Expiring …" : "Purging …", "");
  text($("purge-cancel"), "Close");
  $("purge-cancel").focus();
  try {
    done(await whole(await call("purge", { body: { ...selection, soft } }), mine), soft);
  } catch (error) {
    tell("The purge failed", error.message);
  }
  purged.dispatchEvent(new Event("purged"));
}

function done(found, soft) {
  const freed = soft ? "the bytes are kept" : `${bytes(found.bytes)} freed`;
  const title = `${counted(found.purged, "entry", "entries")} ${changed(soft)}, ${freed}`;
  const less = found.purged < found.matched ? `${counted(found.matched - found.purged, "entry", "entries")} could not be.` : "";
  tell(title, less + flying(found));
  list(found);
  say(title);
}

/** The answer itself, or, where it became a job, that job's result when it has ended. */
async function whole(answer, mine) {
  if (answer.dry_run) looking = answer.job ?? null;
  while (answer.job && mine === stage) {
    const { state, done: count, total, result, error } = await call(`jobs/${encodeURIComponent(answer.job)}`);
    if (state !== "running") looking = null;
    if (state === "done") return { ...answer, ...result, job: null };
    if (state !== "running") throw new Error(error || `it was ${state} after ${counted(count, "entry", "entries")}`);
    text($("purge-detail"), `${exact(count)}${total ? ` of ${exact(total)}` : ""} so far`);
    await new Promise((over) => setTimeout(over, EACH));
  }
  return answer;
}

function tell(title, detail) {
  text($("purge-title"), title);
  text($("purge-detail"), detail);
}

function form(event) {
  event.preventDefault();
  const kind = $("purge-kind").value;
  if (kind === "everything") {
    preview({ everything: true });
    return;
  }
  const lines = $("purge-what").value.split("\n").map((line) => line.trim());
  const wanted = lines.filter(Boolean);
  if (wanted.length) preview({ [kind]: wanted });
  else $("purge-what").focus();
}

function kind() {
  const hint = HINTS[$("purge-kind").value];
  $("purge-what-line").hidden = !hint;
  text($("purge-hint"), hint ?? "All that is stored, of all mirrors.");
}

export function start() {
  $("purge-form").addEventListener("submit", form);
  $("purge-kind").addEventListener("change", kind);
  $("purge-soft").addEventListener("change", named);
  $("purge-go").addEventListener("click", go);
  $("purge-cancel").addEventListener("click", () => $("purge-dialog").close());
  $("purge-dialog").addEventListener("close", () => {
    stage += 1;
    if (looking) call(`jobs/${encodeURIComponent(looking)}`, { method: "DELETE", quiet: true }).catch(() => {});
    looking = null;
  });
  kind();
}
