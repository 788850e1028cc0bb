// Starts all parts of the page, and the keys that work everywhere.

import * as clients from "./clients.js";
import * as disk from "./disk.js";
import { $ } from "./dom.js";
import * as entries from "./entries.js";
import * as explain from "./explain.js";
import * as fills from "./fills.js";
import * as held from "./held.js";
import * as jobs from "./jobs.js";
import * as live from "./live.js";
import * as purge from "./purge.js";
import * as status from "./status.js";
import * as token from "./token.js";
import * as totals from "./totals.js";
import * as upstreams from "./upstreams.js";

const WRITING = "input, textarea, select, [contenteditable]";

/** `/` goes to the search, from wherever nothing is being written. Esc closes dialogs by itself. */
function key(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest(WRITING) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  $("search").focus();
  $("search").select();
}

document.addEventListener("keydown", key);
for (const part of [token, status, totals, fills, upstreams, disk, entries, held, purge, explain, jobs, live]) part.start();
clients.load();
token.changes.addEventListener("change", () => {
  clients.load();
  entries.again();
  held.again();
});
