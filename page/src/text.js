// Values as people read them.

// Names may be of any characters: what is invisible, or changes the direction of writing, is shown as its number.
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const MOST = 200;

export function shown(text) {
  const plain = String(text ?? "").replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return plain.length > MOST ? `${plain.slice(0, MOST)}…` : plain;
}

export function rule(one) {
  if (!one) return "";
  const place = one.index < 0 ? " default" : `[${one.index}]`;
  const name = one.name ? ` "${shown(one.name)}"` : "";
  const tier = one.tier && one.tier !== "NetworkPolicy" ? ` in ${one.tier}` : "";
  return `${shown(one.policy)} ${one.direction}${place}${name}${tier}`;
}

export function end(one) {
  if (!one) return "–";
  const port = one.port === undefined ? "" : `:${one.port}`;
  const address = one.address.includes(":") && port ? `[${one.address}]` : one.address;
  return (one.pod ? shown(one.pod) : address) + port;
}

const number = new Intl.NumberFormat("en");
export const count = (value) => number.format(Math.round(value));

export function short(value) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return `${(value / size).toFixed(value >= size * 10 ? 0 : 1)}${unit}`;
  }
  return value >= 10 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
}

export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds / 60) % 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds / 3600) % 24)} h`;
}

export const ago = (ms) => (ms ? `${span(Date.now() - ms)} ago` : "never");
export const millis = (ms) => (ms === 0 ? "–" : ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`);

export const time = (ms) => new Date(ms).toLocaleTimeString("en-GB");
export const clock = (ms) => `${time(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, "0")}`;
