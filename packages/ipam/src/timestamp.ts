import { brand, type Brand } from "@caracal/net";

/** Nanoseconds since 1970-01-01T00:00:00Z. */
export type Nanos = Brand<bigint, "Nanos">;

const nanosPerSecond = 1_000_000_000n;
const secondsPerDay = 86_400;

export const Nanos: {
  readonly of: (value: bigint) => Nanos;
  readonly fromSeconds: (seconds: number) => Nanos;
  /** `2026-01-02T03:04:05Z` (RFC 3339), whole seconds. */
  readonly formatRfc3339: (time: Nanos) => string;
  /** RFC 3339 text with any fraction and offset; anything else is `undefined`. */
  readonly parseRfc3339: (text: string) => Nanos | undefined;
  /** What Go's `time.String()` prints for a UTC time: `2026-01-02 03:04:05.1 +0000 UTC`. */
  readonly formatGo: (time: Nanos) => string;
} = {
  of: (value) => brand<Nanos>(value),
  fromSeconds: (seconds) => brand<Nanos>(BigInt(seconds) * nanosPerSecond),
  formatRfc3339: (time) => {
    const { date, clock } = civil(time);
    return `${date}T${clock}Z`;
  },
  parseRfc3339,
  formatGo: (time) => {
    const { date, clock, nanos } = civil(time);
    const fraction = nanos === 0n ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
    return `${date} ${clock}${fraction} +0000 UTC`;
  },
};

function civil(time: Nanos): { date: string; clock: string; nanos: bigint } {
  const nanos = ((time % nanosPerSecond) + nanosPerSecond) % nanosPerSecond;
  const seconds = Number((time - nanos) / nanosPerSecond);
  const days = Math.floor(seconds / secondsPerDay);
  const ofDay = seconds - days * secondsPerDay;
  const { year, month, day } = dateOfDays(days);
  const two = (value: number): string => String(value).padStart(2, "0");
  return {
    date: `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`,
    clock: `${two(Math.floor(ofDay / 3600))}:${two(Math.floor(ofDay / 60) % 60)}:${two(ofDay % 60)}`,
    nanos,
  };
}

// Years are counted from March, so that the leap day is the last of its year and months have a regular length.
const daysPerEra = 146_097;
const daysToEpoch = 719_468;

function dateOfDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + daysToEpoch;
  const era = Math.floor(shifted / daysPerEra);
  const ofEra = shifted - era * daysPerEra;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function daysOfDate(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const ofEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + ofYear;
  return era * daysPerEra + ofEra - daysToEpoch;
}

const rfc3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

function parseRfc3339(text: string): Nanos | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const field = (index: number): number => Number(match[index] ?? 0);
  const days = daysOfDate(field(1), field(2), field(3));
  const offset = (field(9) * 60 + field(10)) * 60 * (match[8] === "-" ? -1 : 1);
  const seconds = days * secondsPerDay + field(4) * 3600 + field(5) * 60 + field(6) - offset;
  return brand<Nanos>(BigInt(seconds) * nanosPerSecond + BigInt((match[7] ?? "").padEnd(9, "0")));
}
