// Elements of the page. Texts of a model become text nodes: nothing of them is ever read as HTML.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children (elements or texts); an attribute of null or false is left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const UNSAFE = /[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** A text for people: control characters, and those that turn the order of what stands around them, as escapes. */
export const tamed = (text) =>
  text.replace(UNSAFE, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

const PLAIN = new Intl.NumberFormat("en", { maximumSignificantDigits: 6, useGrouping: false });

/** A number for people: six digits; very large and very small ones four and an exponent. */
export function shortNumber(value) {
  if (typeof value !== "number" || !Number.isFinite(value) || value === 0) return String(value);
  const size = Math.abs(value);
  return size >= 1e9 || size < 1e-4 ? Number(value.toPrecision(4)).toExponential() : PLAIN.format(value);
}

export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

export function bytesText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
