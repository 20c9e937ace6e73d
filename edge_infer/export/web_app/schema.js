// The manifest's columns: text of a cell → value → element of an input tensor. What does not fit is a Misfit.
// The rules are those of edge_infer/columns.py and csv_cells.py, the wording too.
//
// A value is null (missing), a boolean, a number, a BigInt (digits of a whole number) or a text.
import { BadTime, timeType, unitsOf } from "./times.js";

/** Texts that mean a missing value in a CSV, as pandas.read_csv takes them. */
const MISSING_WORDS = new Set(
  "|NA|N/A|n/a|<NA>|#N/A|#N/A N/A|#NA|NaN|nan|-NaN|-nan|1.#IND|-1.#IND|1.#QNAN|-1.#QNAN|NULL|null|None".split("|"),
);
const TRUE_WORDS = new Set(["true", "yes", "1", "1.0", "t", "y"]);
const FALSE_WORDS = new Set(["false", "no", "0", "0.0", "f", "n"]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NON_FINITE = /^([+-]?)(inf|infinity|nan)$/i;
const WHOLE = /^[+-]?\d{1,19}$/;
const EXACT = { float32: 2 ** 24, float64: 2 ** 53 }; // whole numbers up to here are exact
const LARGEST = { float32: 3.4028234663852886e38, float64: Number.MAX_VALUE };
const CONTROL = /[\x00-\x1f\x7f-\xa0\xad]/g;
const LONGEST_SHOWN = 60; // characters of a value in a message

/** A value that its column does not take. */
export class Misfit extends Error {
  constructor(expected, got) {
    super(`expected ${expected}, got ${got}`);
    Object.assign(this, { expected, got });
  }
}

/** A text that the original takes, but onnxruntime-web does not: it ends a text at U+0000. */
export class CutText extends Misfit {
  constructor(text) {
    super("text without the character U+0000, where onnxruntime-web ends it", shortened(repr(text)));
  }
}

/** `app.json`: whole numbers beyond those of JavaScript stand in it as {"whole": digits}. */
export function readDocument(text) {
  return JSON.parse(text, (_, value) => {
    const digits = value && typeof value === "object" && Object.keys(value).length === 1 ? value.whole : undefined;
    return typeof digits === "string" ? BigInt(digits) : value;
  });
}

export const isCoded = (column) => column.kind === "string" && column.categories != null;
export const isFreeText = (column) => column.kind === "string" && column.categories == null;
export const isClosed = (column) => column.categories != null && !column.unknown;
export const isUsed = (column) => column.used !== false;

// --- text → value ------------------------------------------------------------------------

/** The value of a cell's text, null for a missing one. Throws Misfit for what is not of the column's kind. */
export function valueOf(column, text) {
  if (isFreeText(column)) return text;
  if (isMissingWord(column, text) || (column.kind !== "string" && isMissingWord(column, text.trim()))) return null;
  if (column.kind === "string" || column.kind === "datetime") return text;
  if (column.kind === "boolean") return booleanOf(text);
  return column.kind === "integer" ? wholeOf(text) : numberOf(text, "a number");
}

/** A word for a missing value that is a known category is that category. */
function isMissingWord(column, text) {
  return MISSING_WORDS.has(text) && !(column.categories ?? []).includes(text);
}

function numberOf(text, expected) {
  const digits = text.trim();
  if (NUMBER.test(digits)) return Number(digits);
  const special = NON_FINITE.exec(digits);
  if (special === null) throw new Misfit(expected, shortened(repr(text)));
  if (special[2].toLowerCase() === "nan") return null;
  return special[1] === "-" ? -Infinity : Infinity;
}

function wholeOf(text) {
  const digits = text.trim();
  return WHOLE.test(digits) ? BigInt(digits.replace("+", "")) : numberOf(text, "a whole number");
}

function booleanOf(text) {
  const word = text.trim().toLowerCase();
  if (!TRUE_WORDS.has(word) && !FALSE_WORDS.has(word)) {
    throw new Misfit("true or false (or yes, no, 1, 0)", shortened(repr(text)));
  }
  return TRUE_WORDS.has(word);
}

// --- value → element ---------------------------------------------------------------------

/** What a column's values become in its tensor: number, BigInt (int64) or text. It throws Misfit. */
export function elementReader(column, tensor) {
  if (!isUsed(column)) return () => unused(tensor);
  if (isFreeText(column)) return freeText;
  if (column.kind === "string") return categoryReader(column, tensor.missing);
  if (column.kind === "datetime") return timeReader(column);
  return tensor.dtype === "int64" ? wholeReader(column) : numberReader(column, tensor.dtype);
}

function unused(tensor) {
  if (tensor.dtype === "string") return tensor.missing ?? "";
  return tensor.dtype === "int64" ? 0n : 0;
}

function freeText(value) {
  if (value === null) throw new Misfit("text", "a missing value (the original takes none here)");
  if (typeof value !== "string") throw new Misfit("text", described(value));
  if (/\p{Surrogate}/u.test(value)) throw new Misfit("text that UTF-8 can write", "a lone surrogate");
  if (value.includes("\0")) throw new CutText(value);
  return value;
}

function categoryReader(column, sentinel) {
  const known = new Set(column.categories);
  const other = unknownText(known, sentinel);
  return (value) => {
    if (value === null) {
      if (!column.missing) throw new Misfit("text", "a missing value (the original takes none here)");
      return sentinel;
    }
    if (typeof value !== "string") throw new Misfit("text", described(value));
    if (known.has(value)) return value;
    if (!column.unknown) throw new Misfit(`one of ${listing(column)}`, shortened(repr(value)));
    return value === sentinel || value.includes("\0") ? other : value;
  };
}

/** A text that is neither a category nor the sentinel: typed by a caller, the sentinel itself is only unknown. */
function unknownText(known, sentinel) {
  let text = `${sentinel}?`;
  while (known.has(text)) text += "?";
  return text;
}

function timeReader(column) {
  const type = timeType(column.dtype);
  return (value) => {
    if (value === null) throw new Misfit("a date or time", "a missing value (the model takes none here)");
    try {
      return unitsOf(String(value), type);
    } catch (error) {
      throw error instanceof BadTime ? new Misfit(error.message, described(value)) : error;
    }
  };
}

function wholeReader(column) {
  const closed = closedValues(column);
  return (value) => {
    if (value === null) throw new Misfit(`a ${column.kind}`, "a missing value (the model takes none here)");
    if (typeof value === "string") throw new Misfit(`a ${column.kind}`, described(value));
    if (typeof value === "number" && !Number.isInteger(value)) throw new Misfit("a whole number", repr(value));
    const whole = BigInt(value);
    if (whole !== BigInt.asIntN(64, whole)) throw new Misfit("a whole number that fits int64", String(whole));
    if (closed && !closed.has(Number(whole))) throw new Misfit(`one of ${listing(column)}`, String(whole));
    return whole;
  };
}

function numberReader(column, dtype) {
  const closed = closedValues(column);
  const exact = EXACT[dtype];
  const exactWhole = `a whole number that ${dtype} holds exactly (up to ${exact.toLocaleString("en-US")})`;
  const whole = column.kind === "integer";
  return (value) => {
    if (typeof value === "string") throw new Misfit(`a ${column.kind}`, described(value));
    if (typeof value === "bigint" && (value > exact || value < -exact)) throw new Misfit(exactWhole, String(value));
    const number = value === null ? NaN : Number(value);
    if (Number.isNaN(number)) {
      if (!column.missing) throw new Misfit(`a ${column.kind}`, "a missing value (the original takes none here)");
      return number;
    }
    if (!Number.isFinite(number)) {
      if (!column.infinite) throw new Misfit("a finite number", repr(number));
    } else if (Math.abs(number) > (whole ? exact : LARGEST[dtype])) {
      throw new Misfit(whole ? exactWhole : `a number that fits ${dtype}`, repr(number));
    }
    if (closed && !closed.has(number)) throw new Misfit(`one of ${listing(column)}`, repr(number));
    return number;
  };
}

const closedValues = (column) => (isClosed(column) ? new Set(column.categories.map(Number)) : null);

// --- wording -----------------------------------------------------------------------------

/** A value as Python writes it, so that both tell the same. */
export function repr(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return reprText(value);
  if (typeof value === "bigint") return String(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const small = value !== 0 && Math.abs(value) < 1e-4;
  if (small || Math.abs(value) >= 1e16) return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  return Number.isInteger(value) ? `${Object.is(value, -0) ? "-0" : value}.0` : String(value);
}

function reprText(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`);
  return (
    quote +
    escaped
      .replaceAll("\n", "\\n")
      .replaceAll("\r", "\\r")
      .replaceAll("\t", "\\t")
      .replace(CONTROL, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`) +
    quote
  );
}

function described(value) {
  const kinds = { string: "text", boolean: "true/false", bigint: "a whole number", number: "a number" };
  return `${kinds[typeof value]} ${shortened(repr(value))}`;
}

const shortened = (text) => text.slice(0, LONGEST_SHOWN);

/** The first known categories, as a message lists them. */
function listing(column) {
  const shown = column.categories
    .slice(0, 6)
    .map((known) => repr(asKind(column, known)))
    .join(", ");
  return column.categories.length > 6 ? `${shown}, … (${column.categories.length} known)` : shown;
}

/** JSON does not tell 1 from 1.0; the kind does. */
const asKind = (column, known) => (column.kind === "integer" && typeof known === "number" ? BigInt(known) : known);
