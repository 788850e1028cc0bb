// Elements. Whatever comes from outside becomes text nodes and attributes' values, never markup.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** An element. `props`: attributes, and `on` with listeners; null, undefined and false leave an attribute out. */
export function el(name, props = {}, ...children) {
  return filled(document.createElement(name), props, children);
}

/** The same for SVG. */
export function svg(name, props = {}, ...children) {
  return filled(document.createElementNS(SVG, name), props, children);
}

function filled(element, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set an attribute where it changes; null, undefined and false remove it. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else {
    const wanted = value === true ? "" : String(value);
    if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
  }
}

/** Set the text where it changes: a live page must not disturb a selection, or a screen reader, each second. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** A key or an address: where there is no room its head is cut, never its last `tail` characters; the title has all.
 * The two parts are inline, so that it is one word to who copies it, or has it read. */
export function long(value, tail = 22) {
  const at = value.length > tail + 8 ? value.length - tail : value.length;
  const head = el("span", { class: "long-head" }, value.slice(0, at));
  head.style.setProperty("--tail", `${value.length - at}ch`);
  return el("span", { class: "long", title: value }, head, at < value.length && el("span", {}, value.slice(at)));
}

/** A moment, as `words`, with the exact one in the title. `at` in POSIX seconds. */
export function moment(at, words) {
  const date = new Date(at * 1000);
  return el("time", { datetime: date.toISOString(), title: date.toLocaleString("en-GB") }, words);
}

/** Make the children of `list` those of `things`, in order, and keep the elements (and the focus) of those that stay. */
export function keyed(list, things, name, make, update) {
  const before = new Map([...list.children].map((child) => [child.dataset.name, child]));
  let last = null;
  for (const thing of things) {
    const known = String(name(thing));
    const element = before.get(known) ?? make(thing);
    before.delete(known);
    element.dataset.name = known;
    const place = last ? last.nextElementSibling : list.firstElementChild;
    if (element !== place) list.insertBefore(element, place);
    update(element, thing);
    last = element;
  }
  for (const gone of before.values()) gone.remove();
}

/** A table row: `cells` are [class, content] pairs; `data-label` names the column where there is no room for a head. */
export function row(labels, cells) {
  return el(
    "tr",
    { role: "row" },
    cells.map(([kind, content], at) => el("td", { role: "cell", class: kind, "data-label": labels[at] }, content)),
  );
}

/** A word with a mark of the state's colour. */
export function state(kind, words) {
  return el("span", { class: `state ${kind}` }, words);
}

/** Tell a screen reader, once. */
export function say(words) {
  text($("said"), words);
}
