// Small charts in SVG: stacked columns of amounts, and lines of shares. The pointer, or the arrow keys, read a column.

import { el, set, svg, text } from "./dom.js";

const HEIGHT = 116;
const LEFT = 52; // room for the scale
const RIGHT = 6;
const TOP = 8;
const BOTTOM = 20; // room for the times

/** The next number that can be halved well: one digit, and noughts. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) * power;
}

export class Chart {
  /**
   * `series`: [{name, kind, of(sample)}], a number or null where there is none. `scale`: writes a value; `top`: the
   * scale's end, else as the samples want; `lines`: lines instead of columns.
   */
  constructor(place, { title, series, scale, top, lines = false }) {
    Object.assign(this, { series, scale, top, lines, title });
    this.samples = [];
    this.at = -1;
    this.picture = svg("svg", { role: "img", height: HEIGHT, tabindex: 0 });
    this.reading = el("p", { class: "reading" });
    this.legend = el("ul", { class: "legend" });
    const heading = el("h3", {}, title);
    place.append(el("div", { class: "chart-head" }, heading, this.reading), this.picture, this.legend);
    this.picture.addEventListener("pointermove", (event) => this.read(this.column(event)));
    this.picture.addEventListener("pointerleave", () => this.read(-1));
    this.picture.addEventListener("blur", () => this.read(-1));
    this.picture.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  /** `samples`: [{at, until, ...}], the oldest first. */
  show(samples) {
    this.samples = samples;
    this.draw();
  }

  column(event) {
    const { left, width } = this.picture.getBoundingClientRect();
    const at = ((event.clientX - left - LEFT) / (width - LEFT - RIGHT)) * this.samples.length;
    return at >= 0 && at < this.samples.length ? Math.floor(at) : -1;
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || !this.samples.length) return;
    event.preventDefault();
    const from = this.at < 0 ? this.samples.length : this.at;
    this.read(Math.max(0, Math.min(this.samples.length - 1, from + steps[event.key])));
  }

  /** Show the numbers of one column, -1: of none. */
  read(at) {
    this.at = at;
    const sample = this.samples[at];
    this.marker?.setAttribute("visibility", sample ? "visible" : "hidden");
    if (!sample) return text(this.reading, "");
    const step = this.width / this.samples.length;
    set(this.marker, "x", LEFT + at * step);
    const each = this.series.map(({ name, of }) => `${name} ${this.scale(of(sample))}`);
    return text(this.reading, `${clock(sample.at)}  ${each.join(" · ")}`);
  }

  draw() {
    const outer = this.picture.clientWidth;
    if (!outer) return;
    this.width = outer - LEFT - RIGHT;
    set(this.picture, "viewBox", `0 0 ${outer} ${HEIGHT}`);
    const top = this.top ?? ceiling(Math.max(0, ...this.samples.map((sample) => this.sum(sample))));
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    const step = this.width / Math.max(1, this.samples.length);
    this.marker = svg("rect", { class: "marker", y: TOP, width: step, height: HEIGHT - TOP - BOTTOM, visibility: "hidden" });
    const drawn = this.lines ? this.lined(step, y) : this.stacked(step, y);
    this.picture.replaceChildren(...this.frame(top, y, outer), this.marker, ...drawn);
    set(this.picture, "aria-label", this.told());
    this.legend.replaceChildren(...this.series.map(({ name, kind }) => el("li", { class: kind }, name)));
    this.read(this.at < this.samples.length ? this.at : -1);
  }

  sum(sample) {
    return this.series.reduce((sum, { of }) => sum + (of(sample) ?? 0), 0);
  }

  frame(top, y, outer) {
    const lines = [0, top / 2, top].map((value) => svg("path", { class: "grid", d: `M${LEFT} ${y(value)}H${outer - RIGHT}` }));
    const marks = [top / 2, top].map((value) => label(LEFT - 6, y(value) + 4, "end", this.scale(value)));
    const [first] = this.samples;
    const times = first
      ? [label(LEFT, HEIGHT - 4, "start", clock(first.at)), label(outer - RIGHT, HEIGHT - 4, "end", "now")]
      : [label(LEFT + this.width / 2, HEIGHT / 2, "middle", "Nothing yet")];
    return [...lines, ...marks, ...times];
  }

  /** One path for each series: its parts of all columns. */
  stacked(step, y) {
    const below = this.samples.map(() => 0);
    const gap = step > 4 ? 1 : 0;
    return this.series.map(({ kind, of }) => {
      const parts = this.samples.map((sample, at) => {
        const value = of(sample) ?? 0;
        const [from, to] = [y(below[at]), y((below[at] += value))];
        return value ? `M${(LEFT + at * step).toFixed(1)} ${from.toFixed(1)}h${(step - gap).toFixed(1)}V${to.toFixed(1)}h-${(step - gap).toFixed(1)}z` : "";
      });
      return svg("path", { class: `column ${kind}`, d: parts.join("") });
    });
  }

  /** One path for each series, broken where there is no value; a value that stands alone is a dot. */
  lined(step, y) {
    return this.series.map(({ kind, of }) => {
      let pen = "M";
      const points = this.samples.map((sample, at) => {
        const value = of(sample);
        if (value === null) return (pen = "M"), "";
        const point = `${pen}${(LEFT + (at + 0.5) * step).toFixed(1)} ${y(value).toFixed(1)}${pen === "M" ? "h.01" : ""}`;
        pen = "L";
        return point;
      });
      return svg("path", { class: `line ${kind}`, d: points.join("") });
    });
  }

  /** The chart in a sentence. */
  told() {
    const each = this.series.map(({ name, of }) => {
      const values = this.samples.map(of).filter((value) => value !== null);
      if (!values.length) return `${name}: nothing`;
      return `${name}: ${this.scale(values.at(-1))} now, at most ${this.scale(Math.max(...values))}`;
    });
    return `${this.title}. ${each.join("; ")}. Arrow keys read it.`;
  }
}

function label(x, y, anchor, words) {
  return svg("text", { x, y, "text-anchor": anchor }, words);
}

function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}
