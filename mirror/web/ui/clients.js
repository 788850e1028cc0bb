// The exact line that points each client here, with a button that copies it.

import { call } from "./api.js";
import { $, el, say, text } from "./dom.js";

const NOTE = /^(.*\S)\s{2,}\((.+)\)$/; // a line, and what is said of it, which must not be pasted
const SHORT = 1600; // ms that "Copied" stands

function parted(line) {
  const found = NOTE.exec(line);
  return found ? [found[1], found[2]] : [line, ""];
}

function client({ client: name, lines }, mirror) {
  const pairs = lines.map(parted);
  const whole = pairs.map(([line]) => line).join("\n");
  const notes = pairs.map(([, note]) => note).filter(Boolean);
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy the lines of ${name} for /${mirror}/` }, "Copy");
  const code = el("code", { tabindex: 0, "aria-label": `Lines of ${name} for /${mirror}/`, role: "group" }, whole);
  button.addEventListener("click", () => copy(button, code));
  return el(
    "div",
    { class: "client" },
    el("h4", {}, name),
    el("div", { class: "line" }, code, button),
    notes.length > 0 && el("p", { class: "muted" }, notes.join("; ")),
  );
}

/** navigator.clipboard is there with https and on loopback alone: elsewhere the text is selected and copied. */
async function copy(button, code) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    copied = document.execCommand("copy");
  }
  text(button, copied ? "Copied" : "Selected");
  say(copied ? "Copied" : "Selected; copy it with the keyboard");
  setTimeout(() => text(button, "Copy"), SHORT);
}

export async function load() {
  try {
    const { mirrors } = await call("clients", { quiet: true });
    const told = mirrors.filter(({ clients }) => clients.length);
    $("clients").replaceChildren(
      ...told.map(({ name, ecosystem, clients }) =>
        el(
          "section",
          { "aria-label": `Clients of /${name}/` },
          el("h3", {}, `/${name}/ `, el("span", { class: "muted" }, ecosystem)),
          ...clients.map((one) => client(one, name)),
        ),
      ),
    );
    $("clients-note").hidden = told.length > 0;
    text($("clients-note"), "No mirror that a client could be pointed at.");
  } catch (error) {
    $("clients-note").hidden = false;
    text($("clients-note"), `The lines cannot be told: ${error.message}`);
  }
}
