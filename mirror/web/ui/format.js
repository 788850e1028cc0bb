// Numbers, sizes and times for people. Sizes count in thousands, as config.toml does.

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const NOTHING = "–";
const SPACE = "\u00a0"; // a number and its unit stay on one line

function three(value) {
  return value >= 99.95 || Number.isInteger(value) ? WHOLE.format(value) : value.toFixed(value >= 9.995 ? 1 : 2);
}

/** `1.23 GB`: three digits. */
export function bytes(count) {
  if (count === null || count === undefined) return NOTHING;
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return three(value) + SPACE + UNITS[unit];
}

/** `12,345`, and `12.3 M` where nobody reads all digits. */
export function number(count) {
  if (count === null || count === undefined) return NOTHING;
  if (count < 1e6) return WHOLE.format(count);
  return count < 999.5e6 ? `${three(count / 1e6)}${SPACE}M` : `${three(count / 1e9)}${SPACE}G`;
}

/** All digits. */
export const exact = (count) => WHOLE.format(count);

/** `1 entry`, `2 entries`. */
export const counted = (count, one, many = `${one}s`) => `${exact(count)} ${count === 1 ? one : many}`;

/** `91.3 %` of a share between 0 and 1; nothing of nothing is no share. */
export function share(part, whole) {
  if (!whole) return NOTHING;
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 0.1) return `<${SPACE}0.1${SPACE}%`;
  if (percent < 100 && percent > 99.9) return `>${SPACE}99.9${SPACE}%`;
  return `${percent >= 99.95 || percent === 0 ? percent.toFixed(0) : percent.toFixed(1)}${SPACE}%`;
}

/** `8.2 MB/s`. */
export const rate = (perSecond) => `${bytes(Math.round(perSecond))}/s`;

const STEPS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** `3 d 4 h`: the two largest units. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  const whole = Math.max(0, Math.round(seconds));
  const at = STEPS.findIndex(([size]) => whole >= size);
  if (at < 0) return `0${SPACE}s`;
  const [size, unit] = STEPS[at];
  const first = `${Math.floor(whole / size)}${SPACE}${unit}`;
  const [lesser, name] = STEPS[at + 1] ?? [0, ""];
  const rest = lesser ? Math.floor((whole % size) / lesser) : 0;
  return rest && at < 2 ? `${first}${SPACE}${rest}${SPACE}${name}` : first;
}

/** `3 h`: the largest unit, the exact moment stands beside it; of one of them, the next unit too. */
export function about(seconds) {
  const [first, second] = duration(seconds).split(/(?<=[a-z]) ?\u00a0/);
  return second && first.startsWith(`1${SPACE}`) ? `${first}${SPACE}${second}` : first;
}

/** `3 min ago`. `at` in POSIX seconds. */
export function ago(at, now = Date.now() / 1000) {
  return now - at < 2 ? "just now" : `${about(now - at)} ago`;
}
