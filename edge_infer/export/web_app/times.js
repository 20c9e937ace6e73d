// What a column of dates counts: whole units since 1970-01-01T00:00 (UTC, where training had a time zone).
// The rules are those of edge_infer/times.py and time_units.py; FORMAT.md, section 3, "How a value becomes an element".

const TIME_DTYPE = /^datetime64\[(D|h|m|s|ms|us|ns)(, [^\]]{1,60})?\]$/;
const TIME_TEXT =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const LONGEST_TIME = 40; // characters
const SECOND = 1_000_000_000n; // in nanoseconds, which everything is counted in first
const NANOSECONDS = { D: 86_400n * SECOND, h: 3600n * SECOND, m: 60n * SECOND, s: SECOND, ms: 10n ** 6n, us: 1000n, ns: 1n };
export const TIME_EXPECTED = 'a date or time such as "2024-05-01" or "2024-05-01T12:30:00"';

/** A text that is no time of its column; the message says what was expected. */
export class BadTime extends Error {}

/** The column's `dtype` as {unit, zoned}. */
export function timeType(dtype) {
  const match = TIME_DTYPE.exec(dtype);
  return { unit: match[1], zoned: match[2] !== undefined };
}

/** ISO 8601 text → whole units as a Number, rounded down. Throws BadTime. */
export function unitsOf(text, { unit, zoned }) {
  const match = text.length <= LONGEST_TIME ? TIME_TEXT.exec(text.trim()) : null;
  const moment = match && momentOf(match);
  if (moment === null) throw new BadTime(TIME_EXPECTED);
  if (match[8] !== undefined && !zoned) throw new BadTime("a time without a time zone, as in training");
  if (match[8] === undefined && zoned) {
    throw new BadTime('a time with its time zone, such as "2024-05-01T12:30+02:00"');
  }
  const [first, last] = unit === "ns" ? [1678, 2261] : [1, 9999];
  const year = new Date(Number(floorDivided(moment, NANOSECONDS.ms))).getUTCFullYear();
  if (year < first || year > last) throw new BadTime(`a time of the years ${first} to ${last}`);
  return Number(floorDivided(moment, NANOSECONDS[unit]));
}

/** Nanoseconds since 1970 in UTC, as a BigInt; null for a day or time that no calendar has. */
function momentOf([, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone]) {
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const real = Number(year) > 0 && date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
  if (!real || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  const finer = BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return BigInt(date.getTime()) * NANOSECONDS.ms + finer - offsetOf(zone) * NANOSECONDS.m;
}

/** Minutes ahead of UTC. */
function offsetOf(zone) {
  if (zone === undefined || zone === "Z") return 0n;
  const minutes = BigInt(zone.slice(1, 3)) * 60n + BigInt(zone.slice(-2));
  return zone.startsWith("-") ? -minutes : minutes;
}

function floorDivided(value, by) {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/** For people: the time of a number of units, without a midnight. */
export function shownTime(number, { unit, zoned }) {
  const perMillisecond = Number(NANOSECONDS.ms) / Number(NANOSECONDS[unit]);
  const date = new Date(number / perMillisecond);
  if (Number.isNaN(date.getTime())) return String(number);
  const text = date
    .toISOString()
    .replace("T", " ")
    .replace(/\.000Z$|Z$/, "")
    .replace(/ 00:00:00$/, "");
  return zoned ? `${text} UTC` : text;
}
