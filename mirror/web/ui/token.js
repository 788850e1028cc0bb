// The token of who looks: asked for where the server wants one, kept as long as this tab.

import { $ } from "./dom.js";

const KEY = "mirror-token";
let kept = read();
let asking = null;

export const changes = new EventTarget();

function read() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is switched off: it lasts as long as the page
  }
}

export const fields = () => (kept ? { Authorization: `Bearer ${kept}` } : {});

function keep(token) {
  kept = token;
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
  $("forget-token").hidden = !token;
  changes.dispatchEvent(new Event("change"));
}

/** Ask for a token, once for all who need it now; false where none is given. */
export function ask(reason) {
  asking ??= new Promise((answered) => {
    const dialog = $("token-dialog");
    const field = $("token-field");
    $("token-reason").textContent = kept ? `The token was not accepted: ${reason}.` : `The server says: ${reason}.`;
    field.value = "";
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        asking = null;
        const given = dialog.returnValue === "given" && field.value.trim();
        if (given) keep(given);
        field.value = "";
        answered(Boolean(given));
      },
      { once: true },
    );
    dialog.showModal();
    field.focus();
  });
  return asking;
}

export function start() {
  $("forget-token").hidden = !kept;
  $("forget-token").addEventListener("click", () => keep(""));
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("token-field").value.trim()) $("token-dialog").close("given");
  });
  $("token-cancel").addEventListener("click", () => $("token-dialog").close(""));
}
