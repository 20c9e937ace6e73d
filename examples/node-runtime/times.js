// Dates and times → what a column of the kind "datetime" is fed: whole units since 1970-01-01T00:00, rounded down.
const TYPE = /^datetime64\[(D|h|m|s|ms|us|ns)(, [^\]]+)?\]$/;
const TEXT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(?:(Z)|([+-])([01]\d|2[0-3]):([0-5]\d))?$/;
const NANOSECONDS = { D: 86400n * 10n ** 9n, h: 3600n * 10n ** 9n, m: 60n * 10n ** 9n, s: 10n ** 9n, ms: 10n ** 6n, us: 1000n, ns: 1n };

/** A Date, or ISO 8601 text ("2024-05-01", "2024-05-01T12:30:00", "2024-05-01T12:30+02:00"), as a number. Throws. */
export function units(value, dtype) {
  const [, unit, zone] = TYPE.exec(dtype) ?? [];
  if (unit === undefined) throw new Error(`the manifest's dtype ${dtype} is no type of times`);
  const instant = value instanceof Date;
  const match = TEXT.exec(instant && !Number.isNaN(+value) ? value.toISOString() : typeof value === "string" ? value : "");
  if (!match) throw new Error('expected a date or time such as "2024-05-01" or "2024-05-01T12:30:00"');
  const zoned = match[8] !== undefined || match[9] !== undefined;
  if (zoned && !zone) throw new Error(`expected a time without a time zone, as in training${instant ? "; a Date has one" : ""}`);
  if (zone && !zoned) throw new Error('expected a time with its time zone, such as "2024-05-01T12:30+02:00"');
  const whole = floored(nanoseconds(match), NANOSECONDS[unit]);
  if (whole !== BigInt.asIntN(64, whole)) throw new Error(`expected a time that 64 bits of ${unit} hold`);
  return Number(whole);
}

function nanoseconds([, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", , sign, hours, minutes]) {
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const moment = new Date(written);
  if (Number.isNaN(+moment) || moment.toISOString() !== written || year === "0000") throw new Error("expected a date that exists");
  const offset = sign ? BigInt(`${sign}1`.replace("+", "")) * (BigInt(hours) * 60n + BigInt(minutes)) * 60n * 10n ** 9n : 0n;
  return BigInt(+moment) * 10n ** 6n + BigInt(fraction.padEnd(9, "0")) - offset;
}

function floored(value, unit) {
  return value / unit - (value % unit < 0n ? 1n : 0n);
}
