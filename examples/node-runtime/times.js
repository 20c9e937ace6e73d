// Dates and times → what a column of the kind "datetime" is fed: whole units since 1970-01-01T00:00, rounded down.
const TYPE = /^datetime64\[(D|h|m|s|ms|us|ns)(, [^\]]+)?\]$/;
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?/;
const ZONE = /^(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;
const SECOND = 10n ** 9n; // in nanoseconds, which everything is counted in first
const NANOSECONDS = {
  D: 86400n * SECOND,
  h: 3600n * SECOND,
  m: 60n * SECOND,
  s: SECOND,
  ms: 10n ** 6n,
  us: 1000n,
  ns: 1n,
};

/** A Date, or ISO 8601 text ("2024-05-01", "2024-05-01T12:30:00", "2024-05-01T12:30+02:00"), as a number. Throws. */
export function units(value, dtype) {
  const [, unit, zoned] = TYPE.exec(dtype) ?? [];
  if (unit === undefined) throw new Error(`expected a type of times in the manifest, got ${dtype}`);
  const text = value instanceof Date && !Number.isNaN(+value) ? value.toISOString() : value;
  const found = typeof text === "string" && DATE.exec(text);
  const rest = found && text.slice(found[0].length);
  if (!found || (rest && !ZONE.test(rest)))
    throw new Error('expected a date or time such as "2024-05-01" or "2024-05-01T12:30:00"');
  if (rest && !zoned) throw new Error("expected a time without a time zone, as in training (a Date has one)");
  if (zoned && !rest) throw new Error('expected a time with its time zone, such as "2024-05-01T12:30+02:00"');
  const whole = floored(nanoseconds(found) - offset(rest), NANOSECONDS[unit]);
  if (whole !== BigInt.asIntN(64, whole)) throw new Error(`expected a time that 64 bits of ${unit} hold`);
  return Number(whole);
}

function nanoseconds([, date, minutes = "00:00", seconds = "00", fraction = ""]) {
  const written = `${date}T${minutes}:${seconds}.000Z`;
  const moment = new Date(written);
  const exists = !Number.isNaN(+moment) && moment.toISOString() === written && moment.getUTCFullYear() > 0;
  if (!exists) throw new Error("expected a date and time that exist");
  return BigInt(+moment) * 10n ** 6n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

function offset(zone) {
  const [, sign, hours, minutes] = ZONE.exec(zone) ?? [];
  if (sign === undefined) return 0n; // none, or UTC
  const ahead = (BigInt(hours) * 60n + BigInt(minutes)) * 60n * SECOND;
  return sign === "-" ? -ahead : ahead;
}

function floored(value, unit) {
  return value / unit - (value % unit < 0n ? 1n : 0n);
}
